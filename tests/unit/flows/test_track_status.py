"""The tracker's flow: what is published with what, and what time leads to."""

from datetime import timedelta

import pytest

from bridge.domain.correlation import conversation_id
from bridge.domain.entities import SERVICE_PROBLEM, Action, Entity, Observation, Source
from bridge.domain.signals import EntitySilent
from bridge.domain.tracking import TrackedEntity
from bridge.ports import Kept, TableLost
from tests.builders import NOW, TICKET, a_problem, a_report, a_test, an_event
from tests.fakes import FakeTable, Fault
from tests.unit.flows.tracker import Tracker


async def test_a_kci_becomes_a_transition_a_status_and_a_signal_in_one_write() -> None:
    tracker = Tracker()

    await tracker.hears(a_problem(status="ACKNOWLEDGED"))

    assert tracker.topics == ["problem-transitions", "problem-status", "journey-signals"]
    assert [record.key for record in tracker.table.published] == ["SERVICE_PROBLEM:900"] * 2 + [TICKET]
    assert tracker.table.writes == 1


async def test_a_tests_topics_are_its_own() -> None:
    tracker = Tracker()

    await tracker.hears(a_test(status="IN_PROGRESS"))

    assert tracker.topics == ["test-transitions", "test-status", "journey-signals"]


async def test_a_redelivered_record_and_a_repeated_kci_publish_nothing() -> None:
    tracker = Tracker()
    arrived = await tracker.hears(a_problem(), id="kci-same")
    published = len(tracker.table.published)

    await tracker.flow.arrived(arrived, tracker.table)
    writes = tracker.table.writes
    assert arrived.value is not None
    again = await tracker.codec.decode("kcis", arrived.value)
    await tracker.takes("kcis", again, "SERVICE_PROBLEM:900")

    assert len(tracker.table.published) == published
    assert tracker.table.writes == writes + 1


async def test_an_action_for_a_person_is_published_under_its_ticket() -> None:
    tracker = Tracker()

    await tracker.hears(a_problem(status="PENDING"), action=Action(type="REAPPOINT"))

    keys = [record.key for record in tracker.table.published if record.topic == "actions-required"]
    assert keys == [TICKET]
    assert [action.action for action in tracker.table.values_of("actions-required")] == ["REAPPOINT"]


async def test_an_order_is_only_settled_and_forgotten_in_time() -> None:
    tracker = Tracker()

    await tracker.hears(Entity(type="PROVIDE_ORDER", id="5", status="ACKNOWLEDGED"))
    assert tracker.topics == []
    assert tracker.table.get("PROVIDE_ORDER:5") is not None
    await tracker.passes(timedelta(days=29))
    assert tracker.table.get("PROVIDE_ORDER:5") is not None
    await tracker.passes(timedelta(days=1))

    assert tracker.table.get("PROVIDE_ORDER:5") is None


async def test_a_silent_problem_is_asked_for_and_watched_again() -> None:
    tracker = Tracker()
    await tracker.hears(a_problem())

    await tracker.passes(timedelta(hours=4))

    asked = tracker.table.values_of("journey-signals")[-1].signal
    assert isinstance(asked, EntitySilent)
    assert (asked.entity_id, asked.why) == ("900", "SILENCE")
    assert ("SERVICE_PROBLEM:900", 0) in tracker.wakes.asked


async def test_an_entity_that_ended_long_ago_leaves_the_table_and_its_status_topic() -> None:
    tracker = Tracker()
    await tracker.hears(a_problem(status="COMPLETED"))

    await tracker.passes(timedelta(days=30))

    assert tracker.table.get("SERVICE_PROBLEM:900") is None
    last = tracker.table.published[-1]
    assert (last.topic, last.key, last.value) == ("problem-status", "SERVICE_PROBLEM:900", None)


async def test_a_take_over_watches_every_entity_again() -> None:
    tracker = Tracker()
    await tracker.hears(a_problem())
    await tracker.hears(a_test(status="IN_PROGRESS"))
    tracker.wakes.forget_all()

    await tracker.flow.opened([tracker.table])

    assert set(tracker.wakes.asked) == {("SERVICE_PROBLEM:900", 0), ("SERVICE_TEST:500", 0)}


async def test_a_record_of_another_kind_is_a_dead_letter() -> None:
    tracker = Tracker()

    await tracker.takes("kcis", an_event(a_report()), TICKET)

    assert tracker.topics == ["dead-letters"]


async def test_a_lost_partition_is_told_to_the_lane() -> None:
    tracker = Tracker()
    await tracker.hears(a_problem())
    tracker.table.faults.append(Fault.LOST)

    with pytest.raises(TableLost):
        await tracker.passes(timedelta(hours=4))


async def test_a_bug_about_one_entity_does_not_stop_the_others() -> None:
    tracker = Tracker()
    await tracker.hears(a_problem())

    class Broken(FakeTable[TrackedEntity]):
        def get(self, key: str) -> Kept[TrackedEntity] | None:
            raise RuntimeError("a bug")

    await tracker.flow.woken("SERVICE_PROBLEM:900", Broken(Kept[TrackedEntity]))

    assert tracker.wakes.asked["SERVICE_PROBLEM:900", 0] <= NOW + timedelta(minutes=1)


async def test_an_answer_ties_an_entity_to_its_ticket() -> None:
    tracker = Tracker()
    observation = Observation(
        observation_id="o-1",
        ticket_id=TICKET,
        source=Source.POST,
        entity=Entity(type=SERVICE_PROBLEM, id="900", status="RECEIVED_BY_GATEWAY"),
        conversation_id=conversation_id(TICKET),
        request_id="r-1",
        observed_at=NOW,
    )

    await tracker.takes("observations", observation, "SERVICE_PROBLEM:900")

    assert [status.ticket_id for status in tracker.table.values_of("problem-status")] == [TICKET]
