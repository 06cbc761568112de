"""Each operation of the gateway, taken and refused, driven by ticket events on Kafka through the running services."""

from itertools import pairwise

import pytest

from bridge.adapters.gateway.client import second_request_id
from bridge.domain.entities import Kci, Observation, Source
from bridge.domain.journeys import End, Phase
from bridge.domain.outcomes import CommandName, GatewayOutcome
from bridge.domain.signals import Choice
from bridge.domain.statuses import ActionState, Move, StatusTransition
from tests.builders import (
    PERSONAL,
    a_cancellation,
    a_report,
    an_amendment,
    an_answer,
)
from tests.integration.bridge_under_test import BridgeUnderTest, Ticket
from tests.integration.conftest import RunningBridge

SETTINGS = {
    "BRIDGE_GATEWAY_BREAKER_OPEN_SECONDS": "1",
    "BRIDGE_DISPATCHER_ACCEPT_RESOLUTION_CODES": "NETWORK_UPLIFT",
    "BRIDGE_DISPATCHER_TEST_RESULT_WAIT_SECONDS": "2",
    "BRIDGE_DISPATCHER_UNKNOWN_CHECK_WAIT_SECONDS": "1",
    "BRIDGE_DISPATCHER_RETRY_FIRST_SECONDS": "0.2",
    "BRIDGE_DISPATCHER_RETRY_LONGEST_SECONDS": "1",
    "BRIDGE_DISPATCHER_RETRY_FOR_SECONDS": "6",
    "BRIDGE_TRACKER_PROBLEM_SILENCE_SECONDS": "3",
    "BRIDGE_TRACKER_TEST_SILENCE_SECONDS": "3",
}
OPERATIONS = {
    CommandName.RUN_TEST: "tests",
    CommandName.RAISE_PROBLEM: "problems",
    CommandName.AMEND_PROBLEM: "amendments",
    CommandName.CANCEL_PROBLEM: "cancellations",
    CommandName.ANSWER_RESOLUTION: "resolutions",
    CommandName.FETCH_TEST: "get_test",
    CommandName.FETCH_PROBLEM: "get_problem",
}
RETRY_AFTER_SECONDS = 2.0


@pytest.fixture(scope="module")
def bridge(running_bridge: RunningBridge) -> BridgeUnderTest:
    simulator = {"SIMULATOR_RETRY_AFTER": f"{RETRY_AFTER_SECONDS:.0f}"}
    return running_bridge("operations", settings=SETTINGS, simulator=simulator)


def problem_of(bridge: BridgeUnderTest, ticket: Ticket) -> str:
    """The one problem that the gateway holds for a ticket."""
    (problem,) = bridge.gateway.problems(external_identifier=ticket.id)
    return str(problem["id"])


def accepted(bridge: BridgeUnderTest, ticket: Ticket, operation: str) -> int:
    """How often the gateway took an operation for a ticket."""
    entries = bridge.gateway.entries(conversation_id=ticket.conversation_id, operation=operation)
    return sum(entry["accepted"] for entry in entries)


def check_request_ids(bridge: BridgeUnderTest, ticket: Ticket, outcome: GatewayOutcome) -> None:
    """What the outcome says of its request is what the gateway saw of it."""
    assert outcome.conversation_id == ticket.conversation_id
    (entry,) = bridge.gateway.entries(request_id=outcome.request_id)
    assert entry["operation"] == OPERATIONS[outcome.command]
    assert entry["conversation_id"] == ticket.conversation_id
    assert entry["status"] == outcome.http_status


def moves(transitions: list[StatusTransition]) -> list[tuple[str | None, str]]:
    return [(move.from_status, move.to_status) for move in transitions if move.applied]


