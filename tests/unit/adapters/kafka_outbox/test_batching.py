"""One batch for each partition, one of them at a time, and nobody is forgotten whatever becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, UnknownTopicOrPartitionError

from bridge.adapters.kafka_outbox.batching import Batching
from bridge.kafka_clients import Sending
from tests.unit.adapters.kafka_outbox.doubles import RecordingProducer


@pytest.fixture
async def producer() -> RecordingProducer:
    return RecordingProducer()


@pytest.fixture
async def batching(producer: RecordingProducer) -> AsyncIterator[Batching]:
    made = Batching(cast("AIOKafkaProducer", producer))
    yield made
    for _, _, future in producer.sent:
        future.cancel()
    await asyncio.wait_for(made.drain(), 5)


def to(partition: int, *, value: bytes = b"x", topic: str = "here") -> Sending:
    return Sending(topic, b"key", value, partition)


async def settle(batches: int, producer: RecordingProducer) -> None:
    """Long enough for more batches to come than those that must."""
    await asyncio.sleep(0.03)
    assert len(producer.sent) == batches


async def test_what_comes_together_goes_as_one_batch_for_each_partition(
    producer: RecordingProducer, batching: Batching
) -> None:
    waiting = [batching.send(to(partition)) for partition in (0, 1, 0, 1, 0)]

    sent = await producer.has(2)
    assert [(partition, count) for partition, count, _ in sent] == [(0, 3), (1, 2)]
    assert not any(each.done() for each in waiting)
    sent[0][2].set_result(None)
    await asyncio.wait_for(asyncio.gather(waiting[0], waiting[2], waiting[4]), 5)
    assert not waiting[1].done()


async def test_a_partition_has_one_batch_under_way_and_keeps_no_other_waiting(
    producer: RecordingProducer, batching: Batching
) -> None:
    batching.send(to(0))
    await producer.has(1)
    later = batching.send(to(0))
    batching.send(to(1))

    sent = await producer.has(2)
    assert [partition for partition, _, _ in sent] == [0, 1]
    await settle(2, producer)
    sent[0][2].set_result(None)
    partition, count, future = (await producer.has(3))[2]
    assert (partition, count) == (0, 1)
    future.set_result(None)
    await asyncio.wait_for(later, 5)


async def test_what_has_no_room_goes_with_the_next_batch(producer: RecordingProducer, batching: Batching) -> None:
    waiting = [batching.send(to(0, value=b"x" * 100)) for _ in range(3)]
    waiting.append(batching.send(to(1, value=b"x" * 1000)))

    sent = await producer.has(2)
    assert sent[1][:2] == (1, 1), "a record that is longer than a batch is one by itself"
    first = sent[0][1]
    assert 0 < first < 3
    counts = [first]
    sent[0][2].set_result(None)
    while sum(counts) < 3:
        _, count, future = (await producer.has(2 + len(counts)))[-1]
        counts.append(count)
        future.set_result(None)
    await asyncio.wait_for(asyncio.gather(*waiting[:3]), 5)


async def test_an_error_is_told_to_everybody_in_the_batch_and_to_nobody_else(
    producer: RecordingProducer, batching: Batching
) -> None:
    failing, others = [batching.send(to(0)), batching.send(to(0))], batching.send(to(1))
    sent = await producer.has(2)
    after = batching.send(to(0))
    sent[0][2].set_exception(KafkaConnectionError("away"))
    sent[1][2].set_result(None)

    told = await asyncio.gather(*failing, others, return_exceptions=True)
    assert isinstance(told[0], KafkaConnectionError)
    assert isinstance(told[1], KafkaConnectionError)
    assert told[0] is not told[1]
    assert told[2] is None
    (await producer.has(3))[2][2].set_result(None)
    await asyncio.wait_for(after, 5)


@pytest.mark.parametrize(
    ("topic", "error"), [("nowhere", UnknownTopicOrPartitionError), ("refused", KafkaConnectionError)]
)
async def test_what_cannot_be_handed_over_fails_alone(
    producer: RecordingProducer, batching: Batching, topic: str, error: type[KafkaError]
) -> None:
    lost, fine = batching.send(to(0, topic=topic)), batching.send(to(0))

    with pytest.raises(error):
        await asyncio.wait_for(lost, 5)
    (await producer.has(1))[0][2].set_result(None)
    await asyncio.wait_for(fine, 5)


async def test_the_end_of_the_producer_is_an_error(producer: RecordingProducer, batching: Batching) -> None:
    waiting = batching.send(to(0))
    (await producer.has(1))[0][2].cancel()

    with pytest.raises(KafkaError, match="the producer was stopped"):
        await asyncio.wait_for(waiting, 5)


async def test_what_nobody_waits_for_any_more_is_not_sent(producer: RecordingProducer, batching: Batching) -> None:
    batching.send(to(0))
    await producer.has(1)
    given_up = [batching.send(to(0)) for _ in range(3)]
    await asyncio.sleep(0.03)
    for each in given_up:
        each.cancel()
    kept = batching.send(to(0))
    await settle(1, producer)

    producer.sent[0][2].set_result(None)
    partition, count, future = (await producer.has(2))[1]
    assert (partition, count) == (0, 1)
    future.set_result(None)
    await asyncio.wait_for(kept, 5)


async def test_while_a_partition_has_no_leader_those_who_gave_up_do_not_pile_up(
    producer: RecordingProducer, batching: Batching
) -> None:
    batching.send(to(0))
    await producer.has(1)
    for _ in range(5):
        batching.send(to(0)).cancel()
        await asyncio.sleep(0.02)

    (queue,) = batching._queues.values()  # noqa: SLF001  # what it holds is what is asserted
    assert len(queue) <= 1


async def test_drained_means_that_everybody_was_told_and_nothing_is_sent_any_more(producer: RecordingProducer) -> None:
    batching = Batching(cast("AIOKafkaProducer", producer))
    waiting = batching.send(to(0))
    draining = asyncio.create_task(batching.drain())

    (_, _, future), *_ = await producer.has(1)
    assert not draining.done()
    future.set_result(None)
    await asyncio.wait_for(draining, 5)
    assert waiting.done()
    batching.send(to(0))
    await settle(1, producer)
