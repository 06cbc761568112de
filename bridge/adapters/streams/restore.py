"""
Reads table partitions up to their new owner's own record, and ends what a dead owner left undecided before it.

Read committed, a consumer passes no transaction that is not decided. So whoever has read his own record has seen
everything that was accepted in any generation before his (docs/adr/0002).
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.kafka_clients import stop_reading

log = structlog.get_logger(__name__)

# The key of the record that names a partition's owner: one for each partition, so that compaction keeps the last. No
# ticket and no entity has a key with a zero byte.
OWNER_KEY = b"\x00owner"
# How long a partition may stand still before somebody's open transaction is looked for.
STUCK_SECONDS = 0.5
FETCH_BYTES = 8 * 1024 * 1024

End = Callable[[str, TopicPartition], Awaitable[str | None]]


class Owner(msgspec.Struct, frozen=True, rename="camel"):
    """Who opened a partition."""

    transactional_id: str
    member_id: str
    generation: int


@dataclass(slots=True)
class Contents:
    """
    What a partition holds, as bytes; the offset that is to be read next; and the ids of its last owner's producer and
    of the one before.
    """

    values: dict[str, bytes] = field(default_factory=dict)
    next_offset: int = 0
    owner: str | None = None
    former: str | None = None

    def take(self, record: Any) -> None:
        """Take in one record of the topic."""
        if record.key == OWNER_KEY:
            self.former, self.owner = self.owner, owner_of(record.value)
            return
        key = (record.key or b"").decode("utf-8", "surrogateescape")
        if record.value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = record.value


async def restore(
    partitions: Mapping[TopicPartition, tuple[Contents, int]], *, connection: Mapping[str, Any], end_of: End
) -> int:
    """Bring contents up to date, each up to the offset of its owner's own record; return how many records were read."""
    consumer = AIOKafkaConsumer(
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
        max_partition_fetch_bytes=FETCH_BYTES,
        **connection,
    )
    await consumer.start()
    count = 0
    try:
        consumer.assign(list(partitions))
        begins = await consumer.beginning_offsets(list(partitions))
        for partition, (contents, _) in partitions.items():
            if contents.next_offset < begins[partition]:
                contents.values.clear()
                contents.next_offset = begins[partition]
            consumer.seek(partition, contents.next_offset)
        moved = time.monotonic()
        while behind := [each for each in partitions if partitions[each][0].next_offset <= partitions[each][1]]:
            fetched = await consumer.getmany(*behind, timeout_ms=20)
            for partition, records in fetched.items():
                contents = partitions[partition][0]
                for record in records:
                    contents.take(record)
                count += len(records)
            for partition in behind:
                contents, position = partitions[partition][0], await consumer.position(partition)
                if position > contents.next_offset:
                    contents.next_offset, moved = position, time.monotonic()
            if time.monotonic() > moved + STUCK_SECONDS:
                for partition in behind:
                    await _end_transaction(partition, *partitions[partition], connection=connection, end_of=end_of)
                moved = time.monotonic()
    finally:
        await stop_reading(consumer)
    return count


async def _end_transaction(
    partition: TopicPartition, contents: Contents, end: int, *, connection: Mapping[str, Any], end_of: End
) -> None:
    """
    Whose transaction it is: the last owner's, or that of one who died while he was opening the partition and whose
    own record is not committed.
    """
    suspects = [contents.owner] if contents.owner is not None else []
    consumer = AIOKafkaConsumer(enable_auto_commit=False, fetch_max_wait_ms=20, **connection)
    await consumer.start()
    try:
        consumer.assign([partition])
        consumer.seek(partition, contents.next_offset)
        while await consumer.position(partition) < end:
            records = (await consumer.getmany(partition, timeout_ms=20)).get(partition, ())
            suspects += (owner_of(each.value) for each in records if each.key == OWNER_KEY and each.offset < end)
    finally:
        await stop_reading(consumer)
    for transactional_id in dict.fromkeys(suspects):
        how = await end_of(transactional_id, partition)
        tell_ended(how, transactional_id, table=partition.topic, partition=partition.partition)


def tell_ended(how: str | None, transactional_id: str, **where: object) -> None:
    """Log that an earlier owner's transaction was ended, and how, unless there was nothing to be ended."""
    if how is not None:
        log.warning(
            "a transaction that an earlier owner left was ended", how=how, transactional_id=transactional_id, **where
        )


def owner_of(value: bytes | None) -> str:
    """The transactional id that an owner record names; a record that is none names nobody."""
    try:
        return msgspec.json.decode(value or b"", type=Owner).transactional_id
    except msgspec.DecodeError:
        return ""
