"""What one version of the schemas writes, the others can read; and a version that breaks this is seen."""

import copy
from collections.abc import Callable
from io import BytesIO
from typing import Any

import fastavro
import pytest

from bridge.adapters.avro import RECORDS
from bridge.adapters.avro.codec import SINGLE_OBJECT_LENGTH
from bridge.cli.schemas import incompatibilities
from bridge.compatibility import breaks, qualified
from bridge.schemas import Schemas, SchemaSet
from tests.schema_examples import EXAMPLES, Example, codec_without_registry, the_schemas

Schema = dict[str, Any]


def can_be_read(example: Example, writer: SchemaSet, reader: SchemaSet) -> Any:
    """What fastavro's resolution makes of an example that is written with one version and read with another."""
    name = example.record_name
    stream = BytesIO()
    fastavro.schemaless_writer(stream, writer.self_contained(name), datum_of(example))
    stream.seek(0)
    return fastavro.schemaless_reader(stream, writer.self_contained(name), reader.self_contained(name))


def datum_of(example: Example) -> Any:
    """An example as fastavro has it."""
    framed = BytesIO(codec_without_registry().encode(example.topic(), example.record()))
    framed.seek(SINGLE_OBJECT_LENGTH)
    current = the_schemas().current.self_contained(example.record_name)
    return fastavro.schemaless_reader(framed, current, None, return_record_name=True)


def published() -> list[tuple[int, str]]:
    return [
        (number, name)
        for number, version in the_schemas().previous.items()
        for name in RECORDS
        if name in version.definitions
    ]


def test_the_published_versions_are_numbered_without_a_gap() -> None:
    assert sorted(the_schemas().previous) == list(range(1, len(the_schemas().previous) + 1))
    assert published()


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_the_current_schema_and_each_published_one_can_read_each_other(name: str) -> None:
    assert incompatibilities(the_schemas(), name) == []


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_is_read_across_versions(example: Example) -> None:
    current = the_schemas().current
    for version in the_schemas().previous.values():
        if example.record_name in version.definitions:
            assert can_be_read(example, writer=current, reader=version)
            assert can_be_read(example, writer=version, reader=current)


def changed(name: str, change: Callable[[Schema], None]) -> Schemas:
    """The schemas after a change of one file, with those of today as the published version."""
    today = the_schemas().current
    definitions: dict[str, Schema] = copy.deepcopy({name: dict(each) for name, each in today.definitions.items()})
    change(definitions[name])
    return Schemas(current=SchemaSet(definitions), previous={1: today})


def field(schema: Schema, name: str) -> Schema:
    return next(each for each in schema["fields"] if each["name"] == name)


def drop(name: str) -> Callable[[Schema], None]:
    return lambda schema: schema["fields"].remove(field(schema, name))


def retype(name: str, avro_type: Any) -> Callable[[Schema], None]:
    return lambda schema: field(schema, name).update(type=avro_type)


def add(name: str, avro_type: Any, **more: Any) -> Callable[[Schema], None]:
    return lambda schema: schema["fields"].append({"name": name, "type": avro_type, **more})


