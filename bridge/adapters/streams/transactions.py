"""
Kafka transactions that take effect only if the consumer group agrees (KIP-447), over aiokafka's producer.

aiokafka 0.14 has the transactions and not the agreement: its `send_offsets_to_transaction` names neither generation
nor member, so the group takes it from anybody (TxnOffsetCommit v0). This module adds the request that names both, and
two more for the transaction of an owner that died (`requests.py`). It is the only one that touches the private parts of
aiokafka's producer. `tests/unit/adapters/streams/test_aiokafka_parts.py` lists them, and fails when they move.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiokafka.producer.sender
import msgspec
import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request
from aiokafka.protocol.transaction import AddOffsetsToTxnRequest, InitProducerIdRequest

from bridge.adapters.streams.requests import DescribeTransactions, TxnOffsetCommit
from bridge.kafka_clients import partition_of

log = structlog.get_logger(__name__)

# aiokafka waits this long when a transaction begins before the last one's markers are written; its own value is 20
# ms, and it takes no argument.
aiokafka.producer.sender.BACKOFF_OVERRIDE = 0.003

BATCH_BYTES = 262_144
RETRY_SECONDS = 0.05
MARKERS_SECONDS = 0.003
ABORT_SECONDS = 5.0
STOP_SECONDS = 5.0

# Errors that pass by themselves (Kafka protocol, error codes).
NOT_COORDINATOR = frozenset({15, 16})  # COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
CONCURRENT_TRANSACTIONS = 51
# UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NETWORK_EXCEPTION,
# COORDINATOR_LOAD_IN_PROGRESS, NOT_ENOUGH_REPLICAS and the same after append.
PASSING = NOT_COORDINATOR | {CONCURRENT_TRANSACTIONS, 3, 5, 6, 7, 13, 14, 19, 20}


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


class Refused(Exception):
    """The transaction was aborted or cannot be committed any more: nothing of it is or will be visible."""


class Sending(msgspec.Struct, frozen=True, gc=False):
    """
    One record of a transaction; without `partition` its key decides, as with Kafka's own clients. Records without a
    key have one partition together, which keeps their order.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


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
        self._coordinators: dict[tuple[CoordinationType, str], int] = {}
        self._producer = AIOKafkaProducer(
            transactional_id=transactional_id,
            transaction_timeout_ms=self._timeout_ms,
            request_timeout_ms=self._timeout_ms,
            max_batch_size=min(BATCH_BYTES, max_record_bytes),
            max_request_size=max_record_bytes,
            **connection,
        )

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
            await self._producer.commit_transaction()
        except Refused:
            raise
        except BaseException:
            self.broken = True
            raise
        return ends

    async def abort_if_open(self, transactional_id: str, partition: TopicPartition) -> bool:
        """
        Abort another producer's transaction if it is open in this partition; its owner can write no more after that.

        One that is being decided already is left alone, and so is one of a worker that is at work elsewhere.
        """
        told = await self._ask(
            CoordinationType.TRANSACTION,
            transactional_id,
            DescribeTransactions(transactional_id),
            lambda response: [each[0] for each in response.transaction_states if each[0] in PASSING],
        )
        for _, _, state, _, _, _, _, topics, _ in told.transaction_states:
            if state == "Ongoing" and any(
                topic == partition.topic and partition.partition in numbers for topic, numbers, _ in topics
            ):
                request = InitProducerIdRequest(transactional_id, self._timeout_ms)
                await self._ask(
                    CoordinationType.TRANSACTION, transactional_id, request, lambda response: [response.error_code]
                )
                return True
        return False

    async def _send(self, records: Iterable[Sending], table: str) -> dict[int, int]:
        """Send records as one batch for each partition, or a few where one is too small; wait until all are there."""
        producer = self._producer
        by_partition: defaultdict[tuple[str, int], list[Sending]] = defaultdict(list)
        counts: dict[str, int] = {}
        for record in records:
            topic, number = record.topic, record.partition
            if number is None:
                if topic not in counts:
                    counts[topic] = await self._partitions_of(topic)
                number = partition_of(record.key or b"", counts[topic])
            by_partition[topic, number].append(record)
        sent = []
        for (topic, number), several in by_partition.items():
            await self._partitions_of(topic)
            batch = producer.create_batch()
            for record in several:
                fields = {"key": record.key, "value": record.value, "headers": list(record.headers), "timestamp": None}
                if batch.append(**fields) is None:
                    sent.append((topic, number, batch, await producer.send_batch(batch, topic, partition=number)))
                    batch = producer.create_batch()
                    batch.append(**fields)
            sent.append((topic, number, batch, await producer.send_batch(batch, topic, partition=number)))
        ends: dict[int, int] = {}
        for topic, number, batch, future in sent:
            acknowledged = await future
            if topic == table:
                ends[number] = acknowledged.offset + batch.record_count() - 1
        return ends

    async def _partitions_of(self, topic: str) -> int:
        """
        How many partitions a topic has. The service has seen at its start that the topic is there; brokers that are
        away, or have just come back, do not say so.
        """
        while True:
            try:
                return len(await self._producer.partitions_for(topic))
            except UnknownTopicOrPartitionError:
                log.warning("no broker knows a topic of the transaction; trying again", topic=topic)
                await asyncio.sleep(RETRY_SECONDS)

    # -- requests that aiokafka has not, or not with what they need

    async def _add_group(self, membership: Membership) -> None:
        transactions = self._producer._txn_manager  # noqa: SLF001  # it has no accessor
        request = AddOffsetsToTxnRequest(
            transactional_id=self.transactional_id,
            producer_id=transactions.producer_id,
            producer_epoch=transactions.producer_epoch,
            group_id=membership.group,
        )
        await self._ask(
            CoordinationType.TRANSACTION, self.transactional_id, request, lambda response: [response.error_code]
        )

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
        await self._ask(
            CoordinationType.GROUP,
            membership.group,
            request,
            lambda response: [code for _, partitions, _ in response.topics for _, code, _ in partitions],
        )

    async def _ask(
        self, kind: CoordinationType, key: str, request: Request[Any], codes: Callable[[Any], list[int]]
    ) -> Any:
        """
        Ask a coordinator, again while the cluster is busy or away; all these requests may be repeated.

        Raises:
            Refused: it says no.

        """
        client = self._producer.client
        while True:
            try:
                node = self._coordinators.get((kind, key))
                if node is None:
                    node = self._coordinators[kind, key] = await client.coordinator_lookup(kind, key)
                response = await client.send(node, request, group=ConnectionGroup.COORDINATION)
            except KafkaError as error:
                if not error.retriable:
                    raise Refused(repr(error)) from error
                log.debug("a coordinator did not answer", request=type(request).__name__, error=repr(error))
                self._coordinators.pop((kind, key), None)
                with contextlib.suppress(KafkaError):
                    await client.force_metadata_update()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            errors = {code for code in codes(response) if code}
            if not errors:
                return response
            if not errors <= PASSING:
                raise Refused(", ".join(for_code(code).__name__ for code in sorted(errors - PASSING)))
            if errors & NOT_COORDINATOR:
                self._coordinators.pop((kind, key), None)
            await asyncio.sleep(MARKERS_SECONDS if errors == {CONCURRENT_TRANSACTIONS} else RETRY_SECONDS)