def test_a_fault_becomes_a_test_a_problem_and_a_closed_problem_and_every_topic_tells_its_part(
    bridge: BridgeUnderTest,
) -> None:
    ticket = bridge.report("HAPPY_PATH")
    open_journey = bridge.wait_for_journey(ticket, problem_status="RESOLVED", attention="ANSWER_RESOLUTION")
    confirm = bridge.wait_until(lambda: bridge.actions(ticket), "an action for a person")[0]
    (event,) = bridge.tell(ticket, an_answer())
    journey = bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.COMPLETED)
    bridge.wait_until(lambda: len(bridge.actions(ticket)) == 2, "the action is settled")
    bridge.catch_up()

    assert bridge.told(ticket) == [
        "RUN_TEST ACCEPTED ANSWERED",
        "RAISE_PROBLEM ACCEPTED ANSWERED",
        "ANSWER_RESOLUTION ACCEPTED ANSWERED",
    ]
    for outcome in bridge.outcomes(ticket):
        check_request_ids(bridge, ticket, outcome)
    assert bridge.outcomes(ticket)[-1].event_id == event.event_id

    problem_id, test_id = journey.problem_id, journey.test_id
    assert problem_id == problem_of(bridge, ticket)
    assert (open_journey.phase, open_journey.test_result, open_journey.pending) == (Phase.OPEN, "RED", None)
    assert (journey.problem_status, journey.service_id, journey.attention) == ("COMPLETED", ticket.service_id, None)
    assert journey.conversation_id == ticket.conversation_id

    assert problem_id is not None
    assert test_id is not None
    seen = {(told.source, told.entity.key) for told in bridge.observations(ticket)}
    assert seen >= {(Source.POST, f"SERVICE_TEST:{test_id}"), (Source.POST, f"SERVICE_PROBLEM:{problem_id}")}
    for entity_type, entity_id in (("SERVICE_TEST", test_id), ("SERVICE_PROBLEM", problem_id)):
        made = bridge.gateway.kcis(entity_type=entity_type, entity_id=entity_id)
        published = bridge.kcis(entity_type, entity_id)
        assert {kci.update.id for kci in published} == {kci["id"] for kci in made}
        assert {kci.conversation_id for kci in published} == {ticket.conversation_id}

    problem_moves = bridge.transitions("problem-transitions", problem_id)
    assert moves(problem_moves) == [
        (None, "RECEIVED_BY_GATEWAY"),
        ("RECEIVED_BY_GATEWAY", "SENT_TO_SUPPLIER"),
        ("SENT_TO_SUPPLIER", "ACKNOWLEDGED"),
        ("ACKNOWLEDGED", "IN_PROGRESS"),
        ("IN_PROGRESS", "RESOLVED"),
        ("RESOLVED", "COMPLETED"),
    ]
    assert {move.move for move in problem_moves if move.applied} == {Move.EXPECTED}
    assert moves(bridge.transitions("test-transitions", test_id))[-1] == ("IN_PROGRESS", "COMPLETED")
    status = bridge.statuses("problem-status")[problem_id]
    assert (status.status, status.terminal, status.ticket_id) == ("COMPLETED", True, ticket.id)
    assert status.entity.external_identifier == ticket.id

    assert (confirm.action, confirm.state, confirm.entity_id) == ("CONFIRM", ActionState.REQUIRED, problem_id)
    assert confirm.due_at is not None
    assert (confirm.due_at - confirm.raised_at).days in (4, 5)
    assert confirm.due_because is not None
    assert confirm.due_because.startswith("silent acceptance")
    settled = bridge.actions(ticket)[-1]
    assert (settled.action_id, settled.state) == (confirm.action_id, ActionState.SETTLED)


def test_a_refused_test_ends_the_journey_with_the_gateways_own_error(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("HAPPY_PATH+HTTP_422@tests")

    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.REFUSED)

    refusal, consequence = bridge.outcomes(ticket)
    assert bridge.told(ticket) == ["RUN_TEST REFUSED REFUSED_BY_GATEWAY", "RAISE_PROBLEM NOT_SENT TEST_NOT_PASSED"]
    assert refusal.http_status == 422
    assert refusal.error is not None
    assert refusal.error.code == "INVALID_REQUEST"
    assert refusal.error.uuid
    assert refusal.error.messages
    check_request_ids(bridge, ticket, refusal)
    assert consequence.request_id is None


