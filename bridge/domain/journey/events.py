"""
What each event of the ticketing system does in each situation of its ticket: one table, walked by one function.

`docs/journeys.md` is drawn from RULES, and a test walks every cell.
"""

from enum import StrEnum

from msgspec.structs import replace

from bridge.domain.commands import AmendProblem, AnswerResolution, CancelProblem, RaiseProblem
from bridge.domain.entities import SERVICE_TEST
from bridge.domain.journey.draft import Context, Draft, Step
from bridge.domain.journey.state import BEFORE_ACKNOWLEDGEMENT, REMEMBERED_EVENTS, Journey, TestRun, TicketState
from bridge.domain.journey.telling import not_sent
from bridge.domain.journey.testing import run_test, run_test_alone
from bridge.domain.journeys import End, Phase
from bridge.domain.limits import violations
from bridge.domain.outcomes import CommandName, Reason
from bridge.domain.tickets import (
    FaultAmended,
    FaultCancelled,
    FaultReported,
    FaultTicketEvent,
    ResolutionAnswered,
    ServiceTestRequested,
    TicketEvent,
)


class Situation(StrEnum):
    """Where a ticket stands when an event arrives."""

    # Nothing is known of the ticket, or only events that could not be used.
    UNKNOWN = "unknown"
    # A test that no fault asked for is running.
    TESTING_ALONE = "testing alone"
    # Such a test is over.
    TESTED_ALONE = "tested alone"
    # A test for the reported fault is running, or is to be.
    TESTING = "testing"
    # The raise is decided, and certainly not taken yet.
    RAISING = "raising"
    # The raise is under way or UNKNOWN.
    RAISE_IN_DOUBT = "raise in doubt"
    # The problem exists, and the supplier has not acknowledged it.
    SENT = "sent"
    # The problem is with the supplier.
    OPEN = "open"
    # The journey is over.
    ENDED = "ended"


class Rule(StrEnum):
    """What is done with an event."""

    # A journey begins.
    START = "start"
    # A test is run.
    TEST = "test"
    # The change goes into the raise.
    FOLD = "fold"
    # The journey ends before a problem was raised.
    END = "end"
    # A command is sent, if the problem's status allows it.
    SEND = "send"
    # The event waits until it can be decided.
    WAIT = "wait"
    # Told that the fault was reported before.
    ALREADY_REPORTED = "already reported"
    # Told that no fault was reported under this ticket id.
    UNKNOWN_TICKET = "unknown ticket"
    # Told that no resolution waits for an answer.
    NO_RESOLUTION = "no resolution"
    # Told that the journey is over.
    AFTER_END = "after end"


RULES: dict[type[TicketEvent], dict[Situation, Rule]] = {
    FaultReported: {
        Situation.UNKNOWN: Rule.START,
        Situation.TESTING_ALONE: Rule.START,
        Situation.TESTED_ALONE: Rule.START,
        Situation.TESTING: Rule.ALREADY_REPORTED,
        Situation.RAISING: Rule.ALREADY_REPORTED,
        Situation.RAISE_IN_DOUBT: Rule.ALREADY_REPORTED,
        Situation.SENT: Rule.ALREADY_REPORTED,
        Situation.OPEN: Rule.ALREADY_REPORTED,
        Situation.ENDED: Rule.AFTER_END,
    },
    FaultAmended: {
        Situation.UNKNOWN: Rule.UNKNOWN_TICKET,
        Situation.TESTING_ALONE: Rule.UNKNOWN_TICKET,
        Situation.TESTED_ALONE: Rule.UNKNOWN_TICKET,
        Situation.TESTING: Rule.FOLD,
        Situation.RAISING: Rule.FOLD,
        Situation.RAISE_IN_DOUBT: Rule.WAIT,
        Situation.SENT: Rule.WAIT,
        Situation.OPEN: Rule.SEND,
        Situation.ENDED: Rule.AFTER_END,
    },
    FaultCancelled: {
        Situation.UNKNOWN: Rule.UNKNOWN_TICKET,
        Situation.TESTING_ALONE: Rule.UNKNOWN_TICKET,
        Situation.TESTED_ALONE: Rule.UNKNOWN_TICKET,
        Situation.TESTING: Rule.END,
        Situation.RAISING: Rule.END,
        Situation.RAISE_IN_DOUBT: Rule.WAIT,
        Situation.SENT: Rule.WAIT,
        Situation.OPEN: Rule.SEND,
        Situation.ENDED: Rule.AFTER_END,
    },
    ResolutionAnswered: {
        Situation.UNKNOWN: Rule.UNKNOWN_TICKET,
        Situation.TESTING_ALONE: Rule.UNKNOWN_TICKET,
        Situation.TESTED_ALONE: Rule.UNKNOWN_TICKET,
        Situation.TESTING: Rule.NO_RESOLUTION,
        Situation.RAISING: Rule.NO_RESOLUTION,
        Situation.RAISE_IN_DOUBT: Rule.NO_RESOLUTION,
        Situation.SENT: Rule.NO_RESOLUTION,
        Situation.OPEN: Rule.SEND,
        Situation.ENDED: Rule.AFTER_END,
    },
    ServiceTestRequested: {
        Situation.UNKNOWN: Rule.TEST,
        Situation.TESTING_ALONE: Rule.TEST,
        Situation.TESTED_ALONE: Rule.TEST,
        Situation.TESTING: Rule.TEST,
        Situation.RAISING: Rule.TEST,
        Situation.RAISE_IN_DOUBT: Rule.TEST,
        Situation.SENT: Rule.TEST,
        Situation.OPEN: Rule.TEST,
        Situation.ENDED: Rule.AFTER_END,
    },
}

