"""The schemas say exactly what the domain's records are, each is used and documented, and each has an example."""

import types
from datetime import datetime
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

import fastavro
import msgspec
import pytest

from bridge.adapters.avro import RECORDS, to_json
from bridge.domain.record import Record
from bridge.schemas import NAMESPACE, SchemasError, load_schema_set
from tests.schema_examples import EXAMPLES, Example, codec_without_registry, the_schemas, the_topics

DEFINITIONS = the_schemas().current.definitions
# In every enum of the schemas, in none of the domain: what a reader gets for a symbol of a newer writer.
UNRECOGNISED = "UNRECOGNISED"
PRIMITIVES: dict[type, Any] = {
    str: "string",
    bool: "boolean",
    int: "long",
    bytes: "bytes",
    datetime: {"type": "long", "logicalType": "timestamp-millis"},
}


def avro_type(annotation: Any) -> Any:
    """What an annotation of the domain is in Avro."""
    if get_origin(annotation) in (types.UnionType, Union):
        branches = get_args(annotation)
        nullable = ["null"] if types.NoneType in branches else []
        return nullable + [avro_type(branch) for branch in branches if branch is not types.NoneType]
    if get_origin(annotation) is tuple:
        item, ellipsis = get_args(annotation)
        assert ellipsis is Ellipsis
        return {"type": "array", "items": avro_type(item)}
    return PRIMITIVES.get(annotation) or f"{NAMESPACE}.{annotation.__name__}"


def named_types(annotation: Any) -> set[type]:
    """The records and enums in an annotation, and all that they use."""
    if get_args(annotation):
        return {found for part in get_args(annotation) for found in named_types(part)}
    if not isinstance(annotation, type) or not issubclass(annotation, Record | StrEnum):
        return set()
    if issubclass(annotation, StrEnum):
        return {annotation}
    return {annotation} | {found for hint in get_type_hints(annotation).values() for found in named_types(hint)}


DOMAIN = {found.__name__: found for record in RECORDS.values() for found in named_types(record)}


def test_there_is_a_schema_for_each_type_that_the_records_use_and_no_other() -> None:
    assert sorted(DEFINITIONS) == sorted(DOMAIN)


@pytest.mark.parametrize("name", sorted(DOMAIN))
def test_a_schema_is_what_the_domain_says(name: str) -> None:
    domain, definition = DOMAIN[name], DEFINITIONS[name]
    if issubclass(domain, StrEnum):
        assert definition["symbols"] == [*(member.value for member in domain), UNRECOGNISED]
        assert definition["default"] == UNRECOGNISED
        return
    assert issubclass(domain, Record)
    hints = get_type_hints(domain)
    assert {field["name"]: field["type"] for field in definition["fields"]} == {
        field: avro_type(hints[field]) for field in domain.__struct_fields__
    }


@pytest.mark.parametrize("name", sorted(name for name, found in DOMAIN.items() if issubclass(found, Record)))
def test_what_a_record_need_not_have_has_a_default_in_its_schema(name: str) -> None:
    optional = {field.name: field.default for field in msgspec.structs.fields(DOMAIN[name]) if not field.required}
    for field in DEFINITIONS[name]["fields"]:
        if isinstance(field["type"], list) and field["type"][0] == "null":
            assert field["default"] is None, field["name"]
        elif field["name"] in optional:
            assert field["default"] == (list(found) if isinstance(found := optional[field["name"]], tuple) else found)
        else:
            assert "default" not in field, field["name"]


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_a_schema_and_each_of_its_fields_is_documented(name: str) -> None:
    definition = DEFINITIONS[name]
    docs = {"": definition["doc"]} | {field["name"]: field["doc"] for field in definition.get("fields", ())}
    assert [place for place, doc in docs.items() if not doc.endswith(".") or len(doc.split()) < 2] == []


def test_an_enum_says_what_each_symbol_means() -> None:
    enums = [definition for definition in DEFINITIONS.values() if definition["type"] == "enum"]
    missing = [
        f"{definition['name']}.{symbol}"
        for definition in enums
        for symbol in definition["symbols"]
        if f" {symbol}: " not in definition["doc"]
    ]
    assert enums
    assert missing == []


@pytest.mark.parametrize("name", sorted(DEFINITIONS))
def test_a_self_contained_schema_is_one_that_avro_takes(name: str) -> None:
    parsed: Any = fastavro.parse_schema(the_schemas().current.self_contained(name))

    assert parsed["name"] == f"{NAMESPACE}.{name}"


def test_the_topics_and_the_records_name_the_same_schemas() -> None:
    assert {topic.record_name for topic in the_topics().topics if not topic.is_private} == set(RECORDS)


def test_a_topic_is_marked_as_personal_exactly_when_its_schema_has_personal_fields() -> None:
    marked = {topic.name: topic.personal_data for topic in the_topics().topics if not topic.is_private}
    found = {
        topic.name: the_schemas().current.personal_fields(topic.record_name) != ()
        for topic in the_topics().topics
        if not topic.is_private
    }

    assert marked == found
    assert set(found.values()) == {True, False}


def test_each_record_has_an_example_and_each_example_a_record() -> None:
    assert {example.record_name for example in EXAMPLES} == set(RECORDS)


@pytest.mark.parametrize(("record", "union"), [("FaultTicketEvent", "event"), ("JourneySignal", "signal")])
def test_each_branch_of_a_union_has_an_example(record: str, union: str) -> None:
    branches = {branch.__name__ for branch in get_args(get_type_hints(RECORDS[record])[union])}
    shown = {type(getattr(example.record(), union)).__name__ for example in EXAMPLES if example.record_name == record}

    assert shown == branches


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
async def test_an_example_is_the_same_after_avro_and_back(example: Example) -> None:
    codec, record = codec_without_registry(), example.record()

    assert await codec.decode(example.topic(), codec.encode(example.topic(), record)) == record


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_shows_only_what_its_record_says(example: Example) -> None:
    written, read = msgspec.json.decode(example.text), msgspec.json.decode(to_json(example.record()))

    assert shown_part(read, written) == written


def shown_part(whole: Any, part: Any) -> Any:
    """Of one JSON value the members that another one has; a time in the other's form, if it is the same time."""
    if isinstance(part, dict):
        return {name: shown_part(whole[name], value) for name, value in part.items()}
    if isinstance(part, list):
        return [shown_part(item, shown) for item, shown in zip(whole, part, strict=True)]
    return part if is_same_time(whole, part) else whole


def is_same_time(one: Any, other: Any) -> bool:
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (TypeError, ValueError):
        return False


def test_a_file_that_defines_another_type_than_its_name_says_is_refused(tmp_path: Any) -> None:
    (tmp_path / "Kci.avsc").write_text('{"type": "record", "name": "Other", "namespace": "bridge", "fields": []}')

    with pytest.raises(SchemasError, match="must define one type, named Kci"):
        load_schema_set(tmp_path)


def test_a_schema_that_uses_a_type_without_a_file_is_refused(tmp_path: Any) -> None:
    field = '{"name": "entity", "type": "bridge.Entity"}'
    (tmp_path / "Kci.avsc").write_text(
        f'{{"type": "record", "name": "Kci", "namespace": "bridge", "fields": [{field}]}}'
    )

    with pytest.raises(SchemasError, match="no schema Entity; there are: Kci"):
        load_schema_set(tmp_path).self_contained("Kci")