def test_a_refused_problem_ends_the_journey_after_its_test(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("HAPPY_PATH+HTTP_422@problems")

    journey = bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.REFUSED)

    assert bridge.told(ticket) == ["RUN_TEST ACCEPTED ANSWERED", "RAISE_PROBLEM REFUSED REFUSED_BY_GATEWAY"]
    check_request_ids(bridge, ticket, bridge.outcomes(ticket)[-1])
    assert (journey.test_result, journey.problem_id) == ("RED", None)
    assert bridge.gateway.problems(external_identifier=ticket.id) == []


def test_a_test_requested_alone_brings_its_result_and_raises_nothing(bridge: BridgeUnderTest) -> None:
    ticket = bridge.request_test("TEST_AMBER")
    refused = bridge.request_test("HAPPY_PATH+HTTP_422@tests")

    journey = bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.TESTED)
    bridge.wait_for_journey(refused, phase=Phase.ENDED, end=End.TEST_NOT_PASSED)

    assert bridge.told(ticket) == ["RUN_TEST ACCEPTED ANSWERED", "RUN_TEST ACCEPTED TEST_FINISHED"]
    result = bridge.outcomes(ticket)[-1].test
    assert result is not None
    assert (result.result, result.code) == ("AMBER", "NO_FAULT_FOUND")
    assert result.valid_until is not None
    assert journey.problem_id is None
    assert bridge.told(refused) == ["RUN_TEST REFUSED REFUSED_BY_GATEWAY"]
    assert accepted(bridge, ticket, "problems") == accepted(bridge, refused, "problems") == 0


def test_a_ticket_with_its_own_test_has_it_checked_by_get_and_runs_none(bridge: BridgeUnderTest) -> None:
    own = bridge.request_test("HAPPY_PATH")
    tested = bridge.wait_for_outcome(own, "RUN_TEST ACCEPTED TEST_FINISHED")
    assert tested.entity_id is not None
    ticket = Ticket(f"{own.id}-fault", own.service_id)
    missing = bridge.ticket("HAPPY_PATH")
    brought = {"service_test_id": int(tested.entity_id), "test_characteristics": ()}

    bridge.tell(ticket, a_report(service_id=ticket.service_id, **brought))
    bridge.tell(missing, a_report(service_id=missing.service_id, **{**brought, "service_test_id": 7}))

    journey = bridge.wait_for_journey(ticket, phase=Phase.OPEN, problem_status="RESOLVED")
    assert journey.test_id == tested.entity_id
    (problem,) = bridge.gateway.problems(external_identifier=ticket.id)
    assert problem["service_test_id"] == int(tested.entity_id)
    assert accepted(bridge, ticket, "tests") == 0
    assert accepted(bridge, ticket, "get_test") == 1
    assert Source.GET in {told.source for told in bridge.observations(ticket)}
    bridge.wait_for_journey(missing, phase=Phase.ENDED, end=End.REFUSED)
    refusal = bridge.outcomes(missing)[0]
    assert bridge.told(missing) == ["FETCH_TEST REFUSED REFUSED_BY_GATEWAY", "RAISE_PROBLEM NOT_SENT TEST_NOT_PASSED"]
    assert refusal.http_status == 404
    check_request_ids(bridge, missing, refusal)
    assert bridge.gateway.commands(missing.conversation_id) == []


