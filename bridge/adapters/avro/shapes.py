"""
Where fastavro's idea of a datum is not msgspec's: unions of records, times, and arrays in unions.

msgspec tells the records of a union apart by a member `type`, fastavro by a pair (full name, members), for which it
also takes any other tuple in a union. A time is a `datetime` for msgspec; for Avro it is a long, and a time without
an offset has none. Both functions are built once per schema, and change a datum in place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.schemas import NAMESPACE, Schema

# Changes one value of a datum; None stands for a shape that needs no change.
Change = Callable[[Any], Any]
Definitions = Mapping[str, Mapping[str, Any]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
TAG = "type"


@dataclass(frozen=True)
class _Direction:
    """
    What happens to each shape: to a union with one record or with several, a time, and an array of unchanged items.
    """

    one_record: Callable[[str, Change], Change]
    several_records: Callable[[Mapping[str, Change]], Change]
    time: Change | None
    plain_array: Change | None


def to_avro(schema: Schema, definitions: Definitions) -> Change | None:
    """What turns msgspec's builtins into fastavro's datum; it raises ValueError for a time without an offset."""
    return _change(schema, definitions, _Direction(_named, _named_by_tag, _milliseconds, list))


def from_avro(schema: Schema, definitions: Definitions) -> Change | None:
    """What turns fastavro's datum, read with `return_record_name`, into msgspec's builtins."""
    return _change(schema, definitions, _Direction(_unnamed, _tagged, None, None))


def _change(schema: Any, definitions: Definitions, direction: _Direction) -> Change | None:
    if isinstance(schema, str):
        definition = _definition(schema, definitions)
        return None if definition is None else _change(definition, definitions, direction)
    if isinstance(schema, list):
        return _of_union(schema, definitions, direction)
    if schema.get("logicalType") == "timestamp-millis":
        return direction.time
    if schema["type"] == "array":
        item = _change(schema["items"], definitions, direction)
        return direction.plain_array if item is None else (lambda values: [item(value) for value in values])
    if schema["type"] == "record":
        changes = {field["name"]: _change(field["type"], definitions, direction) for field in schema["fields"]}
        return _of_fields({name: change for name, change in changes.items() if change is not None})
    return None


def _definition(name: str, definitions: Definitions) -> Mapping[str, Any] | None:
    """The definition of a named type by its full name; None for a primitive."""
    namespace, _, short = name.rpartition(".")
    return definitions[short] if namespace == NAMESPACE else None


def _of_fields(changes: Mapping[str, Change]) -> Change | None:
    def change_fields(datum: dict[str, Any]) -> dict[str, Any]:
        for name, change in changes.items():
            if (value := datum.get(name)) is not None:
                datum[name] = change(value)
        return datum

    return change_fields if changes else None


def _of_union(branches: list[Any], definitions: Definitions, direction: _Direction) -> Change | None:
    """Our unions are nullable (null and one other type) or of records alone."""
    branches = [branch for branch in branches if branch != "null"]
    changes = {str(branch): _change(branch, definitions, direction) for branch in branches}
    if len(branches) > 1:
        return direction.several_records({name: change or _keep for name, change in changes.items()})
    (branch,) = branches
    definition = _definition(branch, definitions) if isinstance(branch, str) else None
    if definition is not None and definition["type"] == "record":
        return direction.one_record(branch, changes[branch] or _keep)
    return changes[str(branch)]


def _keep(datum: Any) -> Any:
    return datum


def _named(name: str, inside: Change) -> Change:
    return lambda datum: (name, inside(datum))


def _named_by_tag(records: Mapping[str, Change]) -> Change:
    def name_branch(datum: dict[str, Any]) -> tuple[str, Any]:
        name = f"{NAMESPACE}.{datum.pop(TAG)}"
        return name, records[name](datum)

    return name_branch


def _unnamed(_: str, inside: Change) -> Change:
    # A writer whose schema has no union here gives the members alone.
    return lambda datum: inside(datum[1] if isinstance(datum, tuple) else datum)


def _tagged(records: Mapping[str, Change]) -> Change:
    def tag_branch(datum: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        name, members = datum
        return {**records[name](members), TAG: name.removeprefix(f"{NAMESPACE}.")}

    return tag_branch


def _milliseconds(time: datetime) -> int:
    if time.tzinfo is None:
        raise ValueError("a time without an offset; give UTC")
    return (time - EPOCH) // MILLISECOND
