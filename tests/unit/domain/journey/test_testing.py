"""From the report to the raise: the test, its result, the gate."""

from datetime import timedelta

import pytest

from bridge.domain.commands import FetchTest, RaiseProblem, RunTest
from bridge.domain.entities import Source
from bridge.domain.journey.state import TicketState
from bridge.domain.journeys import End, Phase
from bridge.domain.outcomes import CommandName, Reason, Verdict
from tests.builders import (
    NOW,
    TICKET,
    a_cancellation,
    a_policy,
    a_problem,
    a_report,
    a_result,
    a_test,
    ambiguous,
    an_amendment,
    an_update,
    not_taken,
    refused,
    taken,
)
from tests.unit.domain.journey.ticket import Ticket, in_test, opened, passed, raised, reported

RAISE, TEST = CommandName.RAISE_PROBLEM, CommandName.RUN_TEST
ACCEPTED, NOT_SENT, REFUSED = Verdict.ACCEPTED, Verdict.NOT_SENT, Verdict.REFUSED


def test_the_happy_path_is_a_test_a_raise_and_the_problems_end() -> None:
    ticket = opened()
    ticket.hears(a_problem(status="IN_PROGRESS"))
    ticket.hears(a_problem(status="RESOLVED"))
    ticket.hears(a_problem(status="COMPLETED"))

    assert [type(call) for call in ticket.calls] == [RunTest, RaiseProblem]
    assert ticket.told == [(TEST, ACCEPTED, Reason.ANSWERED), (RAISE, ACCEPTED, Reason.ANSWERED)]
    assert (ticket.journey.phase, ticket.journey.end) == (Phase.ENDED, End.COMPLETED)
    assert ticket.told_of("report") == ticket.told


def test_the_raise_names_the_ticket_the_test_and_the_mapped_problem_type() -> None:
    ticket = reported(problem_type="CPE", test_characteristics=(*a_report().test_characteristics, *equipment()))
    sent = ticket.calls_and_gets(taken(a_test(status="COMPLETED", result=a_result())))
    assert isinstance(sent.command, RunTest)
    assert sent.command.problem_type == "CPE"

    command = ticket.sends().command

    assert isinstance(command, RaiseProblem)
    assert (command.external_identifier, command.service_test_id, command.problem_type) == (TICKET, 500, "CUSTOMER")


def equipment() -> tuple[object, ...]:
    kind = type(a_report().characteristics[0])
    return (kind(name="EQUIPMENT_TYPE", value="ONT"),)


def test_each_answer_to_a_command_is_published_as_an_observation_of_this_ticket() -> None:
    ticket = raised()

    assert [(seen.source, seen.entity.key, seen.ticket_id) for seen in ticket.observations] == [
        (Source.POST, "SERVICE_TEST:500", TICKET),
        (Source.POST, "SERVICE_PROBLEM:900", TICKET),
    ]


def test_a_green_test_ends_the_journey_with_an_outcome_that_says_so() -> None:
    ticket = in_test()

    ticket.hears(a_test(result=a_result("GREEN")))

    assert ticket.told_of("report")[-1] == (RAISE, NOT_SENT, Reason.TEST_GREEN)
    assert ticket.last.test == a_result("GREEN")
    assert ticket.journey.end is End.TEST_GREEN


def test_a_denied_outcome_code_ends_the_journey() -> None:
    ticket = in_test(a_policy(denied_test_codes=frozenset({"DAMAGED_CPE"})))

    ticket.hears(a_test(result=a_result("RED")))

    assert ticket.told_of("report")[-1] == (RAISE, NOT_SENT, Reason.TEST_DENIED)
    assert ticket.journey.end is End.TEST_DENIED


@pytest.mark.parametrize("other", [{"service_id": "SVC-2"}, {"supplier": "ANOTHER"}])
def test_a_test_of_another_service_or_supplier_ends_the_journey(other: dict[str, str]) -> None:
    ticket = in_test()

    ticket.hears(a_test(result=a_result(), **other))

    assert ticket.told_of("report")[-1] == (RAISE, NOT_SENT, Reason.TEST_MISMATCH)
    assert ticket.journey.end is End.TEST_MISMATCH


