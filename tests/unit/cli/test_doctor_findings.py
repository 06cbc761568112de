"""Each finding of `bridge doctor`, from facts alone: it is told when it should be, and not when it should not."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bridge.adapters.kafka_admin.groups import GroupState
from bridge.adapters.kafka_connection import Answer
from bridge.adapters.metrics_reader import Figures, read_figures
from bridge.cli.doctor.facts import Behind, Facts, GroupFacts, ServiceFacts
from bridge.cli.doctor.findings import Finding, Grave, Limits, findings
from bridge.domain.journeys import CommandState, PendingCommand, Phase
from bridge.domain.outcomes import CommandName
from bridge.domain.statuses import ActionRequired, ActionState
from bridge.topics import Party
from tests.builders import NOW
from tests.demo_records import a_journey

LIMITS = Limits(lag=timedelta(minutes=1), stuck=timedelta(minutes=10), silence=timedelta(hours=1))
MINUTE = timedelta(minutes=1)


def told(**facts: Any) -> list[Finding]:
    return list(findings(Facts(NOW, **facts), LIMITS))


def a_group(members: int = 1, state: str = "Stable", *behind: Behind) -> GroupFacts:
    return GroupFacts(Party.DISPATCHER, GroupState("uk.dispatcher", state, members, {}), 6, behind)


def pending(state: CommandState, **changes: Any) -> PendingCommand:
    fields: dict[str, Any] = {"command_id": "T-1-2", "command": CommandName.RAISE_PROBLEM, "attempts": 0, **changes}
    return PendingCommand(state=state, **fields)


def an_action(due: timedelta, state: ActionState = ActionState.REQUIRED) -> ActionRequired:
    return ActionRequired(
        action_id="A-1",
        ticket_id="T-1",
        entity_type="SERVICE_PROBLEM",
        entity_id="9",
        action="CONFIRM",
        state=state,
        raised_at=NOW - timedelta(days=1),
        due_at=NOW + due,
        due_because="silent acceptance",
    )


def test_nothing_is_said_of_a_deployment_that_is_well() -> None:
    assert (
        told(
            brokers=[Answer("kafka-1:9092", expires_at=NOW + timedelta(days=90))],
            groups=[a_group(6)],
            journeys=[a_journey(phase=Phase.OPEN, updated_at=NOW - MINUTE)],
            actions=[
                an_action(timedelta(days=2)),
                msgspec.structs.replace(an_action(-MINUTE), state=ActionState.SETTLED),
            ],
            newest_kci=NOW - MINUTE,
            kcis_seen=True,
            services=[ServiceFacts("http://d:9090", figures=Figures({"ACME": "CLOSED"}, access_refused=False))],
        )
        == []
    )


@pytest.mark.parametrize(
    ("facts", "grave", "words"),
    [
        ({"brokers": [Answer("k:1", away="nothing listens at k:1")]}, Grave.WARNING, "nothing listens"),
        ({"brokers": [Answer("k:1", expires_at=NOW + timedelta(days=9))]}, Grave.WARNING, "k:1 ends at"),
        ({"brokers": [Answer("k:1", expires_at=NOW + timedelta(days=1))]}, Grave.WRONG, "k:1 ends at"),
        ({"certificates": [("BRIDGE_X", NOW + timedelta(days=1))]}, Grave.WRONG, "in BRIDGE_X ends at"),
        ({"unfit": ("topic kcis is missing; run `bridge topics apply`",)}, Grave.WRONG, "topic kcis is missing"),
        ({"groups": [a_group(0, "Empty")]}, Grave.WRONG, "no dispatcher is running"),
        ({"groups": [a_group(7)]}, Grave.WARNING, "7 replicas of dispatcher for 6 partitions"),
        ({"groups": [a_group(2, "PreparingRebalance")]}, Grave.WARNING, "at a rebalance"),
        (
            {"groups": [a_group(1, "Stable", Behind("fault-tickets", 12, 3, NOW - 5 * MINUTE))]},
            Grave.WRONG,
            "12 records behind in fault-tickets; the oldest is in partition 3",
        ),
        (
            {"journeys": [a_journey(pending=pending(CommandState.UNKNOWN), attention="RESOLVE_UNKNOWN")]},
            Grave.WRONG,
            "1 command is UNKNOWN",
        ),
        ({"journeys": [a_journey(attention="ANSWER")]}, Grave.WRONG, "a person is needed for 1 journey, ANSWER"),
        (
            {
                "journeys": [
                    a_journey(
                        pending=pending(CommandState.NOT_SENT, attempts=4, why="CONNECT_REFUSED"),
                        updated_at=NOW - 11 * MINUTE,
                    )
                ]
            },
            Grave.WRONG,
            "did not go on in time",
        ),
        ({"actions": [an_action(-MINUTE)]}, Grave.WRONG, "1 action CONFIRM overdue: T-1"),
        ({"actions": [an_action(3 * 60 * MINUTE)]}, Grave.WARNING, "due within 4 h"),
        ({"services": [ServiceFacts("http://d:9090", unreachable="ConnectError: no")]}, Grave.WRONG, "does not answer"),
        (
            {"services": [ServiceFacts("http://d:9090", unready={"stream": "no group"})]},
            Grave.WRONG,
            "stream: no group",
        ),
        (
            {"services": [ServiceFacts("http://d:9090", figures=Figures({"ACME": "OPEN"}, access_refused=False))]},
            Grave.WRONG,
            "the breaker of supplier ACME is OPEN",
        ),
        (
            {"services": [ServiceFacts("http://d:9090", figures=Figures({}, access_refused=True))]},
            Grave.WRONG,
            "the gateway refuses",
        ),
        ({"unseen": ["this user may not describe the group tracker"]}, Grave.WRONG, "cannot be told"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_finding(facts: dict[str, Any], grave: Grave, words: str) -> None:
    (finding,) = told(**facts)

    assert finding.grave is grave
    assert words in finding.what
    assert finding.mend


def test_a_short_delay_is_none() -> None:
    behind = Behind("fault-tickets", 12, 3, NOW - timedelta(seconds=50))
    waiting = a_journey(pending=pending(CommandState.NOT_SENT, attempts=1), updated_at=NOW - 9 * MINUTE)

    assert told(groups=[a_group(1, "Stable", behind)], journeys=[waiting]) == []


def test_a_command_that_waits_for_its_time_is_not_stuck() -> None:
    later = pending(CommandState.NOT_SENT, not_before=NOW + 5 * MINUTE)

    assert told(journeys=[a_journey(pending=later, updated_at=NOW - 60 * MINUTE)]) == []


@pytest.mark.parametrize(
    ("newest", "updated", "phase", "silent"),
    [
        (NOW - 61 * MINUTE, NOW - 2 * MINUTE, Phase.OPEN, True),
        (None, NOW - 61 * MINUTE, Phase.OPEN, True),
        (None, NOW - 2 * MINUTE, Phase.OPEN, False),  # its first KCI may be on its way
        (NOW - 59 * MINUTE, NOW - 2 * MINUTE, Phase.OPEN, False),
        (NOW - 61 * MINUTE, NOW - 2 * MINUTE, Phase.RAISING, False),  # nothing is with the supplier
    ],
)
def test_the_webhook_is_silent_when_somebody_waits(newest: Any, updated: Any, phase: Phase, *, silent: bool) -> None:
    facts = replace(
        Facts(NOW), journeys=[a_journey(phase=phase, updated_at=updated)], newest_kci=newest, kcis_seen=True
    )

    found = [finding for finding in findings(facts, LIMITS) if "the webhook is silent" in finding.what]

    assert bool(found) == silent


def test_breakers_and_access_are_read_from_an_exposition() -> None:
    text = """\
# TYPE bridge_supplier_breaker gauge
bridge_supplier_breaker{supplier="ACME",position="CLOSED"} 0.0
bridge_supplier_breaker{supplier="ACME",position="OPEN"} 1.0
# TYPE bridge_gateway_access_refused gauge
bridge_gateway_access_refused 1.0
"""

    assert read_figures(text) == Figures({"ACME": "OPEN"}, access_refused=True)