def test_a_result_that_no_kci_brings_is_fetched(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("TEST_SLOW")

    journey = bridge.wait_for_journey(ticket, problem_status="RESOLVED")

    fetched = [told for told in bridge.observations(ticket) if told.entity.key == f"SERVICE_TEST:{journey.test_id}"]
    assert [told.entity.status for told in fetched if told.source is Source.GET][-1] == "COMPLETED"
    assert journey.test_id is not None
    last = bridge.transitions("test-transitions", journey.test_id)[-1]
    assert (last.to_status, last.cause.source) == ("COMPLETED", Source.GET)


def test_kcis_that_never_come_are_made_up_for_by_fetching_the_silent_problem(bridge: BridgeUnderTest) -> None:
    lost = bridge.report("HAPPY_PATH+KCI_LOSTx1@problems")
    refused = bridge.report("HAPPY_PATH+KCI_LOSTx1@p+HTTP_422@get_p")

    for ticket in (lost, refused):
        journey = bridge.wait_for_journey(ticket, problem_status="RESOLVED", attention="ANSWER_RESOLUTION")
        assert journey.problem_id is not None
        made = bridge.gateway.kcis(entity_type="SERVICE_PROBLEM", entity_id=journey.problem_id)
        assert {kci["fate"] for kci in made} == {"LOST"}
        assert bridge.kcis("SERVICE_PROBLEM", journey.problem_id) == []
        transitions = bridge.transitions("problem-transitions", journey.problem_id)
        assert moves(transitions)[-1][1] == "RESOLVED"
        assert Source.GET in {told.source for told in bridge.observations(ticket)}
        bridge.wait_until(
            lambda ticket=ticket: [each for each in bridge.actions(ticket) if each.action == "CONFIRM"],  # type: ignore[misc]
            "the action of a KCI that was never delivered",
        )
    refusal = bridge.wait_for_outcome(refused, "FETCH_PROBLEM REFUSED REFUSED_BY_GATEWAY")
    check_request_ids(bridge, refused, refusal)


def test_an_amendment_is_taken_refused_or_not_allowed(bridge: BridgeUnderTest) -> None:
    taken = bridge.report("AMENDMENT_ACCEPTED")
    refused_by_supplier = bridge.report("AMENDMENT_REFUSED")
    refused = bridge.report("AMENDMENT_ACCEPTED+HTTP_422@amend")
    too_late = bridge.report("HAPPY_PATH")
    bridge.wait_for_journey(too_late, problem_status="RESOLVED")
    for ticket in (taken, refused_by_supplier, refused):
        bridge.wait_for_journey(ticket, problem_status="IN_PROGRESS")

    for ticket in (taken, refused_by_supplier, refused, too_late):
        bridge.tell(ticket, an_amendment(problem_text="Light is red since Tuesday"))

    outcome = bridge.wait_for_outcome(taken, "AMEND_PROBLEM ACCEPTED ANSWERED")
    check_request_ids(bridge, taken, outcome)
    bridge.wait_for_journey(taken, problem_status="RESOLVED")
    assert bridge.gateway.ask_for_problem(outcome.entity_id)["problemText"] == "Light is red since Tuesday"
    bridge.wait_for_outcome(refused_by_supplier, "AMEND_PROBLEM ACCEPTED ANSWERED")
    bridge.wait_until(
        lambda: "RESUBMIT" in {each.action for each in bridge.actions(refused_by_supplier)},
        "a person is asked to submit the amendment again",
    )
    refusal = bridge.wait_for_outcome(refused, "AMEND_PROBLEM REFUSED REFUSED_BY_GATEWAY")
    check_request_ids(bridge, refused, refusal)
    bridge.wait_for_outcome(too_late, "AMEND_PROBLEM NOT_SENT NOT_ALLOWED_IN_STATUS")
    assert bridge.gateway.entries(conversation_id=too_late.conversation_id, operation="amendments") == []


def test_an_amendment_before_the_raise_is_folded_into_it(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("TEST_SLOW")
    bridge.tell(ticket, an_amendment(problem_text="Light is red since Tuesday", appointment_reservation_id=4711))

    outcome = bridge.wait_for_outcome(ticket, "AMEND_PROBLEM NOT_SENT FOLDED_INTO_RAISE")
    raised = bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED")

    problem = bridge.gateway.ask_for_problem(raised.entity_id)
    assert problem["problemText"] == "Light is red since Tuesday"
    assert problem["appointmentReservationId"] == 4711
    assert problem["hazards"] == PERSONAL[4]
    assert outcome.request_id is None
    assert bridge.gateway.entries(conversation_id=ticket.conversation_id, operation="amendments") == []


def test_a_cancellation_is_taken_or_refused(bridge: BridgeUnderTest) -> None:
    taken = bridge.report("CANCELLATION_ACCEPTED")
    refused_by_supplier = bridge.report("CANCELLATION_REFUSED")
    refused = bridge.report("CANCELLATION_ACCEPTED+HTTP_422@cancel")
    tickets = (taken, refused_by_supplier, refused)
    for ticket in tickets:
        bridge.wait_for_journey(ticket, problem_status="IN_PROGRESS")
        bridge.tell(ticket, a_cancellation())

    journey = bridge.wait_for_journey(taken, phase=Phase.ENDED, end=End.CANCELLED)
    check_request_ids(bridge, taken, bridge.wait_for_outcome(taken, "CANCEL_PROBLEM ACCEPTED ANSWERED"))
    assert journey.problem_status == "CANCELLED"
    bridge.wait_for_outcome(refused_by_supplier, "CANCEL_PROBLEM ACCEPTED ANSWERED")
    bridge.wait_for_journey(refused_by_supplier, problem_status="RESOLVED")
    refusal = bridge.wait_for_outcome(refused, "CANCEL_PROBLEM REFUSED REFUSED_BY_GATEWAY")
    check_request_ids(bridge, refused, refusal)
    assert bridge.journeys()[refused.id].phase is Phase.OPEN
    bridge.tell(refused, a_cancellation())
    bridge.wait_for_journey(refused, phase=Phase.ENDED, end=End.CANCELLED)


def test_a_cancellation_before_the_raise_ends_the_journey_and_raises_nothing(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("TEST_SLOW")
    bridge.tell(ticket, a_cancellation())

    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.CANCELLED_BEFORE_RAISE)

    bridge.wait_for_outcome(ticket, "CANCEL_PROBLEM NOT_SENT CANCELLED_BEFORE_RAISE")
    assert bridge.told(ticket)[-1] == "RAISE_PROBLEM NOT_SENT CANCELLED_BEFORE_RAISE"
    (test,) = bridge.gateway.tests(service_id=ticket.service_id)
    bridge.wait_until(
        lambda: bridge.statuses("test-status").get(str(test["id"])), "the test is followed although nobody needs it"
    )
    assert bridge.gateway.entries(conversation_id=ticket.conversation_id, operation="problems") == []


def test_a_resolution_is_rejected_and_the_next_one_accepted(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("RESOLUTION_REJECTED_THEN_FIXED")
    bridge.wait_for_journey(ticket, problem_status="RESOLVED")
    bridge.tell(ticket, an_answer("REJECTED"))
    bridge.wait_until(lambda: len(confirmations(bridge, ticket)) == 2, "a second resolution waits for its answer")
    bridge.wait_for_journey(ticket, problem_status="RESOLVED", attention="ANSWER_RESOLUTION")
    bridge.tell(ticket, an_answer())

    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.COMPLETED)

    for nth in (1, 2):
        outcome = bridge.wait_for_outcome(ticket, "ANSWER_RESOLUTION ACCEPTED ANSWERED", nth=nth)
        check_request_ids(bridge, ticket, outcome)
    (problem,) = bridge.gateway.problems(external_identifier=ticket.id)
    assert [each["status"] for each in problem["resolutions"]] == ["REJECTED", "ACCEPTED"]


def confirmations(bridge: BridgeUnderTest, ticket: Ticket) -> set[str]:
    return {each.action_id for each in bridge.actions(ticket) if each.action == "CONFIRM"}


def test_a_refused_answer_leaves_the_resolution_to_be_answered_again(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("HAPPY_PATH+HTTP_422@resolutions")
    bridge.wait_for_journey(ticket, problem_status="RESOLVED")
    bridge.tell(ticket, an_answer())

    refusal = bridge.wait_for_outcome(ticket, "ANSWER_RESOLUTION REFUSED REFUSED_BY_GATEWAY")

    check_request_ids(bridge, ticket, refusal)
    bridge.wait_for_journey(ticket, problem_status="RESOLVED", attention="ANSWER_RESOLUTION")
    bridge.tell(ticket, an_answer())
    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.COMPLETED)


def test_a_configured_policy_accepts_a_resolution_by_itself(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("NETWORK_INCIDENT")

    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.COMPLETED)

    outcome = bridge.wait_for_outcome(ticket, "ANSWER_RESOLUTION ACCEPTED ANSWERED")
    assert outcome.event_id is None
    assert accepted(bridge, ticket, "resolutions") == 1


@pytest.mark.parametrize("fault", ["ANSWER_LOST", "ACCEPT_THEN_500", "ANSWER_NEVER"])
def test_a_command_whose_answer_was_lost_is_unknown_until_evidence_shows_that_it_was_taken(
    bridge: BridgeUnderTest, fault: str
) -> None:
    tested = bridge.report(f"HAPPY_PATH+{fault}@t")
    raised = bridge.report(f"HAPPY_PATH+{fault}@p")
    amended = bridge.report(f"AMENDMENT_ACCEPTED+{fault}@a")
    cancelled = bridge.report(f"CANCELLATION_ACCEPTED+{fault}@c")
    answered = bridge.report(f"HAPPY_PATH+{fault}@r")
    for ticket, status, content in (
        (amended, "IN_PROGRESS", an_amendment()),
        (cancelled, "IN_PROGRESS", a_cancellation()),
        (answered, "RESOLVED", an_answer()),
    ):
        bridge.wait_for_journey(ticket, problem_status=status)
        bridge.tell(ticket, content)

    for ticket, command in (
        (tested, CommandName.RUN_TEST),
        (raised, CommandName.RAISE_PROBLEM),
        (amended, CommandName.AMEND_PROBLEM),
        (cancelled, CommandName.CANCEL_PROBLEM),
        (answered, CommandName.ANSWER_RESOLUTION),
    ):
        found = bridge.wait_for_outcome(ticket, f"{command} ACCEPTED FOUND")
        unknown = bridge.wait_for_outcome(ticket, f"{command} UNKNOWN")
        assert (unknown.command_id, unknown.basis) == (found.command_id, "ANSWER")
        assert found.basis == "EVIDENCE"
        assert unknown.request_id == found.request_id
        assert accepted(bridge, ticket, OPERATIONS[command]) == 1
    bridge.wait_for_journey(cancelled, phase=Phase.ENDED, end=End.CANCELLED)
    bridge.wait_for_journey(answered, phase=Phase.ENDED, end=End.COMPLETED)
    for ticket in (tested, raised, amended):
        bridge.wait_for_journey(ticket, problem_status="RESOLVED")


def test_a_person_decides_about_a_raise_that_nothing_else_can_settle(bridge: BridgeUnderTest) -> None:
    held = bridge.report("HAPPY_PATH+ANSWER_LOST@p+KCI_LOSTx1@p")
    again = bridge.report("HAPPY_PATH+HTTP_500@problems")
    given_up = bridge.report("HAPPY_PATH+HTTP_503@problems")
    for ticket in (held, again, given_up):
        journey = bridge.wait_for_journey(ticket, attention="RESOLVE_UNKNOWN")
        assert journey.pending is not None
        assert (journey.pending.command, journey.pending.state) == (CommandName.RAISE_PROBLEM, "UNKNOWN")
    listed = bridge.run("journeys", "list", "--attention").stdout
    assert all(ticket.id in listed for ticket in (held, again, given_up))

    resolve(bridge, held, "--accepted", problem_of(bridge, held))
    resolve(bridge, again, "--retry")
    resolve(bridge, given_up, "--not-accepted")

    decided = bridge.wait_for_outcome(held, "RAISE_PROBLEM ACCEPTED DECIDED")
    assert (decided.basis, decided.entity_id) == ("OPERATOR", problem_of(bridge, held))
    bridge.wait_for_journey(held, phase=Phase.OPEN, problem_status="RESOLVED")
    bridge.wait_for_outcome(again, "RAISE_PROBLEM ACCEPTED ANSWERED")
    bridge.wait_for_journey(again, phase=Phase.OPEN, problem_status="RESOLVED")
    bridge.wait_for_outcome(given_up, "RAISE_PROBLEM FAILED DECIDED")
    bridge.wait_for_journey(given_up, phase=Phase.ENDED, end=End.FAILED)
    assert [accepted(bridge, each, "problems") for each in (held, again, given_up)] == [1, 1, 0]
    shown = bridge.run("journeys", "show", held.id).stdout
    assert "RAISE_PROBLEM UNKNOWN NO_ANSWER" in shown
    assert "RAISE_PROBLEM ACCEPTED DECIDED" in shown


def test_a_person_is_asked_about_an_amendment_only_after_the_gateway_was(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("AMENDMENT_ACCEPTED+HTTP_500@amend")
    bridge.wait_for_journey(ticket, problem_status="IN_PROGRESS")
    bridge.tell(ticket, an_amendment())
    journey = bridge.wait_for_journey(ticket, attention="RESOLVE_UNKNOWN")
    assert accepted(bridge, ticket, "get_problem") >= 3
    assert journey.pending is not None

    bridge.decide(ticket, journey.pending.command_id, Choice.RETRY)

    bridge.wait_for_outcome(ticket, "AMEND_PROBLEM ACCEPTED ANSWERED")
    bridge.wait_for_journey(ticket, problem_status="RESOLVED")
    assert accepted(bridge, ticket, "amendments") == 1


def resolve(bridge: BridgeUnderTest, ticket: Ticket, *choice: str) -> None:
    done = bridge.run("journeys", "resolve", ticket.id, *choice, "--why", "asked the gateway's service desk")
    assert done.returncode == 0, done.stderr


def test_a_decision_about_nothing_is_refused_by_the_command(bridge: BridgeUnderTest) -> None:
    done = bridge.run("journeys", "resolve", "no-such-ticket", "--retry", "--why", "a slip of the finger")

    assert done.returncode == 1
    assert "ticket no-such-ticket has no command whose outcome is UNKNOWN" in done.stderr


def test_a_429_is_repeated_when_the_gateway_said_and_not_before(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("HAPPY_PATH+HTTP_429x2@problems", supplier="BUSY_SUPPLIER")

    outcome = bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED ANSWERED")

    assert outcome.attempts == 3
    entries = bridge.gateway.entries(conversation_id=ticket.conversation_id, operation="problems")
    assert [entry["status"] for entry in entries] == [429, 429, 201]
    pauses = [later["arrived"] - earlier["finished"] for earlier, later in pairwise(entries)]
    assert all(RETRY_AFTER_SECONDS <= pause < RETRY_AFTER_SECONDS + 5 for pause in pauses), pauses
    assert len({entry["request_id"] for entry in entries}) == 3


def test_a_token_that_was_revoked_is_replaced_once_and_the_request_repeated(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("HAPPY_PATH+HTTP_401@problems")

    outcome = bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED ANSWERED")

    entries = bridge.gateway.entries(conversation_id=ticket.conversation_id, operation="problems")
    assert [entry["status"] for entry in entries] == [401, 201]
    rejected, answered = (entry["request_id"] for entry in entries)
    assert answered == second_request_id(rejected)
    assert outcome.request_id == answered
    observed = [seen.request_id for seen in bridge.values("observations", Observation)]
    assert (observed.count(answered), observed.count(rejected)) == (1, 0)
    assert "RAISE_PROBLEM UNKNOWN" not in " ".join(bridge.told(ticket))


def test_a_firewall_that_forbids_calls_a_person_and_in_the_end_the_command_failed(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("HAPPY_PATH+HTTP_403x99@problems", supplier="WALLED_SUPPLIER")

    bridge.wait_for_journey(ticket, attention="GATEWAY_REFUSES_ACCESS")

    outcome = bridge.wait_for_outcome(ticket, "RAISE_PROBLEM FAILED GAVE_UP")
    statuses = [
        entry["status"]
        for entry in bridge.gateway.entries(conversation_id=ticket.conversation_id, operation="problems")
    ]
    assert outcome.attempts == len(statuses) > 1
    assert set(statuses) == {403}
    bridge.wait_for_journey(ticket, phase=Phase.ENDED, end=End.FAILED)


def test_every_kci_that_was_answered_with_success_is_on_the_topic(bridge: BridgeUnderTest) -> None:
    """The webhook's part in all of the above."""
    made = bridge.gateway.kcis()
    answered = {kci["id"] for kci in made if any(each["answer"] == 200 for each in kci["deliveries"])}

    bridge.catch_up()

    assert len(answered) > 100
    assert answered <= {kci.update.id for kci in bridge.values("kcis", Kci)}
    assert bridge.records("kci-quarantine") == []
    assert bridge.records("dead-letters") == []


def test_no_log_of_any_service_holds_personal_data(bridge: BridgeUnderTest) -> None:
    """Every report and amendment above brought contacts, hazards, notes and an address with it."""
    logs = bridge.logs()

    assert "dispatcher" in logs
    assert [word for word in PERSONAL if word in logs] == []
