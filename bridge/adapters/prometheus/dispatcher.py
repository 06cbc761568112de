"""What the dispatcher tells: its calls to the gateway, and how its journeys stand."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from prometheus_client import CollectorRegistry

from bridge.adapters.prometheus import definitions as of
from bridge.adapters.prometheus.journeys import JourneyGauges
from bridge.adapters.prometheus.labels import AnswerKind
from bridge.adapters.prometheus.meters import Sample, Sets
from bridge.adapters.prometheus.outcomes import OUTCOMES_TO_EXPECT
from bridge.adapters.prometheus.service import PublishingTelemetry
from bridge.adapters.prometheus.streaming import StreamTelemetry
from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.breaker import Position
from bridge.domain.journey.calls import Found
from bridge.domain.journey.state import TicketState
from bridge.domain.outcomes import CommandName, Reason, Verdict
from bridge.ports import Kept, Outgoing
from bridge.topics import Party

ANSWER_KINDS: dict[type[Answer], AnswerKind] = {
    Taken: AnswerKind.TAKEN,
    Refused: AnswerKind.REFUSED,
    NotTaken: AnswerKind.NOT_TAKEN,
    Ambiguous: AnswerKind.AMBIGUOUS,
}


class SupplierState(NamedTuple):
    """One supplier at the door to the gateway."""

    supplier: str
    position: Position
    in_flight: int


class TokenState(NamedTuple):
    """The access token: its age in seconds (None: there is none), and how many requests for one failed in a row."""

    age: float | None
    failures: int


class DispatcherTelemetry(StreamTelemetry, PublishingTelemetry):
    """Keeps the metrics of the dispatcher."""

    def __init__(self, registry: CollectorRegistry, party: Party, sets: Sets, now: Callable[[], datetime]) -> None:
        """Register the metrics."""
        super().__init__(registry, party, sets, now)
        meters = self._meters
        self._calls = meters.histogram(of.CALL_SECONDS)
        self._access_refused = meters.gauge(of.ACCESS_REFUSED)()
        self._outcomes = meters.counter(of.OUTCOMES, initial=OUTCOMES_TO_EXPECT)
        self._taken_over = meters.counter(of.TAKEN_OVER)
        self._journeys = JourneyGauges(meters, now)

    # -- the gateway

    def gateway_called(self, command: CommandName, answer: Answer, seconds: float) -> None:
        """The gateway answered a call, or did not."""
        self._calls(command.value, ANSWER_KINDS[type(answer)].value).observe(seconds)
        match answer:
            case NotTaken(alarm=True):
                self._access_refused.set(1)
            case Taken() | Refused():
                self._access_refused.set(0)
            case _:
                pass

    def watch_gateway(
        self, *, suppliers: Callable[[], Iterable[SupplierState]], token: Callable[[], TokenState]
    ) -> None:
        """Show each supplier's breaker and calls in flight, and the access token, as they are at each scrape."""

        def breakers() -> Iterable[Sample]:
            for state in suppliers():
                for position in Position:
                    yield (state.supplier, position.value), float(position is state.position)

        def in_flight() -> Iterable[Sample]:
            return (((state.supplier,), float(state.in_flight)) for state in suppliers())

        meters = self._meters
        meters.worked_out(of.SUPPLIER_BREAKER, breakers)
        meters.worked_out(of.SUPPLIER_IN_FLIGHT, in_flight)
        meters.worked_out(of.CALLS_IN_FLIGHT, lambda: [((), float(sum(state.in_flight for state in suppliers())))])
        meters.worked_out(of.TOKEN_AGE, lambda: [((), token().age or 0.0)])
        meters.worked_out(of.TOKEN_FAILURES, lambda: [((), float(token().failures))])

    # -- journeys

    def outcome_decided(self, command: CommandName, verdict: Verdict, reason: Reason) -> None:
        """An outcome was published."""
        self._outcomes(command.value, verdict.value, reason.value).inc()

    def taken_over(self, tickets: Mapping[Found, int]) -> None:
        """A take-over found so many tickets, by what is known of the command that each stands at."""
        for found, count in tickets.items():
            self._taken_over(found.value).inc(count)

    def taking_over(self) -> None:
        """As for every worker."""
        super().taking_over()
        self._journeys.clear()

    def found(self, key: str, value: Kept[TicketState]) -> None:
        """As for every worker."""
        super().found(key, value)
        self._journeys.found(key, value.value)

    def written(
        self,
        key: str,
        before: Kept[TicketState] | None,
        after: Kept[TicketState] | None,
        outgoing: Iterable[Outgoing],
    ) -> None:
        """As for every worker."""
        super().written(key, before, after, outgoing)
        self._journeys.changed(key, None if before is None else before.value, None if after is None else after.value)
