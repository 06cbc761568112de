"""What the services tell that are workers of a consumer group: the dispatcher and the tracker."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry

from bridge.adapters.prometheus import definitions as of
from bridge.adapters.prometheus.lag import PartitionLag
from bridge.adapters.prometheus.meters import Sets
from bridge.adapters.prometheus.service import ServiceTelemetry
from bridge.ports import Outgoing
from bridge.topics import Party


class StreamTelemetry(ServiceTelemetry):
    """
    Keeps the metrics of a worker. What it knows of the table's values it learns at a take-over (`found`) and at each
    write (`written`), so that a scrape costs the same whether the table has ten keys or a million.
    """

    def __init__(self, registry: CollectorRegistry, party: Party, sets: Sets, now: Callable[[], datetime]) -> None:
        """Register the metrics; `now` is the wall clock."""
        super().__init__(registry, party, sets)
        self._now = now
        meters = self._meters
        self._record_seconds = meters.histogram(of.RECORD_SECONDS)
        self._dead_letters = meters.counter(of.DEAD_LETTERS)
        self._lag_records = meters.gauge(of.LAG_RECORDS, initial=())
        self._lag_seconds = meters.gauge(of.LAG_SECONDS, initial=())
        self._lag_seen = meters.gauge(of.LAG_SEEN)()
        self._group_member = meters.gauge(of.GROUP_MEMBER)()
        self._assigned_partitions = meters.gauge(of.ASSIGNED_PARTITIONS)()
        self._unsettled = meters.gauge(of.UNSETTLED_RECORDS)()
        self._rebalance_seconds = meters.histogram(of.REBALANCE_SECONDS)()
        self._recovery_seconds = meters.histogram(of.RECOVERY_SECONDS)()
        self._recovered_records = meters.counter(of.RECOVERED_RECORDS)()
        self._table_keys = meters.tally(of.TABLE_KEYS)
        self._gave_up_at: float | None = time.monotonic()

    # -- records

    def record_handled(self, topic: str, seconds: float) -> None:
        """An input record was settled."""
        self._record_seconds(topic).observe(seconds)

    def record_dead_lettered(self, topic: str, reason: str) -> None:
        """An input record went to the dead letters."""
        self._dead_letters(topic, reason).inc()

    # -- the group

    def watch_group(self, *, takes_part: Callable[[], bool], unsettled: Callable[[], int]) -> None:
        """Show whether the worker takes part, and how many records it has pulled and not settled."""
        self._group_member.set_function(lambda: float(takes_part()))
        self._unsettled.set_function(lambda: float(unsettled()))

    def partitions_given_up(self) -> None:
        """A rebalance began."""
        self._gave_up_at = self._gave_up_at or time.monotonic()

    def table_recovered(self, records: int, seconds: float) -> None:
        """The tables of newly assigned partitions were read."""
        self._recovered_records.inc(records)
        self._recovery_seconds.observe(seconds)

    def taking_over(self) -> None:
        """Partitions were assigned: what was known of others is void, and `found` tells what there is now."""
        self._table_keys.clear()

    def took_over(self, partitions: int) -> None:
        """Everything that the newly assigned partitions hold was found."""
        self._assigned_partitions.set(partitions)
        if self._gave_up_at is not None:
            self._rebalance_seconds.observe(time.monotonic() - self._gave_up_at)
            self._gave_up_at = None

    def lag_seen(self, lags: Iterable[PartitionLag]) -> None:
        """The broker told how far the group is behind."""
        for lag in lags:
            partition = str(lag.partition)
            self._lag_records(lag.topic, partition).set(lag.records)
            self._lag_seconds(lag.topic, partition).set(lag.seconds)
        self._lag_seen.set(self._now().timestamp())

    # -- the table's values

    def found(self, key: str, value: Any) -> None:  # noqa: ARG002  # a table of another kind looks into it
        """A take-over found this value."""
        self._table_keys.add(1)

    def written(self, key: str, before: Any, after: Any, outgoing: Iterable[Outgoing]) -> None:  # noqa: ARG002  # as above
        """A value was written, and records were published with it; None is a key that is not there."""
        if before is None and after is not None:
            self._table_keys.add(1)
        elif before is not None and after is None:
            self._table_keys.add(-1)
        for record in outgoing:
            self._records_published(record.topic).inc()
