"""Tests that no fault asked for: before, during and after a fault's journey."""

from datetime import timedelta

from bridge.domain.commands import FetchTest, RaiseProblem, RunTest
from bridge.domain.journey.calls import supplier_of
from bridge.domain.journeys import End, Phase
from bridge.domain.outcomes import CommandName, Reason, Verdict
from tests.builders import (
    NOW,
    SUPPLIER,
    a_policy,
    a_problem,
    a_report,
    a_result,
    a_test,
    a_test_request,
    ambiguous,
    an_amendment,
    not_taken,
    refused,
    taken,
)
from tests.unit.domain.journey.ticket import Ticket, in_test, opened, passed

TEST = CommandName.RUN_TEST
ACCEPTED = (TEST, Verdict.ACCEPTED, Reason.ANSWERED)
FINISHED = (TEST, Verdict.ACCEPTED, Reason.TEST_FINISHED)


def running(ticket: Ticket | None = None, number: str = "400") -> Ticket:
    ticket = ticket or Ticket()
    ticket.event(a_test_request(), event_id=f"test {number}")
    ticket.calls_and_gets(taken(a_test(number, "RECEIVED_BY_GATEWAY")))
    return ticket


def test_a_test_alone_is_run_and_its_result_published() -> None:
    ticket = running()

    ticket.hears(a_test("400", result=a_result("AMBER")))

    assert ticket.told_of("test 400") == [ACCEPTED, FINISHED]
    assert ticket.last.test == a_result("AMBER")
    assert (ticket.last.entity_id, ticket.last.command_id) == ("400", ticket.outcomes[0].command_id)
    assert ticket.journey.end is End.TESTED


def test_a_test_alone_that_fails_ends_the_journey_with_that_word() -> None:
    ticket = running()

    ticket.hears(a_test("400", "FAILED"))

    assert ticket.told_of("test 400") == [ACCEPTED, FINISHED]
    assert ticket.journey.end is End.TEST_NOT_PASSED


def test_a_test_alone_that_is_refused_ends_the_journey() -> None:
    ticket = Ticket()
    ticket.event(a_test_request())

    ticket.calls_and_gets(refused())

    assert ticket.told == [(TEST, Verdict.REFUSED, Reason.REFUSED_BY_GATEWAY)]
    assert ticket.journey.end is End.TEST_NOT_PASSED


def test_several_tests_alone_end_the_journey_together() -> None:
    ticket = running(running(), "401")

    ticket.hears(a_test("400", result=a_result()))
    assert ticket.journey.phase is Phase.TESTING
    ticket.hears(a_test("401", result=a_result()))

    assert ticket.journey.end is End.TESTED
    assert ticket.told_of("test 401")[-1] == FINISHED


def test_a_late_result_of_a_test_alone_is_fetched() -> None:
    ticket = running()

    ticket.waits_until_woken()
    sent = ticket.calls_and_gets(taken(a_test("400", result=a_result()), http_status=200))

    assert sent.command == FetchTest(service_test_id=400)
    assert ticket.journey.end is End.TESTED


def test_a_test_alone_that_the_gateway_does_not_show_is_over() -> None:
    ticket = running()
    ticket.waits_until_woken()

    ticket.calls_and_gets(refused(404, "NOT_FOUND"))

    assert ticket.told_of("test 400") == [ACCEPTED, FINISHED]
    assert ticket.journey.end is End.TEST_NOT_PASSED


def test_a_test_alone_without_a_result_is_given_up_in_time() -> None:
    ticket = running()
    while ticket.journey.phase is not Phase.ENDED:
        ticket.waits_until_woken()
        ticket.calls_and_gets(taken(a_test("400", "IN_PROGRESS"), http_status=200))
        assert ticket.now < NOW + timedelta(hours=1)

    assert ticket.told_of("test 400") == [ACCEPTED, FINISHED]


def test_a_fault_may_follow_a_test_that_runs_alone() -> None:
    ticket = running()

    ticket.event(a_report(), event_id="report")
    assert ticket.due is TEST
    ticket.calls_and_gets(taken(a_test("500", "COMPLETED", result=a_result())))
    assert ticket.due is CommandName.RAISE_PROBLEM
    ticket.hears(a_test("400", result=a_result("GREEN")))

    assert ticket.told_of("test 400") == [ACCEPTED, FINISHED]
    assert ticket.due is CommandName.RAISE_PROBLEM


def test_a_fault_may_follow_a_test_that_is_over_and_command_ids_are_not_used_twice() -> None:
    ticket = running()
    ticket.hears(a_test("400", result=a_result()))

    ticket.event(a_report(), event_id="report")
    ticket.calls_and_gets(taken(a_test("500", "RECEIVED_BY_GATEWAY")))

    ids = [outcome.command_id for outcome in ticket.outcomes]
    assert ids == ["TT-1/1", "TT-1/1", ids[2]]
    assert ids[2] != ids[0]


