"""Requests that aiokafka 0.14 does not have, in its own form, as the Kafka protocol writes them down."""

from typing import Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields

COMPACT = CompactString("utf-8")
Field = tuple[str, Any]


def by_partition(*fields: Field) -> Field:
    """The field `topics`, with these fields for each partition of each."""
    partitions = CompactArray(*fields, ("tags", TaggedFields))
    return "topics", CompactArray(("name", COMPACT), ("partitions", partitions), ("tags", TaggedFields))


class TxnOffsetCommitResponse(Response):
    """TxnOffsetCommit v3."""

    API_KEY = 28
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        by_partition(("partition_index", Int32), ("error_code", Int16)),
        ("tags", TaggedFields),
    )


class TxnOffsetCommitStruct(RequestStruct):
    """TxnOffsetCommit v3, the first version that names the generation and the member."""

    API_KEY = 28
    API_VERSION = 3
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = TxnOffsetCommitResponse
    SCHEMA = Schema(
        ("transactional_id", COMPACT),
        ("group_id", COMPACT),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("generation_id", Int32),
        ("member_id", COMPACT),
        ("group_instance_id", COMPACT),
        by_partition(
            ("partition_index", Int32),
            ("committed_offset", Int64),
            ("committed_leader_epoch", Int32),
            ("committed_metadata", COMPACT),
        ),
        ("tags", TaggedFields),
    )


class DescribeTransactionsResponse(Response):
    """DescribeTransactions v0."""

    API_KEY = 65
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "transaction_states",
            CompactArray(
                ("error_code", Int16),
                ("transactional_id", COMPACT),
                ("transaction_state", COMPACT),
                ("transaction_timeout_ms", Int32),
                ("transaction_start_time_ms", Int64),
                ("producer_id", Int64),
                ("producer_epoch", Int16),
                (
                    "topics",
                    CompactArray(("topic", COMPACT), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeTransactionsStruct(RequestStruct):
    """DescribeTransactions v0 (KIP-664)."""

    API_KEY = 65
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = DescribeTransactionsResponse
    SCHEMA = Schema(("transactional_ids", CompactArray(COMPACT)), ("tags", TaggedFields))


class DescribeProducersResponse(Response):
    """DescribeProducers v0."""

    API_KEY = 61
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        by_partition(
            ("partition_index", Int32),
            ("error_code", Int16),
            ("error_message", COMPACT),
            (
                "active_producers",
                CompactArray(
                    ("producer_id", Int64),
                    ("producer_epoch", Int32),
                    ("last_sequence", Int32),
                    ("last_timestamp", Int64),
                    ("coordinator_epoch", Int32),
                    ("current_txn_start_offset", Int64),
                    ("tags", TaggedFields),
                ),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeProducersStruct(RequestStruct):
    """DescribeProducers v0 (KIP-664)."""

    API_KEY = 61
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = DescribeProducersResponse
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("name", COMPACT), ("partition_indexes", CompactArray(Int32)), ("tags", TaggedFields)),
        ),
        ("tags", TaggedFields),
    )


class TxnOffsetCommit(Request[TxnOffsetCommitStruct]):
    """Offsets of a transaction, and with them the group's consent."""

    API_KEY = 28

    def __init__(self, *fields: object) -> None:
        """The fields of the struct, in its order."""
        self._fields = fields

    def build(self, request_struct_class: type[TxnOffsetCommitStruct]) -> TxnOffsetCommitStruct:
        """The one version that is known here."""
        return request_struct_class(*self._fields)


class DescribeTransactions(Request[DescribeTransactionsStruct]):
    """How far the transaction of an id is, and which partitions take part."""

    API_KEY = 65

    def __init__(self, transactional_id: str) -> None:
        """Ask about one."""
        self._transactional_id = transactional_id

    def build(self, request_struct_class: type[DescribeTransactionsStruct]) -> DescribeTransactionsStruct:
        """The one version that is known here."""
        return request_struct_class([self._transactional_id], {})


class DescribeProducers(Request[DescribeProducersStruct]):
    """Which producers wrote to a partition of late, and where the transactions begin that are open in it."""

    API_KEY = 61

    def __init__(self, topic: str, partition: int) -> None:
        """Ask the partition's leader."""
        self._place: tuple[object, ...] = (topic, [partition], {})

    def build(self, request_struct_class: type[DescribeProducersStruct]) -> DescribeProducersStruct:
        """The one version that is known here."""
        return request_struct_class([self._place], {})
