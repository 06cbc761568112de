"""What a journey wants of the gateway, and when: the only place that turns time into something to do."""

from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from bridge.domain.commands import SAFE, FetchTest, RaiseProblem, RunTest
from bridge.domain.entities import SERVICE_PROBLEM
from bridge.domain.journey.draft import Context, Draft, Step
from bridge.domain.journey.events import decide_waiting
from bridge.domain.journey.evidence import CHECKED
from bridge.domain.journey.state import Journey, Planned, TicketState
from bridge.domain.journey.testing import test_again, validity_over
from bridge.domain.journeys import CommandState
from bridge.domain.outcomes import CommandName
from bridge.domain.policy import JourneyPolicy


class Found(StrEnum):
    """What is found of the command that a ticket stands at, when another worker takes the ticket over."""

    # It certainly was not taken: it is handled again.
    NOT_SENT = "NOT_SENT"
    # Its intent stands without an outcome: UNKNOWN from now on.
    INTERRUPTED = "INTERRUPTED"
    # It may have been taken, as was told before.
    UNKNOWN = "UNKNOWN"
    # Everything that was asked for has its outcome.
    DONE = "DONE"


def found(ticket: TicketState) -> Found:
    """What a take-over finds of a ticket; only its present owner may take an intent for one that is under way."""
    head = ticket.journey.head if ticket.journey is not None else None
    if head is None:
        return Found.DONE
    return Found.INTERRUPTED if head.state is CommandState.IN_FLIGHT else Found(head.state.value)


def next_call(ticket: TicketState, now: datetime) -> Planned | None:
    """The call that is due, or None. GETs go first: they are what settles an UNKNOWN head."""
    journey = ticket.journey
    if journey is None:
        return None
    for fetch in journey.fetches:
        if fetch.not_before is None or fetch.not_before <= now:
            return fetch
    head = journey.head
    if head is not None and head.state is CommandState.NOT_SENT and (head.not_before is None or head.not_before <= now):
        return head
    return None


def supplier_of(journey: Journey, planned: Planned) -> str:
    """Whose breaker and limits a call is under; a test that was asked for alone may be another supplier's."""
    match planned.command:
        case RunTest(supplier=supplier) | RaiseProblem(supplier=supplier):
            return supplier
        case FetchTest(service_test_id=number):
            runs = (run for run in journey.alone_tests if run.id == str(number))
            return next((run.supplier for run in runs if run.supplier is not None), journey.supplier or "")
        case _:
            return journey.supplier or ""


def wake_at(ticket: TicketState, policy: JourneyPolicy) -> datetime | None:
    """When this ticket next has something to do by itself; a time that is past means now."""
    journey = ticket.journey
    if journey is None:
        return ticket.touched_at + policy.remember_ended
    times = [fetch.not_before or ticket.touched_at for fetch in journey.fetches]
    head = journey.head
    if head is not None and head.state is CommandState.NOT_SENT:
        times.append(head.not_before or ticket.touched_at)
    elif head is not None and head.not_before is not None:
        times.append(head.not_before)
    if journey.ended_at is not None:
        times.append(journey.ended_at + policy.remember_ended)
    return min(times, default=None)


def is_forgotten(ticket: TicketState, policy: JourneyPolicy, now: datetime) -> bool:
    """Whether the ticket ended so long ago that it leaves the table."""
    journey = ticket.journey
    since = ticket.touched_at if journey is None else journey.ended_at
    return since is not None and now >= since + policy.remember_ended


def sending(ticket: TicketState, planned: Planned, request_id: str, now: datetime) -> tuple[TicketState, Planned]:
    """
    The ticket with this call marked as being made.

    For anything but a GET, this state is the intent that must be durable before the first byte is sent.
    """
    journey = ticket.journey
    if journey is None:
        raise LookupError(f"ticket {ticket.ticket_id} has no journey, and so no call")
    sent = replace(
        planned,
        state=CommandState.IN_FLIGHT,
        attempts=planned.attempts + 1,
        trying_since=planned.trying_since or now,
        request_id=request_id,
        not_before=None,
        known_requests=journey.problem.requests if journey.problem is not None else (),
    )
    if planned.name in SAFE:
        fetches = tuple(sent if fetch.command_id == planned.command_id else fetch for fetch in journey.fetches)
        return replace(ticket, journey=replace(journey, fetches=fetches)), sent
    return replace(ticket, journey=replace(journey, queue=(sent, *journey.queue[1:])), touched_at=now), sent


def time_passed(ticket: TicketState, context: Context) -> Step:
    """Do what is due without anybody's word: look for evidence, repeat by policy, test anew when a validity ran out."""
    head = ticket.journey.head if ticket.journey is not None else None
    if head is None or (head.not_before is not None and head.not_before > context.now):
        return Step(ticket=ticket)
    draft = Draft(ticket, context)
    if head.state is CommandState.UNKNOWN and head.not_before is not None:
        _unknown_for_too_long(draft, head)
    elif head.state is CommandState.NOT_SENT and head.name is CommandName.RAISE_PROBLEM and validity_over(draft):
        if head.may_be_taken:
            # A new test would lead to another raise beside the one that may have been taken: that is for a person.
            draft.set_head(state=CommandState.UNKNOWN, not_before=None, why="the test's validity is over")
        else:
            test_again(draft)
    if draft.journey == ticket.journey:
        return Step(ticket=ticket)
    decide_waiting(draft)
    return draft.done()


def _unknown_for_too_long(draft: Draft, head: Planned) -> None:
    if head.name not in CHECKED:
        if head.name is CommandName.RAISE_PROBLEM and validity_over(draft):
            draft.set_head(not_before=None)
        else:
            draft.set_head(state=CommandState.NOT_SENT, not_before=None, why="no evidence came; repeated by policy")
        return
    problem = draft.live.problem
    if problem is None:
        draft.set_head(not_before=None)
        return
    fetch = draft.planned_fetch(SERVICE_PROBLEM, problem.id)
    if fetch is None:
        draft.plan_fetch(SERVICE_PROBLEM, problem.id, "evidence is looked for", draft.now)
    # Only a GET that was answered counts as a check, so that nobody is asked because the gateway is away.
    due = max(draft.now, fetch.not_before or draft.now) if fetch is not None else draft.now
    draft.set_head(not_before=due + draft.policy.unknown_check_wait)


def attention(ticket: TicketState) -> str | None:
    """What a person must do about this ticket, as one word, or None."""
    journey = ticket.journey
    if journey is None:
        return None
    head = journey.head
    if head is not None and head.state is CommandState.UNKNOWN and head.not_before is None:
        return "RESOLVE_UNKNOWN"
    if any(planned.alarm for planned in (*journey.queue[:1], *journey.fetches)):
        return "GATEWAY_REFUSES_ACCESS"
    return "SECOND_PROBLEM" if journey.strays else _asked_of_people(journey)


def _asked_of_people(journey: Journey) -> str | None:
    """What the supplier waits for."""
    problem = journey.problem
    if journey.end is not None or problem is None:
        return None
    resolution = problem.pending_resolution
    if problem.status == "RESOLVED" and resolution is not None:
        return None if journey.answers(resolution.id) else "ANSWER_RESOLUTION"
    return problem.action
