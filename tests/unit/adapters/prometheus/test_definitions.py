"""The table of metrics, what the services really expose, and that no label's value ever comes from outside."""

from typing import TypeVar, get_args

import pytest

from bridge.adapters.prometheus import PartitionLag, ServiceTelemetry, SupplierState, TokenState
from bridge.adapters.prometheus.definitions import DEFINITIONS, Kind
from bridge.adapters.prometheus.dispatcher import ANSWER_KINDS
from bridge.adapters.prometheus.labels import MOST_SUPPLIERS, OTHER, Known, Label
from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.breaker import Position
from bridge.domain.journey.draft import COMMAND_OF_EVENT
from bridge.domain.outcomes import CommandName, Reason, Verdict
from bridge.ports import Kept, Outgoing
from bridge.services.label_sets import closed_sets
from bridge.topics import Party
from tests.builders import NOW, a_problem
from tests.unit.adapters.prometheus.exposed import TOPICS, a_dispatcher, a_tracker, an_ingester, exposed
from tests.unit.adapters.prometheus.states import a_ticket_state, a_tracked_entity

SUFFIXES = {Kind.COUNTER: ("",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
T = TypeVar("T")
OUTSIDE = "<script>'drop\n"


def of(party: Party) -> ServiceTelemetry:
    made: dict[Party, ServiceTelemetry] = {
        Party.DISPATCHER: a_dispatcher(),
        Party.INGESTER: an_ingester(),
        Party.TRACKER: a_tracker(),
    }
    return made[party]


def allowed(label: Label, party: Party) -> frozenset[str]:
    if isinstance(label.values, tuple):
        return frozenset(label.values)
    if label.values is Known.SUPPLIERS:
        return frozenset({OTHER, *(f"supplier {number}" for number in range(MOST_SUPPLIERS))})
    return frozenset(closed_sets(TOPICS, party)[label.values])


def strangers(telemetry: ServiceTelemetry, party: Party) -> set[tuple[str, str, str]]:
    """Metric, label and value of every label that the table does not allow."""
    labels = {
        (definition.name + suffix): {label.name: allowed(label, party) for label in definition.labels}
        for definition in DEFINITIONS
        for suffix in SUFFIXES[definition.kind]
    }
    return {
        (name, label, shown)
        for name, values in exposed(telemetry)
        for label, shown in values
        if label != "le" and shown not in labels[name][label]
    }


@pytest.mark.parametrize("party", [Party.DISPATCHER, Party.INGESTER, Party.TRACKER])
def test_a_service_exposes_the_metrics_of_the_table_and_no_others(party: Party) -> None:
    telemetry = of(party)
    if party is Party.DISPATCHER:
        watch_gateway(telemetry)
    _, text = telemetry.exposition()
    exposed_types = {
        (words[2].removesuffix("_total"), words[3])
        for words in (line.split() for line in text.decode().splitlines())
        if words[:2] == ["#", "TYPE"] and words[2].startswith("bridge_") and not words[2].endswith("_created")
    }
    defined = {
        (definition.name.removesuffix("_total"), definition.kind.value)
        for definition in DEFINITIONS
        if party in definition.services
    }
    assert exposed_types == defined


def watch_gateway(telemetry: ServiceTelemetry, *names: str) -> None:
    states = [SupplierState(name, Position.OPEN, 1) for name in names]
    telemetry.watch_gateway(suppliers=lambda: states, token=lambda: TokenState(None, 0))  # type: ignore[attr-defined]  # of the dispatcher's only


def test_each_name_is_defined_once_and_has_the_ending_of_its_type() -> None:
    names = [definition.name for definition in DEFINITIONS]
    assert len(names) == len(set(names))
    for definition in DEFINITIONS:
        assert (definition.kind is Kind.COUNTER) == definition.name.endswith("_total"), definition.name
        assert definition.kind is not Kind.HISTOGRAM or definition.name.endswith("_seconds"), definition.name
        assert definition.meaning.endswith("."), definition.name


@pytest.mark.parametrize("party", [Party.DISPATCHER, Party.INGESTER, Party.TRACKER])
def test_from_the_start_every_series_of_a_counter_with_closed_labels_is_there_with_0(party: Party) -> None:
    series = exposed(of(party))
    for definition in DEFINITIONS:
        closed = all(label.values is not Known.SUPPLIERS for label in definition.labels)
        if party in definition.services and definition.kind is Kind.COUNTER and closed:
            found = [value for (name, _), value in series.items() if name == definition.name]
            assert found, definition.name
            assert set(found) == {0.0}, definition.name


def test_every_kind_of_answer_and_every_told_command_has_its_word() -> None:
    assert set(ANSWER_KINDS) == set(get_args(Answer))
    assert {COMMAND_OF_EVENT[event] for event in COMMAND_OF_EVENT} <= set(CommandName)


def test_what_the_outside_names_the_dispatcher_shows_as_other_or_within_its_cap() -> None:
    telemetry = a_dispatcher()
    watch_gateway(telemetry, *(f"supplier {number}" for number in range(MOST_SUPPLIERS + 50)))
    telemetry.record_handled(OUTSIDE, 0.1)
    telemetry.record_dead_lettered(OUTSIDE, OUTSIDE)
    telemetry.published(OUTSIDE, 0.1)
    telemetry.publish_failed(OUTSIDE)
    telemetry.lag_seen([PartitionLag(OUTSIDE, 10_000, 1, 1.0)])
    telemetry.outcome_decided(CommandName.RUN_TEST, Verdict.ACCEPTED, Reason.ANSWERED)
    for answer in (
        Taken(http_status=201, entity=a_problem()),
        Refused(http_status=400),
        NotTaken(why=OUTSIDE),
        Ambiguous(reason=Reason.NO_ANSWER, why=OUTSIDE),
    ):
        telemetry.gateway_called(CommandName.RAISE_PROBLEM, answer, 0.1)
    for number in range(MOST_SUPPLIERS + 50):
        state = a_ticket_state(supplier=f"supplier {number}", problem_type=OUTSIDE, action=OUTSIDE)
        telemetry.written(f"ticket {number}", None, kept(state), [Outgoing(topic=OUTSIDE, key="k", value=None)])
    exposed_now = exposed(telemetry)
    assert not {each for each in strangers(telemetry, Party.DISPATCHER) if each[2] != OTHER}
    faults = [value for (name, _), value in exposed_now.items() if name == "bridge_faults_total"]
    assert (len(faults), sum(faults)) == (MOST_SUPPLIERS + 1, MOST_SUPPLIERS + 50)


def test_what_the_outside_names_the_tracker_shows_as_other() -> None:
    telemetry = a_tracker()
    telemetry.written("k", None, kept(a_tracked_entity(status=OUTSIDE, action=OUTSIDE)), [])
    assert not {each for each in strangers(telemetry, Party.TRACKER) if each[2] != OTHER}
    series = exposed(telemetry)
    assert series["bridge_entities", (("entity_type", "SERVICE_PROBLEM"), ("status", OTHER))] == 1
    assert series["bridge_actions_required", (("action", OTHER), ("due", "NO_TIME"))] == 1


def test_what_the_outside_names_the_ingester_shows_as_other() -> None:
    telemetry = an_ingester()
    telemetry.request_answered(None, OUTSIDE, 0.1)
    telemetry.authentication_failed(OUTSIDE)
    assert not {each for each in strangers(telemetry, Party.INGESTER) if each[2] != OTHER}


def kept(value: T) -> Kept[T]:
    return Kept(seen={}, at=NOW, value=value)
