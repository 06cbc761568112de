"""Commands that were certainly not taken: they are sent again, later and later, until their time is over."""

from datetime import timedelta

import pytest

from bridge.domain.commands import RaiseProblem
from bridge.domain.journeys import CommandState, End, Phase
from bridge.domain.outcomes import CommandName, Reason, Verdict
from tests.builders import NOW, a_policy, a_problem, ambiguous, an_amendment, not_taken, taken, with_amendment
from tests.unit.domain.journey.ticket import Ticket, opened, passed, reported

RAISE = CommandName.RAISE_PROBLEM
GAVE_UP = (RAISE, Verdict.FAILED, Reason.GAVE_UP)


def test_a_command_that_was_not_taken_waits_longer_each_time_and_keeps_its_id() -> None:
    ticket = reported(a_policy(retry_first=timedelta(seconds=1), retry_longest=timedelta(seconds=5)))
    command_id = ticket.head.command_id
    waits = []
    for _ in range(5):
        ticket.calls_and_gets(not_taken())
        assert ticket.wakes_at is not None
        waits.append((ticket.wakes_at - ticket.now).total_seconds())
        assert ticket.due is None
        ticket.waits_until_woken()

    assert waits == [1, 2, 4, 5, 5]
    assert ticket.head.command_id == command_id
    assert ticket.head.attempts == 5
    assert ticket.told == []


def test_the_gateways_retry_after_comes_before_the_back_off() -> None:
    ticket = passed()

    ticket.calls_and_gets(not_taken("RATE_LIMITED", http_status=429, retry_after_seconds=30.0))

    assert ticket.wakes_at == ticket.now + timedelta(seconds=31)


def test_a_command_that_cannot_be_sent_for_too_long_failed_and_is_not_sent_any_more() -> None:
    ticket = opened(a_policy(retry_for=timedelta(minutes=5)))
    ticket.event(an_amendment(), event_id="amended")
    while ticket.journey.queue:
        assert ticket.now < NOW + timedelta(minutes=6)
        ticket.calls_and_gets(not_taken())
        if ticket.journey.queue:
            ticket.waits_until_woken()

    assert ticket.told_of("amended") == [(CommandName.AMEND_PROBLEM, Verdict.FAILED, Reason.GAVE_UP)]
    assert "CONNECT_REFUSED" in ticket.last.message
    assert ticket.journey.phase is Phase.OPEN


@pytest.mark.parametrize("start", [reported, passed])
def test_a_test_or_a_raise_that_failed_ends_the_journey(start: object) -> None:
    ticket: Ticket = start(a_policy(retry_for=timedelta(0)))  # type: ignore[operator]  # one of the two functions
    name = ticket.head.name

    ticket.calls_and_gets(not_taken())

    assert (name, Verdict.FAILED, Reason.GAVE_UP) in ticket.told
    assert ticket.told_of("report")[-1][0] is RAISE
    assert ticket.journey.end is End.FAILED


def test_a_403_is_shown_to_people_until_a_call_gets_through() -> None:
    ticket = passed()
    ticket.calls_and_gets(not_taken("FORBIDDEN", http_status=403, alarm=True))
    assert ticket.attention == "GATEWAY_REFUSES_ACCESS"

    ticket.waits_until_woken()
    ticket.sends()
    assert ticket.attention == "GATEWAY_REFUSES_ACCESS"
    ticket.gets(taken(a_problem()))

    assert ticket.attention is None


def test_a_403_of_a_get_is_shown_to_people_too() -> None:
    ticket = opened()
    ticket.silence_of(a_problem())

    ticket.calls_and_gets(not_taken("FORBIDDEN", http_status=403, alarm=True))

    assert ticket.attention == "GATEWAY_REFUSES_ACCESS"


def test_a_command_that_is_turned_away_waits_as_it_is() -> None:
    ticket = passed()
    before = ticket.state

    step = ticket.is_turned_away()

    assert step.ticket is before
    assert ticket.due is RAISE


def test_a_command_that_is_turned_away_for_too_long_failed() -> None:
    ticket = passed(a_policy(retry_for=timedelta(hours=1)))
    ticket.now += timedelta(hours=1)

    ticket.is_turned_away()

    assert ticket.told[-1] == GAVE_UP
    assert ticket.journey.end is End.FAILED


def test_the_time_for_trying_begins_when_a_command_comes_to_the_front() -> None:
    ticket = opened(a_policy(retry_for=timedelta(minutes=5), unknown_checks=1))
    ticket.event(an_amendment(notes="first"))
    ticket.event(an_amendment(notes="second"), event_id="second")
    ticket.calls_and_gets(ambiguous())
    ticket.now += timedelta(hours=10)
    ticket.hears(with_amendment(a_problem()))

    ticket.calls_and_gets(not_taken())

    assert ticket.told_of("second") == []
    assert ticket.head.state is CommandState.NOT_SENT


def test_a_get_that_is_turned_away_just_waits() -> None:
    ticket = opened(a_policy(retry_for=timedelta(0)))
    ticket.silence_of(a_problem())

    ticket.is_turned_away()

    assert ticket.due is CommandName.FETCH_PROBLEM


def test_a_clock_that_jumps_forward_makes_the_waiting_command_due_and_loses_nothing() -> None:
    ticket = passed()
    ticket.calls_and_gets(not_taken())

    ticket.waits(timedelta(minutes=30))

    assert isinstance(ticket.sends().command, RaiseProblem)
