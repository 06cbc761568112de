"""
A table whose values are told to those who watch: what a take-over finds, and what each write changes.

It stands between a flow and its table, so that the flow tells nothing twice and the table knows of no metrics.

Rule: a fault in the telling is logged and changes nothing: what was committed is committed, whoever counts it.
"""

from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

import structlog

from bridge.ports import Arrived, Kept, Outgoing, TablePartition

log = structlog.get_logger(__name__)

T = TypeVar("T")


class TableTelemetry(Protocol):
    """What a table's values tell; called after a write was committed, and never for one that was not."""

    def taking_over(self) -> None:
        """Partitions were assigned: what was known of others is void."""

    def found(self, key: str, value: Any) -> None:
        """A take-over found this value."""

    def took_over(self, partitions: int) -> None:
        """Everything that the newly assigned partitions hold was found."""

    def written(self, key: str, before: Any, after: Any, outgoing: Iterable[Outgoing]) -> None:
        """A value was written, and records were published with it; None is a key that is not there."""


class Flow(Protocol[T]):
    """What handles a table's inputs."""

    async def arrived(self, arrived: Arrived, table: TablePartition[T], /) -> None:
        """Settle one record of a source topic."""

    async def woken(self, key: str, table: TablePartition[T], /) -> None:
        """Do what is due for a key."""

    async def opened(self, partitions: Iterable[TablePartition[T]], /) -> None:
        """Take partitions over."""


class WatchedPartition(Generic[T]):
    """A partition as its flow sees it; implements the `TablePartition` port."""

    def __init__(self, partition: TablePartition[T], telemetry: TableTelemetry) -> None:
        """Watch a partition."""
        self._partition = partition
        self._telemetry = telemetry

    @property
    def number(self) -> int:
        """As the port says."""
        return self._partition.number

    def get(self, key: str) -> Kept[T] | None:
        """As the port says."""
        return self._partition.get(key)

    def items(self) -> Iterable[tuple[str, Kept[T]]]:
        """As the port says. It is what a take-over finds, and told as such."""
        for key, kept in self._partition.items():
            try:
                self._telemetry.found(key, kept)
            except Exception:
                log.exception("a value was not counted", partition=self.number)
            yield key, kept

    async def write(self, key: str, kept: Kept[T] | None, outgoing: Iterable[Outgoing] = ()) -> None:
        """As the port says."""
        records = tuple(outgoing)
        before = self._partition.get(key)
        await self._partition.write(key, kept, records)
        try:
            self._telemetry.written(key, before, kept, records)
        except Exception:
            log.exception("a write was not counted", partition=self.number)


class WatchedFlow(Generic[T]):
    """A flow that works on watched partitions."""

    def __init__(self, flow: Flow[T], telemetry: TableTelemetry) -> None:
        """Watch what a flow does."""
        self._flow = flow
        self._telemetry = telemetry

    async def arrived(self, arrived: Arrived, table: TablePartition[T]) -> None:
        """Settle one record of a source topic."""
        await self._flow.arrived(arrived, WatchedPartition(table, self._telemetry))

    async def woken(self, key: str, table: TablePartition[T]) -> None:
        """Do what is due for a key."""
        await self._flow.woken(key, WatchedPartition(table, self._telemetry))

    async def opened(self, partitions: Iterable[TablePartition[T]]) -> None:
        """Take partitions over."""
        watched = [WatchedPartition(partition, self._telemetry) for partition in partitions]
        self._telemetry.taking_over()
        await self._flow.opened(watched)
        self._telemetry.took_over(len(watched))
