"""Every kind of event in every situation of its ticket: what is told, where the ticket stands then, what follows."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from bridge.domain.journey.draft import COMMAND_OF_EVENT
from bridge.domain.journey.events import RULES, Situation, situation
from bridge.domain.journeys import End, Phase
from bridge.domain.outcomes import CommandName, Reason, Verdict
from bridge.domain.tickets import (
    FaultAmended,
    FaultCancelled,
    FaultReported,
    ResolutionAnswered,
    ServiceTestRequested,
    TicketEvent,
)
from tests.builders import (
    a_cancellation,
    a_problem,
    a_report,
    a_resolution,
    a_result,
    a_test,
    a_test_request,
    ambiguous,
    an_amendment,
    an_answer,
    taken,
)
from tests.unit.domain.journey.ticket import Ticket, in_test, opened, passed, raised


class Expected(NamedTuple):
    """What one event leads to: its outcome at once (None: none yet), the phase and end then, the call that follows."""

    reason: Reason | None
    phase: Phase | None
    end: End | None = None
    due: CommandName | None = None
    waiting: int = 0


def alone_in_test() -> Ticket:
    ticket = Ticket()
    ticket.event(a_test_request())
    ticket.calls_and_gets(taken(a_test("400", "RECEIVED_BY_GATEWAY")))
    return ticket


def alone_done() -> Ticket:
    ticket = alone_in_test()
    ticket.hears(a_test("400", result=a_result("GREEN")))
    return ticket


def in_doubt() -> Ticket:
    ticket = passed()
    ticket.calls_and_gets(ambiguous())
    return ticket


def ended() -> Ticket:
    ticket = in_test()
    ticket.hears(a_test(result=a_result("GREEN")))
    return ticket


STANDING: dict[Situation, Callable[[], Ticket]] = {
    Situation.UNKNOWN: Ticket,
    Situation.TESTING_ALONE: alone_in_test,
    Situation.TESTED_ALONE: alone_done,
    Situation.TESTING: in_test,
    Situation.RAISING: passed,
    Situation.RAISE_IN_DOUBT: in_doubt,
    Situation.SENT: raised,
    Situation.OPEN: opened,
    Situation.ENDED: ended,
}
EVENTS: dict[type[TicketEvent], Callable[[], TicketEvent]] = {
    FaultReported: a_report,
    FaultAmended: an_amendment,
    FaultCancelled: a_cancellation,
    ResolutionAnswered: an_answer,
    ServiceTestRequested: a_test_request,
}

_TEST, _RAISE = CommandName.RUN_TEST, CommandName.RAISE_PROBLEM
_AFTER_END = Expected(Reason.AFTER_END, Phase.ENDED, End.TEST_GREEN)


def _unchanged(reason: Reason | None, phase: Phase, due: CommandName | None = None, waiting: int = 0) -> Expected:
    return Expected(reason, phase, None, due, waiting)


def _not_reported() -> dict[Situation, Expected]:
    return {
        Situation.UNKNOWN: Expected(Reason.UNKNOWN_TICKET, None),
        Situation.TESTING_ALONE: _unchanged(Reason.UNKNOWN_TICKET, Phase.TESTING),
        Situation.TESTED_ALONE: Expected(Reason.UNKNOWN_TICKET, Phase.ENDED, End.TESTED),
    }


EXPECTED: dict[type[TicketEvent], dict[Situation, Expected]] = {
    FaultReported: {
        Situation.UNKNOWN: _unchanged(None, Phase.TESTING, _TEST),
        Situation.TESTING_ALONE: _unchanged(None, Phase.TESTING, _TEST),
        Situation.TESTED_ALONE: _unchanged(None, Phase.TESTING, _TEST),
        Situation.TESTING: _unchanged(Reason.ALREADY_REPORTED, Phase.TESTING),
        Situation.RAISING: _unchanged(Reason.ALREADY_REPORTED, Phase.RAISING, _RAISE),
        Situation.RAISE_IN_DOUBT: _unchanged(Reason.ALREADY_REPORTED, Phase.RAISING),
        Situation.SENT: _unchanged(Reason.ALREADY_REPORTED, Phase.OPEN),
        Situation.OPEN: _unchanged(Reason.ALREADY_REPORTED, Phase.OPEN),
        Situation.ENDED: _AFTER_END,
    },
    FaultAmended: {
        **_not_reported(),
        Situation.TESTING: _unchanged(Reason.FOLDED_INTO_RAISE, Phase.TESTING),
        Situation.RAISING: _unchanged(Reason.FOLDED_INTO_RAISE, Phase.RAISING, _RAISE),
        Situation.RAISE_IN_DOUBT: _unchanged(None, Phase.RAISING, waiting=1),
        Situation.SENT: _unchanged(None, Phase.OPEN, waiting=1),
        Situation.OPEN: _unchanged(None, Phase.OPEN, CommandName.AMEND_PROBLEM),
        Situation.ENDED: _AFTER_END,
    },
    FaultCancelled: {
        **_not_reported(),
        Situation.TESTING: Expected(Reason.CANCELLED_BEFORE_RAISE, Phase.ENDED, End.CANCELLED_BEFORE_RAISE),
        Situation.RAISING: Expected(Reason.CANCELLED_BEFORE_RAISE, Phase.ENDED, End.CANCELLED_BEFORE_RAISE),
        Situation.RAISE_IN_DOUBT: _unchanged(None, Phase.RAISING, waiting=1),
        Situation.SENT: _unchanged(None, Phase.OPEN, waiting=1),
        Situation.OPEN: _unchanged(None, Phase.OPEN, CommandName.CANCEL_PROBLEM),
        Situation.ENDED: _AFTER_END,
    },
    ResolutionAnswered: {
        **_not_reported(),
        Situation.TESTING: _unchanged(Reason.NO_PENDING_RESOLUTION, Phase.TESTING),
        Situation.RAISING: _unchanged(Reason.NO_PENDING_RESOLUTION, Phase.RAISING, _RAISE),
        Situation.RAISE_IN_DOUBT: _unchanged(Reason.NO_PENDING_RESOLUTION, Phase.RAISING),
        Situation.SENT: _unchanged(Reason.NO_PENDING_RESOLUTION, Phase.OPEN),
        Situation.OPEN: _unchanged(Reason.NO_PENDING_RESOLUTION, Phase.OPEN),
        Situation.ENDED: _AFTER_END,
    },
    ServiceTestRequested: {
        Situation.UNKNOWN: _unchanged(None, Phase.TESTING, _TEST),
        Situation.TESTING_ALONE: _unchanged(None, Phase.TESTING, _TEST),
        Situation.TESTED_ALONE: _unchanged(None, Phase.TESTING, _TEST),
        Situation.TESTING: _unchanged(None, Phase.TESTING, _TEST),
        Situation.RAISING: _unchanged(None, Phase.RAISING, _RAISE),
        Situation.RAISE_IN_DOUBT: _unchanged(None, Phase.RAISING),
        Situation.SENT: _unchanged(None, Phase.OPEN, _TEST),
        Situation.OPEN: _unchanged(None, Phase.OPEN, _TEST),
        Situation.ENDED: _AFTER_END,
    },
}
CELLS = [(event, standing) for event in EVENTS for standing in Situation]


def test_the_table_has_a_rule_for_every_event_in_every_situation() -> None:
    assert {(event, standing) for event, row in RULES.items() for standing in row} == set(CELLS)
    assert set(EVENTS) == set(COMMAND_OF_EVENT)


@pytest.mark.parametrize("standing", Situation)
def test_each_situation_can_be_reached(standing: Situation) -> None:
    assert situation(STANDING[standing]().state.journey) is standing


@pytest.mark.parametrize(("event", "standing"), CELLS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_each_event_in_each_situation_has_its_outcome_state_and_next_call(
    event: type[TicketEvent], standing: Situation
) -> None:
    ticket = STANDING[standing]()
    expected = EXPECTED[event][standing]

    ticket.event(EVENTS[event](), event_id="the event")

    told = [] if expected.reason is None else [(COMMAND_OF_EVENT[event], Verdict.NOT_SENT, expected.reason)]
    assert ticket.told_of("the event") == told
    journey = ticket.state.journey
    assert (journey.phase if journey else None, journey.end if journey else None) == (expected.phase, expected.end)
    assert ticket.due == expected.due
    assert (len(journey.waiting) if journey else 0) == expected.waiting


@pytest.mark.parametrize("standing", Situation)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_event_sent_twice_is_told_so_and_changes_nothing(event: type[TicketEvent], standing: Situation) -> None:
    ticket = STANDING[standing]()
    ticket.event(EVENTS[event](), event_id="the event")
    before = ticket.state.journey

    ticket.event(EVENTS[event](), event_id="the event")

    assert ticket.told_of("the event")[-1] == (COMMAND_OF_EVENT[event], Verdict.NOT_SENT, Reason.DUPLICATE_EVENT)
    assert ticket.state.journey == before


@pytest.mark.parametrize("standing", Situation)
def test_an_invalid_event_is_told_with_all_its_violations_and_changes_nothing(standing: Situation) -> None:
    ticket = STANDING[standing]()
    before = ticket.state.journey

    ticket.event(a_report(problem_text="short", supplier="no good!", notes=""), event_id="the event")

    assert ticket.told_of("the event") == [(CommandName.RAISE_PROBLEM, Verdict.NOT_SENT, Reason.INVALID)]
    assert {violation.field for violation in ticket.last.violations} == {
        "event.problem_text",
        "event.supplier",
        "event.notes",
    }
    assert "short" not in ticket.last.message
    assert ticket.state.journey == before


def test_an_answer_to_a_pending_resolution_is_sent_when_the_problem_is_open() -> None:
    ticket = opened()
    ticket.hears(a_problem(status="RESOLVED", resolution=a_resolution()))

    ticket.event(an_answer())

    assert ticket.due is CommandName.ANSWER_RESOLUTION