@pytest.mark.parametrize("status", ["FAILED", "REJECTED", "FAILED_TO_SEND"])
def test_a_test_that_came_to_nothing_is_repeated_up_to_the_limit(status: str) -> None:
    ticket = reported(a_policy(max_tests=3))
    for number in ("500", "501", "502"):
        ticket.calls_and_gets(taken(a_test(number, "RECEIVED_BY_GATEWAY")))
        ticket.hears(a_test(number, status))

    assert [type(call) for call in ticket.calls] == [RunTest] * 3
    assert ticket.told_of("report")[-1] == (RAISE, NOT_SENT, Reason.TEST_NOT_PASSED)
    assert ticket.journey.end is End.TEST_NOT_PASSED
    assert ticket.due is None


def test_a_test_that_expired_before_its_result_came_is_repeated() -> None:
    ticket = in_test()

    ticket.hears(a_test(result=a_result(valid_for=timedelta(seconds=59))))

    assert ticket.due is TEST


def test_a_result_that_is_late_is_fetched_and_fetched_again_until_it_is_there() -> None:
    ticket = in_test(a_policy(test_result_wait=timedelta(minutes=2)))
    assert ticket.due is None

    ticket.waits(timedelta(minutes=2))
    ticket.calls_and_gets(taken(a_test(status="IN_PROGRESS"), http_status=200))
    assert ticket.due is None
    ticket.waits(timedelta(minutes=2))
    ticket.calls_and_gets(taken(a_test(result=a_result()), http_status=200))

    assert [type(call) for call in ticket.calls] == [RunTest, FetchTest, FetchTest]
    assert ticket.due is RAISE


def test_a_completed_test_whose_result_is_missing_is_fetched_at_once_and_then_only_now_and_then() -> None:
    ticket = in_test(a_policy(test_result_wait=timedelta(minutes=2)))

    ticket.hears(a_test(status="COMPLETED"))
    assert ticket.due is CommandName.FETCH_TEST
    ticket.calls_and_gets(taken(a_test(status="COMPLETED"), http_status=200))

    assert ticket.due is None
    assert ticket.wakes_at == ticket.now + timedelta(minutes=2)


def test_a_test_without_a_result_for_too_long_counts_as_failed() -> None:
    ticket = in_test(a_policy(test_give_up=timedelta(minutes=30)))
    while ticket.now < NOW + timedelta(minutes=30):
        ticket.waits_until_woken()
        ticket.calls_and_gets(taken(a_test(status="IN_PROGRESS"), http_status=200))

    assert ticket.due is TEST
    ticket.calls_and_gets(taken(a_test("501", "RECEIVED_BY_GATEWAY")))
    ticket.hears(a_test("500", result=a_result("GREEN")))
    assert ticket.journey.phase is Phase.TESTING


def test_a_status_that_was_overtaken_does_not_reopen_a_finished_test() -> None:
    ticket = in_test()
    ticket.hears(a_test(status="COMPLETED"))

    ticket.hears(a_test(status="IN_PROGRESS"))

    assert ticket.journey.test is not None
    assert ticket.journey.test.status == "COMPLETED"


def test_a_get_that_fails_is_made_again_with_a_growing_wait() -> None:
    ticket = in_test()
    ticket.waits_until_woken()
    for wait in (1, 2, 4, 8):
        ticket.calls_and_gets(not_taken())
        assert ticket.wakes_at == ticket.now + timedelta(seconds=wait)
        ticket.waits_until_woken()


def test_a_test_that_the_gateway_does_not_know_any_more_is_repeated() -> None:
    ticket = in_test()
    ticket.waits_until_woken()

    ticket.calls_and_gets(refused(404, "NOT_FOUND"))

    assert ticket.told[-1] == (CommandName.FETCH_TEST, REFUSED, Reason.REFUSED_BY_GATEWAY)
    assert ticket.due is TEST


