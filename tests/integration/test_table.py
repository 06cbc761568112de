"""
The fenced table on a real broker and a real consumer group: the next owner finds what was written, and who is not a
member of the group in its present generation can write no more.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource

from bridge.adapters.streams import aftermath, commits
from bridge.adapters.streams.coordinators import Coordinators, Refused
from bridge.adapters.streams.restore import OWNER_KEY
from bridge.adapters.streams.table import FencedPartition, FencedTable, TableSpec
from bridge.adapters.streams.transactions import GroupProducer, Membership
from bridge.domain.dead_letters import Header
from bridge.domain.record import Record
from bridge.kafka_clients import Sending
from bridge.ports import Kept, Outgoing, TableLost
from bridge.sandbox.kafka import EmbeddedKafka
from tests.group_member import Member

PARTITIONS = 2
VERIFICATION = "transaction.partition.verification.enable"


class Value(Record, frozen=True, kw_only=True):
    text: str


def kept(text: str, offset: int = 0) -> Kept[Value]:
    return Kept(seen={"source": offset}, at=datetime(2026, 1, 1, tzinfo=UTC), value=Value(text=text))


class Worker:
    """A member of the group with a table, as a process of a service is."""

    def __init__(self, spec: TableSpec) -> None:
        self.table = FencedTable(spec)
        self.member = Member(spec.connection["bootstrap_servers"], f"{spec.topic}-group", f"{spec.topic}-source")


Enter = Callable[[], Awaitable[tuple[Worker, Membership]]]


@pytest.fixture
async def spec(kafka: EmbeddedKafka) -> TableSpec:
    name = f"table-{uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in (name, f"{name}-out", f"{name}-source")])
    await admin.close()
    return TableSpec(
        topic=name,
        written=[name, f"{name}-out"],
        transactional_id_prefix=f"{name}-",
        kept=Kept[Value],
        encode=lambda _, record: str(getattr(record, "text", "")).encode(),
        physical=lambda topic: f"{name}-{topic}",
        connection={"bootstrap_servers": kafka.bootstrap_servers},
        transaction_timeout_seconds=60,
        max_record_bytes=1_048_576,
    )


@pytest.fixture
async def enter(spec: TableSpec) -> AsyncIterator[Enter]:
    """Return a function that makes a worker which has joined the group; whoever is left at the end leaves then."""
    async with AsyncExitStack() as stack:

        async def new() -> tuple[Worker, Membership]:
            worker = Worker(spec)
            stack.push_async_callback(worker.member.stop)
            stack.push_async_callback(worker.table.stop)
            return worker, await worker.member.join()

        yield new


async def committed(
    kafka: EmbeddedKafka, topic: str, *, isolation: str = "read_committed"
) -> list[tuple[bytes | None, bytes | None]]:
    """Every record of a topic but those that name owners."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        isolation_level=isolation,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        found = []
        for number in range(PARTITIONS):
            partition = TopicPartition(topic, number)
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            while await consumer.position(partition) < end:
                records = (await consumer.getmany(timeout_ms=100)).get(partition, ())
                found += [(each.key, each.value) for each in records if each.key != OWNER_KEY]
        return found
    finally:
        await consumer.stop()


