"""
Every metric of the bridge, each with what it counts; services tell it by verbs and never see a metric.

Names are `bridge_<thing>_<unit|total>`. Label values come from closed sets only: never an id, an address, a URL or a
text from outside.
"""

from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bridge.domain.answers import Answer, NotTaken, Refused, Taken
from bridge.domain.breaker import Position
from bridge.domain.outcomes import CommandName, Reason, Verdict

# From a broker next door (1 ms) to the longest time-out that the settings suggest (30 s).
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# More suppliers than this are not shown.
MOST_SUPPLIERS = 100


class SupplierState(NamedTuple):
    """One supplier at the door to the gateway."""

    supplier: str
    position: Position
    in_flight: int


class _Suppliers(Collector):
    """
    The suppliers, read at each scrape.

    A supplier's name comes from tickets, and is checked there against the contract's pattern (contract 1.2); only so
    many are
    shown, so that tickets cannot make more series than a Prometheus can bear.
    """

    def __init__(self, look: Callable[[], Iterable[SupplierState]]) -> None:
        self._look = look

    def collect(self) -> Iterator[Metric]:
        # 1 for where the breaker stands, 0 for where it does not.
        breakers = GaugeMetricFamily(
            "bridge_supplier_breaker", "Where a supplier's breaker stands.", labels=("supplier", "position")
        )
        # Calls under way.
        in_flight = GaugeMetricFamily(
            "bridge_supplier_in_flight_calls", "Calls in flight for a supplier.", labels=("supplier",)
        )
        for state in sorted(self._look())[:MOST_SUPPLIERS]:
            for position in Position:
                breakers.add_metric((state.supplier, position.value), 1.0 if position is state.position else 0.0)
            in_flight.add_metric((state.supplier,), float(state.in_flight))
        yield breakers
        yield in_flight


class PrometheusTelemetry:
    """Keeps the metrics of one process in the registry that it is given."""

    def __init__(self, registry: CollectorRegistry, *, service: str, version: str) -> None:
        """Register every metric; a registry takes only one of these."""
        self._registry = registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        # Which build runs; always 1.
        Gauge("bridge_build_info", "Which build runs.", ("service", "version"), registry=registry).labels(
            service, version
        ).set(1)
        # Outcomes published to gateway-outcomes, by what was asked of the gateway, what came of it, and why.
        self._outcomes = Counter(
            "bridge_outcomes_total", "Outcomes of commands.", ("command", "verdict", "reason"), registry=registry
        )
        # Input records settled, whatever their end, and how long that took from the pull.
        self._records = Histogram(
            "bridge_record_seconds", "Time to settle an input record.", ("topic",), buckets=SECONDS, registry=registry
        )
        # Input records that went to dead-letters; anything but 0 wants a look.
        self._dead_letters = Counter(
            "bridge_dead_letters_total",
            "Input records that went to the dead letters.",
            ("topic", "reason"),
            registry=registry,
        )
        # Commands found at a take-over with an intent and no outcome, so that their fate is UNKNOWN.
        self._intents = Counter(
            "bridge_intents_found_total", "Commands whose fate a take-over did not know.", registry=registry
        )
        # Answers of the webhook by class (2xx, 4xx, 5xx, none: the client had gone) and by why.
        self._answers = Counter(
            "bridge_webhook_requests_total",
            "Requests that the webhook answered.",
            ("status", "reason"),
            registry=registry,
        )
        # Time from a request's head to its answer.
        self._answer_seconds = Histogram(
            "bridge_webhook_request_seconds",
            "Time to answer a request.",
            ("status",),
            buckets=SECONDS,
            registry=registry,
        )
        # Authenticated requests that are not answered yet; BRIDGE_WEBHOOK_MAX_IN_FLIGHT is the most there can be.
        self._in_flight = Gauge("bridge_webhook_in_flight_requests", "Requests being handled.", registry=registry)
        # Requests without valid credentials.
        self._authentication_failures = Counter(
            "bridge_webhook_authentication_failures_total",
            "Requests without valid credentials.",
            ("why",),
            registry=registry,
        )
        # Time until all in-sync replicas had a record.
        self._publish_seconds = Histogram(
            "bridge_publish_seconds", "Time to publish a record.", ("topic",), buckets=SECONDS, registry=registry
        )
        # Records that Kafka did not confirm in time; they may or may not be there.
        self._publish_failures = Counter(
            "bridge_publish_failures_total", "Records that Kafka did not confirm.", ("topic",), registry=registry
        )
        # Whether a broker answered the last look for the cluster's metadata.
        self._connected = Gauge("bridge_kafka_connected", "1 while a broker answers, else 0.", registry=registry)

        # Calls to the gateway by what was asked and what kind of answer came (Taken, Refused, NotTaken, Ambiguous).
        self._calls = Histogram(
            "bridge_gateway_call_seconds",
            "Time of a call to the gateway.",
            ("command", "answer"),
            buckets=SECONDS,
            registry=registry,
        )
        # 1 while a person must act for the gateway to let us in: an allow-list (403), credentials (401).
        self._alarm = Gauge(
            "bridge_gateway_access_refused", "1 while the gateway refuses access, else 0.", registry=registry
        )

    def gateway_called(self, command: CommandName, answer: Answer, seconds: float) -> None:
        """The gateway answered a call, or did not."""
        self._calls.labels(command, type(answer).__name__).observe(seconds)
        match answer:
            case NotTaken(alarm=True):
                self._alarm.set(1)
            case Taken() | Refused():
                self._alarm.set(0)
            case _:
                pass

    def watch_suppliers(self, look: Callable[[], Iterable[SupplierState]]) -> None:
        """Show each supplier's breaker and calls in flight as they are whenever the metrics are read."""
        self._registry.register(_Suppliers(look))

    def exposition(self) -> tuple[str, bytes]:
        """The media type and the text of all metrics as they are now."""
        return CONTENT_TYPE_LATEST, generate_latest(self._registry)

    def outcome_decided(self, command: CommandName, verdict: Verdict, reason: Reason) -> None:
        """An outcome was published."""
        self._outcomes.labels(command, verdict, reason).inc()

    def record_handled(self, topic: str, seconds: float) -> None:
        """An input record was settled."""
        self._records.labels(topic).observe(seconds)

    def record_dead_lettered(self, topic: str, reason: str) -> None:
        """An input record went to the dead letters."""
        self._dead_letters.labels(topic, reason).inc()

    def intents_found(self, count: int) -> None:
        """A take-over found this many commands whose fate is unknown."""
        self._intents.inc(count)

    def request_answered(self, status: HTTPStatus | None, reason: str, seconds: float) -> None:
        """The webhook answered a request; `status` is None when the client had gone."""
        status_class = f"{status // 100}xx" if status is not None else "none"
        self._answers.labels(status_class, reason).inc()
        self._answer_seconds.labels(status_class).observe(seconds)

    def requests_in_flight(self, count: int) -> None:
        """So many requests are being handled now."""
        self._in_flight.set(count)

    def authentication_failed(self, why: str) -> None:
        """A request came without valid credentials."""
        self._authentication_failures.labels(why).inc()

    def published(self, topic: str, seconds: float) -> None:
        """All in-sync replicas have a record."""
        self._publish_seconds.labels(topic).observe(seconds)

    def publish_failed(self, topic: str) -> None:
        """Kafka did not confirm a record."""
        self._publish_failures.labels(topic).inc()

    def kafka_connected(self, *, connected: bool) -> None:
        """A broker did, or did not, answer the last look for metadata."""
        self._connected.set(connected)
