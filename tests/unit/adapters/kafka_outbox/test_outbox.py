"""What the outbox decides by itself; what it does with a broker is in tests/integration."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError

from bridge.adapters.kafka_outbox import KafkaOutbox
from bridge.adapters.kafka_outbox.batching import Batching
from bridge.domain.record import Record
from bridge.ports import Outgoing, PublishFailed
from tests.fakes import ScriptedCodec
from tests.unit.adapters.kafka_outbox.doubles import RecordingProducer

LONGEST = 1000


class Told:
    """What became of the records."""

    def __init__(self) -> None:
        self.published_topics: list[str] = []
        self.failed_topics: list[str] = []
        self.connected: list[bool] = []

    def published(self, topic: str, seconds: float) -> None:
        self.published_topics.append(topic)

    def publish_failed(self, topic: str) -> None:
        self.failed_topics.append(topic)

    def kafka_connected(self, *, connected: bool) -> None:
        self.connected.append(connected)


@pytest.fixture
async def producer() -> RecordingProducer:
    return RecordingProducer()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def outbox(producer: RecordingProducer, told: Told) -> AsyncIterator[KafkaOutbox]:
    """As it is while it is connected."""
    made = KafkaOutbox(
        {"bootstrap_servers": ["nowhere.invalid:9092"]},
        lambda name: name,
        ScriptedCodec(),
        told,
        client_id="test",
        publish_timeout=timedelta(milliseconds=200),
        max_record_bytes=LONGEST,
    )
    batching = made._batching = Batching(cast("AIOKafkaProducer", producer))  # noqa: SLF001  # what a connection would do
    yield made
    for _, _, future in producer.sent:
        future.cancel()
    await asyncio.wait_for(batching.drain(), 5)


def a_record(key: str) -> Outgoing:
    return Outgoing(topic="here", key=key, value=Record())


async def test_what_is_acknowledged_is_published(outbox: KafkaOutbox, producer: RecordingProducer, told: Told) -> None:
    publishing = asyncio.create_task(outbox.publish([a_record("a"), a_record("a")]))
    _, count, future = (await producer.has(1))[0]
    assert count == 2
    future.set_result(None)

    await asyncio.wait_for(publishing, 5)
    assert (told.published_topics, told.failed_topics) == (["here", "here"], [])


async def test_a_record_that_no_topic_may_hold_is_refused_before_any_is_sent(
    outbox: KafkaOutbox, producer: RecordingProducer
) -> None:
    with pytest.raises(ValueError, match="longer than its topic"):
        await outbox.publish([a_record("a"), a_record("b" * LONGEST)])

    await asyncio.sleep(0.05)
    assert producer.sent == []


async def test_who_was_told_that_it_failed_finds_no_record_sent_afterwards(
    outbox: KafkaOutbox, producer: RecordingProducer, told: Told
) -> None:
    first = asyncio.create_task(outbox.publish([a_record("a")]))
    await producer.has(1)
    with pytest.raises(PublishFailed, match=r"did not confirm the record within 0\.2 s"):
        await outbox.publish([a_record("a"), a_record("a")])
    assert told.failed_topics[-2:] == ["here", "here"]
    with pytest.raises(PublishFailed):
        await first

    producer.sent[0][2].set_result(None)
    await asyncio.sleep(0.05)
    assert len(producer.sent) == 1


@pytest.mark.parametrize(
    ("error", "raised", "says"),
    [
        (KafkaConnectionError(), PublishFailed, "Kafka refused the record: KafkaConnectionError"),
        (MessageSizeTooLargeError(), ValueError, "longer than its topic"),
    ],
)
async def test_what_kafka_refuses_is_told_and_the_producer_is_replaced(
    outbox: KafkaOutbox, producer: RecordingProducer, error: Exception, raised: type[Exception], says: str
) -> None:
    publishing = asyncio.create_task(outbox.publish([a_record("a")]))
    (await producer.has(1))[0][2].set_exception(error)

    with pytest.raises(raised, match=says):
        await asyncio.wait_for(publishing, 5)
    assert outbox._replace.is_set()  # what the keeper waits for


async def test_what_a_replaced_producer_says_does_not_cost_its_successor_the_place(
    outbox: KafkaOutbox, producer: RecordingProducer
) -> None:
    publishing = asyncio.create_task(outbox.publish([a_record("a")]))
    (_, _, future) = (await producer.has(1))[0]
    outbox._batching = Batching(cast("AIOKafkaProducer", RecordingProducer()))  # noqa: SLF001  # what a replacement would do
    future.set_exception(KafkaConnectionError())

    with pytest.raises(PublishFailed):
        await asyncio.wait_for(publishing, 5)
    assert not outbox._replace.is_set()


async def test_without_a_connection_nothing_is_taken(told: Told, outbox: KafkaOutbox) -> None:
    outbox._batching = None  # noqa: SLF001  # as before the first connection

    with pytest.raises(PublishFailed, match="no connection to Kafka: not connected to Kafka yet"):
        await outbox.publish([a_record("a")])
    assert told.failed_topics == ["here"]