TELLING = {
    Rule.ALREADY_REPORTED: not_sent(
        Reason.ALREADY_REPORTED, "This ticket's fault was reported before; send FaultAmended to change it."
    ),
    Rule.UNKNOWN_TICKET: not_sent(
        Reason.UNKNOWN_TICKET, "No fault was reported under this ticket id; send FaultReported first."
    ),
    Rule.NO_RESOLUTION: not_sent(
        Reason.NO_PENDING_RESOLUTION, "No resolution waits for an answer: the supplier has not resolved the problem."
    ),
    Rule.AFTER_END: not_sent(
        Reason.AFTER_END, "The journey of this ticket is over; report the fault under a new ticket id."
    ),
}
FOLDED = not_sent(Reason.FOLDED_INTO_RAISE, "The problem is not raised yet: the change goes into the raise.")
CANCELLED = not_sent(
    Reason.CANCELLED_BEFORE_RAISE, "No problem is open, so there is nothing to cancel: the journey ends."
)
NOT_RAISED = not_sent(Reason.CANCELLED_BEFORE_RAISE, "The fault was cancelled before its problem was raised.")
DUPLICATE = not_sent(
    Reason.DUPLICATE_EVENT, "An event of this id was handled before; each event needs an id of its own."
)


def situation(journey: Journey | None) -> Situation:
    """Where a ticket stands."""
    if journey is None:
        return Situation.UNKNOWN
    if journey.phase is Phase.ENDED:
        return Situation.TESTED_ALONE if journey.alone else Situation.ENDED
    if journey.alone:
        return Situation.TESTING_ALONE
    if journey.raise_in_doubt:
        return Situation.RAISE_IN_DOUBT
    if journey.phase is Phase.OPEN:
        status = journey.problem.status if journey.problem else None
        return Situation.SENT if status in BEFORE_ACKNOWLEDGEMENT else Situation.OPEN
    return Situation.TESTING if journey.phase is Phase.TESTING else Situation.RAISING


def event_arrived(ticket: TicketState, event: FaultTicketEvent, context: Context) -> Step:
    """Decide about one event of the ticketing system."""
    draft = Draft(ticket, context)
    if event.event_id in ticket.event_ids:
        draft.tell_event(event, DUPLICATE)
        return draft.done()
    draft.ticket = replace(ticket, event_ids=(*ticket.event_ids, event.event_id)[-REMEMBERED_EVENTS:])
    broken = violations(event, context.policy)
    if broken:
        fields = ", ".join(violation.field for violation in broken)
        text = f"The event breaks {len(broken)} limits of the contract: {fields}."
        draft.tell_event(event, not_sent(Reason.INVALID, text, violations=broken))
        return draft.done()
    decide(draft, event)
    return draft.done()


def decide(draft: Draft, event: FaultTicketEvent) -> None:
    """Apply the table to a valid event."""
    rule = _rule(draft, event)
    match event.event:
        case _ if rule in TELLING:
            draft.tell_event(event, TELLING[rule])
        case _ if rule is Rule.WAIT:
            if _has_room(draft, event):
                _wait(draft, event)
        case FaultReported() as report:
            _start(draft, report, event)
        case FaultAmended() as amendment if rule is Rule.FOLD:
            _fold(draft, amendment)
            draft.tell_event(event, FOLDED)
        case FaultCancelled() if rule is Rule.END:
            _cancel(draft, event)
        case ServiceTestRequested() as request:
            _test(draft, request, event)
        case FaultAmended() | FaultCancelled() | ResolutionAnswered():
            _send(draft, event)


def decide_waiting(draft: Draft) -> None:
    """Decide the events that waited, in their order; those that must still wait keep their places."""
    if draft.journey is None or not draft.journey.waiting:
        return
    events = draft.live.waiting
    draft.change(waiting=())
    for event in events:
        if _rule(draft, event) is Rule.WAIT:
            _wait(draft, event)
        else:
            decide(draft, event)


def _rule(draft: Draft, event: FaultTicketEvent) -> Rule:
    return RULES[type(event.event)][situation(draft.journey)]


