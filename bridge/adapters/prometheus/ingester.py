"""What the ingester tells: its answers, and what they kept."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

from prometheus_client import CollectorRegistry

from bridge.adapters.prometheus import definitions as of
from bridge.adapters.prometheus.meters import Sets
from bridge.adapters.prometheus.service import PublishingTelemetry
from bridge.domain.dead_letters import QuarantineReason
from bridge.topics import Party

GONE = "NONE"
PUBLISHED = "PUBLISHED"
# The refusals that keep the delivery in the quarantine, each with the reason that it is kept under.
KEPT_AS = {reason.value: reason.value for reason in QuarantineReason} | {
    "BRIDGE_FAILED": QuarantineReason.NOT_A_KCI.value
}
# The answers that are there from the start: those that go well, and those that an alert counts.
EXPECTED = (("200", PUBLISHED), ("401", "UNAUTHENTICATED"), ("500", "BRIDGE_FAILED"), ("503", "KAFKA_UNAVAILABLE"))


class IngesterTelemetry(PublishingTelemetry):
    """Keeps the metrics of the ingester."""

    def __init__(self, registry: CollectorRegistry, party: Party, sets: Sets, now: Callable[[], datetime]) -> None:
        """Register the metrics; `now` is the wall clock."""
        super().__init__(registry, party, sets)
        self._now = now
        meters = self._meters
        self._answers = meters.counter(of.WEBHOOK_ANSWERS, initial=EXPECTED)
        self._answer_seconds = meters.histogram(of.WEBHOOK_SECONDS)
        # Told for each request and looked at twice a minute: what a gauge would take its lock for is a plain number.
        self._in_flight = 0
        meters.gauge(of.WEBHOOK_IN_FLIGHT)().set_function(lambda: self._in_flight)
        self._authentication_failures = meters.counter(of.AUTHENTICATION_FAILURES)
        self._quarantined = meters.counter(of.QUARANTINED)
        self._last_kci = now()
        meters.gauge(of.LAST_KCI)().set_function(self._time_of_last_kci)

    def request_answered(self, status: HTTPStatus | None, reason: str, seconds: float) -> None:
        """The webhook answered a request; `status` is None when the client had gone."""
        code = GONE if status is None else str(int(status))
        self._answers(code, reason).inc()
        self._answer_seconds(code).observe(seconds)
        if reason == PUBLISHED:
            self._last_kci = self._now()
        elif reason in KEPT_AS:
            self._quarantined(KEPT_AS[reason]).inc()

    def requests_in_flight(self, count: int) -> None:
        """So many requests are being handled now."""
        self._in_flight = count

    def authentication_failed(self, why: str) -> None:
        """A request came without valid credentials."""
        self._authentication_failures(why).inc()

    def _time_of_last_kci(self) -> float:
        return self._last_kci.timestamp()
