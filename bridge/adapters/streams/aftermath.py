"""
Looks, after a table went to a new owner, whether anything of the last one hangs in the topics that nobody reads to take
over, and ends it: others wait behind it (docs/adr/0014).
"""

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from bridge.adapters.streams.coordinators import Refused
from bridge.adapters.streams.endings import Endings
from bridge.adapters.streams.restore import tell_ended
from bridge.kafka_clients import partitions_in, stop_reading

log = structlog.get_logger(__name__)

# Every so often a coordinator aborts what is open for too long
# (transaction.abort.timed.out.transaction.cleanup.interval.ms), and some time for the markers.
COORDINATOR_SECONDS = 15.0
# Each new owner of a part of the table looks: one after the other, or one would undo what another does.
SPREAD_SECONDS = 10.0


class Aftermath:
    """One look after each take-over, in the background; nothing depends on its success."""

    def __init__(
        self, table: str, topics: Sequence[str], *, connection: Mapping[str, Any], transaction_timeout_seconds: float
    ) -> None:
        """`topics` are what the table's owners write to."""
        self._table = table
        self._topics = topics
        self._connection = connection
        self._timeout_seconds = transaction_timeout_seconds
        self._looking: set[asyncio.Task[None]] = set()

    def look_after(self, owners: Collection[str], endings: Endings) -> None:
        """Begin to look for what these owners may have left; returns at once."""
        if owners:
            task = asyncio.create_task(self._look(owners, endings), name="look after earlier owners")
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def stop(self) -> None:
        """Look no more."""
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)

    async def _look(self, owners: Collection[str], endings: Endings) -> None:
        """
        The brokers tell whose transaction hangs only to those who may read the topic, which a writer may not; so
        whatever these owners decided last is decided once more. That does nothing where nothing of it was left.
        """
        while True:
            # First of all the new owner has work to do.
            await asyncio.sleep(random.uniform(0, SPREAD_SECONDS))  # noqa: S311  # nothing secret depends on it
            try:
                for owner in owners if await self._hangs() else ():
                    tell_ended(await endings.end_everywhere(owner), owner, table=self._table)
            except Refused as error:
                log.warning("what an earlier owner left hanging could not be ended", error=repr(error))
            except (KafkaError, OSError, TimeoutError) as error:
                # A coordinator that is away ends nothing: the time begins anew.
                log.debug("not known whether a transaction of an earlier owner hangs", error=repr(error))
                continue
            return

    async def _hangs(self) -> bool:
        """Whether a transaction stays open for longer than its time-out, and than its coordinator takes to end it."""
        if not (first := await self._held_back()):
            return False
        await asyncio.sleep(self._timeout_seconds + COORDINATOR_SECONDS)
        again = await self._held_back()
        hanging = [f"{at.topic}-{at.partition}" for at, offset in first.items() if again.get(at) == offset]
        if hanging:
            log.warning("a transaction hangs", partitions=hanging)
        return bool(hanging)

    async def _held_back(self) -> dict[TopicPartition, int]:
        """Where open transactions begin, by partition."""
        committed = AIOKafkaConsumer(isolation_level="read_committed", enable_auto_commit=False, **self._connection)
        everything = AIOKafkaConsumer(enable_auto_commit=False, **self._connection)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(stop_reading, everything)
            stack.push_async_callback(stop_reading, committed)
            await committed.start()
            await everything.start()
            partitions = await partitions_in(committed, self._topics)
            ends = await committed.end_offsets(partitions)
            written = await everything.end_offsets(partitions)
        return {each: ends[each] for each in partitions if ends[each] < written[each]}
