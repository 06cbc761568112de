"""A hundred tickets of mixed scenarios and faults through all services at once, and what is true of them afterwards."""

import time
from collections import defaultdict
from dataclasses import dataclass, field

import pytest

from bridge.domain.entities import Kci
from bridge.domain.journeys import JourneyStatus, Phase
from bridge.domain.outcomes import Reason, Verdict
from bridge.domain.signals import Choice
from bridge.domain.statuses import StatusTransition
from bridge.simulator.faults import FAULTS
from bridge.simulator.scenarios import SCENARIOS
from tests.builders import a_report
from tests.integration.bridge_under_test import BridgeUnderTest, Ticket
from tests.integration.conftest import RunningBridge
from tests.integration.stories import STORIES, Story, contents

SETTINGS = {
    "BRIDGE_DISPATCHER_DENIED_TEST_CODES": "KNOWN_INCIDENT",
    "BRIDGE_DISPATCHER_TEST_RESULT_WAIT_SECONDS": "3",
    "BRIDGE_DISPATCHER_UNKNOWN_TEST_WAIT_SECONDS": "8",
    "BRIDGE_DISPATCHER_UNKNOWN_CHECK_WAIT_SECONDS": "2",
    "BRIDGE_DISPATCHER_RETRY_FIRST_SECONDS": "0.3",
    "BRIDGE_TRACKER_PROBLEM_SILENCE_SECONDS": "4",
    "BRIDGE_TRACKER_TEST_SILENCE_SECONDS": "4",
}
SUPPLIERS = ("OPENWORLD", "GLASSWAY", "COPPERLINE", "NORTHFIBRE")
ALL_SECONDS = 150.0
LOOK_SECONDS = 0.25
TOPICS = {"problems": ("problem-status", "problem-transitions"), "tests": ("test-status", "test-transitions")}


@dataclass
class Run:
    """One ticket on its way: which of its replies are still to come, and the ids of its events in order."""

    ticket: Ticket
    story: Story
    replies_left: list[int]
    event_ids: list[str] = field(default_factory=list)
    decided: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def bridge(running_bridge: RunningBridge) -> BridgeUnderTest:
    return running_bridge("hundred", settings=SETTINGS, simulator={"SIMULATOR_KCI_DELAY": "0.2"})


@pytest.fixture(scope="module")
def runs(bridge: BridgeUnderTest) -> list[Run]:
    """The hundred tickets, when nothing more happens to any of them."""
    started = [Run(bridge.ticket(story.plan), story, list(range(len(story.replies)))) for story in STORIES]
    for number, run in enumerate(started):
        supplier = SUPPLIERS[number % len(SUPPLIERS)]
        events = bridge.tell(run.ticket, a_report(service_id=run.ticket.service_id, supplier=supplier))
        run.event_ids += [event.event_id for event in events]
    deadline = time.monotonic() + ALL_SECONDS
    moving = list(started)
    while moving and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
        journeys = bridge.journeys()
        moving = [run for run in moving if not at_rest(run, journeys.get(run.ticket.id))]
        for run in moving:
            go_on(bridge, run, journeys.get(run.ticket.id))
    return started


def at_rest(run: Run, journey: JourneyStatus | None) -> bool:
    if journey is None or run.replies_left:
        return False
    if run.story.end is None:
        return journey.attention == "ANSWER_RESOLUTION"
    return journey.phase is Phase.ENDED


def go_on(bridge: BridgeUnderTest, run: Run, journey: JourneyStatus | None) -> None:
    """Do what a provider does who watches the topic `journeys`."""
    if journey is None:
        return
    if journey.attention == "RESOLVE_UNKNOWN" and journey.pending is not None:
        command_id = journey.pending.command_id
        taken = bridge.gateway.commands(run.ticket.conversation_id)[-1]["accepted"]
        if command_id not in run.decided and not taken:
            run.decided.add(command_id)
            bridge.decide(run.ticket, command_id, Choice.RETRY)
        return
    if not run.replies_left or journey.pending is not None:
        return
    reply = run.story.replies[run.replies_left[0]]
    asked = reply.attention is None or journey.attention == reply.attention
    resolution_id = next_resolution(bridge, run) if reply.is_answer else None
    if journey.problem_status == reply.status and asked and (resolution_id or not reply.is_answer):
        run.replies_left.pop(0)
        events = bridge.tell(run.ticket, *(contents(word, resolution_id) for word in reply.words))
        run.event_ids += [event.event_id for event in events]


def next_resolution(bridge: BridgeUnderTest, run: Run) -> int | None:
    """The resolution that a person was asked to confirm and that was not answered yet."""
    answered = sum(reply.is_answer for reply in run.story.replies[: run.replies_left[0]])
    asked = [each.resolution_id for each in bridge.actions(run.ticket) if each.action == "CONFIRM"]
    resolutions = list(dict.fromkeys(asked))
    return resolutions[answered] if len(resolutions) > answered else None


