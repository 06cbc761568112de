"""Both framings are read, one is written, and nothing but a record of the topic comes out of bytes."""

import asyncio
import copy
import json
import struct
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.avro import AvroCodec, NotThatRecord, fingerprint_of, from_json, to_json
from bridge.domain.entities import Information, Kci, Update
from bridge.domain.outcomes import GatewayOutcome
from bridge.domain.record import Record
from bridge.domain.signals import OperatorDecision
from bridge.domain.tickets import FaultCancelled, FaultTicketEvent
from bridge.ports import SchemaUnavailable, Undecodable, UnknownSchema
from bridge.schemas import Schemas, SchemaSet
from tests.schema_examples import EXAMPLES, Example, codec_without_registry, the_schemas, the_topics

SCHEMAS = the_schemas()
SECRET = "Dog in the back garden"
CANCELLED = FaultTicketEvent(
    event_id="evt-3",
    ticket_id="FLT-1",
    occurred_at=datetime(2026, 3, 2, 9, 30, 0, 123_456, tzinfo=UTC),
    event=FaultCancelled(reason_code="OTHER", text=SECRET),
)


class Registry:
    """Knows some schemas by id, and counts how often it is asked; an id that it is told to fail on has no answer."""

    def __init__(self, texts: dict[int, str], failing: set[int] | None = None) -> None:
        self.texts = texts
        self.failing = failing or set()
        self.asked: list[int] = []

    async def schema_of(self, schema_id: int) -> str:
        self.asked.append(schema_id)
        if schema_id in self.failing:
            raise SchemaUnavailable("no answer")
        if schema_id not in self.texts:
            raise UnknownSchema("not registered")
        return self.texts[schema_id]


def text_of(name: str, schemas: SchemaSet = SCHEMAS.current) -> str:
    return json.dumps(schemas.self_contained(name))


def with_registry(registry: Registry, **ids: int) -> AvroCodec:
    return AvroCodec(the_topics(), SCHEMAS, lookup=registry, ids={k.replace("_", "-"): v for k, v in ids.items()})


def evolved(name: str, change: Any) -> SchemaSet:
    definitions = copy.deepcopy(dict(SCHEMAS.current.definitions))
    change(definitions[name])
    return SchemaSet(definitions)


def plain_avro(schema: Any, datum: Any) -> bytes:
    stream = BytesIO()
    fastavro.schemaless_writer(stream, schema, datum)
    return stream.getvalue()


def codec_of_a_reader_with(schemas: SchemaSet, published: SchemaSet) -> AvroCodec:
    return AvroCodec(the_topics(), Schemas(current=schemas, previous={1: published}))


# Writing


def test_without_a_registry_the_framing_is_the_single_object_encoding() -> None:
    data = codec_without_registry().encode("fault-tickets", CANCELLED)

    assert data[:2] == b"\xc3\x01"
    assert data[2:10].hex() == fingerprint_of(SCHEMAS.current.self_contained("FaultTicketEvent"))


def test_the_fingerprint_is_that_of_the_specification_in_little_endian() -> None:
    # Avro 1.12's own test data: the fingerprint of "int" is 7275d51a3f395c8f.
    assert fingerprint_of("int") == struct.pack("<Q", 0x7275D51A3F395C8F).hex()  # type: ignore[arg-type]  # a primitive


def test_with_a_registry_the_framing_is_confluents() -> None:
    data = with_registry(Registry({}), fault_tickets=70_000).encode("fault-tickets", CANCELLED)

    assert data[:5] == b"\x00" + struct.pack(">I", 70_000)
    assert data[5:] == codec_without_registry().encode("fault-tickets", CANCELLED)[10:]


def test_a_topic_without_an_id_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="kcis has no schema id, since it is not among the topics"):
        with_registry(Registry({}), fault_tickets=1).encode("kcis", example_of("Kci"))


def test_a_record_of_another_topic_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="kcis holds Kci records, not FaultTicketEvent"):
        codec_without_registry().encode("kcis", CANCELLED)


