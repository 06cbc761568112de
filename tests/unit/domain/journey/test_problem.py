"""From the raise to the problem's end: amendments, cancellations, resolutions, and what each end means."""

from datetime import timedelta

import pytest
from msgspec import json

from bridge.domain.commands import AmendProblem, AnswerResolution, CancelProblem, FetchProblem, RaiseProblem
from bridge.domain.entities import GatewayError
from bridge.domain.journey.calls import is_forgotten
from bridge.domain.journeys import End, Phase
from bridge.domain.outcomes import CommandName, Reason, Verdict
from tests.builders import (
    PERSONAL,
    a_cancellation,
    a_policy,
    a_problem,
    a_report,
    a_resolution,
    a_result,
    a_test,
    an_amendment,
    an_answer,
    an_update,
    not_taken,
    refused,
    taken,
    with_amendment,
    with_cancellation,
)
from tests.unit.domain.journey.ticket import Ticket, in_test, opened, passed, raised

AMEND, CANCEL = CommandName.AMEND_PROBLEM, CommandName.CANCEL_PROBLEM
ANSWER, RAISE = CommandName.ANSWER_RESOLUTION, CommandName.RAISE_PROBLEM
ACCEPTED, NOT_SENT = Verdict.ACCEPTED, Verdict.NOT_SENT


def resolved(ticket: Ticket, number: int = 70) -> Ticket:
    ticket.hears(a_problem(status="RESOLVED", resolution=a_resolution(number=number)), action="CONFIRM")
    return ticket


def test_an_amendment_of_an_open_problem_is_sent() -> None:
    ticket = opened()
    ticket.event(an_amendment(notes="Call before noon"), event_id="amended")

    sent = ticket.calls_and_gets(taken(with_amendment(a_problem())))

    assert sent.command == AmendProblem(service_problem_id=900, notes="Call before noon")
    assert ticket.told_of("amended") == [(AMEND, ACCEPTED, Reason.ANSWERED)]


def test_a_cancellation_of_an_open_problem_is_sent_and_the_problems_end_ends_the_journey() -> None:
    ticket = opened()
    ticket.event(a_cancellation(text="Moved out"), event_id="cancelled")
    sent = ticket.calls_and_gets(taken(with_cancellation(a_problem())))
    ticket.hears(a_problem(status="PENDING_CANCELLATION"))
    ticket.hears(a_problem(status="CANCELLED"))

    assert sent.command == CancelProblem(service_problem_id=900, reason_code="NO_LONGER_REQUIRED", text="Moved out")
    assert ticket.told_of("cancelled") == [(CANCEL, ACCEPTED, Reason.ANSWERED)]
    assert ticket.journey.end is End.CANCELLED


@pytest.mark.parametrize("messages", [0, 1, 2])
def test_events_that_come_before_the_supplier_acknowledges_wait_and_are_sent_in_their_order(messages: int) -> None:
    ticket = raised()
    ticket.event(an_amendment(notes="first"), event_id="one")
    ticket.event(an_amendment(notes="second"), event_id="two")
    ticket.event(a_cancellation(), event_id="three")
    for _ in range(messages):
        ticket.hears(a_problem(status="SENT_TO_SUPPLIER"))
    assert ticket.due is None

    ticket.hears(a_problem(status="ACKNOWLEDGED"))
    for answer in (with_amendment(a_problem(), 30), with_amendment(a_problem(), 31), with_cancellation(a_problem())):
        ticket.calls_and_gets(taken(answer))

    sent = [call for call in ticket.calls if isinstance(call, AmendProblem | CancelProblem)]
    assert [getattr(call, "notes", None) for call in sent] == ["first", "second", None]
    assert ticket.told[-3:] == [(AMEND, ACCEPTED, Reason.ANSWERED)] * 2 + [(CANCEL, ACCEPTED, Reason.ANSWERED)]


def test_events_that_wait_when_the_supplier_rejects_the_problem_are_told_so() -> None:
    ticket = raised()
    ticket.event(an_amendment(), event_id="amended")

    ticket.hears(a_problem(status="REJECTED"))

    assert ticket.told_of("amended") == [(AMEND, NOT_SENT, Reason.JOURNEY_ENDED)]
    assert ticket.journey.end is End.REJECTED


