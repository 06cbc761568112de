"""What a person's decision does: it settles a command whose outcome is UNKNOWN, and nothing else."""

from msgspec.structs import replace

from bridge.domain.answers import Taken
from bridge.domain.commands import ENTITY_TYPES
from bridge.domain.entities import Entity
from bridge.domain.journey.answers import accepted, without
from bridge.domain.journey.draft import Context, Draft, Step
from bridge.domain.journey.events import decide_waiting
from bridge.domain.journey.state import Planned, TicketState
from bridge.domain.journey.telling import Word, not_sent
from bridge.domain.journeys import CommandState, End
from bridge.domain.outcomes import Basis, CommandName, Reason, Verdict
from bridge.domain.signals import Choice, OperatorDecision

# The commands that make an entity of their own; to accept one, its id must be named.
MAKERS = frozenset({CommandName.RUN_TEST, CommandName.RAISE_PROBLEM})


def decision_arrived(ticket: TicketState, decision: OperatorDecision, context: Context) -> Step:
    """Decide as a person did; a decision about anything that is not UNKNOWN is answered, and changes nothing."""
    draft = Draft(ticket, context)
    head = draft.journey.head if draft.journey is not None else None
    if head is None or head.state is not CommandState.UNKNOWN or decision.command_id not in (None, head.command_id):
        name = head.name if head is not None else CommandName.RAISE_PROBLEM
        text = f"Nothing to decide: {decision.command_id or 'this ticket'} has no command whose outcome is UNKNOWN."
        draft.tell(name, None, not_sent(Reason.NOTHING_TO_DECIDE, text))
        return draft.done()
    match decision.choice:
        case Choice.ACCEPTED:
            _accept(draft, head, decision)
        case Choice.NOT_ACCEPTED:
            draft.drop_head()
            text = f"{decision.decided_by} decided that the gateway did not take it, and that it is not sent again."
            draft.tell_command(head, _decided(Verdict.FAILED, text))
            without(draft, head, End.FAILED)
        case Choice.RETRY:
            retried = replace(
                head,
                state=CommandState.NOT_SENT,
                doubts=(),
                trying_since=None,
                not_before=None,
                checks=0,
                repeat_refused=False,
            )
            draft.drop_head()
            draft.change(queue=(replace(retried, why="an operator's retry"), *draft.live.queue))
    decide_waiting(draft)
    return draft.done()


def _accept(draft: Draft, head: Planned, decision: OperatorDecision) -> None:
    entity_type = ENTITY_TYPES[head.name]
    entity_id = decision.entity_id
    if head.name not in MAKERS and draft.live.problem is not None:
        entity_id = draft.live.problem.id
    if entity_id is None or not entity_id.isdecimal():
        text = f"{head.name} makes an entity: name the number the gateway gave it, to have it followed."
        draft.tell(head.name, None, not_sent(Reason.INVALID, text))
        return
    entity = Entity(type=entity_type, id=entity_id)
    word = _decided(Verdict.ACCEPTED, f"{decision.decided_by} decided that the gateway took it.")
    accepted(draft, Taken(http_status=0, entity=entity), replace(word, entity=entity))
    draft.plan_fetch(entity_type, entity_id, "an operator named it", draft.now)


def _decided(verdict: Verdict, text: str) -> Word:
    return Word(verdict=verdict, reason=Reason.DECIDED, message=text, basis=Basis.OPERATOR)
