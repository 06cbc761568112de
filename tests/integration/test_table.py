"""The fenced table on a real broker: the next owner finds what was written, and an earlier owner can write no more."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.adapters.streams.table import FencedPartition, FencedTable, TableSpec
from bridge.domain.dead_letters import Header
from bridge.domain.record import Record
from bridge.ports import Kept, Outgoing, TableLost
from bridge.sandbox.kafka import EmbeddedKafka


class Value(Record, frozen=True, kw_only=True):
    text: str


NewSpec = Callable[[], TableSpec]


def kept(text: str, offset: int = 0) -> Kept[Value]:
    return Kept(seen={"source": offset}, at=datetime(2026, 1, 1, tzinfo=UTC), value=Value(text=text))


@pytest.fixture
async def spec(kafka: EmbeddedKafka) -> NewSpec:
    name = f"table-{uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(name, 2, 1), NewTopic(f"{name}-out", 2, 1)])
    await admin.close()

    def new() -> TableSpec:
        return TableSpec(
            topic=name,
            transactional_id=name,
            kept=Kept[Value],
            encode=lambda _, record: str(getattr(record, "text", "")).encode(),
            physical=lambda topic: f"{name}-{topic}",
            connection={"bootstrap_servers": kafka.bootstrap_servers},
            transaction_timeout_seconds=10,
            max_record_bytes=1_048_576,
        )

    return new


async def opened(spec: TableSpec, number: int = 0) -> FencedPartition:
    partition = FencedPartition(spec, number)
    await partition.open()
    return partition


async def committed(kafka: EmbeddedKafka, topic: str) -> list[tuple[bytes | None, bytes | None]]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        records = await consumer.getmany(timeout_ms=3000)
        return [(record.key, record.value) for each in records.values() for record in each]
    finally:
        await consumer.stop()


async def test_the_next_owner_finds_what_was_written(spec: NewSpec) -> None:
    first = await opened(spec())
    await first.write("a", kept("one", 1))
    await first.write("b", kept("two", 2))
    await first.write("b", None)
    await first.write("a", kept("three", 3))
    await first.close()
    second = await opened(spec())

    assert second.get("a") == kept("three", 3)
    assert second.get("b") is None
    assert [key for key, _ in second.items()] == ["a"]
    await second.close()


async def test_a_take_over_fences_the_earlier_owner(spec: NewSpec) -> None:
    zombie = await opened(spec())
    await zombie.write("a", kept("before"))
    owner = await opened(spec())

    with pytest.raises(TableLost):
        await zombie.write("a", kept("from the zombie"))

    with pytest.raises(TableLost):
        await zombie.write("b", kept("again from the zombie"))

    await owner.write("a", kept("after"))
    await owner.close()
    await zombie.close()
    third = await opened(spec())

    assert third.get("a") == kept("after")
    assert third.get("b") is None
    await third.close()


async def test_a_value_and_its_records_are_there_together_or_not_at_all(spec: NewSpec, kafka: EmbeddedKafka) -> None:
    zombie = await opened(spec())
    await zombie.write("a", kept("one"), [Outgoing(topic="out", key="a", value=Value(text="published"))])
    owner = await opened(spec())

    with pytest.raises(TableLost):
        await zombie.write("a", kept("two"), [Outgoing(topic="out", key="a", value=Value(text="never"))])

    await owner.close()
    await zombie.close()
    out = await committed(kafka, f"{spec().topic}-out")

    assert out == [(b"a", b"published")]


async def test_the_headers_of_an_outgoing_record_arrive_with_it(spec: NewSpec, kafka: EmbeddedKafka) -> None:
    partition = await opened(spec())
    trace = (Header(name="traceparent", value=b"00-1"), Header(name="tracestate", value=b"a=b"))
    await partition.write("a", kept("x"), [Outgoing(topic="out", key="a", value=Value(text="y"), headers=trace)])
    await partition.close()
    consumer = AIOKafkaConsumer(
        f"{spec().topic}-out", bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    record = await asyncio.wait_for(consumer.getone(), 20)
    await consumer.stop()

    assert record.headers == (("traceparent", b"00-1"), ("tracestate", b"a=b"))


async def test_nothing_changes_locally_before_the_broker_has_it(spec: NewSpec) -> None:
    partition = await opened(spec())
    writing = asyncio.create_task(partition.write("a", kept("one")))
    await asyncio.sleep(0)

    assert partition.get("a") is None

    await writing

    assert partition.get("a") == kept("one")
    await partition.close()


async def test_many_lanes_share_transactions(spec: NewSpec) -> None:
    partition = await opened(spec())
    await asyncio.gather(*(partition.write(f"key-{number}", kept(str(number), number)) for number in range(300)))
    await partition.close()
    again = await opened(spec())

    assert sorted(int(key.removeprefix("key-")) for key, _ in again.items()) == list(range(300))
    await again.close()


async def test_a_partition_is_open_only_in_the_generation_that_assigned_it(spec: NewSpec) -> None:
    table = FencedTable(spec())
    partitions = await table.open([0, 1], generation=4)

    assert [partition.number for partition in partitions] == [0, 1]
    assert await table.get(1, 4) is partitions[1]

    await table.open([1], generation=5)

    with pytest.raises(TableLost):
        await table.get(1, 4)

    with pytest.raises(TableLost):
        await partitions[0].write("a", kept("late"))

    await table.close()


async def test_a_partition_that_comes_back_knows_what_others_wrote_meanwhile(spec: NewSpec) -> None:
    here = FencedTable(spec())
    (partition,) = await here.open([0], generation=1)
    await partition.write("a", kept("here"))
    await here.close()
    elsewhere = await opened(spec())
    await elsewhere.write("a", None)
    await elsewhere.write("b", kept("elsewhere"))
    await elsewhere.close()
    (back,) = await here.open([0], generation=3)

    assert back.get("a") is None
    assert back.get("b") == kept("elsewhere")
    await here.close()