@pytest.mark.parametrize("status", ["RESOLVED", "PENDING_CANCELLATION", "A_STATUS_OF_TOMORROW"])
def test_an_amendment_or_a_cancellation_that_the_status_does_not_allow_is_told_so(status: str) -> None:
    ticket = opened()
    ticket.hears(a_problem(status=status))

    ticket.event(an_amendment(), event_id="amended")
    ticket.event(a_cancellation(), event_id="cancelled")

    assert ticket.told_of("amended") == [(AMEND, NOT_SENT, Reason.NOT_ALLOWED_IN_STATUS)]
    assert ticket.told_of("cancelled") == [(CANCEL, NOT_SENT, Reason.NOT_ALLOWED_IN_STATUS)]
    assert status in ticket.last.message


def test_in_which_statuses_an_amendment_or_a_cancellation_is_sent_is_configured() -> None:
    ticket = opened(a_policy(amend_statuses=frozenset({"RESOLVED"}), cancel_statuses=frozenset({"HELD"})))

    ticket.event(an_amendment(), event_id="too early")
    ticket.hears(a_problem(status="RESOLVED"))
    ticket.event(an_amendment(), event_id="amended")
    ticket.event(a_cancellation(), event_id="too late")

    assert ticket.told_of("too early") == [(AMEND, NOT_SENT, Reason.NOT_ALLOWED_IN_STATUS)]
    assert ticket.due is AMEND
    assert ticket.told_of("too late") == [(CANCEL, NOT_SENT, Reason.NOT_ALLOWED_IN_STATUS)]


def test_a_refused_amendment_leaves_the_journey_as_it_is() -> None:
    ticket = opened()
    ticket.event(an_amendment(), event_id="amended")

    ticket.calls_and_gets(refused())

    assert ticket.told_of("amended") == [(AMEND, Verdict.REFUSED, Reason.REFUSED_BY_GATEWAY)]
    assert ticket.journey.phase is Phase.OPEN


def test_a_resolution_is_accepted() -> None:
    ticket = resolved(opened())
    assert ticket.attention == "ANSWER_RESOLUTION"

    ticket.event(an_answer("ACCEPTED"), event_id="answered")
    assert ticket.attention is None
    sent = ticket.calls_and_gets(taken(a_problem(status=None, resolution=a_resolution("ACCEPTED"))))
    ticket.hears(a_problem(status="COMPLETED"))

    assert sent.command == AnswerResolution(resolution_id=70, service_problem_id=900, status="ACCEPTED")
    assert ticket.told_of("answered") == [(ANSWER, ACCEPTED, Reason.ANSWERED)]
    assert ticket.journey.end is End.COMPLETED


def test_a_resolution_is_rejected_with_notes_and_the_next_one_is_answered_too() -> None:
    ticket = resolved(opened())
    ticket.event(an_answer("REJECTED", notes="No light yet"))
    sent = ticket.calls_and_gets(taken(a_problem(status=None, resolution=a_resolution("REJECTED"))))
    assert sent.command == AnswerResolution(
        resolution_id=70, service_problem_id=900, status="REJECTED", tenant_notes="No light yet"
    )
    ticket.hears(a_problem(status="IN_PROGRESS", resolution=a_resolution("REJECTED")))
    assert ticket.attention is None

    resolved(ticket, 71)
    ticket.event(an_answer("ACCEPTED"))

    assert ticket.sends().command == AnswerResolution(resolution_id=71, service_problem_id=900, status="ACCEPTED")


def test_an_answer_is_told_that_no_resolution_waits() -> None:
    ticket = opened()

    ticket.event(an_answer(), event_id="answered")

    assert ticket.told_of("answered") == [(ANSWER, NOT_SENT, Reason.NO_PENDING_RESOLUTION)]


def test_an_answer_that_names_its_resolution_is_sent_even_if_its_message_has_not_come_yet() -> None:
    ticket = opened()

    ticket.event(an_answer(resolution_id=70))

    assert ticket.sends().command == AnswerResolution(resolution_id=70, service_problem_id=900, status="ACCEPTED")


def test_an_answered_resolution_is_not_pending_again_by_a_message_that_was_overtaken() -> None:
    ticket = resolved(opened())
    ticket.event(an_answer())
    ticket.calls_and_gets(taken(a_problem(status=None, resolution=a_resolution("ACCEPTED"))))

    resolved(ticket)
    ticket.event(an_answer(), event_id="again")

    assert ticket.attention is None or ticket.attention == "CONFIRM"
    assert ticket.told_of("again") == [(ANSWER, NOT_SENT, Reason.NO_PENDING_RESOLUTION)]


