"""Reads a topic from one point to its present end, for people and programs that look rather than follow."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.domain.dead_letters import Header
from bridge.kafka_clients import stop_reading
from bridge.ports import Arrived


async def read_topic(
    connection: Mapping[str, Any], physical: str, logical: str, *, since: datetime | None = None
) -> AsyncIterator[Arrived]:
    """
    Yield every committed record of a topic up to the end it had when asked, partition by partition and in offset order.

    With `since`, only from the first record of each partition that is not older. Commits nothing and joins no group.
    """
    consumer = AIOKafkaConsumer(
        isolation_level="read_committed", enable_auto_commit=False, fetch_max_wait_ms=50, **connection
    )
    try:
        await consumer.start()
        # The first look at a topic's partitions needs its metadata.
        await consumer._client._wait_on_metadata(physical)  # noqa: SLF001  # aiokafka has no public way to wait for it
        for number in sorted(consumer.partitions_for_topic(physical) or ()):
            partition = TopicPartition(physical, number)
            consumer.assign([partition])
            begin = (await consumer.beginning_offsets([partition]))[partition]
            end = (await consumer.end_offsets([partition]))[partition]
            if since is not None:
                found = (await consumer.offsets_for_times({partition: int(since.timestamp() * 1000)}))[partition]
                begin = end if found is None else found.offset
            consumer.seek(partition, begin)
            while await consumer.position(partition) < end:
                for record in (await consumer.getmany(partition, timeout_ms=200)).get(partition, ()):
                    if record.offset < end:
                        yield _arrived(record, logical)
    finally:
        await stop_reading(consumer)


def _arrived(record: Any, logical: str) -> Arrived:
    return Arrived(
        topic=logical,
        partition=record.partition,
        offset=record.offset,
        timestamp=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=record.key,
        value=record.value,
        headers=tuple(Header.of(name, value) for name, value in record.headers),
    )
