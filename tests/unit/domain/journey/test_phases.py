"""Each move between phases that the table lists can be made; that no other is, every story checks at every step."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from bridge.domain.journey.phases import MOVES, PhaseMove
from bridge.domain.journeys import Phase
from bridge.domain.signals import Choice
from tests.builders import (
    a_cancellation,
    a_problem,
    a_report,
    a_result,
    a_test,
    a_test_request,
    ambiguous,
    not_taken,
    refused,
    taken,
)
from tests.unit.domain.journey.ticket import Ticket, in_test, opened, passed, raised

Story = tuple[Callable[[], Ticket], Callable[[Ticket], object]]


def only_tested() -> Ticket:
    ticket = Ticket()
    ticket.event(a_test_request())
    ticket.calls_and_gets(taken(a_test("400", result=a_result())))
    return ticket


def found_green() -> Ticket:
    ticket = in_test()
    ticket.hears(a_test(result=a_result("GREEN")))
    return ticket


def with_an_expired_test() -> Ticket:
    ticket = passed()
    ticket.calls_and_gets(not_taken())
    ticket.now += timedelta(hours=3)
    return ticket


def named_by_a_person() -> Ticket:
    ticket = passed()
    ticket.calls_and_gets(ambiguous())
    ticket.decides(Choice.ACCEPTED, entity_id="999")
    return ticket


def fails_when_its_test_is_over(ticket: Ticket) -> None:
    ticket.now += timedelta(hours=3)
    ticket.fails_to_send(a_problem(), "GATEWAY_FAULT")


STORIES: dict[tuple[Phase | None, Phase], Story] = {
    (None, Phase.TESTING): (Ticket, lambda ticket: ticket.event(a_report())),
    (Phase.TESTING, Phase.RAISING): (in_test, lambda ticket: ticket.hears(a_test(result=a_result()))),
    (Phase.TESTING, Phase.OPEN): (in_test, lambda ticket: ticket.hears(a_problem())),
    (Phase.TESTING, Phase.ENDED): (in_test, lambda ticket: ticket.event(a_cancellation())),
    (Phase.RAISING, Phase.OPEN): (passed, lambda ticket: ticket.calls_and_gets(taken(a_problem()))),
    (Phase.RAISING, Phase.TESTING): (with_an_expired_test, lambda ticket: ticket.waits(timedelta(0))),
    (Phase.RAISING, Phase.ENDED): (passed, lambda ticket: ticket.calls_and_gets(refused())),
    (Phase.OPEN, Phase.RAISING): (named_by_a_person, lambda ticket: ticket.calls_and_gets(refused(404, "NOT_FOUND"))),
    (Phase.OPEN, Phase.TESTING): (raised, fails_when_its_test_is_over),
    (Phase.OPEN, Phase.ENDED): (opened, lambda ticket: ticket.hears(a_problem(status="COMPLETED"))),
    (Phase.ENDED, Phase.OPEN): (found_green, lambda ticket: ticket.hears(a_problem())),
    (Phase.ENDED, Phase.TESTING): (only_tested, lambda ticket: ticket.event(a_report())),
}


@pytest.mark.parametrize("move", MOVES, ids=lambda move: f"{move.from_phase}-{move.to_phase}")
def test_each_listed_move_is_made_by_its_story(move: PhaseMove) -> None:
    start, happens = STORIES[move.from_phase, move.to_phase]
    ticket = start()
    before = ticket.state.journey
    assert (before.phase if before is not None else None) is move.from_phase

    happens(ticket)

    assert ticket.journey.phase is move.to_phase