def test_a_refused_test_ends_the_journey_and_the_reporter_is_told_that_no_problem_is_raised() -> None:
    ticket = reported()

    ticket.calls_and_gets(refused())

    assert ticket.told == [(TEST, REFUSED, Reason.REFUSED_BY_GATEWAY), (RAISE, NOT_SENT, Reason.TEST_NOT_PASSED)]
    assert ticket.outcomes[0].error is not None
    assert ticket.journey.end is End.REFUSED


def test_a_refused_raise_ends_the_journey() -> None:
    ticket = passed()

    ticket.calls_and_gets(refused())

    assert ticket.told[-1] == (RAISE, REFUSED, Reason.REFUSED_BY_GATEWAY)
    assert ticket.journey.end is End.REFUSED


# -- a ticket that brings its own test


def test_a_ticket_with_a_good_test_of_its_own_raises_without_running_one() -> None:
    ticket = reported(service_test_id=77)
    sent = ticket.calls_and_gets(taken(a_test("77", result=a_result()), http_status=200))
    assert sent.command == FetchTest(service_test_id=77)

    command = ticket.sends().command

    assert isinstance(command, RaiseProblem)
    assert command.service_test_id == 77


def test_an_own_test_that_is_over_is_replaced_by_a_new_one() -> None:
    ticket = reported(service_test_id=77)

    ticket.calls_and_gets(taken(a_test("77", result=a_result(valid_for=timedelta(0))), http_status=200))

    assert ticket.due is TEST


def test_an_own_test_that_is_over_ends_the_journey_when_there_is_nothing_to_test_with() -> None:
    ticket = reported(service_test_id=77, test_characteristics=())

    ticket.calls_and_gets(taken(a_test("77", result=a_result(valid_for=timedelta(0))), http_status=200))

    assert ticket.told == [(RAISE, NOT_SENT, Reason.TEST_NOT_PASSED)]
    assert ticket.journey.end is End.TEST_NOT_PASSED


def test_an_own_test_that_nobody_knows_ends_the_journey() -> None:
    ticket = reported(service_test_id=77)

    ticket.calls_and_gets(refused(404, "NOT_FOUND"))

    assert ticket.told == [
        (CommandName.FETCH_TEST, REFUSED, Reason.REFUSED_BY_GATEWAY),
        (RAISE, NOT_SENT, Reason.TEST_NOT_PASSED),
    ]
    assert ticket.journey.end is End.REFUSED


def test_an_own_test_that_is_green_ends_the_journey() -> None:
    ticket = reported(service_test_id=77)

    ticket.calls_and_gets(taken(a_test("77", result=a_result("GREEN")), http_status=200))

    assert ticket.journey.end is End.TEST_GREEN


def test_an_own_test_of_another_service_ends_the_journey() -> None:
    ticket = reported(service_test_id=77)

    ticket.calls_and_gets(taken(a_test("77", result=a_result(), service_id="SVC-2"), http_status=200))

    assert ticket.journey.end is End.TEST_MISMATCH


# -- before the raise


def test_amendments_before_the_raise_go_into_it() -> None:
    ticket = in_test()
    ticket.event(an_amendment(problem_text="Light is back, no traffic"))
    ticket.hears(a_test(result=a_result()))
    ticket.event(an_amendment(notes="Call before noon", appointment_reservation_id=9))

    command = ticket.sends().command

    assert isinstance(command, RaiseProblem)
    assert (command.problem_text, command.notes) == ("Light is back, no traffic", "Call before noon")
    assert command.appointment_reservation_id == 9
    assert command.on_site_restrictions == a_report().on_site_restrictions


def test_an_amendment_goes_into_a_raise_that_waits_in_back_off() -> None:
    ticket = passed()
    ticket.calls_and_gets(not_taken())

    ticket.event(an_amendment(notes="Call before noon"), event_id="amended")
    ticket.waits_until_woken()
    command = ticket.sends().command

    assert isinstance(command, RaiseProblem)
    assert command.notes == "Call before noon"
    assert ticket.told_of("amended") == [(CommandName.AMEND_PROBLEM, NOT_SENT, Reason.FOLDED_INTO_RAISE)]


