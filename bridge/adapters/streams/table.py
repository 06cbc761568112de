"""
Durable state per key on a compacted topic, written in transactions that the consumer group must agree to
(docs/adr/0002).

One producer of this process writes for all its partitions, and all lanes share its transactions (`commits.py`). A
partition is opened by a record that names its owner, written in the same way, and by reading what lies before it
(`restore.py`).

Rule: a partition is opened only when it was assigned, as the member and in the generation that it was assigned to.
Rule: the local value changes only after the broker committed, so nobody acts on what may not be there.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from aiokafka import TopicPartition

from bridge.adapters.streams.aftermath import Aftermath
from bridge.adapters.streams.commits import Commits, Write
from bridge.adapters.streams.restore import OWNER_KEY, Contents, Owner, restore
from bridge.adapters.streams.transactions import GroupProducer, Membership
from bridge.domain.record import Record
from bridge.kafka_clients import Sending
from bridge.ports import Kept, Outgoing, TableLost

log = structlog.get_logger(__name__)

# What a partition held is kept this long after it went to somebody else, so that its return costs only what is new.
# Shorter than any topic's delete.retention.ms: a tombstone that was compacted away would not be missed otherwise.
COLD_SECONDS = 1800.0
# Decoded values that are at hand; the others are bytes, which cost a third of the memory and nothing to collect.
DECODED = 2048

Encode = Callable[[str, Record], bytes]


@dataclass(kw_only=True)
class TableSpec:
    """
    What a table is: its physical topic, how outgoing records become bytes, the physical names of topics, and its
    values.

    `written` are the physical topics that its transactions write to, this one among them. `kept` is `Kept[T]` for the
    table's T; `connection` are aiokafka's client arguments; `max_record_bytes` is the longest record that any of its
    topics takes. Transactional ids begin with `transactional_id_prefix`. `recovered(records, seconds)` is called after
    each opening, once for all partitions.
    """

    topic: str
    written: Sequence[str]
    transactional_id_prefix: str
    kept: Any
    encode: Encode
    physical: Callable[[str], str]
    connection: Mapping[str, Any]
    transaction_timeout_seconds: float
    max_record_bytes: int
    recovered: Callable[[int, float], None] = lambda _records, _seconds: None

    def __post_init__(self) -> None:
        """Make the codec of the values once."""
        self.to_bytes = msgspec.json.Encoder().encode
        self.from_bytes = msgspec.json.Decoder(self.kept).decode


class FencedPartition:
    """One partition of the table in one generation; implements the `TablePartition` port."""

    def __init__(self, spec: TableSpec, number: int, contents: Contents, commits: Commits) -> None:
        """A partition whose owner this worker is as long as its commits are accepted."""
        self._spec = spec
        self._number = number
        self.contents = contents
        self._commits = commits
        self._decoded: dict[str, Kept[Any]] = {}

    @property
    def number(self) -> int:
        """Which partition this is."""
        return self._number

    def get(self, key: str) -> Kept[Any] | None:
        """The value of a key, as of the last committed write."""
        kept = self._decoded.get(key)
        if kept is None:
            data = self.contents.values.get(key)
            if data is None:
                return None
            kept = self._spec.from_bytes(data)
            self._remember(key, kept)
        return kept

    def items(self) -> Iterable[tuple[str, Kept[Any]]]:
        """Every key of the partition, decoded one by one."""
        decode = self._spec.from_bytes
        return ((key, decode(data)) for key, data in list(self.contents.values.items()))

    async def write(self, key: str, kept: Kept[Any] | None, outgoing: Iterable[Outgoing] = ()) -> None:
        """Write a value and publish records in one transaction, shared with other keys' writes."""
        data = None if kept is None else self._spec.to_bytes(kept)
        records = [Sending(self._spec.topic, key.encode("utf-8", "surrogateescape"), data, self._number)]
        records += [
            Sending(
                self._spec.physical(record.topic),
                record.raw_key,
                None if record.value is None else self._spec.encode(record.topic, record.value),
                headers=[(header.name, header.raw) for header in record.headers],
            )
            for record in outgoing
        ]
        await self._commits.write(Write(records, lambda ends: self._apply(key, kept, data, ends[self._number])))

    def _apply(self, key: str, kept: Kept[Any] | None, data: bytes | None, end: int) -> None:
        self.contents.next_offset = max(self.contents.next_offset, end + 1)
        if kept is None or data is None:
            self.contents.values.pop(key, None)
            self._decoded.pop(key, None)
        else:
            self.contents.values[key] = data
            self._remember(key, kept)

    def _remember(self, key: str, kept: Kept[Any]) -> None:
        """The oldest makes room; dictionaries keep the order in which keys came."""
        self._decoded.pop(key, None)
        self._decoded[key] = kept
        if len(self._decoded) > DECODED:
            del self._decoded[next(iter(self._decoded))]