@pytest.mark.parametrize("topic", ["dispatcher-journeys", "orders"])
def test_a_private_or_unknown_topic_has_no_codec(topic: str) -> None:
    with pytest.raises(ValueError, match=f"{topic} is no topic with a schema; there are: actions-required, "):
        codec_without_registry().encode(topic, CANCELLED)


def test_a_time_without_an_offset_cannot_be_written() -> None:
    naive = msgspec.structs.replace(CANCELLED, occurred_at=datetime(2026, 3, 2, 9, 30))  # noqa: DTZ001 - the very case

    with pytest.raises(ValueError, match=r"fault-tickets: .*a time without an offset"):
        codec_without_registry().encode("fault-tickets", naive)


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ("at bridge.Update.sequence_number", {"sequence_number": 2**63}),
        ("UnicodeEncodeError", {"supplier": "half a pair \ud800"}),
        ("at bridge.Information.text", {"information": Information(text=44_123)}),  # type: ignore[arg-type]  # the very case
    ],
)
def test_a_record_that_does_not_fit_is_told_by_its_field_and_never_by_its_value(told: str, wrong: Any) -> None:
    kci = msgspec.structs.replace(example_of("Kci"), update=Update(**{"id": SECRET, **wrong}))

    with pytest.raises(ValueError, match=r"^kcis: ") as raised:
        codec_without_registry().encode("kcis", kci)

    assert SECRET not in str(raised.value)
    assert "44123" not in str(raised.value)
    assert "half a pair" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert told in str(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 7},
        {"id": b"7"},
        {"id": None},
        {"supplier": SECRET.encode()},
        {"sequence_number": "7"},
        {"sequence_number": 7.0},
        {"sequence_number": True},
        {"sequence_number": -(2**63) - 1},
        {"information": {"text": SECRET}},
        {"information": Information(supplier_codes=(SECRET, 7))},  # type: ignore[arg-type]  # the very case
    ],
    ids=str,
)
def test_a_value_of_another_type_is_never_written(wrong: Any) -> None:
    kci = msgspec.structs.replace(example_of("Kci"), update=Update(**{"id": "1", **wrong}))

    with pytest.raises(ValueError, match=r"^kcis: does not fit the schema Kci at bridge\.\w+\.\w+ \(") as raised:
        codec_without_registry().encode("kcis", kci)
    assert SECRET not in str(raised.value)


@given(
    number=st.none() | st.integers(-(2**63), 2**63 - 1),
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=3),
    length=st.integers(0, 20_000),
)
def test_what_is_written_is_what_another_implementation_reads(
    number: int | None, texts: list[str], length: int
) -> None:
    information = Information(text="x" * length, supplier_codes=tuple(texts))
    update = Update(id="1", sequence_number=number, information=information)
    kci = msgspec.structs.replace(example_of("Kci"), update=update)
    schema = fastavro.parse_schema(SCHEMAS.current.self_contained("Kci"))

    body = codec_without_registry().encode("kcis", kci)[10:]

    read: Any = fastavro.schemaless_reader(BytesIO(body), schema, None)
    assert read["update"]["sequence_number"] == number
    assert read["update"]["information"]["text"] == information.text
    assert read["update"]["information"]["supplier_codes"] == texts
    assert plain_avro(schema, read) == body


async def test_times_are_kept_to_the_millisecond_in_utc() -> None:
    codec = codec_without_registry()

    read = await codec.decode("fault-tickets", codec.encode("fault-tickets", CANCELLED))

    assert read == msgspec.structs.replace(CANCELLED, occurred_at=datetime(2026, 3, 2, 9, 30, 0, 123_000, tzinfo=UTC))


# Reading both framings, and other versions


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
async def test_a_reader_takes_both_framings(example: Example) -> None:
    topic, record = example.topic(), example.record()
    confluent = with_registry(Registry({9: text_of(example.record_name)}), **{topic.replace("-", "_"): 9})
    single_object = codec_without_registry()

    for reader in (confluent, AvroCodec(the_topics(), SCHEMAS, lookup=Registry({9: text_of(example.record_name)}))):
        assert await reader.decode(topic, confluent.encode(topic, record)) == record
        assert await reader.decode(topic, single_object.encode(topic, record)) == record


