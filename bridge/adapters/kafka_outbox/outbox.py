"""
The Outbox port over aiokafka: acks=all, the idempotent producer, and every record awaited.

Two habits of aiokafka 0.14 shape it. An idempotent batch never expires: while the cluster is away, it waits and is sent
when the cluster is back, whoever awaited it having long been told `PublishFailed`; so a record can arrive late, and
readers drop repeats. And a batch that the broker refuses for good leaves a gap in the sequence numbers, after which
every later batch of that partition is refused too; so the producer is replaced by a new one, with a new producer id,
after any error that is not a time-out.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from bridge.adapters.kafka_outbox.batching import Batching
from bridge.kafka_clients import Sending
from bridge.ports import Codec, Outgoing, PublishFailed
from bridge.waiting import Patience

# How often the cluster is asked for its metadata, so that readiness is known without traffic.
PROBE_SECONDS = 5.0
PROBE_TIMEOUT_SECONDS = 5.0
RECONNECT_SECONDS = 1.0
CONNECT_TIMEOUT_SECONDS = 15.0
# Nothing was confirmed for this long although it was tried: the producer itself may be at fault.
REPLACE_AFTER_SECONDS = 30.0
# aiokafka tries again and logs each time; ten lines a second (its 100 ms) say no more than three.
RETRY_BACKOFF_MS = 300
REQUEST_TIMEOUT_MS = 15_000
# A batch that is full leaves the rest to the next request; aiokafka's 16 KiB hold sixteen KCIs.
MAX_BATCH_BYTES = 262_144

TOO_LONG = "the encoded record is longer than its topic or this service may hold"

log = structlog.get_logger(__name__)


class PublishTelemetry(Protocol):
    """What an outbox tells those who watch; `topic` is the logical name."""

    def published(self, topic: str, seconds: float) -> None:
        """All in-sync replicas have a record."""

    def publish_failed(self, topic: str) -> None:
        """Kafka did not confirm a record."""

    def kafka_connected(self, *, connected: bool) -> None:
        """A broker did, or did not, answer the last look for metadata."""


class KafkaOutbox:
    """
    Publishes records, and keeps itself connected: `start` returns at once, whether Kafka is there or not.

    While it is not, `publish` raises PublishFailed and `problem` tells why.
    """

    def __init__(
        self,
        connection: Mapping[str, Any],
        physical: Callable[[str], str],
        codec: Codec,
        telemetry: PublishTelemetry,
        *,
        client_id: str,
        publish_timeout: timedelta,
        max_record_bytes: int,
    ) -> None:
        """
        `connection` are the arguments of any aiokafka client, `physical` gives a topic's name on the cluster;
        `client_id` is seen in the brokers' logs and quotas; `max_record_bytes` bounds one encoded record.
        """
        self._connection = connection
        self._physical = physical
        self._servers = ", ".join(connection["bootstrap_servers"])
        self._codec = codec
        self._telemetry = telemetry
        self._client_id = client_id
        self._timeout = publish_timeout
        self._patience = Patience()
        self._max_record_bytes = max_record_bytes
        self._batching: Batching | None = None
        self._problem: str | None = "not connected to Kafka yet"
        self._replace = asyncio.Event()
        self._failing_since: float | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> "asyncio.Task[None]":
        """Begin to connect; the task that is returned runs until `stop`."""
        self._keeper = asyncio.create_task(self._keep(), name="kafka outbox")
        return self._keeper

    async def stop(self) -> None:
        """Confirm what can still be confirmed within the publish time-out, then let go."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})
        self._retire()
        if self._retiring:
            _, late = await asyncio.wait(self._retiring, timeout=self._timeout.total_seconds())
            for task in late:
                task.cancel()
            if late:
                log.warning("stopped with records that Kafka has not confirmed", producers=len(late))

    def problem(self) -> str | None:
        """What is wrong with the connection, or None while a broker answers and the metadata is known."""
        return self._problem

    async def publish(self, records: Iterable[Outgoing]) -> None:
        """
        Return after all in-sync replicas have every record.

        Raises:
            PublishFailed: Kafka is away, or did not confirm in time.
            ValueError: a record is longer than a topic may hold.

        """
        sending = [self._encoded(record) for record in records]
        started = time.monotonic()
        try:
            await self._confirm(sending)
        except PublishFailed:
            for topic, _ in sending:
                self._telemetry.publish_failed(topic)
            raise
        self._failing_since = None
        seconds = time.monotonic() - started
        for topic, _ in sending:
            self._telemetry.published(topic, seconds)

    def _encoded(self, record: Outgoing) -> tuple[str, Sending]:
        """What is sent, and its topic's logical name."""
        key = record.raw_key
        value = None if record.value is None else self._codec.encode(record.topic, record.value)
        headers = [(header.name, header.raw) for header in record.headers]
        if DefaultRecordBatchBuilder.estimate_size_in_bytes(key, value, headers) > self._max_record_bytes:
            raise ValueError(TOO_LONG)
        return record.topic, Sending(self._physical(record.topic), key, value, headers=headers)

    async def _confirm(self, sending: list[tuple[str, Sending]]) -> None:
        batching = self._batching
        if batching is None:
            raise PublishFailed(f"no connection to Kafka: {self._problem}")
        until = asyncio.get_running_loop().time() + self._timeout.total_seconds()
        acknowledged = [batching.send(record) for _, record in sending]
        try:
            for each in acknowledged:
                await self._patience.wait(each, until=until)
        except TimeoutError as error:
            self._failing_since = self._failing_since or time.monotonic()
            seconds = self._timeout.total_seconds()
            raise PublishFailed(f"Kafka did not confirm the record within {seconds:g} s") from error
        except MessageSizeTooLargeError as error:
            # As true the next time: like a record that does not fit its schema. As the broker said it, there is a gap.
            self._give_up(batching)
            raise ValueError(TOO_LONG) from error
        except KafkaError as error:
            self._give_up(batching)
            raise PublishFailed(f"Kafka refused the record: {type(error).__name__}") from error
        finally:
            for each in acknowledged:
                if not each.cancel():
                    _seen(each)

    def _give_up(self, batching: Batching) -> None:
        """Have its producer replaced, unless it was: what an old one still says is no fault of the new one."""
        if batching is self._batching:
            self._replace.set()

    async def _keep(self) -> None:
        """Connect, look whether a broker answers, and connect anew when the producer is of no more use; for ever."""
        while True:
            if self._batching is None or self._replace.is_set() or self._is_failing_long():
                await self._connect()
            if self._batching is not None:
                self._tell(await _answers(self._batching.producer))
            pause = PROBE_SECONDS if self._batching is not None else RECONNECT_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._replace.wait()

    async def _connect(self) -> None:
        producer = self._new_producer()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                await producer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            # aiokafka tells every cause (no listener, wrong password, unknown authority) as one and the same error.
            kind = type(error).__name__
            self._tell(f"cannot connect to {self._servers} ({kind}); check the brokers and the BRIDGE_KAFKA_ settings")
            await producer.stop()
            self._replace.clear()
            return
        except BaseException:
            await producer.stop()
            raise
        self._retire()
        self._batching = Batching(producer)
        self._failing_since = None
        self._replace.clear()

    def _new_producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self._connection,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            max_request_size=self._max_record_bytes,
            max_batch_size=MAX_BATCH_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_BACKOFF_MS,
        )

    def _is_failing_long(self) -> bool:
        return self._failing_since is not None and time.monotonic() - self._failing_since > REPLACE_AFTER_SECONDS

    def _retire(self) -> None:
        """Let the producer, if there is one, send what it holds; it ends at the latest when the cluster is back."""
        if self._batching is None:
            return
        task = asyncio.create_task(_end(self._batching), name="retire a kafka producer")
        self._batching = None
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
        task.add_done_callback(_seen)

    def _tell(self, problem: str | None) -> None:
        self._telemetry.kafka_connected(connected=problem is None)
        if problem != self._problem:
            if problem is None:
                log.info("connected to Kafka", servers=self._servers)
            else:
                log.warning("not connected to Kafka", problem=problem)
        self._problem = problem


async def _end(batching: Batching) -> None:
    try:
        await batching.drain()
    finally:
        await batching.producer.stop()


async def _answers(producer: AIOKafkaProducer) -> str | None:
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
            return None if await producer.client.force_metadata_update() else "no broker answers"
    except (KafkaError, OSError, TimeoutError) as error:
        return f"no broker answers ({type(error).__name__})"


def _seen(future: "asyncio.Future[Any]") -> None:
    """Take a result that nobody asks for, so that asyncio does not report it as never retrieved."""
    if not future.cancelled():
        future.exception()
