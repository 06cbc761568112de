"""What the tracker's signals mean for the journey: progress, evidence for an UNKNOWN command, or a reason to fetch."""

from msgspec.structs import replace

from bridge.domain.answers import Refused, Taken
from bridge.domain.commands import RunTest
from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Entity, GatewayError
from bridge.domain.journey.answers import accepted, observed, refused
from bridge.domain.journey.draft import Context, Draft, Step
from bridge.domain.journey.events import decide_waiting
from bridge.domain.journey.evidence import look_for_evidence
from bridge.domain.journey.following import problem_appeared, problem_seen, remember_requests, request_keys
from bridge.domain.journey.gate import same_subject
from bridge.domain.journey.state import Planned, TicketState
from bridge.domain.journey.telling import Word
from bridge.domain.journey.testing import test_seen
from bridge.domain.journeys import CommandState
from bridge.domain.outcomes import Basis, CommandName, Reason, Verdict
from bridge.domain.signals import EntityChanged, EntitySilent, JourneySignal, LateAnswer

FETCHED = frozenset({SERVICE_PROBLEM, SERVICE_TEST})


def signal_arrived(ticket: TicketState, signal: JourneySignal, context: Context) -> Step:
    """Decide about one signal; one for a ticket that nobody reported changes nothing."""
    draft = Draft(ticket, context)
    if draft.journey is None:
        return draft.done()
    match signal.signal:
        case EntityChanged(entity=entity, error=error, action=action) if entity.id.isdecimal():
            if entity.type == SERVICE_TEST:
                _test_changed(draft, entity)
            elif entity.type == SERVICE_PROBLEM:
                _problem_changed(draft, entity, error, action)
        case EntitySilent(entity_type=entity_type, entity_id=entity_id, why=why) if entity_id.isdecimal():
            if entity_type in FETCHED:
                draft.plan_fetch(entity_type, entity_id, why, draft.now)
        case LateAnswer() as late:
            _answered_late(draft, late)
    decide_waiting(draft)
    return draft.done()


def _test_changed(draft: Draft, entity: Entity) -> None:
    head = draft.live.head
    if entity.id in draft.live.known_tests:
        test_seen(draft, entity, fetched=False)
    elif head is not None and _is_test_of(head, entity):
        accepted(draft, Taken(http_status=0, entity=entity), _found(entity))
    else:
        draft.change(past_tests=(*draft.live.past_tests, entity.id))


def _is_test_of(head: Planned, entity: Entity) -> bool:
    """Whether a test that nobody knew is what a RunTest led to that was sent at least once."""
    if not isinstance(head.command, RunTest) or not head.attempts:
        return False
    return same_subject((entity.service_id, entity.supplier), (head.command.service_id, head.command.supplier))


def _problem_changed(draft: Draft, entity: Entity, error: GatewayError | None, action: str | None) -> None:
    problem = draft.live.problem
    if problem is None or problem.id != entity.id:
        problem_appeared(draft, entity)
    problem = draft.live.problem
    if problem is not None and problem.id == entity.id:
        draft.change(problem=replace(problem, action=action))
        look_for_evidence(draft, entity)
        remember_requests(draft, entity.id, request_keys(entity))
        problem_seen(draft, entity, error_code=error.code if error else None)


def _answered_late(draft: Draft, late: LateAnswer) -> None:
    """The worker that sent a command lost its partition, and had the answer after all."""
    head = draft.live.head
    ours = head is not None and head.command_id == late.command_id
    if late.verdict is Verdict.ACCEPTED and late.entity is not None and late.entity.id.isdecimal():
        taken = Taken(http_status=late.http_status or 0, entity=late.entity)
        request_id = late.answered_request_id or late.request_id
        observed(draft, request_id or late.command_id, taken)
        if ours:
            draft.set_head(request_id=request_id)
            accepted(draft, taken, replace(_found(late.entity), http_status=late.http_status))
        else:
            _taken_before(draft, late.command, late.entity)
    elif ours and head is not None and late.request_id in head.doubts:
        _not_taken_late(draft, head, late)


def _taken_before(draft: Draft, command: CommandName, entity: Entity) -> None:
    """What a command led to that is settled already: it exists, and is nobody else's."""
    if command is CommandName.RAISE_PROBLEM:
        _problem_changed(draft, entity, None, draft.live.problem.action if draft.live.problem else None)
    elif command is CommandName.RUN_TEST and entity.id not in draft.live.known_tests:
        draft.change(past_tests=(*draft.live.past_tests, entity.id))
    elif draft.live.head is not None:
        known = draft.live.head.known_requests
        draft.set_head(known_requests=(*known, *sorted(request_keys(entity) - set(known))))
    remember_requests(draft, entity.id, request_keys(entity))


def _not_taken_late(draft: Draft, head: Planned, late: LateAnswer) -> None:
    """One send less may have been taken; if it was the last of them, the command is refused, or may be sent again."""
    doubts = tuple(doubt for doubt in head.doubts if doubt != late.request_id)
    draft.set_head(doubts=doubts)
    if doubts:
        return
    if late.verdict is Verdict.REFUSED:
        draft.set_head(request_id=late.answered_request_id or late.request_id)
        refused(draft, Refused(http_status=late.http_status or 0, error=late.error))
    elif head.state is CommandState.UNKNOWN:
        draft.set_head(state=CommandState.NOT_SENT, not_before=draft.now, why=late.reason.value)


def _found(entity: Entity) -> Word:
    return Word(
        verdict=Verdict.ACCEPTED,
        reason=Reason.FOUND,
        message=f"A later message about {entity.key} shows that it was taken.",
        basis=Basis.EVIDENCE,
        entity=entity,
    )
