"""What the gateway's answer to a call means for the journey, by the kind of answer and the kind of command."""

from datetime import timedelta

from msgspec.structs import replace

from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.commands import SAFE
from bridge.domain.entities import Source
from bridge.domain.journey.draft import Context, Draft, Step
from bridge.domain.journey.events import decide_waiting
from bridge.domain.journey.evidence import evidence_wait
from bridge.domain.journey.fetching import fetched
from bridge.domain.journey.following import problem_seen, problem_taken, remember_requests, request_keys
from bridge.domain.journey.state import Planned, TicketState
from bridge.domain.journey.telling import Word, not_sent
from bridge.domain.journey.testing import end_if_only_tested, no_raise, test_taken
from bridge.domain.journeys import CommandState, End
from bridge.domain.outcomes import Basis, CommandName, Reason, Verdict
from bridge.domain.retries import backoff


def answered(ticket: TicketState, planned: Planned, answer: Answer, context: Context) -> Step:
    """Decide about the answer to a call that was just made."""
    draft = Draft(ticket, context)
    if isinstance(answer, Taken) and not answer.entity.id.isdecimal():
        why = "the answer names an id that is no number"
        answer = Ambiguous(reason=Reason.UNREADABLE_ANSWER, why=why, http_status=answer.http_status)
    planned = replace(planned, request_id=answer.request_id or planned.request_id)
    if planned.name in SAFE:
        fetched(draft, planned, answer)
    else:
        draft.set_head(request_id=planned.request_id)
        _settle(draft, answer)
    decide_waiting(draft)
    return draft.done()


def interrupted(ticket: TicketState, context: Context) -> Step:
    """A take-over found an intent without an outcome: nobody knows what became of it."""
    draft = Draft(ticket, context)
    why = "the worker that sent it went away before it had the answer"
    _unknown(draft, Ambiguous(reason=Reason.INTERRUPTED, why=why))
    return draft.done()


def turned_away(ticket: TicketState, planned: Planned, context: Context) -> Step:
    """The call could not start: its supplier's breaker or limits stopped it. A command that waits too long FAILED."""
    draft = Draft(ticket, context)
    since = planned.trying_since or draft.now
    if planned.name in SAFE or draft.now < since + draft.policy.retry_for:
        return Step(ticket=ticket)
    _give_up(draft, "the way to the supplier was closed", None)
    decide_waiting(draft)
    return draft.done()


def _settle(draft: Draft, answer: Answer) -> None:
    """Settle the head of the queue by an answer."""
    match answer:
        case Taken():
            word = Word(
                verdict=Verdict.ACCEPTED,
                reason=Reason.ANSWERED,
                message="The gateway took it.",
                basis=Basis.ANSWER,
                http_status=answer.http_status,
                entity=answer.entity,
            )
            observed(draft, draft.live.queue[0].request_id, answer)
            accepted(draft, answer, word)
        case Refused():
            refused(draft, answer)
        case NotTaken():
            _not_taken(draft, answer)
        case Ambiguous():
            _unknown(draft, answer)


def observed(draft: Draft, request_id: str | None, taken: Taken) -> None:
    """Publish the answer to a command; no answer comes without the request's id."""
    if request_id is None:
        raise LookupError("a command that was answered has a request id")
    draft.observe(Source.POST, request_id, taken)


def accepted(draft: Draft, taken: Taken, word: Word) -> None:
    """The gateway took the head of the queue, and made or changed this entity."""
    head = draft.drop_head()
    entity = taken.entity
    draft.tell_command(head, word)
    if head.name is CommandName.RUN_TEST:
        test_taken(draft, head, entity)
    elif head.name is CommandName.RAISE_PROBLEM:
        problem_taken(draft, entity)
    else:
        remember_requests(draft, entity.id, request_keys(entity))
        problem_seen(draft, entity)