@pytest.mark.parametrize("codes", [{"*"}, {"NETWORK_ISSUE", "OTHER"}])
def test_a_policy_accepts_a_resolution_by_itself_and_only_once(codes: set[str]) -> None:
    ticket = resolved(opened(a_policy(accept_resolution_codes=frozenset(codes))))
    sent = ticket.calls_and_gets(refused())

    resolved(ticket)

    assert sent.command == AnswerResolution(resolution_id=70, service_problem_id=900, status="ACCEPTED")
    assert ticket.due is None
    assert ticket.attention == "ANSWER_RESOLUTION"


def test_a_policy_leaves_other_resolution_codes_to_people() -> None:
    ticket = resolved(opened(a_policy(accept_resolution_codes=frozenset({"OTHER"}))))

    assert ticket.due is None
    assert ticket.attention == "ANSWER_RESOLUTION"


def test_a_policy_does_not_overrule_an_answer_that_is_on_its_way() -> None:
    ticket = opened(a_policy(accept_resolution_codes=frozenset({"*"})))
    ticket.event(an_answer("REJECTED", resolution_id=70))

    resolved(ticket)

    assert [planned.name for planned in ticket.journey.queue] == [ANSWER]


def test_an_answer_to_a_command_keeps_the_action_that_a_person_must_take() -> None:
    ticket = opened()
    ticket.hears(a_problem(status="PENDING"), action="REAPPOINT")
    ticket.event(an_amendment())

    ticket.calls_and_gets(taken(with_amendment(a_problem())))
    assert ticket.attention == "REAPPOINT"
    ticket.hears(a_problem(status="IN_PROGRESS"))

    assert ticket.attention is None


# -- ends


@pytest.mark.parametrize("status", ["REJECTED", "CANCELLED", "COMPLETED"])
def test_each_end_of_the_problem_ends_the_journey_and_lets_go_of_personal_data(status: str) -> None:
    ticket = opened()
    ticket.event(an_amendment(), event_id="amended")
    ticket.hears(a_problem(status=status))

    assert ticket.journey.end == status
    assert ticket.told_of("amended") == [(AMEND, NOT_SENT, Reason.JOURNEY_ENDED)]
    durable = json.encode(ticket.state).decode()
    assert not [word for word in PERSONAL if word in durable]


def test_personal_data_is_in_the_state_before_the_end() -> None:
    durable = json.encode(opened().state).decode()

    assert PERSONAL[0] in durable


def test_a_problem_that_ends_with_the_raises_own_answer_ends_the_journey() -> None:
    ticket = passed()

    ticket.calls_and_gets(taken(a_problem(status="REJECTED")))

    assert ticket.told[-1] == (RAISE, ACCEPTED, Reason.ANSWERED)
    assert ticket.journey.end is End.REJECTED


def test_a_problem_that_failed_to_send_is_raised_anew_once() -> None:
    ticket = raised(a_policy(max_raises=2))
    ticket.fails_to_send(a_problem(), "GATEWAY_FAULT")
    assert ticket.due is RAISE

    ticket.calls_and_gets(taken(a_problem("901", "RECEIVED_BY_GATEWAY")))
    ticket.hears(a_problem("901", "FAILED_TO_SEND"), error="GATEWAY_FAULT")

    assert sum(isinstance(call, RaiseProblem) for call in ticket.calls) == 2
    assert ticket.journey.end is End.FAILED_TO_SEND
    assert ticket.journey.past_problems == ("900",)


def test_a_problem_is_never_raised_anew_when_its_supplier_timed_out() -> None:
    ticket = raised()

    ticket.hears(a_problem(status="FAILED_TO_SEND"), error="SUPPLIER_TIMED_OUT")

    assert ticket.journey.end is End.FAILED_TO_SEND
    assert ticket.due is None


@pytest.mark.parametrize("later", ["SUPPLIER_FAULT", "GATEWAY_FAULT"])
def test_a_time_out_of_the_supplier_is_not_forgotten_over_the_error_that_ended_the_problem(later: str) -> None:
    """The supplier may hold the request that timed out, whatever became of those after it (contract 7.4)."""
    ticket = raised()
    ticket.hears(a_problem(status="SENT_TO_SUPPLIER"), error="SUPPLIER_TIMED_OUT")

    ticket.hears(a_problem(status="FAILED_TO_SEND"), error=later)

    assert ticket.journey.end is End.FAILED_TO_SEND
    assert ticket.due is None


