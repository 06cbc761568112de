"""An aiokafka producer that stays where it is."""

import asyncio
from typing import Any

from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError
from aiokafka.producer.message_accumulator import BatchBuilder

PARTITIONS = 4
BATCH_BYTES = 300


class RecordingProducer:
    """Takes batches, and acknowledges none of them by itself."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int, asyncio.Future[Any]]] = []
        self.came = asyncio.Condition()

    async def partitions_for(self, topic: str) -> set[int]:
        if topic == "nowhere":
            raise UnknownTopicOrPartitionError
        return set(range(PARTITIONS))

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        if topic == "refused":
            raise KafkaConnectionError
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        async with self.came:
            self.sent.append((partition, batch.record_count(), future))
            self.came.notify_all()
        return future

    async def has(self, batches: int) -> list[tuple[int, int, "asyncio.Future[Any]"]]:
        async with asyncio.timeout(5), self.came:
            await self.came.wait_for(lambda: len(self.sent) >= batches)
        return self.sent
