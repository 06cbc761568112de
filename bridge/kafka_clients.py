"""
What all users of aiokafka need alike: where a key belongs, how many partitions there are, batches of records, and a
consumer's stop that goes to its end.
"""

import asyncio
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder

MOST_REMEMBERED_KEYS = 16_384
RETRY_SECONDS = 0.05


@lru_cache(maxsize=MOST_REMEMBERED_KEYS)
def partition_of(key: bytes, partitions: int) -> int:
    """
    The partition that Kafka's own clients put a key into; remembered, since the hash is worked out in Python, and an
    entity has many records: 4 us of the 21 of a record.
    """
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


async def partitions_of(producer: AIOKafkaProducer, topic: str) -> int:
    """
    How many partitions a topic has that is known to be there; brokers that are away, or have just come back, do not
    say so, and are asked again.
    """
    while True:
        try:
            return len(await producer.partitions_for(topic))
        except UnknownTopicOrPartitionError:
            await asyncio.sleep(RETRY_SECONDS)


class Sending(msgspec.Struct, frozen=True, gc=False):
    """
    A record to be sent; without `partition` its key decides, as with Kafka's own clients. Records without a key have
    one partition together, which keeps their order.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()

    def home(self, partitions: int) -> int:
        """Which of its topic's partitions it belongs to."""
        return partition_of(self.key or b"", partitions) if self.partition is None else self.partition


def filled(producer: AIOKafkaProducer, records: Sequence[Sending]) -> tuple[BatchBuilder, int]:
    """A batch of the first records, as many as it has room for, which is at least one; and how many these are."""
    batch = producer.create_batch()
    for number, record in enumerate(records):
        if batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers)) is None:
            return batch, number
    return batch, len(records)


async def partitions_in(consumer: AIOKafkaConsumer, topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of these topics in order, as a consumer that is subscribed to nothing finds them."""
    found = []
    for topic in topics:
        if not (numbers := consumer.partitions_for_topic(topic)):
            await consumer._client._wait_on_metadata(topic)  # noqa: SLF001  # aiokafka has no public way to wait for it
            numbers = consumer.partitions_for_topic(topic)
        found += [TopicPartition(topic, number) for number in sorted(numbers or ())]
    return found


async def stop_reading(consumer: AIOKafkaConsumer) -> None:
    """
    Close a consumer to its end. aiokafka 0.14 cancels its fetches when it stops, and lets out the CancelledError of one
    that had not begun: whoever stops it would count as cancelled, with nobody having asked for that.
    """
    stopping = asyncio.create_task(consumer.stop())
    await asyncio.wait([stopping])
    if stopping.cancelled():
        await consumer._client.close()  # noqa: SLF001  # what stop() did not come to
    else:
        stopping.result()