async def test_the_registry_is_asked_once_for_each_id() -> None:
    registry = Registry({9: text_of("FaultTicketEvent")})
    codec = with_registry(registry, fault_tickets=9)
    data = codec.encode("fault-tickets", CANCELLED)

    for _ in range(3):
        await codec.decode("fault-tickets", data)

    assert registry.asked == [9]


async def test_a_registry_that_does_not_answer_is_asked_again_later() -> None:
    registry = Registry({9: text_of("FaultTicketEvent")}, failing={9})
    codec = with_registry(registry, fault_tickets=9)
    data = codec.encode("fault-tickets", CANCELLED)

    with pytest.raises(SchemaUnavailable):
        await codec.decode("fault-tickets", data)
    registry.failing.clear()

    assert isinstance(await codec.decode("fault-tickets", data), FaultTicketEvent)


async def test_bytes_of_a_published_version_are_read_by_a_newer_reader() -> None:
    newer = evolved("OperatorDecision", lambda schema: schema["fields"].reverse())
    data = codec_without_registry().encode("operator-decisions", example_of("OperatorDecision"))

    read = await codec_of_a_reader_with(newer, published=SCHEMAS.current).decode("operator-decisions", data)

    assert read == example_of("OperatorDecision")


async def test_bytes_of_a_newer_writer_are_read_when_the_registry_knows_its_schema() -> None:
    newer = evolved(
        "FaultCancelled", lambda schema: schema["fields"].insert(0, {"name": "by", "type": "string", "default": ""})
    )
    registry = Registry({11: text_of("FaultTicketEvent", newer)})
    event = ("bridge.FaultCancelled", {"by": SECRET, "reason_code": "OTHER", "text": None})
    datum = {"event_id": "evt-3", "ticket_id": "FLT-1", "occurred_at": CANCELLED.occurred_at, "event": event}
    data = b"\x00\x00\x00\x00\x0b" + plain_avro(newer.self_contained("FaultTicketEvent"), datum)

    read = await with_registry(registry).decode("fault-tickets", data)

    assert isinstance(read, FaultTicketEvent)
    assert read.event == FaultCancelled(reason_code="OTHER", text=None)


async def test_a_provider_may_register_the_record_under_a_namespace_of_its_own() -> None:
    text = (
        text_of("FaultTicketEvent")
        .replace('"bridge"', '"com.example.tickets"')
        .replace("bridge.", "com.example.tickets.")
    )
    event = ("com.example.tickets.FaultCancelled", {"reason_code": "OTHER", "text": "Mended"})
    datum = {"event_id": "evt-3", "ticket_id": "FLT-1", "occurred_at": CANCELLED.occurred_at, "event": event}
    data = b"\x00\x00\x00\x00\x0c" + plain_avro(json.loads(text), datum)

    read = await with_registry(Registry({12: text})).decode("fault-tickets", data)

    assert isinstance(read, FaultTicketEvent)
    assert read.event == FaultCancelled(reason_code="OTHER", text="Mended")


async def test_a_symbol_of_a_newer_writer_is_never_taken_for_another_one() -> None:
    newer = evolved("Choice", lambda schema: schema["symbols"].insert(0, "ASK_AGAIN"))
    record = msgspec.to_builtins(example_of("OperatorDecision"), builtin_types=(datetime,)) | {"choice": "ASK_AGAIN"}
    data = b"\x00\x00\x00\x00\x0d" + plain_avro(newer.self_contained("OperatorDecision"), record)

    with pytest.raises(
        Undecodable, match=r"operator-decisions: a value that this version does not know, at `\$.choice`"
    ):
        await with_registry(Registry({13: text_of("OperatorDecision", newer)})).decode("operator-decisions", data)