def test_a_message_about_an_earlier_test_alone_is_no_evidence_for_the_faults_test() -> None:
    ticket = running()
    ticket.hears(a_test("400", result=a_result()))
    ticket.event(a_report())
    ticket.calls_and_gets(ambiguous())

    ticket.hears(a_test("400", result=a_result()))

    assert ticket.head.name is TEST
    assert ticket.journey.test is None


def test_a_fault_may_bring_the_test_that_just_runs_alone() -> None:
    ticket = running()
    ticket.event(a_report(service_test_id=400))

    ticket.calls_and_gets(taken(a_test("400", "IN_PROGRESS"), http_status=200))
    ticket.hears(a_test("400", result=a_result()))

    assert ticket.told_of("test 400") == [ACCEPTED, FINISHED]
    assert ticket.due is CommandName.RAISE_PROBLEM


def test_a_test_alone_during_a_fault_changes_nothing_for_the_fault() -> None:
    ticket = running(in_test())

    ticket.hears(a_test("400", result=a_result("GREEN")))

    assert ticket.told_of("test 400") == [ACCEPTED, FINISHED]
    assert ticket.journey.phase is Phase.TESTING
    ticket.hears(a_test("500", result=a_result()))
    assert ticket.due is CommandName.RAISE_PROBLEM


def test_a_test_alone_is_followed_to_its_result_when_the_fault_ends_before_it() -> None:
    ticket = running(opened())
    ticket.hears(a_problem(status="COMPLETED"))
    assert ticket.journey.end is End.COMPLETED

    ticket.waits_until_woken()
    for _ in range(7):
        ticket.calls_and_gets(not_taken())
        ticket.waits_until_woken()
    ticket.calls_and_gets(taken(a_test("400", result=a_result()), http_status=200))

    assert ticket.told_of("test 400") == [ACCEPTED, FINISHED]
    assert ticket.journey.end is End.COMPLETED
    assert ticket.due is None


def test_a_test_alone_that_was_not_sent_when_the_fault_ended_is_told_so() -> None:
    ticket = opened()
    ticket.event(a_test_request(), event_id="test")

    ticket.hears(a_problem(status="COMPLETED"))

    assert ticket.told_of("test") == [(TEST, Verdict.NOT_SENT, Reason.JOURNEY_ENDED)]


def test_an_amendment_goes_into_a_raise_that_waits_behind_a_test_alone() -> None:
    ticket = in_test()
    ticket.event(a_test_request())
    ticket.calls_and_gets(ambiguous())
    ticket.hears(a_test("500", result=a_result()))

    ticket.event(an_amendment(notes="Call before noon"))
    ticket.waits_until_woken()
    ticket.calls_and_gets(taken(a_test("400", "RECEIVED_BY_GATEWAY")))

    command = ticket.sends().command
    assert isinstance(command, RaiseProblem)
    assert command.notes == "Call before noon"


def test_a_test_alone_survives_a_problem_that_failed_to_send() -> None:
    ticket = passed()
    ticket.sends()
    ticket.gets(taken(a_problem(status="SENT_TO_SUPPLIER")))
    ticket.event(a_test_request(), event_id="test")

    ticket.fails_to_send(a_problem(), "GATEWAY_FAULT")

    assert ticket.told_of("test") == []
    assert [planned.name for planned in ticket.journey.queue] == [TEST, CommandName.RAISE_PROBLEM]


def test_a_test_alone_is_under_its_own_suppliers_limits() -> None:
    ticket = opened()
    ticket.event(a_test_request(supplier="ANOTHER"))
    sent = ticket.calls_and_gets(taken(a_test("400", "RECEIVED_BY_GATEWAY", supplier="ANOTHER")))
    assert isinstance(sent.command, RunTest)
    ticket.silence_of(a_test("400"))
    ticket.silence_of(a_problem())

    suppliers = {supplier_of(ticket.journey, fetch) for fetch in ticket.journey.fetches}

    assert supplier_of(ticket.journey, sent) == "ANOTHER"
    assert suppliers == {"ANOTHER", SUPPLIER}


def test_too_many_waiting_commands_are_told_so() -> None:
    ticket = Ticket(a_policy(max_queued=2))
    for number in range(3):
        ticket.event(a_test_request(), event_id=f"test {number}")

    assert ticket.told_of("test 2") == [(TEST, Verdict.NOT_SENT, Reason.TOO_MANY_PENDING)]
    assert len(ticket.journey.queue) == 2
