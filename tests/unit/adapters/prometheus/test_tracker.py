"""What people must do and by when, how complete the KCIs are, and how long a transition takes."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.adapters.prometheus import TrackerTelemetry
from bridge.domain.entities import SERVICE_PROBLEM, Source
from bridge.domain.signals import EntitySilent
from bridge.domain.statuses import Cause, Move, StatusTransition
from bridge.domain.tracking import TrackedEntity
from bridge.ports import Kept, Outgoing
from tests.builders import NOW, a_signal
from tests.unit.adapters.prometheus.exposed import a_clock, a_tracker, exposed, value
from tests.unit.adapters.prometheus.states import a_tracked_entity, an_open_action

STATES: tuple[Callable[[], TrackedEntity | None], ...] = (
    lambda: None,
    a_tracked_entity,
    lambda: a_tracked_entity(status="RESOLVED", action="CONFIRM", due_at=NOW + timedelta(days=3)),
    lambda: a_tracked_entity(status="RESOLVED", action="CONFIRM", due_at=NOW - timedelta(hours=1)),
    lambda: a_tracked_entity(status="PENDING", action="REAPPOINT"),
    lambda: a_tracked_entity(status="IN_PROGRESS", missing=(4, 5)),
)


def kept(state: TrackedEntity | None) -> Kept[TrackedEntity] | None:
    return None if state is None else Kept(seen={}, at=NOW, value=state)


def gauges(telemetry: TrackerTelemetry) -> dict[tuple[str, object], float]:
    names = ("bridge_entities", "bridge_missing_kcis", "bridge_actions_required", "bridge_action_due_in_seconds")
    return {series: value for series, value in exposed(telemetry).items() if series[0] in names}


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(STATES)), max_size=12))
def test_after_any_writes_the_gauges_are_those_of_a_worker_that_takes_the_same_table_over(
    writes: list[tuple[str, Callable[[], TrackedEntity | None]]],
) -> None:
    writer, table = a_tracker(), dict[str, Kept[TrackedEntity]]()
    for key, made in writes:
        state = made()
        if state is not None:
            # Action ids are the entity's own (bridge.domain.tracking.identity).
            actions = tuple(
                an_open_action(each.record.action, each.record.due_at, f"{key}/{each.record.action}")
                for each in state.actions
            )
            state = TrackedEntity(
                entity=state.entity, last_heard_at=NOW, actions=actions, missing=state.missing, ticket_id="t"
            )
        before, after = table.get(key), kept(state)
        if after is None:
            table.pop(key, None)
        else:
            table[key] = after
        writer.written(key, before, after, [])

    taker = a_tracker()
    taker.taking_over()
    for key, found in table.items():
        taker.found(key, found)

    assert gauges(taker) == gauges(writer)


def test_an_action_moves_from_later_to_overdue_as_time_passes_and_leaves_when_it_is_settled() -> None:
    clock = a_clock()
    telemetry = a_tracker(clock)
    asked = kept(a_tracked_entity(action="CONFIRM", due_at=NOW + timedelta(hours=25)))
    telemetry.written("k", None, asked, [])

    seen = []
    for hours in (0, 2, 22.5, 1):
        clock.advance(timedelta(hours=hours))
        series = exposed(telemetry)
        seen += [
            dict(labels)["due"]
            for (name, labels), count in series.items()
            if name == "bridge_actions_required" and count
        ]

    assert seen == ["LATER", "WITHIN_DAY", "WITHIN_HOUR", "OVERDUE"]
    assert value(telemetry, "bridge_action_due_in_seconds", action="CONFIRM") == -1800

    telemetry.written("k", asked, kept(a_tracked_entity()), [])

    assert value(telemetry, "bridge_actions_required", action="CONFIRM", due="OVERDUE") == 0
    assert value(telemetry, "bridge_action_due_in_seconds", action="CONFIRM") is None


def test_a_gap_in_the_sequence_is_counted_once_and_its_numbers_until_they_come() -> None:
    telemetry = a_tracker()
    first = kept(a_tracked_entity(last_sequence_number=3))
    gap = kept(a_tracked_entity(last_sequence_number=6, missing=(4, 5)))
    less = kept(a_tracked_entity(last_sequence_number=6, missing=(5,)))
    telemetry.written("k", first, gap, [])
    assert (value(telemetry, "bridge_kci_sequence_gaps_total"), value(telemetry, "bridge_missing_kcis")) == (1, 2)

    telemetry.written("k", gap, less, [])
    assert (value(telemetry, "bridge_kci_sequence_gaps_total"), value(telemetry, "bridge_missing_kcis")) == (1, 1)


def test_what_a_get_shows_and_no_kci_had_told_is_a_find() -> None:
    telemetry = a_tracker()
    before = kept(a_tracked_entity(delivered_ids=("1", "2")))
    after = kept(a_tracked_entity(fetched_ids=("1", "2", "3")))
    telemetry.written("k", before, after, [])

    assert value(telemetry, "bridge_reconciliation_finds_total", entity_type=SERVICE_PROBLEM) == 1


def test_a_transition_is_timed_from_the_kci_that_told_it_and_a_get_is_not_timed() -> None:
    clock = a_clock()
    telemetry = a_tracker(clock)
    clock.advance(timedelta(seconds=2))
    for source in (Source.KCI, Source.GET):
        transition = StatusTransition(
            transition_id="t",
            entity_type=SERVICE_PROBLEM,
            entity_id="900",
            ticket_id="t",
            from_status=None,
            to_status="ACKNOWLEDGED",
            move=Move.EXPECTED,
            applied=True,
            cause=Cause(source=source, id="k"),
            observed_at=NOW,
        )
        telemetry.written("k", None, None, [Outgoing(topic="problem-transitions", key="k", value=transition)])
    silent = a_signal(EntitySilent(entity_type=SERVICE_PROBLEM, entity_id="900", why="GAP"))
    telemetry.written("k", None, None, [Outgoing(topic="journey-signals", key="k", value=silent)])

    assert value(telemetry, "bridge_transition_seconds_sum") == 2
    assert value(telemetry, "bridge_transition_seconds_count") == 1
    labels = {"entity_type": SERVICE_PROBLEM, "move": "EXPECTED"}
    assert value(telemetry, "bridge_transitions_total", source="GET", **labels) == 1
    assert value(telemetry, "bridge_reconciliations_total", why="GAP") == 1
    assert value(telemetry, "bridge_records_published_total", topic="problem-transitions") == 2