# What is no record of the topic


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "neither Avro single-object encoding"),
        (b"{}", "neither Avro single-object encoding"),
        (b"\xc3\x01\x00\x00", "neither Avro single-object encoding"),
        (b"\x00\x00\x00\x09", "neither Avro single-object encoding"),
    ],
)
async def test_bytes_without_a_framing_are_undecodable(data: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why) as raised:
        await codec_without_registry().decode("fault-tickets", data)

    assert not isinstance(raised.value, UnknownSchema)


async def test_a_fingerprint_that_nobody_has_is_an_unknown_schema() -> None:
    with pytest.raises(UnknownSchema, match="no version of a schema here has the fingerprint 0102030405060708"):
        await codec_without_registry().decode("fault-tickets", b"\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08rest")


async def test_an_id_without_a_registry_is_an_unknown_schema_and_says_what_to_set() -> None:
    with pytest.raises(
        UnknownSchema, match="schema id 9 of a registry, and none is configured; set BRIDGE_SCHEMA_REGIS"
    ):
        await codec_without_registry().decode("fault-tickets", b"\x00\x00\x00\x00\x09rest")


async def test_an_id_that_the_registry_does_not_know_is_an_unknown_schema() -> None:
    with pytest.raises(UnknownSchema):
        await with_registry(Registry({})).decode("fault-tickets", b"\x00\x00\x00\x00\x09rest")


@pytest.mark.parametrize(
    "text", ["nonsense", '"string"', "[]", '{"type": "record"}', '{"type": "enum", "name": "E"}', "null"]
)
async def test_a_registered_schema_that_is_no_usable_record_is_an_unknown_schema_or_another_record(text: str) -> None:
    with pytest.raises(Undecodable, match="fault-tickets: "):
        await with_registry(Registry({9: text})).decode("fault-tickets", b"\x00\x00\x00\x00\x09rest")


@pytest.mark.parametrize(
    "topic", [topic.name for topic in the_topics().topics if not topic.is_private and topic.name != "kcis"]
)
async def test_a_record_of_another_topic_is_undecodable(topic: str) -> None:
    codec = codec_without_registry()

    with pytest.raises(Undecodable, match=rf"{topic}: the bytes are a Kci, and this topic holds \w+ records"):
        await codec.decode(topic, codec.encode("kcis", example_of("Kci")))


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
async def test_cut_or_lengthened_bytes_are_undecodable_without_showing_content(example: Example) -> None:
    codec = codec_without_registry()
    data = codec.encode(example.topic(), example.record())
    shown = {word for word in example.text.replace('"', " ").split() if len(word) > 8 and word != example.record_name}
    shown -= {example.topic(), "dead-letters"}

    for broken in (*(data[:length] for length in range(10, len(data))), data + b"\x00", data + SECRET.encode()):
        with pytest.raises(Undecodable) as raised:
            await codec.decode(example.topic(), broken)
        assert raised.value.__cause__ is None
        assert not [word for word in shown if word in str(raised.value)]


HEADERS = [b"", b"\x00\x00\x00\x00\x09", b"\x00\x00\x00\x00\x0a"] + [
    b"\xc3\x01" + bytes.fromhex(fingerprint_of(SCHEMAS.current.self_contained(example.record_name)))
    for example in EXAMPLES
]
REGISTRY = Registry({9: text_of("FaultTicketEvent")}, failing={10})
READERS = {topic.name: with_registry(REGISTRY) for topic in the_topics().topics if not topic.is_private}


@given(
    topic=st.sampled_from(sorted(READERS)),
    header=st.sampled_from(HEADERS),
    rest=st.binary(max_size=200) | st.lists(st.integers(0, 3), max_size=80).map(bytes),
)
def test_random_bytes_become_a_record_or_one_of_three_errors(topic: str, header: bytes, rest: bytes) -> None:
    try:
        read = asyncio.run(READERS[topic].decode(topic, header + rest))
    except (Undecodable, UnknownSchema, SchemaUnavailable) as error:
        assert str(error)  # noqa: PT017 - which of the three it is does not matter here
    else:
        assert type(read).__name__ == the_topics()[topic].record_name


