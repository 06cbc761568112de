"""`bridge doctor` on a running bridge: nothing to say of a healthy one, and each thing that is broken named."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.bridge_under_test import BridgeUnderTest
from tests.integration.conftest import RunningBridge

GARBAGE = b'{"ticket": "no Avro at all"}'
SETTINGS = {
    "BRIDGE_GATEWAY_BREAKER_FAILURES": "2",
    "BRIDGE_GATEWAY_BREAKER_OPEN_SECONDS": "60",
    "BRIDGE_DISPATCHER_RETRY_FIRST_SECONDS": "0.2",
    "BRIDGE_DISPATCHER_RETRY_LONGEST_SECONDS": "0.5",
    "BRIDGE_TRACKER_SILENT_ACCEPTANCE_SECONDS": "1",
}


@pytest.fixture(scope="module")
def bridge(running_bridge: RunningBridge) -> BridgeUnderTest:
    return running_bridge("doctor", settings=SETTINGS)


def diagnosis(bridge: BridgeUnderTest, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code and the findings."""
    metrics = [word for name in ("dispatcher", "tracker") for word in ("--metrics", bridge.management_url(name))]
    ended = bridge.run("doctor", "--output", "json", *metrics, *arguments)
    assert "Traceback" not in ended.stderr, ended.stderr
    told = json.loads(ended.stdout)
    assert told["healthy"] == (ended.returncode == 0)
    return ended.returncode, told["findings"]


def found(findings: list[dict[str, Any]], words: str) -> dict[str, Any]:
    (finding,) = [each for each in findings if words in each["what"]]
    return finding


def test_a_healthy_bridge_has_nothing_to_say(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("TEST_GREEN")
    bridge.wait_for_journey(ticket, end="TEST_GREEN")

    assert diagnosis(bridge) == (0, [])


def test_each_thing_that_is_broken_is_named_with_what_to_do(bridge: BridgeUnderTest) -> None:
    unknown = bridge.report("HAPPY_PATH+HTTP_500@problems")
    answer = bridge.report("HAPPY_PATH")
    bridge.write("fault-tickets", [(b"poison", GARBAGE)])
    bridge.deliver(b"no JSON at all")
    bridge.wait_for_journey(unknown, attention="RESOLVE_UNKNOWN")

    def overdue() -> list[str]:
        return [each.action for each in bridge.actions(answer) if each.due_at and each.due_at <= datetime.now(UTC)]

    bridge.wait_until(lambda: "CONFIRM" in overdue(), "an action that is overdue")
    bridge.wait_until(lambda: bridge.records("dead-letters"), "a dead letter")

    code, findings = diagnosis(bridge, "--silence-minutes", "0")

    assert code == 1
    assert unknown.id in found(findings, "UNKNOWN")["what"]
    assert f"bridge journeys show {unknown.id}" in found(findings, "UNKNOWN")["mend"]
    assert found(findings, "UNKNOWN")["since"] is not None
    assert answer.id in found(findings, "action CONFIRM overdue")["what"]
    assert found(findings, "dead letter open (UNDECODABLE)")["since"] is not None
    assert "bridge quarantine list" in found(findings, "in quarantine")["mend"]
    assert "the gateway can reach its address" in found(findings, "the webhook is silent")["mend"]


def test_an_open_breaker_is_told_by_the_service_that_has_it(bridge: BridgeUnderTest) -> None:
    bridge.kill("simulator")
    bridge.report("HAPPY_PATH")

    def breaker() -> list[dict[str, Any]]:
        return [each for each in diagnosis(bridge)[1] if "the breaker of supplier" in each["what"]]

    try:
        (finding,) = bridge.wait_until(breaker, "an open breaker", seconds=60)
    finally:
        bridge.restart("simulator")

    assert "OPEN at" in finding["what"]
    assert "its commands wait" in finding["what"]


def test_a_worker_that_is_gone_leaves_its_group_empty_and_its_records_waiting(bridge: BridgeUnderTest) -> None:
    bridge.terminate("tracker")
    bridge.terminate("dispatcher")
    try:
        bridge.report("HAPPY_PATH")

        code, findings = diagnosis(bridge, "--lag-minutes", "0")

        assert code == 1
        assert "bridge run dispatcher" in found(findings, "no dispatcher is running")["mend"]
        assert "no tracker is running" in found(findings, "no tracker is running")["what"]
        behind = found(findings, "1 record behind in fault-tickets")
        assert behind["since"] is not None
        assert len([each for each in findings if "does not answer" in each["what"]]) == 2
    finally:
        bridge.restart("dispatcher", "tracker")


def test_a_person_sees_a_table_and_a_summary(bridge: BridgeUnderTest) -> None:
    ended = bridge.run("doctor", "--output", "table")

    assert ended.returncode == 1
    assert "is wrong" in ended.stderr or "are wrong" in ended.stderr
    assert "members: dispatcher 1, tracker 1" in ended.stderr
    assert "what to do" in ended.stdout


def test_what_a_person_settled_is_not_told_again(bridge: BridgeUnderTest) -> None:
    journeys = [each for each in bridge.journeys().values() if each.attention == "RESOLVE_UNKNOWN"]
    for journey in journeys:
        assert journey.pending is not None
        ended = bridge.run("journeys", "resolve", journey.ticket_id, "--not-accepted", "--why", "test", "--by", "grace")
        assert ended.returncode == 0, ended.stderr
    discarded = bridge.run("dead-letters", "discard", "--all", "--why", "test", "--by", "grace")
    assert discarded.returncode == 0, discarded.stderr

    def settled() -> bool:
        told = [each["what"] for each in diagnosis(bridge)[1]]
        return not any("UNKNOWN" in what or "dead letter" in what for what in told)

    bridge.wait_until(settled, "no more UNKNOWNs", seconds=60)
