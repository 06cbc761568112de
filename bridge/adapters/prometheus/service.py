"""What every service tells: which build runs, whether its event loop hangs, and what it published."""

import asyncio
import time

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from bridge.adapters.prometheus import definitions as of
from bridge.adapters.prometheus.labels import Known
from bridge.adapters.prometheus.meters import Meters, Sets
from bridge.topics import Party

# How often the event loop is looked at.
LOOK_SECONDS = 0.5


class ServiceTelemetry:
    """Keeps the metrics that all services have; a registry takes only one of these."""

    def __init__(self, registry: CollectorRegistry, party: Party, sets: Sets) -> None:
        """Register the metrics."""
        self._meters = meters = Meters(registry, sets)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        meters.gauge(of.BUILD_INFO, initial=())(party.value, *sets[Known.VERSION]).set(1)
        self._loop_lag = meters.histogram(of.LOOP_LAG)()
        self._records_published = meters.counter(of.RECORDS_PUBLISHED)
        self._spans_exported = meters.counter(of.SPANS_EXPORTED)()
        self._spans_dropped = meters.counter(of.SPANS_DROPPED)

    def exposition(self) -> tuple[str, bytes]:
        """The media type and the text of all metrics as they are now."""
        return CONTENT_TYPE_LATEST, generate_latest(self._meters.registry)

    def spans_exported(self, count: int) -> None:
        """The collector took spans."""
        self._spans_exported.inc(count)

    def spans_dropped(self, count: int, why: str) -> None:
        """Spans are lost."""
        self._spans_dropped(why).inc(count)

    async def watch_loop(self) -> None:
        """Look at the event loop for ever."""
        while True:
            asked = time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)
            self._loop_lag.observe(max(0.0, time.monotonic() - asked - LOOK_SECONDS))


class PublishingTelemetry(ServiceTelemetry):
    """Keeps also what an outbox tells (`bridge.adapters.kafka_outbox`)."""

    def __init__(self, registry: CollectorRegistry, party: Party, sets: Sets) -> None:
        """Register the metrics."""
        super().__init__(registry, party, sets)
        self._publish_seconds = self._meters.histogram(of.PUBLISH_SECONDS)
        self._publish_failures = self._meters.counter(of.PUBLISH_FAILURES)
        self._connected = self._meters.gauge(of.KAFKA_CONNECTED)()

    def published(self, topic: str, seconds: float) -> None:
        """All in-sync replicas have a record."""
        self._publish_seconds(topic).observe(seconds)
        self._records_published(topic).inc()

    def publish_failed(self, topic: str) -> None:
        """Kafka did not confirm a record."""
        self._publish_failures(topic).inc()

    def kafka_connected(self, *, connected: bool) -> None:
        """A broker did, or did not, answer the last look for metadata."""
        self._connected.set(connected)
