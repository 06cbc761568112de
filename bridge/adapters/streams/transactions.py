"""
Kafka transactions that take effect only if the consumer group agrees (KIP-447), over aiokafka's producer.

aiokafka 0.14 has the transactions and not the agreement: its `send_offsets_to_transaction` names neither generation
nor member, so the group takes it from anybody (TxnOffsetCommit v0). This module adds the request that names both, and
others for the transaction of an owner that died (`requests.py`). It is the only one that touches the private parts of
aiokafka's producer. `tests/unit/adapters/streams/test_aiokafka_parts.py` lists them, and fails when they move.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)

from bridge.adapters.streams.requests import DescribeProducers, DescribeTransactions, TxnOffsetCommit
from bridge.kafka_clients import partition_of

log = structlog.get_logger(__name__)

BATCH_BYTES = 262_144
RETRY_SECONDS = 0.05
# How long a transaction's markers usually take.
MARKERS_SECONDS = 0.003
ABORT_SECONDS = 5.0
STOP_SECONDS = 5.0

# Errors that pass by themselves (Kafka protocol, error codes).
NOT_COORDINATOR = frozenset({15, 16})  # COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
CONCURRENT_TRANSACTIONS = 51
# UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NETWORK_EXCEPTION,
# COORDINATOR_LOAD_IN_PROGRESS, NOT_ENOUGH_REPLICAS and the same after append.
PASSING = NOT_COORDINATOR | {CONCURRENT_TRANSACTIONS, 3, 5, 6, 7, 13, 14, 19, 20}
# The states of a transaction (KIP-664): under way; ended, with markers still to be written; ended everywhere.
OPEN = "Ongoing"
BEING_DECIDED = frozenset({"PrepareCommit", "PrepareAbort", "PrepareEpochFence"})
COMMITTED = "CompleteCommit"
DECIDED = frozenset({COMMITTED, "CompleteAbort"})


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


class Unconfirmed(Exception):
    """Kafka said that the transaction is committed, and may have forgotten it since."""


@dataclass(frozen=True)
class Told:
    """How far the latest transaction of a transactional id is."""

    state: str
    producer_id: int
    partitions: frozenset[TopicPartition]


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
            connection = self._connection()
            await self._producer.commit_transaction()
            await self._confirm(connection)
        except Refused:
            raise
        except BaseException:
            self.broken = True
            raise
        return ends

    async def end(
        self, transactional_id: str, partition: TopicPartition, *, group: str, topics: Iterable[str]
    ) -> str | None:
        """
        End what another producer left in this partition; say how, or None where there is nothing to be ended.

        A transaction that is open here is aborted, and its owner can write no more. One that is being decided is left
        alone, and so is a worker that is at work elsewhere. One that was decided, and whose marker never came here, is
        decided once more, the same way, in all partitions of the `topics` that such a producer writes to
        (docs/adr/0014).
        """
        told = await self._told(transactional_id)
        if told.state == OPEN and partition in told.partitions:
            await self._take_id(transactional_id)
            return "aborted"
        if told.state in DECIDED:
            began = await self._began(partition, told.producer_id)
            # Decided between two looks at the same beginning: it did not begin since, and will not end by itself.
            if (
                began is not None
                and (await self._told(transactional_id)).state == told.state
                and await self._began(partition, told.producer_id) == began
            ):
                await self._decide_again(transactional_id, told, group, topics)
                return "given the markers that it lacked"
        return None

    async def _decide_again(self, transactional_id: str, told: Told, group: str, topics: Iterable[str]) -> None:
        """A transaction of the same producer with the same end: its markers end what was open before."""
        producer_id, epoch = await self._take_id(transactional_id)
        if producer_id != told.producer_id:
            raise Refused(f"{transactional_id} has another producer id now; see `kafka-transactions.sh find-hanging`")
        mine: dict[str, Any] = {"transactional_id": transactional_id, "producer_id": producer_id}
        mine["producer_epoch"] = epoch
        places = [(topic, list(range(await self._partitions_of(topic)))) for topic in topics]
        await self._ask(
            CoordinationType.TRANSACTION,
            transactional_id,
            AddPartitionsToTxnRequest(**mine, topics=places),
            lambda response: [code for _, partitions in response.errors for _, code in partitions],
        )
        for request in (
            AddOffsetsToTxnRequest(**mine, group_id=group),
            EndTxnRequest(**mine, transaction_result=told.state == COMMITTED),
        ):
            await self._ask(
                CoordinationType.TRANSACTION, transactional_id, request, lambda response: [response.error_code]
            )

    async def _take_id(self, transactional_id: str) -> tuple[int, int]:
        """Become the producer of an id: whoever was it can write no more, and what it had open is aborted."""
        response = await self._ask(
            CoordinationType.TRANSACTION,
            transactional_id,
            InitProducerIdRequest(transactional_id, self._timeout_ms),
            lambda response: [response.error_code],
        )
        return response.producer_id, response.producer_epoch

    async def _told(self, transactional_id: str, *, decided: bool = False) -> Told:
        """What the coordinator says of an id, once it is `decided` if so; of one that it does not know, no state."""

        def passing(response: Any) -> list[int]:
            ((code, _, state, *_),) = response.transaction_states
            return [CONCURRENT_TRANSACTIONS if decided and state in BEING_DECIDED else code if code in PASSING else 0]

        response = await self._ask(
            CoordinationType.TRANSACTION, transactional_id, DescribeTransactions(transactional_id), passing
        )
        ((_, _, state, _, _, producer_id, _, topics, _),) = response.transaction_states
        places = (TopicPartition(topic, number) for topic, numbers, _ in topics for number in numbers)
        return Told(state, producer_id, frozenset(places))

    async def _began(self, partition: TopicPartition, producer_id: int) -> int | None:
        """Where a producer's transaction begins that is open in a partition; None if none is, or nobody says so."""
        client = self._producer.client
        await self._partitions_of(partition.topic)
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

    async def _confirm(self, before: object) -> None:
        """
        Wait until the end of the transaction just committed is written in all its partitions.

        Kafka answers before it is. A broker that dies in between finds the answer again when it is back, and then may
        take partitions without a leader as deleted, and their markers as written (docs/adr/0014): so what a coordinator
        says counts only over a connection that is the same since `before`.

        Raises:
            Unconfirmed: it is another.

        """
        await self._told(self.transactional_id, decided=True)
        if self._connection() is not before:
            raise Unconfirmed("the connection to the coordinator broke when the transaction was committed")

    def _connection(self) -> object:
        """The connection over which the coordinator of our transactions is asked."""
        node = self._coordinators.get((CoordinationType.TRANSACTION, self.transactional_id))
        connections = self._producer.client._conns  # noqa: SLF001  # it has no accessor
        return connections.get((node, ConnectionGroup.COORDINATION))

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