class FencedTable:
    """The partitions of the table that this worker owns, by generation of its consumer group."""

    def __init__(self, spec: TableSpec) -> None:
        """A table of which nothing is open."""
        self._spec = spec
        self._generation = -1
        self._producer: GroupProducer | None = None
        self._commits: Commits | None = None
        self._opening: asyncio.Task[dict[int, FencedPartition]] | None = None
        self._cold: dict[int, tuple[float, Contents]] = {}
        self._aftermath = Aftermath(
            spec.topic,
            spec.written,
            connection=spec.connection,
            transaction_timeout_seconds=spec.transaction_timeout_seconds,
        )

    async def open(self, partitions: Iterable[int], membership: Membership) -> list[FencedPartition]:
        """
        Open newly assigned partitions. To be called from the assignment callback, and from nowhere else.

        Raises:
            TableLost: the group has gone on without this worker.

        """
        await self.close()
        self._generation = membership.generation
        self._opening = asyncio.create_task(self._open(sorted(set(partitions)), membership))
        return list((await asyncio.shield(self._opening)).values())

    async def get(self, number: int, generation: int) -> FencedPartition:
        """
        The open partition that a record of this generation belongs to.

        Raises:
            TableLost: it is not open in this generation.

        """
        for _ in range(50):
            opening = self._opening
            if opening is not None and self._generation == generation:
                if not opening.done():
                    await asyncio.wait([opening])
                error = None if opening.cancelled() else opening.exception()
                if error is not None:
                    raise TableLost(f"partition {number} could not be opened: {error!r}") from error
                opened = {} if opening.cancelled() else opening.result()
                if number in opened:
                    return opened[number]
                break
            if self._generation > generation:
                break
            # A stream may be resumed a moment before the assignment callback ran.
            await asyncio.sleep(0.1)
        raise TableLost(f"partition {number} is not open in generation {generation}")

    async def close(self) -> None:
        """Give all partitions up: what is being committed may end, and nothing else is written."""
        opening, self._opening = self._opening, None
        commits, self._commits = self._commits, None
        if commits is not None:
            await commits.close()
        if opening is not None:
            opening.cancel()
            opened = (await asyncio.gather(opening, return_exceptions=True))[0]
            if isinstance(opened, dict):
                now = time.monotonic()
                self._cold |= {number: (now, partition.contents) for number, partition in opened.items()}

    async def stop(self) -> None:
        """Give all partitions up for good."""
        await self._aftermath.stop()
        await self.close()
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()

    async def _open(self, numbers: list[int], membership: Membership) -> dict[int, FencedPartition]:
        started = time.monotonic()
        producer = await self._working_producer()
        commits = self._commits = Commits(producer, membership, self._spec.topic)
        held = {number: self._contents(number) for number in numbers}
        if held:
            owner = Owner(producer.transactional_id, membership.member_id, membership.generation)
            value = msgspec.json.encode(owner)
            written: dict[int, int] = {}
            records = [Sending(self._spec.topic, OWNER_KEY, value, number) for number in numbers]
            await commits.write(Write(records, written.update))
            fenced = time.monotonic()
            endings = producer.endings(group=membership.group, topics=self._spec.written)
            count = await restore(
                {TopicPartition(self._spec.topic, number): (held[number], end) for number, end in written.items()},
                connection=self._spec.connection,
                end_of=endings.end,
            )
            former = {contents.former for contents in held.values() if contents.former}
            self._aftermath.look_after(former - {producer.transactional_id}, endings)
            self._spec.recovered(count, time.monotonic() - fenced)
            log.info(
                "table partitions opened",
                table=self._spec.topic,
                partitions=numbers,
                generation=membership.generation,
                records=count,
                keys=sum(len(contents.values) for contents in held.values()),
                fence_seconds=round(fenced - started, 3),
                restore_seconds=round(time.monotonic() - fenced, 3),
            )
        return {number: FencedPartition(self._spec, number, held[number], commits) for number in numbers}

    async def _working_producer(self) -> GroupProducer:
        """The process's producer; a new one, under a new id, after an error that left its last transaction in doubt."""
        if self._producer is not None and self._producer.broken:
            producer, self._producer = self._producer, None
            await self._aftermath.stop()
            await producer.stop()
        if self._producer is None:
            self._producer = GroupProducer(
                f"{self._spec.transactional_id_prefix}{uuid.uuid4()}",
                connection=self._spec.connection,
                transaction_timeout_seconds=self._spec.transaction_timeout_seconds,
                max_record_bytes=self._spec.max_record_bytes,
            )
            await self._producer.start()
        return self._producer

    def _contents(self, number: int) -> Contents:
        closed, contents = self._cold.pop(number, (0.0, Contents()))
        return contents if time.monotonic() < closed + COLD_SECONDS else Contents()