def refused(draft: Draft, answer: Refused) -> None:
    """The gateway will never take the head of the queue, or has taken it before."""
    if draft.live.queue[0].name is CommandName.ANSWER_RESOLUTION and draft.live.queue[0].doubts:
        _repeat_refused(draft, answer)
        return
    head = draft.drop_head()
    word = Word(
        verdict=Verdict.REFUSED,
        reason=Reason.REFUSED_BY_GATEWAY,
        message=f"The gateway refused it with HTTP {answer.http_status}.",
        basis=Basis.ANSWER,
        http_status=answer.http_status,
        error=answer.error,
    )
    draft.tell_command(head, word)
    without(draft, head, End.REFUSED)


def _repeat_refused(draft: Draft, answer: Refused) -> None:
    """A resolution is answered once: what refuses the repeat may be the first send, and a GET has to confirm it."""
    head = draft.live.queue[0]
    draft.set_head(
        state=CommandState.UNKNOWN,
        request_id=head.doubts[-1],
        not_before=draft.now + draft.policy.unknown_check_wait,
        why=f"its repeat was refused with HTTP {answer.http_status}",
        checks=0,
        repeat_refused=True,
        alarm=False,
    )


def without(draft: Draft, head: Planned, end: End) -> None:
    """A test or a raise that will not happen ends the journey; anything else leaves it as it is."""
    if head.alone:
        end_if_only_tested(draft, passed=False)
    elif head.name is CommandName.RUN_TEST:
        text = "No test could be run for the fault, so no problem is raised."
        no_raise(draft, not_sent(Reason.TEST_NOT_PASSED, text), end)
    elif head.name is CommandName.RAISE_PROBLEM:
        draft.end(end)


def _not_taken(draft: Draft, answer: NotTaken) -> None:
    head = draft.live.queue[0]
    wait = backoff(draft.policy, head.attempts, draft.context.jitter, answer.retry_after_seconds)
    if draft.now + wait > (head.trying_since or draft.now) + draft.policy.retry_for:
        _give_up(draft, answer.why, answer.http_status)
        return
    draft.postpone_head(wait, answer.why)
    draft.set_head(alarm=answer.alarm)


def _give_up(draft: Draft, why: str, http_status: int | None) -> None:
    """The time for trying is over; a command of which a send may have been taken is not FAILED, but for a person."""
    head = draft.live.queue[0]
    tried = f"It could not be sent for {_hours(draft.policy.retry_for)} ({why})"
    if head.doubts:
        draft.set_head(state=CommandState.UNKNOWN, not_before=None, why=why, alarm=False)
        text = f"{tried}, and an earlier send may have been taken. A person must decide."
        verdict = Verdict.UNKNOWN
    else:
        draft.drop_head()
        text, verdict = f"{tried}; nothing was taken.", Verdict.FAILED
    word = Word(verdict=verdict, reason=Reason.GAVE_UP, message=text, basis=Basis.ANSWER, http_status=http_status)
    draft.tell_command(head, word)
    if verdict is Verdict.FAILED:
        without(draft, head, End.FAILED)


def _hours(time: timedelta) -> str:
    return f"{time.total_seconds() / 3600:.1f} h"


def _unknown(draft: Draft, answer: Ambiguous) -> None:
    head = draft.live.queue[0]
    head = replace(head, doubts=(*head.doubts, head.request_id or head.command_id))
    wait = evidence_wait(draft, head)
    draft.set_head(
        state=CommandState.UNKNOWN,
        doubts=head.doubts,
        told_unknown=True,
        not_before=None if wait is None else draft.now + wait,
        why=answer.reason.value,
        checks=0,
        alarm=False,
    )
    word = Word(
        verdict=Verdict.UNKNOWN,
        reason=answer.reason,
        message=f"It may have been taken ({answer.why}). Evidence, policy or a person tells what becomes of it.",
        basis=Basis.ANSWER,
        http_status=answer.http_status,
    )
    draft.tell_command(head, word)