def test_a_cancellation_before_the_raise_ends_the_journey_and_sends_nothing() -> None:
    ticket = passed()

    ticket.event(a_cancellation(), event_id="cancelled")

    assert ticket.told_of("cancelled") == [
        (CommandName.CANCEL_PROBLEM, NOT_SENT, Reason.CANCELLED_BEFORE_RAISE),
    ]
    assert ticket.told_of("report")[-1] == (RAISE, NOT_SENT, Reason.JOURNEY_ENDED)
    assert ticket.journey.end is End.CANCELLED_BEFORE_RAISE
    assert ticket.due is None


def test_a_cancellation_while_the_test_runs_tells_the_reporter_too() -> None:
    ticket = in_test()

    ticket.event(a_cancellation())

    assert ticket.told_of("report")[-1] == (RAISE, NOT_SENT, Reason.CANCELLED_BEFORE_RAISE)


def test_a_validity_that_runs_out_while_the_raise_waits_leads_to_another_test() -> None:
    ticket = passed()
    ticket.calls_and_gets(not_taken(retry_after_seconds=2 * 60 * 60.0))

    ticket.waits_until_woken()

    assert ticket.due is TEST
    ticket.calls_and_gets(taken(a_test("501", "COMPLETED", result=a_result(since=ticket.now))))
    command = ticket.sends().command
    assert isinstance(command, RaiseProblem)
    assert command.service_test_id == 501


def test_a_problem_type_that_is_not_configured_any_more_ends_the_journey_with_its_violation() -> None:
    ticket = in_test()
    types = {word: kinds for word, kinds in ticket.policy.problem_types.items() if word != "OUTAGE"}
    ticket.policy = a_policy(problem_types=types)

    ticket.hears(a_test(result=a_result()))

    assert ticket.told[-1] == (RAISE, NOT_SENT, Reason.INVALID)
    assert [violation.field for violation in ticket.last.violations] == ["event.problem_type"]
    assert ticket.journey.end is End.INVALID


# -- evidence of a test


def test_a_message_that_overtakes_the_tests_answer_is_its_evidence() -> None:
    ticket = reported()
    ticket.sends()
    ticket.is_taken_over()

    ticket.hears(a_test(result=a_result()))

    assert ticket.told == [(TEST, Verdict.UNKNOWN, Reason.INTERRUPTED), (TEST, ACCEPTED, Reason.FOUND)]
    assert ticket.due is RAISE


def test_a_message_about_a_test_of_another_service_is_no_evidence() -> None:
    ticket = reported()
    ticket.calls_and_gets(ambiguous())

    ticket.hears(a_test("700", service_id="SVC-2", result=a_result("GREEN")))

    assert ticket.head.name is TEST
    assert ticket.journey.phase is Phase.TESTING


def test_a_message_about_an_unknown_test_is_no_evidence_for_a_test_that_was_never_sent() -> None:
    ticket = reported()

    ticket.hears(a_test("700", result=a_result("GREEN")))

    assert ticket.due is TEST


def test_an_update_without_a_status_changes_nothing() -> None:
    ticket = in_test()
    before = ticket.journey.test

    ticket.hears(a_test(status=None))

    assert ticket.journey.test == before


def test_a_signal_for_a_ticket_that_nobody_reported_changes_nothing() -> None:
    ticket = Ticket()

    ticket.hears(a_problem())
    ticket.silence_of(a_test())

    assert ticket.state == TicketState(ticket_id=TICKET, touched_at=NOW)
    assert ticket.told == []


def test_a_silent_test_is_fetched() -> None:
    ticket = in_test()

    ticket.silence_of(a_test())

    assert ticket.sends().command == FetchTest(service_test_id=500)
    ticket.gets(taken(a_test(status="IN_PROGRESS"), an_update(), http_status=200))
    assert ticket.observations[-1].source is Source.GET
