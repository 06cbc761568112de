"""
How far a consumer group is behind, asked of the broker: a look every few seconds, at the group's own topics.

Offsets alone do not tell. A transaction ends with a marker, which takes an offset and is no record, so a group that has
read everything seems to be one behind; and a count does not tell whether it is a moment's work or an hour's wait. So
the oldest record that is not settled is read where the offsets leave a doubt, and its age is the lag.

A transaction without an end hides whatever lies behind its beginning from those who read committed records: to them the
partition ends there, and a group that waits for it for ever is not behind. So the beginning of one that is the same at
two looks counts as the oldest record, from the first look on.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from bridge.kafka_clients import partitions_in, stop_reading

log = structlog.get_logger(__name__)

LOOK_SECONDS = 15.0
# A look that takes longer is given up, and everything is asked anew at the next.
LONGEST_LOOK_SECONDS = 10.0
# One batch is enough: what is wanted of it is its first record's time.
FETCH_BYTES = 4096
FETCH_SECONDS = 2.0


class Behind(NamedTuple):
    """One partition: the physical topic, records that are not settled, and the age of the oldest in seconds."""

    topic: str
    partition: int
    records: int
    seconds: float


class LagWatch:
    """Looks for one group at all partitions of its topics, and tells what it saw; for ever, whatever happens."""

    def __init__(
        self,
        connection: Mapping[str, Any],
        *,
        group: str,
        topics: Iterable[str],
        tell: Callable[[list[Behind]], None],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """`topics` are physical names; `tell` is called after each look that found out."""
        self._connection = connection
        self._group = group
        self._topics = tuple(topics)
        self._tell = tell
        self._look_seconds = look_seconds
        self._task: asyncio.Task[None] | None = None
        # What reading found, by place and end: nothing is read again while both stay.
        self._oldest: dict[TopicPartition, tuple[int, int, float | None]] = {}
        # Where an open transaction begins, and since when it is known.
        self._open: dict[TopicPartition, tuple[int, float]] = {}

    async def start(self) -> None:
        """Begin to look; returns at once."""
        self._task = asyncio.create_task(self._run(), name="lag watch")

    async def stop(self) -> None:
        """End it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._look_while_connected()
            except (KafkaError, OSError, TimeoutError) as error:
                # A broker that is away is told of by others.
                log.debug("lag not known", error=repr(error))
            except Exception:
                log.exception("lag not known")
            await asyncio.sleep(self._look_seconds)

    async def _look_while_connected(self) -> None:
        admin = AIOKafkaAdminClient(**self._connection)
        consumer = AIOKafkaConsumer(
            isolation_level="read_committed",
            enable_auto_commit=False,
            max_partition_fetch_bytes=FETCH_BYTES,
            **self._connection,
        )
        # Only asked where partitions end, with what is not committed.
        witness = AIOKafkaConsumer(enable_auto_commit=False, **self._connection)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(admin.close)
            stack.push_async_callback(stop_reading, witness)
            stack.push_async_callback(stop_reading, consumer)
            await admin.start()
            await consumer.start()
            await witness.start()
            while True:
                async with asyncio.timeout(LONGEST_LOOK_SECONDS):
                    self._tell(await self._look(admin, consumer, witness))
                await asyncio.sleep(self._look_seconds)

    async def _look(
        self, admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, witness: AIOKafkaConsumer
    ) -> list[Behind]:
        committed = await admin.list_consumer_group_offsets(self._group)
        partitions = await partitions_in(consumer, self._topics)
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        written = await witness.end_offsets(partitions)
        # Without an offset of its own the group begins at the beginning.
        places = {each: max(committed[each].offset if each in committed else -1, begins[each]) for each in partitions}
        await self._read(consumer, {each: (place, ends[each]) for each, place in places.items() if place < ends[each]})
        now = time.time()
        began = {each: ends[each] for each in partitions if ends[each] < written[each]}
        held = {each: self._open[each][1] for each in began if self._open.get(each, (None,))[0] == began[each]}
        self._open = {each: (offset, held.get(each, now)) for each, offset in began.items()}
        return [
            self._behind(each, places[each], written[each] if each in held else ends[each], held.get(each), now)
            for each in partitions
        ]

    def _behind(self, partition: TopicPartition, place: int, end: int, held: float | None, now: float) -> Behind:
        _, _, oldest = self._oldest.get(partition, (0, 0, None))
        times = [each for each in (oldest, held) if each is not None]
        if place >= end or not times:
            return Behind(partition.topic, partition.partition, 0, 0.0)
        return Behind(partition.topic, partition.partition, end - place, max(0.0, now - min(times)))

    async def _read(self, consumer: AIOKafkaConsumer, wanted: Mapping[TopicPartition, tuple[int, int]]) -> None:
        """Find the time of the first record at or behind each place; None: nothing but markers lies there."""
        for partition in [each for each in self._oldest if each not in wanted]:
            del self._oldest[partition]
        # The first record stays the first as long as the place does, whatever comes behind it.
        unread = {
            each: (place, end)
            for each, (place, end) in wanted.items()
            if (known := self._oldest.get(each)) is None or known[0] != place or (known[2] is None and known[1] != end)
        }
        if not unread:
            return
        consumer.assign(list(unread))
        for partition, (place, _) in unread.items():
            consumer.seek(partition, place)
        deadline = time.monotonic() + FETCH_SECONDS
        while unread and time.monotonic() < deadline:
            found = await consumer.getmany(*unread, timeout_ms=200, max_records=len(unread))
            for partition in list(unread):
                place, end = unread[partition]
                records = found.get(partition)
                if records:
                    self._oldest[partition] = (place, end, records[0].timestamp / 1000)
                elif await consumer.position(partition) >= end:
                    self._oldest[partition] = (place, end, None)
                else:
                    continue
                consumer.pause(partition)
                del unread[partition]
        consumer.assign([])