def test_the_hundred_tickets_hold_every_scenario_and_every_fault() -> None:
    plans = "\n".join(story.plan for story in STORIES)

    assert len(STORIES) == 100
    assert {story.plan.split("+")[0] for story in STORIES} == set(SCENARIOS)
    assert [fault for fault in FAULTS if fault not in plans] == []


@pytest.mark.timeout(240)
def test_every_ticket_ends_as_its_scenario_says(bridge: BridgeUnderTest, runs: list[Run]) -> None:
    journeys = bridge.journeys()
    ends = {run.ticket.service_id: journeys[run.ticket.id].end for run in runs if run.ticket.id in journeys}
    wrong = [run.ticket for run in runs if ends.get(run.ticket.service_id) != run.story.end]

    assert wrong == [], "\n".join(bridge.story(ticket) for ticket in wrong[:3]) + bridge.why()
    resting = [journeys[run.ticket.id] for run in runs if run.story.end is None]
    assert {(journey.problem_status, journey.attention) for journey in resting} == {("RESOLVED", "ANSWER_RESOLUTION")}


def test_the_published_statuses_equal_the_simulators_own_truth(bridge: BridgeUnderTest, runs: list[Run]) -> None:
    for kind, truth in (("problems", bridge.gateway.problems), ("tests", bridge.gateway.tests)):
        status_topic, _ = TOPICS[kind]

        def differing(topic: str = status_topic, really: object = truth) -> dict[str, tuple[object, object]]:
            assert callable(really)
            true = {str(each["id"]): each["status"] for each in really()}
            published = {key: status.status for key, status in bridge.statuses(topic).items()}
            keys = true.keys() | published.keys()
            return {key: (true.get(key), published.get(key)) for key in keys if true.get(key) != published.get(key)}

        try:
            bridge.wait_until(lambda check=differing: not check(), f"{status_topic} equals the truth")  # type: ignore[misc]
        except AssertionError:
            assert differing() == {}
        assert len(bridge.statuses(status_topic)) > 80


def test_the_gateway_took_exactly_what_was_asked_in_the_tickets_order(bridge: BridgeUnderTest, runs: list[Run]) -> None:
    for run in runs:
        commands = bridge.gateway.commands(run.ticket.conversation_id)
        taken = [each for each in commands if each["accepted"]]

        assert [each["operation"] for each in taken] == run.story.operations, bridge.story(run.ticket)
        told = {each.request_id: each for each in bridge.outcomes(run.ticket)}
        order = [run.event_ids.index(told[each["request_id"]].event_id or "") for each in taken]
        assert order == sorted(order), bridge.story(run.ticket)
        assert len({each["request_id"] for each in commands}) == len(commands)


def test_no_ticket_ever_had_two_requests_under_way(bridge: BridgeUnderTest, runs: list[Run]) -> None:
    together = [
        (each["service_id"], each["operation"], each["overlap"])
        for run in runs
        for each in bridge.gateway.entries(conversation_id=run.ticket.conversation_id)
        if each["overlap"] > 1
    ]

    assert together == []


def test_every_command_that_was_taken_is_told_accepted_once(bridge: BridgeUnderTest, runs: list[Run]) -> None:
    for run in runs:
        taken = {each["request_id"] for each in bridge.gateway.commands(run.ticket.conversation_id) if each["accepted"]}
        told = [
            outcome.request_id
            for outcome in bridge.outcomes(run.ticket)
            if outcome.verdict is Verdict.ACCEPTED and outcome.reason is not Reason.TEST_FINISHED
        ]

        assert sorted(map(str, told)) == sorted(taken), bridge.story(run.ticket)


def test_every_kci_that_was_answered_with_success_is_on_the_topic(bridge: BridgeUnderTest, runs: list[Run]) -> None:
    answered = {kci["id"] for kci in bridge.gateway.kcis() if any(each["answer"] == 200 for each in kci["deliveries"])}
    bridge.catch_up()

    assert len(answered) > 500
    assert answered <= {kci.update.id for kci in bridge.values("kcis", Kci)}


def test_each_transition_is_published_once_and_those_of_an_entity_form_a_chain(
    bridge: BridgeUnderTest, runs: list[Run]
) -> None:
    bridge.catch_up()
    for status_topic, transition_topic in TOPICS.values():
        transitions = bridge.values(transition_topic, StatusTransition)
        ids = [transition.transition_id for transition in transitions]
        assert len(ids) == len(set(ids))
        chains: defaultdict[str, list[StatusTransition]] = defaultdict(list)
        for transition in transitions:
            if transition.applied:
                chains[transition.entity_id].append(transition)
        latest = bridge.statuses(status_topic)
        assert chains.keys() == latest.keys()
        for entity_id, chain in chains.items():
            befores = [None, *(transition.to_status for transition in chain)]
            assert [transition.from_status for transition in chain] == befores[:-1]
            assert (latest[entity_id].status, latest[entity_id].transitions) == (befores[-1], len(chain))


def test_nothing_was_put_aside(bridge: BridgeUnderTest, runs: list[Run]) -> None:
    assert bridge.records("dead-letters") == []
    assert bridge.records("kci-quarantine") == []
