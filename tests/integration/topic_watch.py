"""What is on the bridge's topics, kept up to date by a thread of its own; it also writes records, good and bad."""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bridge.adapters.avro import AvroCodec
from bridge.domain.record import Record
from bridge.ports import Undecodable, UnknownSchema
from bridge.schemas import load_schemas
from bridge.topics import data_directory, load_topics

T = TypeVar("T")
Headers = Sequence[tuple[str, bytes]]

TOPICS = load_topics(data_directory() / "topics.yaml")
CODEC = AvroCodec(TOPICS, load_schemas(data_directory() / "schemas"))
# What the bridge writes for others; `fault-tickets` may hold anything, and the tables are private.
WATCHED = (
    "actions-required",
    "dead-letters",
    "gateway-outcomes",
    "journey-signals",
    "journeys",
    "kci-quarantine",
    "kcis",
    "observations",
    "operator-decisions",
    "problem-status",
    "problem-transitions",
    "test-status",
    "test-transitions",
)
# Those of them into which tests write what nobody can decode.
SPOILT = ("kcis",)
START = timedelta(seconds=30)
STEP = timedelta(seconds=20)


@dataclass(frozen=True)
class Seen:
    """One committed record as it was read; `value` is None for a tombstone, and for bytes that a test made up."""

    topic: str
    partition: int
    offset: int
    key: str
    value: Record | None
    raw: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class TopicWatch:
    """Reads its topics from its beginning on; what it has seen is there for any thread to look at."""

    def __init__(self, bootstrap_servers: str, prefix: str, topics: tuple[str, ...] = WATCHED) -> None:
        self._servers = bootstrap_servers
        self._topics = topics
        self._prefix = prefix
        self._seen: dict[str, list[Seen]] = defaultdict(list)
        self._lock = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="topic-watch", daemon=True)
        self._taking = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._consumer: AIOKafkaConsumer
        self._producer: AIOKafkaProducer

    def start(self) -> None:
        """Connect; the topics must exist."""
        self._thread.start()
        self._run(self._start(), START)

    def stop(self) -> None:
        """Let go of the cluster and end the thread."""
        if not self._thread.is_alive():
            self._loop.close()
            return
        try:
            self._run(self._stop(), STEP)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def records(self, topic: str) -> list[Seen]:
        """What was read of a topic so far, in the order of each partition."""
        self._check()
        assert topic in self._topics, f"{topic} is not watched"
        with self._lock:
            return list(self._seen[topic])

    def catch_up(self) -> None:
        """Return when everything that is committed by now was read."""
        deadline = time.monotonic() + STEP.total_seconds()
        ends = self._run(self._ends(), STEP)
        while behind := self._run(self._behind(ends), STEP):
            self._check()
            assert time.monotonic() < deadline, f"the watch does not reach the ends of {behind}"
            time.sleep(0.02)

    def publish(
        self, topic: str, records: Iterable[tuple[bytes | None, bytes]], headers: Headers = ()
    ) -> list[tuple[int, int]]:
        """Write records of (key, value) in their order, with these headers; return partition and offset of each."""
        return self._run(self._publish(self._prefix + topic, list(records), headers), STEP)

    def _check(self) -> None:
        if self._reading is not None and self._reading.done():
            self._reading.result()
            raise AssertionError("the watch over the topics has ended")

    def _run(self, work: Coroutine[Any, Any, T], limit: timedelta) -> T:
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(limit.total_seconds())

    async def _start(self) -> None:
        options: dict[str, Any] = {"bootstrap_servers": self._servers}
        self._producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **options)
        self._consumer = AIOKafkaConsumer(
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            **options,
        )
        await self._producer.start()
        await self._consumer.start()
        self._consumer.assign(
            [
                TopicPartition(self._prefix + topic, number)
                for topic in self._topics
                for number in range(TOPICS.partitions_of(TOPICS[topic]))
            ]
        )
        self._reading = asyncio.create_task(self._read())

    async def _stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await self._consumer.stop()
        await self._producer.stop()

    async def _read(self) -> None:
        while True:
            found = await self._consumer.getmany(timeout_ms=200)
            async with self._taking:
                for partition, messages in found.items():
                    topic = partition.topic.removeprefix(self._prefix)
                    seen = [await self._decoded(topic, message) for message in messages]
                    with self._lock:
                        self._seen[topic] += seen

    async def _decoded(self, topic: str, message: Any) -> Seen:
        return Seen(
            topic=topic,
            partition=message.partition,
            offset=message.offset,
            key=(message.key or b"").decode("utf-8", "surrogateescape"),
            value=None if message.value is None else await _value(topic, message.value),
            raw=message.value,
            headers=tuple(message.headers),
        )

    async def _ends(self) -> dict[TopicPartition, int]:
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(list(self._consumer.assignment()))
        return ends

    async def _behind(self, ends: dict[TopicPartition, int]) -> list[str]:
        async with self._taking:  # what was fetched counts once it can be looked at
            return [
                f"{partition.topic}-{partition.partition}"
                for partition, end in ends.items()
                if end > 0 and await self._consumer.position(partition) < end
            ]

    async def _publish(
        self, topic: str, records: list[tuple[bytes | None, bytes]], headers: Headers
    ) -> list[tuple[int, int]]:
        sent = [await self._producer.send(topic, value, key=key, headers=list(headers)) for key, value in records]
        written = [await future for future in sent]
        return [(each.partition, each.offset) for each in written]


async def _value(topic: str, data: bytes) -> Record | None:
    try:
        return await CODEC.decode(topic, data)
    except (Undecodable, UnknownSchema):
        if topic in SPOILT:
            return None
        raise