@pytest.mark.parametrize("told", [None, "GATEWAY_FAULT", "SUPPLIER_FAULT"])
def test_whether_its_supplier_timed_out_is_asked_before_a_problem_is_raised_anew(told: str | None) -> None:
    """The message about the time-out may be lost, or overtaken by the one about the end."""
    ticket = raised()
    ticket.event(a_cancellation(), event_id="cancelled")

    ticket.hears(a_problem(status="FAILED_TO_SEND"), error=told)
    assert ticket.told_of("cancelled") == []
    error = an_update(error=GatewayError(code="SUPPLIER_TIMED_OUT"))
    sent = ticket.calls_and_gets(taken(a_problem(status="FAILED_TO_SEND"), error, an_update(), http_status=200))

    assert sent.command == FetchProblem(service_problem_id=900)
    assert ticket.journey.end is End.FAILED_TO_SEND
    assert ticket.told_of("cancelled") == [(CANCEL, NOT_SENT, Reason.JOURNEY_ENDED)]


def test_a_problem_that_failed_to_send_for_no_known_reason_is_raised_anew_after_the_get() -> None:
    ticket = raised()
    ticket.hears(a_problem(status="FAILED_TO_SEND"))

    ticket.calls_and_gets(taken(a_problem(status="FAILED_TO_SEND"), http_status=200))

    assert ticket.due is RAISE


def test_a_problem_that_failed_to_send_and_cannot_be_fetched_ends_the_journey() -> None:
    ticket = raised()
    ticket.hears(a_problem(status="FAILED_TO_SEND"))

    ticket.calls_and_gets(refused(404, "NOT_FOUND"))

    assert ticket.journey.end is End.FAILED_TO_SEND


def test_amendments_that_wait_go_into_the_raise_that_follows_a_failed_one() -> None:
    ticket = raised()
    ticket.event(an_amendment(notes="Call before noon"), event_id="amended")

    ticket.fails_to_send(a_problem(), "GATEWAY_FAULT")
    command = ticket.sends().command

    assert isinstance(command, RaiseProblem)
    assert command.notes == "Call before noon"
    assert ticket.told_of("amended") == [(AMEND, NOT_SENT, Reason.FOLDED_INTO_RAISE)]


def test_a_cancellation_that_waits_ends_the_journey_when_the_problem_failed_to_send() -> None:
    ticket = raised()
    ticket.event(a_cancellation(), event_id="cancelled")

    ticket.fails_to_send(a_problem(), "GATEWAY_FAULT")

    assert ticket.told_of("cancelled") == [(CANCEL, NOT_SENT, Reason.CANCELLED_BEFORE_RAISE)]
    assert ticket.journey.end is End.CANCELLED_BEFORE_RAISE


def test_a_problem_that_failed_to_send_when_the_test_is_over_is_tested_anew() -> None:
    ticket = raised()
    ticket.now += timedelta(hours=3)

    ticket.fails_to_send(a_problem(), "GATEWAY_FAULT")

    assert ticket.due is CommandName.RUN_TEST


def test_what_was_to_be_asked_of_a_problem_that_failed_to_send_is_told_so() -> None:
    ticket = opened()
    ticket.event(an_amendment(), event_id="amended")

    ticket.fails_to_send(a_problem(), "GATEWAY_FAULT")

    assert ticket.told_of("amended") == [(AMEND, NOT_SENT, Reason.NOT_ALLOWED_IN_STATUS)]
    assert [planned.name for planned in ticket.journey.queue] == [RAISE]


def test_messages_after_the_end_change_nothing() -> None:
    ticket = opened()
    ticket.hears(a_problem(status="COMPLETED"))
    before = ticket.journey

    ticket.hears(a_problem(status="IN_PROGRESS"))
    ticket.hears(a_test(result=a_result("GREEN")))

    assert ticket.journey == before


def test_a_silent_problem_is_fetched_also_after_the_end_but_not_for_ever() -> None:
    ticket = opened()
    ticket.hears(a_problem(status="COMPLETED"))
    ticket.silence_of(a_problem())

    for _ in range(5):
        ticket.calls_and_gets(not_taken())
        ticket.waits_until_woken()

    assert ticket.due is None
    assert ticket.calls[-1] == FetchProblem(service_problem_id=900)


