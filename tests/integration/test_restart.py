"""Services that are killed, stopped and multiplied while they work: nothing is lost, nothing is done twice."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from bridge.domain.journeys import End, Phase
from bridge.domain.outcomes import Reason
from bridge.domain.signals import Choice
from bridge.domain.statuses import StatusTransition
from tests.builders import a_report, an_answer
from tests.integration.bridge_under_test import BridgeUnderTest, Ticket
from tests.integration.conftest import RunningBridge
from tests.integration.simulated_gateway import COMMANDS, Json

SETTINGS = {
    "BRIDGE_GATEWAY_READ_TIMEOUT_SECONDS": "18",
    "BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS": "20",
    "BRIDGE_DISPATCHER_TEST_RESULT_WAIT_SECONDS": "5",
    "BRIDGE_DISPATCHER_UNKNOWN_TEST_WAIT_SECONDS": "20",
    "BRIDGE_DISPATCHER_UNKNOWN_CHECK_WAIT_SECONDS": "2",
    "BRIDGE_DISPATCHER_ACCEPT_RESOLUTION_CODES": "*",
    "BRIDGE_TRACKER_PROBLEM_SILENCE_SECONDS": "6",
    "BRIDGE_TRACKER_TEST_SILENCE_SECONDS": "6",
}
SLOW_SECONDS = 3.0
GRACE_SECONDS = 20.0
END_SECONDS = 60.0


@pytest.fixture(scope="module")
def bridge(running_bridge: RunningBridge) -> BridgeUnderTest:
    return running_bridge("restart", settings=SETTINGS, simulator={"SIMULATOR_KCI_DELAY": "0.3"})


@pytest.fixture(autouse=True)
def _fair_weather_afterwards(bridge: BridgeUnderTest) -> Iterator[None]:
    yield
    bridge.gateway.weather()


def run_tests(bridge: BridgeUnderTest, *plans: str) -> dict[Ticket, int]:
    """Have a test run for each plan; return tickets that are still to be reported, each with the test it brings."""
    own = [bridge.request_test(plan) for plan in plans]
    results = [bridge.wait_for_outcome(ticket, "RUN_TEST ACCEPTED TEST_FINISHED") for ticket in own]
    return {
        Ticket(f"{ticket.id}-fault", ticket.service_id): int(result.entity_id or 0)
        for ticket, result in zip(own, results, strict=True)
    }


def report(bridge: BridgeUnderTest, tests: dict[Ticket, int]) -> None:
    """Report faults that bring finished tests, so that what follows is a GET and then the raise."""
    for ticket, test in tests.items():
        bridge.tell(ticket, a_report(service_id=ticket.service_id, service_test_id=test))


def wait_for_raises_under_way(bridge: BridgeUnderTest, tickets: Iterable[Ticket], *, taken: bool) -> None:
    """Wait until the raise of every ticket is at the gateway, taken by now or not, and none has been answered."""

    def under_way(ticket: Ticket) -> bool:
        raises = bridge.gateway.entries(conversation_id=ticket.conversation_id, operation="problems")
        return [(entry["finished"], entry["accepted"]) for entry in raises] == [(None, taken)]

    waiting = list(tickets)
    bridge.wait_until(lambda: all(under_way(ticket) for ticket in waiting), "the raises are under way")


def wait_for_ends(bridge: BridgeUnderTest, tickets: list[Ticket], end: End = End.COMPLETED) -> None:
    """Wait until every ticket's journey has ended in this way."""

    def unfinished() -> list[Ticket]:
        journeys = bridge.journeys()
        return [
            ticket for ticket in tickets if ticket.id not in journeys or journeys[ticket.id].phase is not Phase.ENDED
        ]

    try:
        bridge.wait_until(lambda: not unfinished(), "every journey has ended", seconds=END_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{bridge.story(unfinished()[0])}") from None
    ends = {ticket.id: bridge.journeys()[ticket.id].end for ticket in tickets}
    assert set(ends.values()) == {end}, ends


def taken(bridge: BridgeUnderTest, ticket: Ticket) -> list[Json]:
    """What the gateway took for a ticket."""
    return [entry for entry in bridge.gateway.commands(ticket.conversation_id) if entry["accepted"]]


def check_nothing_doubled(bridge: BridgeUnderTest, tickets: list[Ticket], *operations: str) -> None:
    """Each ticket's commands were taken once each, in order, and never two at a time."""
    for ticket in tickets:
        assert [entry["operation"] for entry in taken(bridge, ticket)] == [*operations], bridge.story(ticket)
    bridge.catch_up()
    told = Counter((told.ticket_id, told.outcome_id) for ticket in tickets for told in bridge.outcomes(ticket))
    assert [outcome for outcome, times in told.items() if times > 1] == []


def check_transitions(bridge: BridgeUnderTest) -> None:
    """Each transition was published once, and those that were applied form a chain."""
    bridge.catch_up()
    for topic in ("problem-transitions", "test-transitions"):
        transitions = bridge.values(topic, StatusTransition)
        ids = Counter(transition.transition_id for transition in transitions)
        assert [transition_id for transition_id, times in ids.items() if times > 1] == []
        latest: dict[str, str] = {}
        for transition in transitions:
            if transition.applied:
                assert transition.from_status == latest.get(transition.entity_id), transition
                latest[transition.entity_id] = transition.to_status


def check_truth(bridge: BridgeUnderTest) -> None:
    """What is published equals what really is."""
    for topic, truth in (("problem-status", bridge.gateway.problems), ("test-status", bridge.gateway.tests)):

        def differing(topic: str = topic) -> dict[str, tuple[str, str | None]]:
            published = {key: status.status for key, status in bridge.statuses(topic).items()}
            true = {str(each["id"]): str(each["status"]) for each in truth()}  # noqa: B023 - called within this turn
            return {key: (status, published.get(key)) for key, status in true.items() if published.get(key) != status}

        deadline = time.monotonic() + END_SECONDS
        while differing() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert differing() == {}


def test_a_dispatcher_that_is_told_to_end_finishes_its_calls_and_nothing_is_unknown(bridge: BridgeUnderTest) -> None:
    tests = run_tests(bridge, *["HAPPY_PATH"] * 6)
    tickets = list(tests)
    bridge.gateway.weather(latency_seconds=SLOW_SECONDS)
    report(bridge, tests)
    wait_for_raises_under_way(bridge, tickets, taken=False)

    started = time.monotonic()
    exit_code = bridge.terminate("dispatcher")

    assert (exit_code, time.monotonic() - started < GRACE_SECONDS) == (0, True), bridge.log("dispatcher")[-3000:]
    bridge.gateway.weather()
    bridge.restart("dispatcher")
    wait_for_ends(bridge, tickets)
    check_nothing_doubled(bridge, tickets, "problems", "resolutions")
    for ticket in tickets:
        assert bridge.told(ticket) == ["RAISE_PROBLEM ACCEPTED ANSWERED", "ANSWER_RESOLUTION ACCEPTED ANSWERED"]


def test_calls_of_a_killed_dispatcher_are_unknown_until_evidence_or_a_person_settles_them(
    bridge: BridgeUnderTest,
) -> None:
    tests = run_tests(bridge, *["HAPPY_PATH+ANSWER_NEVER@problems"] * 5, "HAPPY_PATH")
    *taken_ones, not_taken = tests
    report(bridge, {ticket: tests[ticket] for ticket in taken_ones})
    wait_for_raises_under_way(bridge, taken_ones, taken=True)
    bridge.gateway.weather(latency_seconds=SLOW_SECONDS)
    report(bridge, {not_taken: tests[not_taken]})
    wait_for_raises_under_way(bridge, [not_taken], taken=False)

    bridge.kill("dispatcher")
    bridge.restart("dispatcher")
    bridge.gateway.weather()

    journey = bridge.wait_for_journey(not_taken, attention="RESOLVE_UNKNOWN")
    assert journey.pending is not None
    bridge.decide(not_taken, journey.pending.command_id, Choice.RETRY)
    wait_for_ends(bridge, [*tests])
    check_nothing_doubled(bridge, [*tests], "problems", "resolutions")
    told = [
        "RAISE_PROBLEM UNKNOWN INTERRUPTED",
        "RAISE_PROBLEM ACCEPTED ANSWERED",
        "ANSWER_RESOLUTION ACCEPTED ANSWERED",
    ]
    assert bridge.told(not_taken) == told
    for ticket in taken_ones:
        unknown, found, _ = bridge.outcomes(ticket)
        (entry,) = bridge.gateway.entries(conversation_id=ticket.conversation_id, operation="problems")
        assert bridge.told(ticket)[:2] == ["RAISE_PROBLEM UNKNOWN INTERRUPTED", "RAISE_PROBLEM ACCEPTED FOUND"]
        assert unknown.command_id == found.command_id
        assert unknown.request_id == found.request_id == entry["request_id"]
        assert found.entity_id == str(entry["problem_id"])


def test_a_killed_tracker_and_a_killed_ingester_go_on_where_they_were(bridge: BridgeUnderTest) -> None:
    tickets = [bridge.report(plan) for plan in ("HAPPY_PATH", "HELD_AND_RESUMED", "NETWORK_INCIDENT") for _ in range(6)]
    for ticket in tickets:
        bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED")

    bridge.kill("tracker")
    bridge.kill("ingester")
    bridge.restart("ingester", "tracker")

    wait_for_ends(bridge, tickets)
    check_nothing_doubled(bridge, tickets, "tests", "problems", "resolutions")
    check_transitions(bridge)
    check_truth(bridge)


def test_dispatchers_come_and_go_under_load_and_no_call_is_lost(bridge: BridgeUnderTest) -> None:
    bridge.gateway.weather(latency_seconds=0.3)
    tickets = [bridge.report("HAPPY_PATH") for _ in range(10)]
    bridge.begin("dispatcher", name="dispatcher-2")
    tickets += [bridge.report("HELD_AND_RESUMED") for _ in range(10)]
    bridge.wait_ready("dispatcher-2")
    tickets += [bridge.report("HAPPY_PATH") for _ in range(10)]
    shares = bridge.wait_until(lambda: calls_of_both(bridge, tickets), "both dispatchers call the gateway")

    assert bridge.terminate("dispatcher") == 0
    tickets += [bridge.report("HELD_AND_RESUMED") for _ in range(10)]

    wait_for_ends(bridge, tickets)
    assert all(shares)
    check_nothing_doubled(bridge, tickets, "tests", "problems", "resolutions")
    reasons = Counter(told.reason for ticket in tickets for told in bridge.outcomes(ticket))
    assert reasons == {Reason.ANSWERED: 3 * len(tickets)}
    overlaps = [
        entry
        for ticket in tickets
        for entry in bridge.gateway.entries(conversation_id=ticket.conversation_id)
        if entry["overlap"] > 1 and entry["operation"] in COMMANDS
    ]
    assert overlaps == []
    check_transitions(bridge)
    check_truth(bridge)


def calls_of_both(bridge: BridgeUnderTest, tickets: list[Ticket]) -> list[bool]:
    """Whether each dispatcher's log tells of calls for these tickets; empty until both do."""
    shares = [
        any(ticket.conversation_id in bridge.log(name) for ticket in tickets) for name in ("dispatcher", "dispatcher-2")
    ]
    return shares if all(shares) else []


def test_a_ticket_that_nobody_could_serve_meanwhile_is_served_afterwards(bridge: BridgeUnderTest) -> None:
    """Events, KCIs and answers that come while every service is down wait on Kafka, or at the gateway."""
    ticket = bridge.report("HAPPY_PATH")
    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED")
    for name in ("dispatcher-2", "tracker", "ingester"):
        bridge.kill(name)
    late = bridge.report("TEST_GREEN")
    bridge.tell(ticket, an_answer())

    bridge.restart("ingester", "tracker", "dispatcher-2")

    bridge.wait_for_journey(late, phase=Phase.ENDED, end=End.TEST_GREEN)
    wait_for_ends(bridge, [ticket])
