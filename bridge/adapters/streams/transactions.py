"""
Kafka transactions that take effect only if the consumer group agrees (KIP-447), over aiokafka's producer.

aiokafka 0.14 has the transactions and not the agreement: its `send_offsets_to_transaction` names neither generation
nor member, so the group takes it from anybody (TxnOffsetCommit v0). This module adds the request that names both. It
touches private parts of aiokafka's producer; `tests/unit/adapters/streams/test_aiokafka_parts.py` lists them, and fails
when they move.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.protocol.transaction import AddOffsetsToTxnRequest

from bridge.adapters.streams.coordinators import Coordinators, Refused
from bridge.adapters.streams.endings import Endings
from bridge.adapters.streams.requests import TxnOffsetCommit
from bridge.kafka_clients import Sending, filled, partitions_of

log = structlog.get_logger(__name__)

BATCH_BYTES = 262_144
ABORT_SECONDS = 5.0
STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Membership:
    """A worker's place in its consumer group, as it was when the partitions were assigned."""

    group: str
    generation: int
    member_id: str

    @property
    def real(self) -> bool:
        """Whether the group would check it: it takes an offset without generation and member from anybody."""
        return self.generation >= 0 and bool(self.member_id)


class Unconfirmed(Exception):
    """Kafka said that the transaction is committed, and may have forgotten it since."""


class GroupProducer:
    """
    A transactional producer whose transactions are void unless its worker is a member of the group in the generation
    in which it was assigned its partitions.

    After any error but `Refused` nobody knows what became of the last transaction, and the producer is `broken`.
    """

    def __init__(
        self,
        transactional_id: str,
        *,
        connection: Mapping[str, Any],
        transaction_timeout_seconds: float,
        max_record_bytes: int,
    ) -> None:
        """`transactional_id` must never have been used by another process; `connection` is for aiokafka."""
        self.transactional_id = transactional_id
        self.broken = False
        self._timeout_ms = int(transaction_timeout_seconds * 1000)
        self._producer = AIOKafkaProducer(
            transactional_id=transactional_id,
            transaction_timeout_ms=self._timeout_ms,
            request_timeout_ms=self._timeout_ms,
            max_batch_size=min(BATCH_BYTES, max_record_bytes),
            max_request_size=max_record_bytes,
            **connection,
        )
        self._coordinators = Coordinators(self._producer.client)

    async def start(self) -> None:
        """Connect, and be given a producer id."""
        await self._producer.start()

    async def stop(self) -> None:
        """Disconnect; a transaction that is still open is left to the broker's time-out or to the next owner."""
        try:
            await asyncio.wait_for(self._producer.stop(), timeout=STOP_SECONDS)
        except Exception as error:  # noqa: BLE001  # nothing depends on a clean end
            log.warning("transactional producer did not stop cleanly", error=repr(error))

    async def commit(self, records: Iterable[Sending], membership: Membership, table: str) -> dict[int, int]:
        """
        Write all records or none; return the last offset in each partition of the table.

        What the group is asked to commit is how far its table has been written: it needs some offset, and this one is
        true.

        Raises:
            Refused: this worker is no member in that generation any more, or may not do this.
            Exception: nobody knows whether it was written.

        """
        if not membership.real:
            raise Refused(f"not a member of {membership.group}: generation {membership.generation}")
        try:
            await self._producer.begin_transaction()
            try:
                _, ends = await asyncio.gather(self._add_group(membership), self._send(records, table))
                # After the acknowledgements: what is committed in this generation lies before whatever the next owner
                # writes (docs/adr/0002).
                await self._commit_offsets(membership, table, ends)
            except Refused:
                await asyncio.wait_for(self._producer.abort_transaction(), timeout=ABORT_SECONDS)
                raise
            # The one over which the group was added.
            connection = self._coordinators.connection(self.transactional_id)
            await self._producer.commit_transaction()
            await self._confirm(connection)
        except Refused:
            raise
        except BaseException:
            self.broken = True
            raise
        return ends

    def endings(self, *, group: str, topics: Iterable[str]) -> Endings:
        """What ends the transactions that earlier producers of the service left; see there."""
        return Endings(self._producer, self._coordinators, timeout_ms=self._timeout_ms, group=group, topics=topics)

    async def _confirm(self, before: object) -> None:
        """
        Wait until the end of the transaction just committed is written in all its partitions.

        Kafka answers before it is. A broker that dies in between finds the answer again when it is back, and then may
        take partitions without a leader as deleted, and their markers as written (docs/adr/0014): so what a coordinator
        says counts only over a connection that is the same since `before`.

        Raises:
            Unconfirmed: it is another.

        """
        await self._coordinators.told(self.transactional_id, decided=True)
        if self._coordinators.connection(self.transactional_id) is not before:
            raise Unconfirmed("the connection to the coordinator broke when the transaction was committed")

    async def _send(self, records: Iterable[Sending], table: str) -> dict[int, int]:
        """Send records as one batch for each partition, or a few where one is too small; wait until all are there."""
        producer = self._producer
        by_partition: defaultdict[tuple[str, int], list[Sending]] = defaultdict(list)
        counts: dict[str, int] = {}
        for record in records:
            topic = record.topic
            if topic not in counts:
                # Also where the partition is given: the producer then knows the topic, and needs to.
                counts[topic] = await partitions_of(producer, topic)
            by_partition[topic, record.home(counts[topic])].append(record)
        sent = []
        for (topic, number), records_of_it in by_partition.items():
            left = records_of_it
            while left:
                batch, count = filled(producer, left)
                sent.append((topic, number, count, await producer.send_batch(batch, topic, partition=number)))
                left = left[count:]
        ends: dict[int, int] = {}
        for topic, number, count, future in sent:
            acknowledged = await future
            if topic == table:
                ends[number] = acknowledged.offset + count - 1
        return ends

    async def _add_group(self, membership: Membership) -> None:
        transactions = self._producer._txn_manager  # noqa: SLF001  # it has no accessor
        request = AddOffsetsToTxnRequest(
            transactional_id=self.transactional_id,
            producer_id=transactions.producer_id,
            producer_epoch=transactions.producer_epoch,
            group_id=membership.group,
        )
        await self._coordinators.of_transactions(self.transactional_id, request)

    async def _commit_offsets(self, membership: Membership, table: str, ends: Mapping[int, int]) -> None:
        transactions = self._producer._txn_manager  # noqa: SLF001  # it has no accessor
        # Behind the last record comes the transaction's marker.
        offsets: list[tuple[Any, ...]] = [(number, offset + 2, -1, "", {}) for number, offset in ends.items()]
        request = TxnOffsetCommit(
            self.transactional_id,
            membership.group,
            transactions.producer_id,
            transactions.producer_epoch,
            membership.generation,
            membership.member_id,
            None,
            [(table, offsets, {})],
            {},
        )
        await self._coordinators.of_group(
            membership.group,
            request,
            lambda response: [code for _, partitions, _ in response.topics for _, code, _ in partitions],
        )
