"""What the tracker tells: its tests and problems, what people must do, and how complete the KCIs are."""

from collections.abc import Callable, Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry

from bridge.adapters.prometheus import definitions as of
from bridge.adapters.prometheus.actions import ActionGauges
from bridge.adapters.prometheus.labels import OTHER
from bridge.adapters.prometheus.meters import Sets
from bridge.adapters.prometheus.streaming import StreamTelemetry
from bridge.domain.entities import Source
from bridge.domain.signals import EntitySilent, JourneySignal
from bridge.domain.statuses import StatusTransition
from bridge.domain.tracking import TrackedEntity
from bridge.ports import Kept, Outgoing
from bridge.topics import Party


class TrackerTelemetry(StreamTelemetry):
    """Keeps the metrics of the tracker."""

    def __init__(self, registry: CollectorRegistry, party: Party, sets: Sets, now: Callable[[], datetime]) -> None:
        """Register the metrics."""
        super().__init__(registry, party, sets, now)
        meters = self._meters
        self._entities = meters.tally(of.ENTITIES)
        self._transitions = meters.counter(of.TRANSITIONS)
        self._transition_seconds = meters.histogram(of.TRANSITION_SECONDS)()
        self._gaps = meters.counter(of.SEQUENCE_GAPS)()
        self._missing = meters.tally(of.MISSING_KCIS)
        self._reconciliations = meters.counter(of.RECONCILIATIONS)
        self._finds = meters.counter(of.RECONCILIATION_FINDS)
        self._actions = ActionGauges(meters, now)

    def taking_over(self) -> None:
        """As for every worker."""
        super().taking_over()
        self._entities.clear()
        self._missing.clear()
        self._actions.clear()

    def found(self, key: str, value: Kept[TrackedEntity]) -> None:
        """As for every worker."""
        super().found(key, value)
        self._move(None, value.value)

    def written(
        self,
        key: str,
        before: Kept[TrackedEntity] | None,
        after: Kept[TrackedEntity] | None,
        outgoing: Iterable[Outgoing],
    ) -> None:
        """As for every worker."""
        super().written(key, before, after, outgoing)
        was = before.value if before is not None else None
        is_now = after.value if after is not None else None
        self._move(was, is_now)
        if was is not None and is_now is not None:
            self._compare(was, is_now)
        for record in outgoing:
            self._tell(record)

    def _move(self, before: TrackedEntity | None, after: TrackedEntity | None) -> None:
        if before is not None:
            self._entities.add(-1, before.entity.type, before.status or OTHER)
            self._missing.add(-len(before.awaited))
        if after is not None:
            self._entities.add(1, after.entity.type, after.status or OTHER)
            self._missing.add(len(after.awaited))
        self._actions.changed(before.actions if before is not None else (), after.actions if after is not None else ())

    def _compare(self, before: TrackedEntity, after: TrackedEntity) -> None:
        if after.missing and after.missing[-1] > (before.last_sequence_number or 0):
            self._gaps.inc()
        if after.fetched_ids is not before.fetched_ids and len(after.fetched_ids) > len(before.fetched_ids):
            new = set(after.fetched_ids).difference(before.fetched_ids, before.delivered_ids)
            self._finds(after.entity.type).inc(len(new))

    def _tell(self, record: Outgoing) -> None:
        match record.value:
            case StatusTransition() as transition:
                cause = transition.cause.source
                self._transitions(transition.entity_type, cause.value, transition.move.value).inc()
                if cause is Source.KCI:
                    self._transition_seconds.observe(max(0.0, (self._now() - transition.observed_at).total_seconds()))
            case JourneySignal(signal=EntitySilent(why=why)):
                self._reconciliations(why).inc()
            case _:
                pass