@given(example=st.sampled_from(EXAMPLES), data=st.data())
def test_a_record_with_one_byte_changed_becomes_a_record_or_an_error(example: Example, data: st.DataObject) -> None:
    codec = READERS[example.topic()]
    whole = bytearray(codec_without_registry().encode(example.topic(), example.record()))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = asyncio.run(codec.decode(example.topic(), bytes(whole)))
    except (Undecodable, UnknownSchema, SchemaUnavailable) as error:
        assert str(error)  # noqa: PT017 - as above
    else:
        assert isinstance(read, Record)


# JSON


def test_json_shows_unions_times_and_bytes_as_people_write_them() -> None:
    shown = json.loads(to_json(CANCELLED))

    assert shown["event"] == {"type": "FaultCancelled", "reason_code": "OTHER", "text": SECRET}
    assert shown["occurred_at"] == "2026-03-02T09:30:00.123456Z"
    assert json.loads(to_json(example_of("DeadLetter")))["key"] == "RkxULTIwMjYtMDA0NzEz"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda event: event.pop("ticket_id"), "object missing required field `ticket_id`"),
        (lambda event: event.update(ticket_id=7), r"expected `str`, got `int`, at `\$.ticket_id`"),
        (lambda event: event["event"].pop("type"), r"object missing required field `type`, at `\$.event`"),
        (lambda event: event["event"].update(type="FaultMended"), r"invalid value, at `\$.event.type`"),
        (lambda event: event["event"].update(reasonCode="X"), r"no member `\$.event.reasonCode`; FaultCancelled has "),
        (lambda event: event.update(note=SECRET), r"no member `\$.note`; FaultTicketEvent has event_id, ticket_id"),
        (lambda event: event.update(occurred_at="2026-03-02T09:30:00"), r"needs an offset, .* at `\$.occurred_at`"),
        (lambda event: event.update(occurred_at=SECRET), r"invalid RFC3339 encoded datetime, at `\$.occurred_at`"),
        (lambda event: event["event"].update(text=[SECRET]), r"expected `str \| null`, got `array`, at `\$.event"),
    ],
)
def test_json_that_is_not_the_record_is_told_by_path_and_never_by_value(change: Any, complaint: str) -> None:
    event = json.loads(to_json(CANCELLED))
    change(event)

    with pytest.raises(NotThatRecord, match=complaint) as raised:
        from_json(FaultTicketEvent, json.dumps(event))

    assert SECRET not in str(raised.value)
    assert raised.value.__cause__ is None


def test_an_unknown_member_is_found_at_any_depth() -> None:
    kci = json.loads(next(example.text for example in EXAMPLES if example.record_name == "Observation"))
    kci["updates"][0]["information"]["colour"] = "red"

    with pytest.raises(
        NotThatRecord, match=r"no member `\$.updates\[0\].information.colour`; Information has type, code"
    ):
        from_json(type(example_of("Observation")), json.dumps(kci))


@pytest.mark.parametrize("text", ["", "{", b"\xff\xfe", "{'a': 1}"])
def test_text_that_is_no_json_is_told_so(text: str | bytes) -> None:
    with pytest.raises(NotThatRecord, match="FaultTicketEvent: not JSON: "):
        from_json(FaultTicketEvent, text)


def test_an_enum_value_that_does_not_exist_is_not_shown() -> None:
    outcome = json.loads(to_json(example_of("GatewayOutcome"))) | {"verdict": SECRET}

    with pytest.raises(NotThatRecord, match=r"invalid enum value, at `\$.verdict`") as raised:
        from_json(GatewayOutcome, json.dumps(outcome))

    assert SECRET not in str(raised.value)


def example_of(name: str) -> Any:
    return next(example.record() for example in EXAMPLES if example.record_name == name)


def test_the_records_of_this_test_are_what_it_says() -> None:
    assert isinstance(example_of("Kci"), Kci)
    assert isinstance(example_of("OperatorDecision"), OperatorDecision)
