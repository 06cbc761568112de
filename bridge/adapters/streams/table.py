"""
Durable state per key on a compacted topic, with one fenced writer per partition (docs/adr/0002).

Opening a partition starts a transactional producer, whose transactional id belongs to the partition: from then on the
broker refuses
every earlier owner, however long it was stopped and wherever it wakes up. Then the partition is read to its end. A
write puts the value
and the records that follow from it into one transaction; the lanes of a partition share transactions (group commit).

Rule: a partition is opened only when it was assigned. Opening it later would let a worker that slept fence the
healthy owner.
Rule: the local value changes only after the broker committed, so nobody acts on what may not be there.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiokafka.producer.sender
import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bridge.domain.record import Record
from bridge.ports import Kept, Outgoing, TableLost

log = structlog.get_logger(__name__)

# How long a write waits for others to share its transaction. Measured: fewer and larger transactions cost the worker
# and the broker less.
GATHERING_SECONDS = 0.005
# Most writes in one transaction.
LARGEST_BATCH = 500
# aiokafka waits this long when a transaction begins before the last one's markers are written; its own value is 20
# ms, and it takes no argument.
aiokafka.producer.sender.BACKOFF_OVERRIDE = 0.003

Encode = Callable[[str, Record], bytes]


@dataclass(slots=True)
class _Write:
    key: str
    kept: Kept[Any] | None
    records: list[tuple[str, bytes, bytes | None, list[tuple[str, bytes]]]]
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(kw_only=True)
class TableSpec:
    """
    What a table is: its physical topic, how outgoing records become bytes, the physical names of topics, and its
    values.

    `kept` is `Kept[T]` for the table's T; `connection` are aiokafka's client arguments; `max_record_bytes` is the
    longest
    record that any of its topics takes. `recovered(records, seconds)` is called after each opening.
    """

    topic: str
    transactional_id: str
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
    """One partition of the table while this worker owns it; implements the `TablePartition` port."""

    def __init__(self, spec: TableSpec, number: int) -> None:
        """A partition that is not open yet."""
        self._spec = spec
        self._number = number
        self._values: dict[str, Kept[Any]] = {}
        self._next_offset = 0
        self._lost: BaseException | None = TableLost("not open")
        self._writes: deque[_Write] = deque()
        self._wanted = asyncio.Event()
        self._producer: AIOKafkaProducer | None = None
        self._writer: asyncio.Task[None] | None = None

    @property
    def number(self) -> int:
        """Which partition this is."""
        return self._number

    def get(self, key: str) -> Kept[Any] | None:
        """The value of a key, as of the last committed write."""
        return self._values.get(key)

    def items(self) -> Iterable[tuple[str, Kept[Any]]]:
        """Every key of the partition."""
        return list(self._values.items())

    async def open(self) -> None:
        """Fence every earlier owner, then read what it left."""
        started = time.monotonic()
        milliseconds = int(self._spec.transaction_timeout_seconds * 1000)
        self._producer = AIOKafkaProducer(
            transactional_id=f"{self._spec.transactional_id}-{self._number}",
            transaction_timeout_ms=milliseconds,
            request_timeout_ms=milliseconds,
            max_batch_size=262_144,
            max_request_size=self._spec.max_record_bytes,
            **self._spec.connection,
        )
        await self._producer.start()
        fenced = time.monotonic()
        count = await self._restore()
        self._lost = None
        self._writer = asyncio.create_task(self._write_batches())
        self._spec.recovered(count, time.monotonic() - fenced)
        log.info(
            "table partition opened",
            table=self._spec.topic,
            partition=self._number,
            records=count,
            keys=len(self._values),
            fence_seconds=round(fenced - started, 3),
            restore_seconds=round(time.monotonic() - fenced, 3),
        )

    async def close(self) -> None:
        """Give the partition up; the values are kept, so that the next opening reads only what is newer."""
        self._fail(TableLost("revoked"))
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
            self._writer = None
        if self._producer is not None:
            producer, self._producer = self._producer, None
            try:
                await asyncio.wait_for(producer.stop(), timeout=5)
            except Exception as error:  # noqa: BLE001  # the partition is given up either way; the next owner fences
                log.warning("table producer did not stop cleanly", partition=self._number, error=repr(error))

    async def write(self, key: str, kept: Kept[Any] | None, outgoing: Iterable[Outgoing] = ()) -> None:
        """Write a value and publish records in one transaction, shared with other keys' writes."""
        if self._lost is not None:
            raise TableLost(str(self._lost))
        records = [
            (
                self._spec.physical(record.topic),
                record.key.encode(),
                None if record.value is None else self._spec.encode(record.topic, record.value),
                [(header.name, header.value) for header in record.headers],
            )
            for record in outgoing
        ]
        write = _Write(key, kept, records)
        self._writes.append(write)
        self._wanted.set()
        await write.done

    async def _restore(self) -> int:
        partition = TopicPartition(self._spec.topic, self._number)
        consumer = AIOKafkaConsumer(
            isolation_level="read_committed", enable_auto_commit=False, fetch_max_wait_ms=20, **self._spec.connection
        )
        await consumer.start()
        count = 0
        try:
            consumer.assign([partition])
            begin = (await consumer.beginning_offsets([partition]))[partition]
            end = (await consumer.end_offsets([partition]))[partition]
            if self._next_offset < begin:
                self._values.clear()
                self._next_offset = begin
            consumer.seek(partition, self._next_offset)
            while await consumer.position(partition) < end:
                for record in (await consumer.getmany(partition, timeout_ms=20)).get(partition, ()):
                    key: bytes = record.key or b""
                    self._restore_one(key.decode("utf-8", "surrogateescape"), record.value)
                    count += 1
            self._next_offset = await consumer.position(partition)
        finally:
            await consumer.stop()
        return count

    def _restore_one(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = self._spec.from_bytes(value)

    async def _write_batches(self) -> None:
        while True:
            if not self._writes:
                self._wanted.clear()
                await self._wanted.wait()
            await asyncio.sleep(GATHERING_SECONDS)
            batch = [self._writes.popleft() for _ in range(min(len(self._writes), LARGEST_BATCH))]
            try:
                await self._commit(batch)
            except asyncio.CancelledError:
                self._fail(TableLost("revoked"), batch)
                raise
            except Exception as error:  # noqa: BLE001  # whatever failed, nobody knows whether this was written: the partition is lost
                log.warning("table partition lost", table=self._spec.topic, partition=self._number, error=repr(error))
                self._fail(error, batch)
                return
            for write in batch:
                if write.kept is None:
                    self._values.pop(write.key, None)
                else:
                    self._values[write.key] = write.kept
                if not write.done.done():
                    write.done.set_result(None)

    async def _commit(self, batch: list[_Write]) -> None:
        producer = self._producer
        if producer is None:
            raise TableLost("closed")
        await producer.begin_transaction()
        states, sent = [], []
        for write in batch:
            value = None if write.kept is None else self._spec.to_bytes(write.kept)
            states.append(
                await producer.send(
                    self._spec.topic, value, write.key.encode("utf-8", "surrogateescape"), partition=self._number
                )
            )
            for topic, key, data, headers in write.records:
                sent.append(await producer.send(topic, data, key, headers=headers))
        await producer.commit_transaction()
        for future in sent:
            future.result()
        for future in states:
            self._next_offset = max(self._next_offset, future.result().offset + 1)

    def _fail(self, error: BaseException, batch: Iterable[_Write] = ()) -> None:
        self._lost = self._lost or error
        for write in (*batch, *self._writes):
            if not write.done.done():
                write.done.set_exception(TableLost(repr(error)))
        self._writes.clear()


class FencedTable:
    """The partitions of the table that this worker owns, by generation of its consumer group."""

    def __init__(self, spec: TableSpec) -> None:
        """A table of which nothing is open."""
        self._spec = spec
        self._generation = -1
        self._open: dict[int, asyncio.Task[FencedPartition]] = {}
        self._cold: dict[int, FencedPartition] = {}

    async def open(self, partitions: Iterable[int], generation: int) -> list[FencedPartition]:
        """Open newly assigned partitions. To be called from the assignment callback, and from nowhere else."""
        await self.close()
        self._generation = generation
        self._open = {number: asyncio.create_task(self._start(number)) for number in sorted(set(partitions))}
        return list(await asyncio.gather(*self._open.values()))

    async def get(self, number: int, generation: int) -> FencedPartition:
        """
        The open partition that a record of this generation belongs to.

        Raises:
            TableLost: it is not open in this generation.

        """
        for _ in range(50):
            # A stream may be resumed a moment before the assignment callback ran.
            task = self._open.get(number)
            if task is not None and self._generation == generation:
                return await asyncio.shield(task)
            if self._generation > generation:
                break
            await asyncio.sleep(0.1)
        raise TableLost(f"partition {number} is not open in generation {generation}")

    async def close(self) -> None:
        """Give all partitions up."""
        tasks, self._open = self._open, {}
        for number, task in tasks.items():
            results = await asyncio.gather(task, return_exceptions=True)
            partition = results[0]
            if isinstance(partition, FencedPartition):
                await partition.close()
                self._cold[number] = partition

    async def _start(self, number: int) -> FencedPartition:
        partition = self._cold.pop(number, None) or FencedPartition(self._spec, number)
        await partition.open()
        return partition
