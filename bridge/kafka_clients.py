"""
What all users of aiokafka need alike: where a key belongs, how many partitions there are, and a consumer's stop that
goes to its end.
"""

import asyncio
from functools import lru_cache

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.partitioner import murmur2

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