def _wait(draft: Draft, event: FaultTicketEvent) -> None:
    draft.change(waiting=(*draft.live.waiting, event))


def _has_room(draft: Draft, event: FaultTicketEvent) -> bool:
    journey = draft.live
    if len(journey.queue) + len(journey.waiting) < draft.policy.max_queued:
        return True
    text = f"{draft.policy.max_queued} commands of this ticket wait already; send it again when they are settled."
    draft.tell_event(event, not_sent(Reason.TOO_MANY_PENDING, text))
    return False


def _start(draft: Draft, report: FaultReported, event: FaultTicketEvent) -> None:
    if draft.journey is None or draft.journey.phase is Phase.ENDED:
        draft.start(alone=False)
    draft.change(
        alone=False,
        report=report,
        report_event_id=event.event_id,
        reported_at=event.occurred_at,
        service_id=report.service_id,
        supplier=report.supplier,
    )
    if report.service_test_id is None:
        run_test(draft)
        return
    run = TestRun(
        id=str(report.service_test_id),
        command_id=None,
        event_id=event.event_id,
        supplier=report.supplier,
        started_at=draft.now,
    )
    draft.change(test=run, phase=Phase.TESTING)
    draft.plan_fetch(SERVICE_TEST, run.id, "the ticket brought this test with it", draft.now)


def _fold(draft: Draft, amendment: FaultAmended) -> None:
    """Change the report, and the raise if it is planned already. Their fields have the amendment's names."""
    journey = draft.live
    if journey.report is None:
        raise LookupError(f"ticket {draft.ticket.ticket_id} has no report")
    told = {field: getattr(amendment, field) for field in amendment.__struct_fields__}
    changes = {field: value for field, value in told.items() if value is not None}
    draft.change(
        report=replace(journey.report, **changes),
        queue=tuple(
            replace(planned, command=replace(planned.command, **changes))
            if isinstance(planned.command, RaiseProblem)
            else planned
            for planned in journey.queue
        ),
    )


def _cancel(draft: Draft, event: FaultTicketEvent) -> None:
    """End the journey before its raise; the reporter is told too, if no raise was planned that the end tells of."""
    draft.tell_event(event, CANCELLED)
    if draft.live.planned_raise is None:
        draft.tell(CommandName.RAISE_PROBLEM, draft.live.report_event_id, NOT_RAISED)
    draft.end(End.CANCELLED_BEFORE_RAISE)


def _test(draft: Draft, request: ServiceTestRequested, event: FaultTicketEvent) -> None:
    if draft.journey is None or draft.journey.phase is Phase.ENDED:
        draft.start(alone=True)
        draft.change(service_id=request.service_id, supplier=request.supplier)
    if _has_room(draft, event):
        run_test_alone(draft, request, event.event_id)


def _send(draft: Draft, event: FaultTicketEvent) -> None:
    """Plan what an open problem is asked, if its status allows it."""
    problem = draft.live.problem
    if problem is None:
        raise LookupError(f"ticket {draft.ticket.ticket_id} has no problem")
    problem_id = int(problem.id)
    match event.event:
        case FaultAmended() as amendment:
            fields = {field: getattr(amendment, field) for field in amendment.__struct_fields__}
            amend = AmendProblem(service_problem_id=problem_id, **fields)
            _send_if_allowed(draft, event, amend, draft.policy.amend_statuses)
        case FaultCancelled(reason_code=reason, text=text):
            cancel = CancelProblem(service_problem_id=problem_id, reason_code=reason, text=text)
            _send_if_allowed(draft, event, cancel, draft.policy.cancel_statuses)
        case ResolutionAnswered() as answer:
            _answer(draft, answer, event)
        case _:
            raise TypeError(f"no command follows from {type(event.event).__name__}")


def _send_if_allowed(
    draft: Draft, event: FaultTicketEvent, command: AmendProblem | CancelProblem, allowed: frozenset[str]
) -> None:
    status = draft.live.problem.status if draft.live.problem is not None else None
    if status not in allowed:
        text = f"The problem is {status}; this may be sent in {', '.join(sorted(allowed))}."
        draft.tell_event(event, not_sent(Reason.NOT_ALLOWED_IN_STATUS, text))
    elif _has_room(draft, event):
        draft.plan(command, event.event_id)


def _answer(draft: Draft, answer: ResolutionAnswered, event: FaultTicketEvent) -> None:
    problem = draft.live.problem
    pending = problem.pending_resolution if problem is not None else None
    resolution_id = pending.id if answer.resolution_id is None and pending is not None else answer.resolution_id
    if problem is None or resolution_id is None:
        draft.tell_event(event, TELLING[Rule.NO_RESOLUTION])
    elif _has_room(draft, event):
        command = AnswerResolution(
            resolution_id=resolution_id,
            service_problem_id=int(problem.id),
            status=answer.answer,
            tenant_notes=answer.notes,
        )
        draft.plan(command, event.event_id)
