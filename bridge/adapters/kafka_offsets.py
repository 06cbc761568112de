"""
How long topics are and how old their records, without reading any: it needs the right to describe a topic alone.

A record's age is found by asking for the first offset after a time, again and again with half the distance.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.kafka_clients import stop_reading

PRECISION = timedelta(seconds=5)


class Offsets:
    """Questions about offsets over one connection."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        """`consumer` is started, and belongs to no group."""
        self._consumer = consumer

    async def ends(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The offset that the next record of each partition will get."""
        found = await self._consumer.end_offsets([TopicPartition(*place) for place in places])
        return {(partition.topic, partition.partition): offset for partition, offset in found.items()}

    async def begins(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The offset of the oldest record that each partition still has."""
        found = await self._consumer.beginning_offsets([TopicPartition(*place) for place in places])
        return {(partition.topic, partition.partition): offset for partition, offset in found.items()}

    async def written_at(self, place: tuple[str, int], offset: int, *, now: datetime, since: datetime) -> datetime:
        """When the record at an offset was written, to a few seconds; `since` when it is older than that."""
        return await self._search(lambda at: self._comes_after(place, offset, at), now, since)

    async def newest(self, places: Iterable[tuple[str, int]], *, now: datetime, since: datetime) -> datetime | None:
        """When the newest record of these partitions was written, to a few seconds; None: there is none since then."""
        partitions = list(places)
        if not await self._any_after(partitions, since):
            return None
        return await self._search(lambda at: self._none_after(partitions, at), now, since)

    async def _search(self, is_late: Any, now: datetime, since: datetime) -> datetime:
        """The latest time for which `is_late` does not hold; it holds for all times after that."""
        early, late = since, now
        while late - early > PRECISION:
            middle = early + (late - early) / 2
            if await is_late(middle):
                late = middle
            else:
                early = middle
        return early

    async def _comes_after(self, place: tuple[str, int], offset: int, at: datetime) -> bool:
        """Whether the first record that is not older than a time comes after the offset."""
        partition = TopicPartition(*place)
        found = (await self._consumer.offsets_for_times({partition: _milliseconds(at)}))[partition]
        return found is None or found.offset > offset

    async def _none_after(self, places: list[tuple[str, int]], at: datetime) -> bool:
        return not await self._any_after(places, at)

    async def _any_after(self, places: list[tuple[str, int]], at: datetime) -> bool:
        asked = {TopicPartition(*place): _milliseconds(at) for place in places}
        found = await self._consumer.offsets_for_times(asked)
        return any(offset is not None for offset in found.values())


@asynccontextmanager
async def open_offsets(connection: Mapping[str, Any]) -> AsyncIterator[Offsets]:
    """Connect for as long as the context is open; `connection` are the options of any aiokafka client."""
    consumer = AIOKafkaConsumer(enable_auto_commit=False, **connection)
    try:
        await consumer.start()
        yield Offsets(consumer)
    finally:
        await stop_reading(consumer)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
