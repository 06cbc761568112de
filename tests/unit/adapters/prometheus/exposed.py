"""What a service's metrics say, as a scrape reads them."""

from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from bridge.adapters.prometheus import DispatcherTelemetry, IngesterTelemetry, ServiceTelemetry, TrackerTelemetry
from bridge.services.label_sets import closed_sets
from bridge.topics import Party, data_directory, load_topics
from tests.builders import NOW
from tests.fakes import FixedClock

TOPICS = load_topics(data_directory() / "topics.yaml")


def a_clock() -> FixedClock:
    return FixedClock(NOW)


def a_dispatcher(clock: FixedClock | None = None) -> DispatcherTelemetry:
    sets = closed_sets(TOPICS, Party.DISPATCHER)
    return DispatcherTelemetry(CollectorRegistry(), Party.DISPATCHER, sets, (clock or a_clock()).now)


def a_tracker(clock: FixedClock | None = None) -> TrackerTelemetry:
    sets = closed_sets(TOPICS, Party.TRACKER)
    return TrackerTelemetry(CollectorRegistry(), Party.TRACKER, sets, (clock or a_clock()).now)


def an_ingester(clock: FixedClock | None = None) -> IngesterTelemetry:
    sets = closed_sets(TOPICS, Party.INGESTER)
    return IngesterTelemetry(CollectorRegistry(), Party.INGESTER, sets, (clock or a_clock()).now)


Labels = tuple[tuple[str, str], ...]


def exposed(telemetry: ServiceTelemetry) -> dict[tuple[str, Labels], float]:
    """Each series of the bridge's own metrics by name and labels; times that a series was made at are left out."""
    _, text = telemetry.exposition()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if sample.name.startswith("bridge_") and not sample.name.endswith("_created")
    }


def value(telemetry: ServiceTelemetry, name: str, **labels: str) -> float | None:
    return exposed(telemetry).get((name, tuple(sorted(labels.items()))))
