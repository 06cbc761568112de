"""
Where fastavro's idea of a datum that it read is not msgspec's: unions of records.

msgspec tells the records of a union apart by a member `type`, fastavro by a pair (full name, members). What changes a
datum, in place, is built once per schema.
"""

from collections.abc import Callable, Mapping
from typing import Any

from bridge.schemas import NAMESPACE, Schema

# Changes one value of a datum; None stands for a shape that needs no change.
Change = Callable[[Any], Any]
Definitions = Mapping[str, Mapping[str, Any]]

TAG = "type"


def from_avro(schema: Schema, definitions: Definitions) -> Change | None:
    """What turns fastavro's datum, read with `return_record_name`, into msgspec's builtins."""
    if isinstance(schema, str):
        definition = _definition(schema, definitions)
        return None if definition is None else from_avro(dict(definition), definitions)
    if isinstance(schema, list):
        return _of_union(schema, definitions)
    if schema["type"] == "array":
        item = from_avro(schema["items"], definitions)
        return None if item is None else (lambda values: [item(value) for value in values])
    if schema["type"] == "record":
        changes = {field["name"]: from_avro(field["type"], definitions) for field in schema["fields"]}
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


def _of_union(branches: list[Any], definitions: Definitions) -> Change | None:
    """Our unions are nullable (null and one other type) or of records alone."""
    branches = [branch for branch in branches if branch != "null"]
    changes = {str(branch): from_avro(branch, definitions) for branch in branches}
    if len(branches) > 1:
        return _tagged({name: change or _keep for name, change in changes.items()})
    (branch,) = branches
    definition = _definition(branch, definitions) if isinstance(branch, str) else None
    if definition is not None and definition["type"] == "record":
        return _unnamed(changes[branch] or _keep)
    return changes[str(branch)]


def _keep(datum: Any) -> Any:
    return datum


def _unnamed(inside: Change) -> Change:
    # A writer whose schema has no union here gives the members alone.
    return lambda datum: inside(datum[1] if isinstance(datum, tuple) else datum)


def _tagged(records: Mapping[str, Change]) -> Change:
    def tag_branch(datum: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        name, members = datum
        return {**records[name](members), TAG: name.removeprefix(f"{NAMESPACE}.")}

    return tag_branch
