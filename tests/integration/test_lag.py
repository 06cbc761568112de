"""How far a group is behind, by real offsets: markers of transactions count for nothing, and records by their age."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.adapters.kafka_lag import Behind, LagWatch
from bridge.sandbox.kafka import EmbeddedKafka

TOPIC, GROUP = "lag-tickets", "lag-group"
MINUTE_AGO = 60.0
Look = Callable[[], Awaitable[dict[int, Behind]]]


@pytest.fixture
async def topic(kafka: EmbeddedKafka) -> AsyncIterator[str]:
    """Partition 0 has three records in one transaction, a minute old, and behind them its marker; 1 has nothing."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 2, 1)])
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id="lag")
    await producer.start()
    async with producer.transaction():
        for _ in range(3):
            await producer.send(TOPIC, b"x", partition=0, timestamp_ms=int((time.time() - MINUTE_AGO) * 1000))
    await producer.stop()
    yield TOPIC
    await admin.delete_topics([TOPIC])
    await admin.close()


async def commit(kafka: EmbeddedKafka, offset: int) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, group_id=GROUP, enable_auto_commit=False, auto_offset_reset="none"
    )
    await consumer.start()
    partition = TopicPartition(TOPIC, 0)
    consumer.assign([partition])
    await consumer.commit({partition: offset})
    await consumer.stop()


@pytest.fixture
async def look(kafka: EmbeddedKafka, topic: str) -> AsyncIterator[Look]:
    """What the watch sees next, by partition."""
    seen: asyncio.Queue[list[Behind]] = asyncio.Queue()
    watch = LagWatch(
        {"bootstrap_servers": kafka.bootstrap_servers},
        group=GROUP,
        topics=[topic],
        tell=seen.put_nowait,
        look_seconds=0.2,
    )
    await watch.start()

    async def next_look() -> dict[int, Behind]:
        while not seen.empty():
            seen.get_nowait()
        # The first one may have begun before what it is to see.
        await asyncio.wait_for(seen.get(), 20)
        return {behind.partition: behind for behind in await asyncio.wait_for(seen.get(), 20)}

    yield next_look
    await watch.stop()


async def test_the_lag_is_that_of_records_and_as_old_as_the_first_of_them(kafka: EmbeddedKafka, look: Look) -> None:
    # A group without an offset begins at the beginning.
    behind = await look()
    assert behind[0].records == 4  # three records and a marker
    assert MINUTE_AGO <= behind[0].seconds < MINUTE_AGO + 30
    assert (behind[1].records, behind[1].seconds) == (0, 0.0)

    await commit(kafka, 2)
    behind = await look()
    assert behind[0].records == 2
    assert behind[0].seconds >= MINUTE_AGO


async def test_a_group_that_read_the_last_record_of_a_transaction_is_not_behind(
    kafka: EmbeddedKafka, look: Look
) -> None:
    await commit(kafka, 3)

    behind = await look()

    assert (behind[0].records, behind[0].seconds) == (0, 0.0)


async def test_a_transaction_without_an_end_is_lag_that_grows(kafka: EmbeddedKafka, topic: str, look: Look) -> None:
    """Whoever reads committed records waits at its beginning; to them the partition ends there."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, transactional_id="lag-open")
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(topic, b"x", partition=1)
        await look()
        first = await look()
        second = await look()
        await producer.commit_transaction()
        ended = await look()
    finally:
        await producer.stop()

    assert first[1].records == second[1].records == 1
    assert 0 < first[1].seconds < second[1].seconds < MINUTE_AGO
    # Now it is a record like any other, and behind it comes a marker.
    assert ended[1].records == 2