@asynccontextmanager
async def a_producer(spec: TableSpec) -> AsyncIterator[GroupProducer]:
    producer = GroupProducer(
        f"{spec.transactional_id_prefix}{uuid4()}",
        connection=spec.connection,
        transaction_timeout_seconds=60,
        max_record_bytes=1_048_576,
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def dies(worker: Worker) -> None:
    """Leave the group, so that another may be assigned the partitions; the table goes on, as a zombie's does."""
    await worker.member.stop()


async def opened(worker: Worker, membership: Membership) -> FencedPartition:
    return (await worker.table.open([0], membership))[0]


async def test_the_next_owner_finds_what_was_written(enter: Enter) -> None:
    first, membership = await enter()
    partition = await opened(first, membership)
    await partition.write("a", kept("one", 1))
    await partition.write("b", kept("two", 2))
    await partition.write("b", None)
    await partition.write("a", kept("three", 3))
    await first.table.close()
    await dies(first)
    found = await opened(*await enter())

    assert found.get("a") == kept("three", 3)
    assert found.get("b") is None
    assert [key for key, _ in found.items()] == ["a"]


async def test_who_left_the_group_can_write_no_more(enter: Enter, spec: TableSpec, kafka: EmbeddedKafka) -> None:
    zombie, membership = await enter()
    partition = await opened(zombie, membership)
    await partition.write("a", kept("before"))
    await dies(zombie)
    owner = await opened(*await enter())

    with pytest.raises(TableLost, match="UnknownMember"):
        await partition.write("a", kept("from the zombie"), [Outgoing(topic="out", key="a", value=Value(text="never"))])
    with pytest.raises(TableLost):
        await partition.write("b", kept("again from the zombie"))

    assert partition.get("a") == kept("before")
    await owner.write("a", kept("after"), [Outgoing(topic="out", key="a", value=Value(text="published"))])
    assert await committed(kafka, f"{spec.topic}-out") == [(b"a", b"published")]
    assert [each for each in await committed(kafka, spec.topic) if b"zombie" in (each[1] or b"")] == []
    # It was there, and was aborted.
    assert len(await committed(kafka, f"{spec.topic}-out", isolation="read_uncommitted")) == 2


async def test_an_earlier_generation_of_a_member_that_stayed_can_write_no_more(enter: Enter) -> None:
    first, membership = await enter()
    partition = await opened(first, membership)
    await partition.write("a", kept("before"))
    joining = asyncio.ensure_future(enter())
    again = await first.member.assigned(after=membership.generation)
    _, second = await joining

    assert again.member_id == membership.member_id
    assert second.generation == again.generation > membership.generation
    with pytest.raises(TableLost, match="IllegalGeneration"):
        await partition.write("a", kept("too late"))

    back = (await first.table.open([0], again))[0]
    assert back.get("a") == kept("before")
    await back.write("a", kept("in time"))
    with pytest.raises(TableLost):
        await partition.write("a", kept("through what was opened before"))
    assert back.get("a") == kept("in time")


async def test_who_is_no_member_is_not_even_asked_about(enter: Enter, spec: TableSpec) -> None:
    """Kafka takes offsets without generation and member from anybody, so nobody here may ever send such."""
    _, membership = await enter()
    for nobody in (
        Membership(membership.group, -1, membership.member_id),
        Membership(membership.group, membership.generation, ""),
    ):
        async with a_producer(spec) as producer:
            with pytest.raises(Refused, match="not a member"):
                await producer.commit([Sending(spec.topic, b"a", b"{}", 0)], nobody, spec.topic)


async def test_a_zombie_cannot_make_itself_the_owner(enter: Enter, spec: TableSpec) -> None:
    zombie, membership = await enter()
    await dies(zombie)
    worker, present = await enter()
    owner = await opened(worker, present)
    await owner.write("a", kept("one"))

    with pytest.raises(TableLost, match="UnknownMember"):
        await opened(zombie, membership)

    await owner.write("a", kept("two"))
    again = FencedTable(spec)
    (partition,) = await again.open([0], present)
    assert partition.get("a") == kept("two")
    assert partition.contents.owner is not None
    await again.stop()


async def test_the_open_transaction_of_a_dead_owner_is_aborted_at_the_take_over(
    enter: Enter, spec: TableSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time-out is a minute, and the next owner does not wait for it."""
    dead, membership = await enter()
    partition = await opened(dead, membership)
    await partition.write("a", kept("decided"))
    reached = asyncio.Event()

    async def never(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(GroupProducer, "_commit_offsets", never)
        writing = asyncio.ensure_future(partition.write("a", kept("undecided")))
        await reached.wait()
    await dies(dead)
    started = asyncio.get_running_loop().time()
    found = await opened(*await enter())

    assert asyncio.get_running_loop().time() - started < 30
    assert found.get("a") == kept("decided")
    await found.write("a", kept("after"))
    monkeypatch.setattr(commits, "ENDING_SECONDS", 0.1)
    await dead.table.stop()
    with pytest.raises(TableLost):
        await writing


async def test_a_take_over_that_was_never_decided_is_aborted_too(enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner who died has no committed record that names him."""
    dead, membership = await enter()
    reached = asyncio.Event()

    async def never(*_: object) -> None:
        reached.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(GroupProducer, "_commit_offsets", never)
        opening = asyncio.ensure_future(opened(dead, membership))
        await reached.wait()
    await dies(dead)
    found = await opened(*await enter())

    assert list(found.items()) == []
    monkeypatch.setattr(commits, "ENDING_SECONDS", 0.1)
    await dead.table.stop()
    await asyncio.gather(opening, return_exceptions=True)


async def test_the_last_owner_is_left_alone_while_it_works_elsewhere(enter: Enter, spec: TableSpec) -> None:
    """Only a transaction that is open in the very partition is aborted."""
    _, membership = await enter()
    async with a_producer(spec) as elsewhere, a_producer(spec) as other:
        transactions = elsewhere._producer  # noqa: SLF001  # a transaction is to be left open half way
        await transactions.begin_transaction()
        await transactions.send_and_wait(spec.topic, b"{}", b"a", partition=1)

        async def ended(transactional_id: str, number: int) -> str | None:
            endings = other.endings(group=membership.group, topics=spec.written)
            return await endings.end(transactional_id, TopicPartition(spec.topic, number))

        assert await ended(elsewhere.transactional_id, 0) is None
        assert await ended(f"{spec.topic}-nobody", 0) is None

        await transactions.send_and_wait(spec.topic, b"{}", b"a", partition=1)
        await transactions.commit_transaction()
        await elsewhere.commit([Sending(spec.topic, b"a", b"{}", 0)], membership, spec.topic)

        await transactions.begin_transaction()
        await transactions.send_and_wait(spec.topic, b"{}", b"a", partition=1)
        assert await ended(elsewhere.transactional_id, 1) == "aborted"


@contextmanager
def unverified_partitions(kafka: EmbeddedKafka) -> Iterator[None]:
    """Let a producer write to partitions that the coordinator does not know to be in its transaction."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})

    def alter(operation: AlterConfigOpType) -> None:
        entry = ConfigEntry(VERIFICATION, "false", incremental_operation=operation)
        broker = ConfigResource(ConfigResource.Type.BROKER, "1", incremental_configs=[entry])
        for done in admin.incremental_alter_configs([broker]).values():
            done.result(20)

    def verifies() -> bool:
        (told,) = admin.describe_configs([ConfigResource(ConfigResource.Type.BROKER, "1")]).values()
        return str(told.result(20)[VERIFICATION].value) == "true"

    alter(AlterConfigOpType.SET)
    while verifies():
        time.sleep(0.05)
    time.sleep(1)  # it is told before it is acted upon
    try:
        yield
    finally:
        alter(AlterConfigOpType.DELETE)


async def commits_without_markers(
    worker: Worker, spec: TableSpec, kafka: EmbeddedKafka, *, in_the_table: bool = True
) -> GroupProducer:
    """As a coordinator leaves it that takes partitions without a leader as deleted (docs/adr/0014)."""
    group_producer = worker.table._producer  # noqa: SLF001  # its transaction is to be left as no healthy cluster does
    assert group_producer is not None
    producer = group_producer._producer  # noqa: SLF001  # as above
    with unverified_partitions(kafka):
        await producer.begin_transaction()
        for topic in spec.written:
            producer._txn_manager._txn_partitions.add(TopicPartition(topic, 0))  # noqa: SLF001  # as above
        if in_the_table:
            await producer.send_and_wait(spec.topic, spec.to_bytes(kept("decided")), b"a", partition=0)
            await producer.send_and_wait(spec.topic, b"{}", b"b", partition=1)
        await producer.send_and_wait(f"{spec.topic}-out", b"told", b"a", partition=0)
        await producer.commit_transaction()
    assert await committed(kafka, f"{spec.topic}-out") == []
    return group_producer


async def test_a_commit_whose_markers_were_never_written_is_given_them(
    enter: Enter, spec: TableSpec, kafka: EmbeddedKafka
) -> None:
    dead, membership = await enter()
    await opened(dead, membership)
    await commits_without_markers(dead, spec, kafka)
    await dies(dead)

    found = await opened(*await enter())

    assert found.get("a") == kept("decided")
    assert await committed(kafka, f"{spec.topic}-out") == [(b"a", b"told")]
    await found.write("a", kept("after"))
    assert found.get("a") == kept("after")


@pytest.fixture
def soon(spec: TableSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction's time is short, and whoever took over looks as soon as it is over."""
    spec.transaction_timeout_seconds = 2
    monkeypatch.setattr(aftermath, "COORDINATOR_SECONDS", 0.5)
    monkeypatch.setattr(aftermath, "SPREAD_SECONDS", 0.0)


@pytest.mark.usefixtures("soon")
async def test_one_that_lacks_its_markers_only_where_no_owner_reads_is_given_them_too(
    enter: Enter, spec: TableSpec, kafka: EmbeddedKafka
) -> None:
    """No take-over stands still at it, but whoever reads the topic does."""
    dead, membership = await enter()
    await opened(dead, membership)
    await commits_without_markers(dead, spec, kafka, in_the_table=False)
    await dies(dead)

    next_owner, membership = await enter()
    found = await opened(next_owner, membership)
    await found.write("a", kept("at work"))

    await asyncio.gather(*next_owner.table._aftermath._looking)  # noqa: SLF001  # until it has looked
    assert await committed(kafka, f"{spec.topic}-out") == [(b"a", b"told")]
    await found.write("a", kept("after"))
    assert found.get("a") == kept("after")


@pytest.mark.usefixtures("soon")
async def test_a_transaction_that_only_takes_long_is_none_that_hangs(
    enter: Enter, spec: TableSpec, kafka: EmbeddedKafka
) -> None:
    """Whoever took the table over looks again when no transaction can be open any more."""
    first, membership = await enter()
    await opened(first, membership)
    idle = first.table._producer  # noqa: SLF001  # it would be fenced by who takes its transaction for one that hangs
    assert idle is not None
    async with a_producer(spec) as elsewhere:
        transactions = elsewhere._producer  # noqa: SLF001  # its transaction is to stay open
        await transactions.begin_transaction()
        await transactions.send_and_wait(f"{spec.topic}-out", b"told", b"a", partition=0)
        second, membership = await enter()
        await opened(second, membership)
        await asyncio.sleep(1)
        await transactions.commit_transaction()
        await asyncio.gather(*second.table._aftermath._looking)  # noqa: SLF001  # until it has looked

    await idle._producer.begin_transaction()  # noqa: SLF001  # as above
    await idle._producer.send_and_wait(f"{spec.topic}-out", b"more", b"a", partition=0)  # noqa: SLF001  # as above
    await idle._producer.commit_transaction()  # noqa: SLF001  # as above
    assert await committed(kafka, f"{spec.topic}-out") == [(b"a", b"told"), (b"a", b"more")]


async def test_an_owner_that_died_over_such_a_commit_does_not_stop_the_next(
    enter: Enter, spec: TableSpec, kafka: EmbeddedKafka
) -> None:
    """Nobody knows any more how it was decided; nobody acted on it either, since it was never confirmed."""
    dead, membership = await enter()
    await opened(dead, membership)
    left = await commits_without_markers(dead, spec, kafka)
    await dies(dead)
    async with a_producer(spec) as second:
        endings = second.endings(group=membership.group, topics=spec.written)
        await endings._take_over(left.transactional_id)  # noqa: SLF001  # and there it dies

    found = await opened(*await enter())

    assert found.get("a") is None
    assert await committed(kafka, f"{spec.topic}-out") == []
    await found.write("a", kept("after"))
    assert found.get("a") == kept("after")


async def test_a_commit_over_a_connection_that_broke_permits_nothing(
    enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, membership = await enter()
    partition = await opened(worker, membership)
    monkeypatch.setattr(Coordinators, "connection", lambda _self, _id: object())

    with pytest.raises(TableLost, match="the connection to the coordinator broke"):
        await partition.write("a", kept("one"))

    assert partition.get("a") is None
    monkeypatch.undo()
    await worker.table.close()
    assert (await opened(worker, membership)).get("a") == kept("one")


async def test_owners_are_no_keys_of_the_table(enter: Enter, spec: TableSpec, kafka: EmbeddedKafka) -> None:
    worker, membership = await enter()
    partitions = await worker.table.open([0, 1], membership)

    assert [list(partition.items()) for partition in partitions] == [[], []]
    assert {partition.contents.owner for partition in partitions} == {
        partitions[0].contents.owner
    }  # the process has one producer
    assert await committed(kafka, spec.topic) == []


async def test_the_headers_of_an_outgoing_record_arrive_with_it(
    enter: Enter, spec: TableSpec, kafka: EmbeddedKafka
) -> None:
    partition = await opened(*await enter())
    trace = (Header(name="traceparent", value=b"00-1"), Header(name="tracestate", value=b"a=b"))
    await partition.write("a", kept("x"), [Outgoing(topic="out", key="a", value=Value(text="y"), headers=trace)])
    consumer = AIOKafkaConsumer(
        f"{spec.topic}-out", bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    record = await asyncio.wait_for(consumer.getone(), 20)
    await consumer.stop()

    assert record.headers == (("traceparent", b"00-1"), ("tracestate", b"a=b"))


async def test_nothing_changes_locally_before_the_broker_has_it(enter: Enter) -> None:
    partition = await opened(*await enter())
    writing = asyncio.create_task(partition.write("a", kept("one")))
    await asyncio.sleep(0)

    assert partition.get("a") is None

    await writing

    assert partition.get("a") == kept("one")


async def test_many_lanes_share_transactions(enter: Enter) -> None:
    worker, membership = await enter()
    partitions = await worker.table.open([0, 1], membership)
    await asyncio.gather(
        *(partitions[number % 2].write(f"key-{number}", kept("x" * 3000, number)) for number in range(1200))
    )
    await worker.table.close()
    again = await worker.table.open([0, 1], membership)

    found = sorted(int(key.removeprefix("key-")) for partition in again for key, _ in partition.items())
    assert found == list(range(1200))


async def test_a_partition_is_open_only_in_the_generation_that_assigned_it(enter: Enter) -> None:
    worker, membership = await enter()
    table, generation = worker.table, membership.generation
    partitions = await table.open([0, 1], membership)

    assert [partition.number for partition in partitions] == [0, 1]
    assert await table.get(1, generation) is partitions[1]
    with pytest.raises(TableLost):
        await table.get(1, generation - 1)

    await table.open([1], membership)

    with pytest.raises(TableLost):
        await table.get(0, generation)
    with pytest.raises(TableLost):
        await partitions[0].write("a", kept("late"))


async def test_a_partition_that_comes_back_knows_what_others_wrote_meanwhile(enter: Enter) -> None:
    here, membership = await enter()
    partition = await opened(here, membership)
    await partition.write("a", kept("here"))
    await here.table.close()
    await dies(here)
    elsewhere, present = await enter()
    theirs = await opened(elsewhere, present)
    await theirs.write("a", None)
    await theirs.write("b", kept("elsewhere"))
    await elsewhere.table.close()
    back = await opened(here, present)

    assert back.get("a") is None
    assert back.get("b") == kept("elsewhere")