def test_an_ended_ticket_is_forgotten_after_thirty_days_and_not_before() -> None:
    ticket = opened()
    ticket.hears(a_problem(status="COMPLETED"))
    end = ticket.now

    assert ticket.wakes_at == end + timedelta(days=30)
    assert not is_forgotten(ticket.state, ticket.policy, end + timedelta(days=30, seconds=-1))
    assert is_forgotten(ticket.state, ticket.policy, end + timedelta(days=30))


def test_a_live_ticket_is_never_forgotten() -> None:
    assert not is_forgotten(opened().state, a_policy(), opened().now + timedelta(days=3650))


def test_a_ticket_without_a_journey_is_forgotten_too() -> None:
    ticket = Ticket()
    ticket.event(an_amendment())

    assert is_forgotten(ticket.state, ticket.policy, ticket.now + timedelta(days=30))
    assert ticket.wakes_at == ticket.now + timedelta(days=30)


# -- problems that nobody asked for


def test_a_problem_that_appears_after_a_journey_ended_without_one_is_followed() -> None:
    ticket = in_test()
    ticket.hears(a_test(result=a_result("GREEN")))

    ticket.hears(a_problem("950", "IN_PROGRESS"))

    assert ticket.told[-1] == (RAISE, ACCEPTED, Reason.FOUND)
    assert ticket.last.entity_id == "950"
    assert (ticket.journey.phase, ticket.journey.end) == (Phase.OPEN, None)
    ticket.hears(a_problem("950", "COMPLETED"))
    assert ticket.journey.end is End.COMPLETED


def test_a_problem_that_appears_and_is_over_already_does_not_reopen_a_journey() -> None:
    ticket = in_test()
    ticket.hears(a_test(result=a_result("GREEN")))

    ticket.hears(a_problem("950", "CANCELLED"))

    assert ticket.journey.end is End.TEST_GREEN


def test_a_problem_that_appears_before_the_raise_was_sent_is_followed_instead() -> None:
    ticket = passed()

    ticket.hears(a_problem("950", "IN_PROGRESS"))

    assert ticket.told_of("report")[-2:] == [(RAISE, ACCEPTED, Reason.FOUND), (RAISE, NOT_SENT, Reason.FOUND)]
    assert ticket.journey.problem is not None
    assert ticket.journey.problem.id == "950"
    assert ticket.due is None


def test_a_problem_that_appears_while_the_test_runs_is_followed_instead() -> None:
    ticket = in_test()

    ticket.hears(a_problem("950", "IN_PROGRESS"))
    ticket.hears(a_test(result=a_result()))

    assert ticket.journey.phase is Phase.OPEN
    assert ticket.due is None
    assert ticket.wakes_at is None


def test_a_second_problem_is_told_once_and_shown_until_it_ends() -> None:
    ticket = opened()

    ticket.hears(a_problem("950", "IN_PROGRESS"))
    ticket.hears(a_problem("950", "HELD"))

    assert ticket.told.count((RAISE, ACCEPTED, Reason.FOUND)) == 1
    assert "950" in ticket.last.message
    assert ticket.attention == "SECOND_PROBLEM"
    assert ticket.journey.problem is not None
    assert ticket.journey.problem.id == "900"
    ticket.hears(a_problem("950", "CANCELLED"))
    assert ticket.attention is None


def test_a_reopened_journey_cannot_raise_anew_what_it_let_go_of() -> None:
    ticket = in_test()
    ticket.hears(a_test(result=a_result("GREEN")))
    ticket.hears(a_problem("950", "IN_PROGRESS"))

    ticket.hears(a_problem("950", "FAILED_TO_SEND"), error="GATEWAY_FAULT")

    assert ticket.journey.end is End.FAILED_TO_SEND


def test_a_fault_reported_again_under_the_same_ticket_is_told_so() -> None:
    ticket = opened()

    ticket.event(a_report(), event_id="again")

    assert ticket.told_of("again") == [(RAISE, NOT_SENT, Reason.ALREADY_REPORTED)]


def test_an_entity_whose_id_is_no_number_is_left_alone() -> None:
    ticket = opened()
    before = ticket.journey

    ticket.hears(a_problem("P-1", "COMPLETED"))
    ticket.hears(a_test("T-1"))
    ticket.silence_of(a_problem("P-1"))

    assert ticket.journey == before
