"""Ends what a dead owner left in a table's partition, so that its next owner can read on (docs/adr/0002, 0014)."""

from collections.abc import Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)

from bridge.adapters.streams.coordinators import Coordinators, Refused, Told
from bridge.adapters.streams.requests import DescribeProducers
from bridge.kafka_clients import partitions_of

log = structlog.get_logger(__name__)

# The states of a transaction (KIP-664): under way; ended everywhere. An id that was taken over, and whose new producer
# went no further, is Empty.
OPEN = "Ongoing"
COMMITTED = "CompleteCommit"
DECIDED = frozenset({COMMITTED, "CompleteAbort", "Empty"})
MADE_UP = "given the markers that it lacked"


class Endings:
    """Ends transactions of other producers of the same service, over the connections of one of its producers."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        coordinators: Coordinators,
        *,
        timeout_ms: int,
        group: str,
        topics: Iterable[str],
    ) -> None:
        """Such a producer writes to these `topics`, and commits offsets of this group; the time-out is its own."""
        self._producer = producer
        self._coordinators = coordinators
        self._timeout_ms = timeout_ms
        self._group = group
        self._topics = tuple(topics)

    async def end(self, transactional_id: str, partition: TopicPartition) -> str | None:
        """
        End what a producer left in this partition; say how, or None where there is nothing to be ended.

        A transaction that is open here is aborted, and its owner can write no more. One that is being decided is left
        alone, and so is a worker that is at work elsewhere. One that was decided, and whose marker never came here, is
        decided once more, the same way, in all partitions that it may have written to.
        """
        told = await self._coordinators.told(transactional_id)
        if told.state == OPEN and partition in told.partitions:
            await self._take_over(transactional_id)
            return "aborted"
        if told.state in DECIDED:
            began = await self._began(partition, told.producer_id)
            # Decided between two looks at the same beginning: it did not begin since, and will not end by itself.
            if (
                began is not None
                and (await self._coordinators.told(transactional_id)).state == told.state
                and await self._began(partition, told.producer_id) == began
            ):
                await self._decide_again(transactional_id, told)
                return MADE_UP
        return None

    async def end_everywhere(self, transactional_id: str) -> str | None:
        """
        Write the markers of a decided transaction once more in all partitions that its producer may have written to,
        since somebody waits for some of them; say how, or None where it is not decided.
        """
        told = await self._coordinators.told(transactional_id, decided=True)
        if told.state not in DECIDED:
            return None
        await self._decide_again(transactional_id, told)
        return MADE_UP

    async def _decide_again(self, transactional_id: str, told: Told) -> None:
        """A transaction of the same producer with the same end: its markers end what was open before."""
        producer_id, epoch = await self._take_over(transactional_id)
        if producer_id != told.producer_id:
            raise Refused(f"{transactional_id} has another producer id now; see `kafka-transactions.sh find-hanging`")
        mine: dict[str, Any] = {
            "transactional_id": transactional_id,
            "producer_id": producer_id,
            "producer_epoch": epoch,
        }
        places = [(topic, list(range(await partitions_of(self._producer, topic)))) for topic in self._topics]
        await self._coordinators.of_transactions(
            transactional_id,
            AddPartitionsToTxnRequest(**mine, topics=places),
            lambda response: [code for _, partitions in response.errors for _, code in partitions],
        )
        await self._coordinators.of_transactions(transactional_id, AddOffsetsToTxnRequest(**mine, group_id=self._group))
        await self._coordinators.of_transactions(
            transactional_id, EndTxnRequest(**mine, transaction_result=told.state == COMMITTED)
        )

    async def _take_over(self, transactional_id: str) -> tuple[int, int]:
        """Become the producer of an id: whoever was it can write no more, and what it had open is aborted."""
        request = InitProducerIdRequest(transactional_id, self._timeout_ms)
        response = await self._coordinators.of_transactions(transactional_id, request)
        return response.producer_id, response.producer_epoch

    async def _began(self, partition: TopicPartition, producer_id: int) -> int | None:
        """Where a producer's transaction begins that is open in a partition; None if none is, or nobody says so."""
        client = self._producer.client
        leader = client.cluster.leader_for_partition(partition)
        if leader is None or leader < 0:
            return None
        try:
            response = await client.send(leader, DescribeProducers(partition.topic, partition.partition))
        except KafkaError as error:
            log.debug("a leader did not answer", partition=str(partition), error=repr(error))
            return None
        return next(
            (
                producer[5]
                for _, partitions, _ in response.topics
                for _, _, _, producers, _ in partitions
                for producer in producers
                if producer[0] == producer_id and producer[5] >= 0
            ),
            None,
        )
