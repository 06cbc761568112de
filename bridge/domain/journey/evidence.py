"""
Whether what a problem shows settles a command whose outcome is UNKNOWN: an amendment, a cancellation or an answer.

That something was taken can be seen in any message, however old. That something was not taken, only a GET can tell
that was made some time after it was sent: the gateway shows a resolution in the problem's updates alone, and the update
that follows an answer may be a while in coming.
"""

from datetime import datetime, timedelta

from bridge.domain.commands import AmendProblem, AnswerResolution, CancelProblem
from bridge.domain.entities import Entity, Update
from bridge.domain.journey.draft import Draft
from bridge.domain.journey.following import ANSWERED, remember_requests, request_keys
from bridge.domain.journey.state import Planned
from bridge.domain.journey.telling import Word
from bridge.domain.journeys import CommandState
from bridge.domain.outcomes import Basis, CommandName, Reason, Verdict

# The commands for which a GET of the problem is the evidence (architecture, guarantee 2).
CHECKED = frozenset({CommandName.AMEND_PROBLEM, CommandName.CANCEL_PROBLEM, CommandName.ANSWER_RESOLUTION})
# The statuses that a problem only has because it was asked to be cancelled, or that make the question idle.
CANCELLING = frozenset({"PENDING_CANCELLATION", "CANCELLED"})


def look_for_evidence(
    draft: Draft, entity: Entity, updates: tuple[Update, ...] = (), *, asked_at: datetime | None = None
) -> None:
    """
    Settle the head if it is UNKNOWN and the followed problem shows what became of it. `asked_at` is when the GET was
    first sent that told of the problem; None: a message did.
    """
    head = draft.live.head
    problem = draft.live.problem
    if head is None or head.state is not CommandState.UNKNOWN or problem is None or problem.id != entity.id:
        return
    if isinstance(head.command, AmendProblem | CancelProblem):
        _look_for_request(draft, head, entity, updates)
    elif isinstance(head.command, AnswerResolution):
        _look_for_answer(draft, head.command, entity, updates, asked_at)


def checked(draft: Draft) -> None:
    """A GET of the problem was answered: after so many that showed nothing, a person is asked."""
    head = draft.live.head
    if head is None or head.state is not CommandState.UNKNOWN or head.name not in CHECKED or head.not_before is None:
        return
    checks = head.checks + 1
    again = draft.now + draft.policy.unknown_check_wait if checks < draft.policy.unknown_checks else None
    draft.set_head(checks=checks, not_before=again)


def evidence_wait(draft: Draft, head: Planned) -> timedelta | None:
    """How long the bridge waits before it does something about an UNKNOWN command; None: until a person decides."""
    policy, doubts = draft.policy, len(head.doubts)
    match head.name:
        case CommandName.RUN_TEST:
            return policy.unknown_test_wait if doubts < policy.max_tests else None
        case CommandName.RAISE_PROBLEM:
            repeat = policy.reraise_unknown and doubts < max(2, policy.max_raises)
            return policy.unknown_raise_wait if repeat else None
        case _:
            return policy.unknown_check_wait


def _look_for_request(draft: Draft, head: Planned, entity: Entity, updates: tuple[Update, ...]) -> None:
    """A request that the problem did not have when ours was sent is ours: nobody else makes requests on it."""
    kind = "amendment" if isinstance(head.command, AmendProblem) else "cancellation"
    keys = request_keys(entity, updates) - set(head.known_requests)
    found = sorted(key for key in keys if key.startswith(kind))
    if found:
        remember_requests(draft, entity.id, frozenset(found))
        _found(draft, entity, f"The problem shows {found[0].replace(':', ' ')}, which it did not have before.")
    elif kind == "cancellation" and entity.status in CANCELLING:
        _found(draft, entity, f"The problem is {entity.status}.")


def _look_for_answer(
    draft: Draft, command: AnswerResolution, entity: Entity, updates: tuple[Update, ...], asked_at: datetime | None
) -> None:
    holders: tuple[Entity | Update, ...] = (entity, *updates)
    told = [holder.resolution for holder in holders if holder.resolution is not None]
    statuses = {resolution.status for resolution in told if resolution.id == command.resolution_id}
    if command.status in statuses or (command.status == "ACCEPTED" and entity.status == "COMPLETED"):
        _found(draft, entity, f"The problem shows resolution {command.resolution_id} as {command.status}.")
    elif entity.status == "COMPLETED" or statuses & ANSWERED:
        text = f"Resolution {command.resolution_id} was settled otherwise before this answer arrived."
        word = Word(verdict=Verdict.FAILED, reason=Reason.GAVE_UP, message=text, basis=Basis.EVIDENCE, entity=entity)
        draft.tell_command(draft.drop_head(), word)
    elif statuses == {"PENDING"} and entity.status == "RESOLVED" and _is_late_enough(draft, asked_at):
        _still_pending(draft)


def _is_late_enough(draft: Draft, asked_at: datetime | None) -> bool:
    """Whether a GET was sent so long after the doubt arose that it would show an answer that was taken."""
    since = draft.live.queue[0].unknown_since
    return asked_at is not None and since is not None and asked_at >= since + draft.policy.unknown_check_wait


def _still_pending(draft: Draft) -> None:
    """
    The GET does not show the answer, so it is sent again: were it taken all the same, the gateway refuses the repeat,
    and nothing has happened twice. Then it is for a GET that shows it, or a person.
    """
    head = draft.live.queue[0]
    if head.repeat_refused:
        return
    since = head.trying_since or draft.now
    if draft.now < since + draft.policy.retry_for:
        why = "the resolution still waits for its answer"
        draft.set_head(state=CommandState.NOT_SENT, unknown_since=None, not_before=draft.now, why=why)
        return
    text = "The resolution still waits for its answer, and the time for trying is over."
    word = Word(verdict=Verdict.FAILED, reason=Reason.GAVE_UP, message=text, basis=Basis.EVIDENCE)
    draft.tell_command(draft.drop_head(), word)


def _found(draft: Draft, entity: Entity, text: str) -> None:
    word = Word(verdict=Verdict.ACCEPTED, reason=Reason.FOUND, message=text, basis=Basis.EVIDENCE, entity=entity)
    draft.tell_command(draft.drop_head(), word)
