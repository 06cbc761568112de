"""How journeys stand: kept up to date with each write, and the same as a count of all of them."""

from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.adapters.prometheus import DispatcherTelemetry
from bridge.domain.journey.state import FollowedProblem, TicketState
from bridge.domain.journeys import CommandState, End, Phase
from bridge.ports import Kept
from tests.builders import NOW
from tests.unit.adapters.prometheus.exposed import a_clock, a_dispatcher, exposed, value
from tests.unit.adapters.prometheus.states import a_command, a_ticket_state

UNKNOWN_FOR = timedelta(minutes=40)
STATES: tuple[Callable[[], TicketState | None], ...] = (
    lambda: None,
    lambda: TicketState(ticket_id="t", touched_at=NOW),
    lambda: a_ticket_state(phase=Phase.TESTING, status=None, head=a_command(trying_since=NOW - timedelta(minutes=1))),
    lambda: a_ticket_state(
        phase=Phase.RAISING, status=None, head=a_command(attempts=2, trying_since=NOW - timedelta(minutes=9))
    ),
    lambda: a_ticket_state(head=a_command(CommandState.UNKNOWN, attempts=1, unknown_since=NOW - UNKNOWN_FOR)),
    lambda: a_ticket_state(head=a_command(CommandState.IN_FLIGHT, attempts=1)),
    lambda: a_ticket_state(strays=("901",)),
    lambda: a_ticket_state(phase=Phase.ENDED, end=End.COMPLETED, ended_at=NOW, status="COMPLETED"),
)
GAUGES = ("bridge_journeys", "bridge_journeys_attention", "bridge_commands", "bridge_oldest_command_seconds")


def kept(state: TicketState | None) -> Kept[TicketState] | None:
    return None if state is None else Kept(seen={}, at=NOW, value=state)


def gauges(telemetry: DispatcherTelemetry) -> dict[tuple[str, object], float]:
    return {
        series: value for series, value in exposed(telemetry).items() if series[0] in (*GAUGES, "bridge_table_keys")
    }


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(STATES)), max_size=12))
def test_after_any_writes_the_gauges_are_those_of_a_worker_that_takes_the_same_table_over(
    writes: list[tuple[str, Callable[[], TicketState | None]]],
) -> None:
    writer, table = a_dispatcher(), dict[str, Kept[TicketState]]()
    for key, made in writes:
        before, after = table.get(key), kept(made())
        if after is None:
            table.pop(key, None)
        else:
            table[key] = after
        writer.written(key, before, after, [])

    taker = a_dispatcher()
    taker.taking_over()
    for key, found in table.items():
        taker.found(key, found)

    assert gauges(taker) == gauges(writer)


def test_a_take_over_forgets_what_was_found_before() -> None:
    telemetry = a_dispatcher()
    nothing = gauges(telemetry)
    for number, made in enumerate(STATES):
        state = kept(made())
        if state is not None:
            telemetry.found(f"ticket {number}", state)
    assert gauges(telemetry) != nothing

    telemetry.taking_over()

    assert gauges(telemetry) == nothing


def test_the_oldest_unknown_command_ages_by_the_clock_and_leaves_when_it_is_settled() -> None:
    clock = a_clock()
    telemetry = a_dispatcher(clock)
    unknown = kept(a_ticket_state(head=a_command(CommandState.UNKNOWN, attempts=1, unknown_since=NOW - UNKNOWN_FOR)))
    telemetry.written("a", None, unknown, [])
    clock.advance(timedelta(minutes=2))

    assert value(telemetry, "bridge_commands", standing="UNKNOWN") == 1
    assert value(telemetry, "bridge_oldest_command_seconds", standing="UNKNOWN") == 42 * 60
    assert value(telemetry, "bridge_journeys_attention", attention="RESOLVE_UNKNOWN") == 1

    telemetry.written("a", unknown, kept(a_ticket_state()), [])

    assert value(telemetry, "bridge_commands", standing="UNKNOWN") == 0
    assert value(telemetry, "bridge_oldest_command_seconds", standing="UNKNOWN") == 0
    assert value(telemetry, "bridge_journeys_attention", attention="RESOLVE_UNKNOWN") == 0


def test_a_problem_that_turns_up_is_a_raise_and_one_that_is_fixed_a_repair_each_once() -> None:
    clock = a_clock()
    telemetry = a_dispatcher(clock)
    raising = kept(a_ticket_state(phase=Phase.RAISING, status=None))
    raised = kept(a_ticket_state(status=None, problem=FollowedProblem(id="900")))
    fixed = kept(a_ticket_state(status="RESOLVED"))
    ended = kept(a_ticket_state(phase=Phase.ENDED, end=End.COMPLETED, ended_at=NOW, status="COMPLETED"))
    telemetry.written("a", None, raising, [])
    telemetry.written("a", raising, raised, [])
    clock.advance(timedelta(hours=5))
    telemetry.written("a", raised, fixed, [])
    telemetry.written("a", fixed, ended, [])

    assert value(telemetry, "bridge_faults_total", supplier="OPENWORLD", problem_type="OUTAGE") == 1
    assert value(telemetry, "bridge_raise_seconds_count") == 1
    assert value(telemetry, "bridge_raise_seconds_sum") == 180
    assert value(telemetry, "bridge_repair_seconds_count", supplier="OPENWORLD") == 1
    assert value(telemetry, "bridge_repair_seconds_sum", supplier="OPENWORLD") == 180 + 5 * 3600
    assert value(telemetry, "bridge_journeys_ended_total", supplier="OPENWORLD", end="COMPLETED") == 1
