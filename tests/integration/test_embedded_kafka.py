"""The embedded Kafka is real: it keeps records over a crash, and never outlives the process that started it."""

import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.sandbox.broker import BrokerPlace
from bridge.sandbox.errors import SandboxError
from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.ports import free_port as find_free_port
from bridge.sandbox.ports import is_free
from tests.kafka_broker import fresh_kafka

START_SECONDS = 60.0


@asynccontextmanager
async def admin(kafka: EmbeddedKafka) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create_topic(kafka: EmbeddedKafka, topic: str, *, replicas: int = 1) -> None:
    async with admin(kafka) as client:
        await client.create_topics([NewTopic(topic, num_partitions=1, replication_factor=replicas)])


async def produce(kafka: EmbeddedKafka, topic: str, *values: bytes, transactional_id: str | None = None) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers,
        acks="all",
        transactional_id=transactional_id,
        enable_idempotence=True,
    )
    async with producer:
        if transactional_id is None:
            for value in values:
                await producer.send_and_wait(topic, value)
            return
        async with producer.transaction():
            for value in values:
                await producer.send(topic, value)


async def records(kafka: EmbeddedKafka, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest", isolation_level="read_committed"
    )
    async with consumer:
        consumer.assign([TopicPartition(topic, 0)])
        return [(await consumer.getone()).value for _ in range(count)]


async def test_the_shared_broker_takes_a_transaction_and_shows_it_to_committed_readers(kafka: EmbeddedKafka) -> None:
    await create_topic(kafka, "embedded-transactions")

    await produce(kafka, "embedded-transactions", b"one", b"two", transactional_id="embedded-transactions")

    assert await records(kafka, "embedded-transactions", 2) == [b"one", b"two"]


async def test_records_survive_a_kill_of_the_broker_and_a_new_start_from_its_directory() -> None:
    with fresh_kafka(Path.cwd(), extra_properties=quick_takeover) as kafka:
        await create_topic(kafka, "kept")
        await produce(kafka, "kept", b"before the crash")

        kafka.kill(1)
        assert not kafka.running(1)
        kafka.start_broker(1)
        assert await records(kafka, "kept", 1) == [b"before the crash"]

        kafka.stop()
        kafka.start()
        assert await records(kafka, "kept", 1) == [b"before the crash"]
        directory = kafka.directory
    assert not directory.exists()


async def test_three_brokers_accept_writes_with_one_of_them_lost() -> None:
    with fresh_kafka(Path.cwd(), brokers=3, extra_properties=quick_takeover) as kafka:
        await create_topic(kafka, "replicated", replicas=3)
        await produce(kafka, "replicated", b"three alive")

        kafka.kill(3)
        await produce(kafka, "replicated", b"two alive")
        kafka.start_broker(3)

        assert await records(kafka, "replicated", 2) == [b"three alive", b"two alive"]


def quick_takeover(_: BrokerPlace) -> dict[str, str]:
    """A killed broker may come back as soon as its old session is over: 9 s by default."""
    return {"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500"}


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_broker_ends_with_the_process_that_started_it(ending: signal.Signals, tmp_path: Path) -> None:
    port = find_free_port(2)
    command = ("-m", "bridge.sandbox", "kafka", "--port", str(port), "--directory", str(tmp_path / "kafka"))
    owner = subprocess.Popen((sys.executable, *command), stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        assert f"Apache Kafka answers at 127.0.0.1:{port}" in owner.stdout.readline()
        broker = int((tmp_path / "kafka" / "broker-1" / "broker.pid").read_text().split()[0])
        assert exists(broker)

        owner.send_signal(ending)
        owner.wait(30)

        assert (-signal.SIGKILL if ending is signal.SIGKILL else 0) == owner.returncode
    wait_until(lambda: not exists(broker), "the broker is gone")
    wait_until(lambda: is_free(port), "its port is free")


def test_a_directory_in_use_is_refused_with_the_name_of_its_owner(kafka: EmbeddedKafka) -> None:
    second = EmbeddedKafka(kafka.directory, find_free_port(2))

    with pytest.raises(SandboxError, match="is in use by process"):
        second.start()

    assert kafka.running(1)


def test_a_taken_port_is_refused_and_leaves_nothing_running(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    second = EmbeddedKafka(tmp_path, kafka.places[0].port)

    with pytest.raises(SandboxError, match=f"port {kafka.places[0].port} of 127.0.0.1 is taken"):
        second.start()

    assert not second.running(1)
    assert kafka.running(1)


def test_a_configuration_that_kafka_refuses_is_shown_with_its_words(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path, find_free_port(2), extra_properties=lambda _: {"process.roles": "toaster"})

    with pytest.raises(SandboxError, match="toaster"):
        kafka.start()


def exists(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not in {START_SECONDS:g} s: {what}"
        time.sleep(0.05)