def forget_default(schema: Schema) -> None:
    del schema["default"]
    schema["symbols"].remove("REQUIRED")


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("Kci", drop("received_at"), "version 1 cannot read the current schema: Kci.received_at: is not written"),
        ("Kci", add("hops", "long"), "the current schema cannot read version 1: Kci.hops: is not written"),
        ("GatewayOutcome", retype("attempts", "int"), "GatewayOutcome.attempts: long is read as int"),
        ("Entity", retype("id", "long"), "Kci.entity.id: string is read as long"),
        ("Entity", retype("status", "string"), "Kci.entity.status: null is read as string"),
        ("Update", retype("sequence_number", ["null", "int"]), "no branch of the reader's union takes long"),
        ("Information", retype("supplier_codes", "string"), "Kci.update.information: no branch"),
        ("JourneySignal", retype("signal", ["bridge.EntityChanged", "bridge.EntitySilent"]), "takes record"),
        (
            "Observation",
            retype("observed_at", {"type": "long", "logicalType": "timestamp-micros"}),
            "logical type timestamp-millis is read as timestamp-micros",
        ),
        ("Observation", retype("observed_at", "long"), "logical type timestamp-millis is read as None"),
        ("ActionState", forget_default, "symbol REQUIRED is not known, and there is no default"),
        ("Violation", retype("limit", {"type": "array", "items": "string"}), "violations[].limit: string is read as"),
    ],
    ids=[
        "field dropped",
        "field without default",
        "narrower",
        "other type",
        "null forbidden",
        "narrower in a union",
        "array made a string",
        "branch dropped",
        "other unit of time",
        "no time any more",
        "symbol dropped",
        "string made an array",
    ],
)
def test_a_change_that_breaks_readers_is_told(name: str, change: Callable[[Schema], None], complaint: str) -> None:
    schemas = changed(name, change)

    told = [problem for record in RECORDS for problem in incompatibilities(schemas, record)]

    assert any(complaint in problem for problem in told), told


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Kci", add("region", ["null", "string"], default=None)),
        ("Kci", drop("conversation_id")),
        ("Verdict", lambda schema: schema["symbols"].insert(2, "POSTPONED")),
        ("GatewayOutcome", lambda schema: schema.update(doc="Said in other words.")),
        ("GatewayOutcome", lambda schema: schema["fields"].reverse()),
    ],
    ids=["a field with a default", "without a field that had one", "a new symbol", "other words", "another order"],
)
def test_a_change_that_breaks_nobody_is_not_told(name: str, change: Callable[[Schema], None]) -> None:
    schemas = changed(name, change)

    assert [problem for record in RECORDS for problem in incompatibilities(schemas, record)] == []
    for example in EXAMPLES:
        assert can_be_read(example, writer=schemas.previous[1], reader=schemas.current)
        assert can_be_read(example, writer=schemas.current, reader=schemas.previous[1])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Kci", add("hops", "long")),
        ("Entity", retype("id", "long")),
        ("ActionState", forget_default),
        ("Violation", retype("limit", {"type": "array", "items": "string"})),
    ],
    ids=["a field without a default", "another type", "a symbol less", "an array"],
)
def test_what_is_told_to_break_does_break_in_fastavro_too(name: str, change: Callable[[Schema], None]) -> None:
    schemas = changed(name, change)
    failed = 0
    for example in EXAMPLES:
        try:
            can_be_read(example, writer=schemas.previous[1], reader=schemas.current)
        except Exception:  # noqa: BLE001 - resolution fails in many ways, and any of them counts
            failed += 1

    assert 0 < failed < len(EXAMPLES)


def test_a_promotion_works_in_one_direction_only() -> None:
    narrow = {"type": "record", "name": "Count", "namespace": "x", "fields": [{"name": "n", "type": "int"}]}
    wide = {"type": "record", "name": "Count", "namespace": "x", "fields": [{"name": "n", "type": "long"}]}

    assert breaks(reader=wide, writer=narrow) == ()
    assert breaks(reader=narrow, writer=wide) == ("Count.n: long is read as int",)


def test_another_name_breaks_and_an_alias_mends_it() -> None:
    old = {"type": "record", "name": "Count", "namespace": "x", "fields": [{"name": "n", "type": "long"}]}
    new = {"type": "record", "name": "Sum", "namespace": "x", "fields": [{"name": "total", "type": "long"}]}
    alias = {**new, "aliases": ["Count"], "fields": [{"name": "total", "type": "long", "aliases": ["n"]}]}

    assert breaks(reader=new, writer=old) == (
        "Sum: Count is read as Sum",
        "Sum.total: is not written, and has no default",
    )
    assert breaks(reader=alias, writer=old) == ()


def test_a_schema_that_contains_itself_is_compared() -> None:
    tree: Schema = {"type": "record", "name": "Tree", "namespace": "x"}
    tree["fields"] = [{"name": "left", "type": ["null", "x.Tree"], "default": None}]

    assert breaks(reader=tree, writer=tree) == ()


def terse(schema: Any, enclosing: str | None = None) -> Any:
    """The same schema as registries give it back: no namespace that goes without saying (Avro 1.12, names)."""
    if isinstance(schema, str):
        namespace, _, name = schema.rpartition(".")
        return name if namespace == enclosing else schema
    if isinstance(schema, list):
        return [terse(branch, enclosing) for branch in schema]
    short = dict(schema)
    if "namespace" in short and short["namespace"] == enclosing:
        del short["namespace"]
    enclosing = schema.get("namespace", enclosing)
    for member in ("items", "values"):
        if member in short:
            short[member] = terse(short[member], enclosing)
    if "fields" in short:
        short["fields"] = [{**each, "type": terse(each["type"], enclosing)} for each in short["fields"]]
    return short


@pytest.mark.parametrize("name", RECORDS)
def test_a_schema_that_a_registry_gave_back_is_the_same_schema(name: str) -> None:
    ours = the_schemas().current.self_contained(name)
    theirs = terse(ours)

    assert qualified(theirs) == qualified(ours) == ours
    assert breaks(ours, theirs) == breaks(theirs, ours) == ()


def test_a_difference_deep_inside_a_terse_schema_is_seen() -> None:
    ours = the_schemas().current.self_contained("EntityStatus")
    theirs = copy.deepcopy(terse(ours))
    theirs["fields"][0]["type"]["fields"].append({"name": "colour", "type": "string"})

    assert breaks(theirs, ours) == ("EntityStatus.entity.colour: is not written, and has no default",)
