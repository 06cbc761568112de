"""
Whether one version of a schema can read what another one wrote (Avro 1.12 specification, schema resolution).

Pure, over self-contained schemas. Stricter than the specification in one place: a changed logical type is refused,
since a reader would take the bare number for something else.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED = frozenset({"record", "error", "enum", "fixed"})
PROMOTIONS = frozenset(
    {
        ("int", "long"),
        ("int", "float"),
        ("int", "double"),
        ("long", "float"),
        ("long", "double"),
        ("float", "double"),
        ("string", "bytes"),
        ("bytes", "string"),
    }
)


def breaks(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Why the reader's schema cannot read all that the writer's can write: a path and a reason each; empty when it
    can.
    """
    reader, writer = qualified(reader), qualified(writer)
    return tuple(_Comparison(_names(reader), _names(writer)).breaks(reader, writer, str(reader["name"])))


def qualified(schema: Any, enclosing: str | None = None) -> Any:
    """
    The same schema with the namespace written at every named type, and every reference by full name.

    A name without one belongs to the namespace around it (Avro 1.12 specification, names); registries write as little
    as that allows.
    """
    if isinstance(schema, str):
        return schema if schema in PRIMITIVES or "." in schema or not enclosing else f"{enclosing}.{schema}"
    if isinstance(schema, list):
        return [qualified(branch, enclosing) for branch in schema]
    whole = dict(schema)
    if whole["type"] in NAMED:
        before, _, name = str(whole["name"]).rpartition(".")
        enclosing = before or whole.get("namespace", enclosing)
        whole |= {"name": name, **({"namespace": enclosing} if enclosing else {})}
    else:
        whole["type"] = qualified(whole["type"], enclosing) if not isinstance(whole["type"], str) else whole["type"]
    for member in ("items", "values"):
        if member in whole:
            whole[member] = qualified(whole[member], enclosing)
    if "fields" in whole:
        whole["fields"] = [{**each, "type": qualified(each["type"], enclosing)} for each in whole["fields"]]
    return whole


@dataclass
class _Comparison:
    """One comparison: the named types of both sides, and the pairs that are being compared already."""

    reader_names: Mapping[str, Any]
    writer_names: Mapping[str, Any]
    under_way: set[tuple[str, str]] = field(default_factory=set)

    def breaks(self, reader: Any, writer: Any, path: str) -> Iterator[str]:
        reader, writer = self.reader_names.get(_key(reader), reader), self.writer_names.get(_key(writer), writer)
        if isinstance(writer, list):
            for branch in writer:
                yield from self.breaks(reader, branch, path)
        elif isinstance(reader, list):
            if all(any(True for _ in self.breaks(branch, writer, path)) for branch in reader):
                yield f"{path}: no branch of the reader's union takes {_kind(writer)}"
        elif _kind(reader) != _kind(writer):
            if (_kind(writer), _kind(reader)) not in PROMOTIONS or _logical(reader) or _logical(writer):
                yield f"{path}: {_kind(writer)} is read as {_kind(reader)}"
        elif _logical(reader) != _logical(writer):
            yield f"{path}: logical type {_logical(writer)} is read as {_logical(reader)}"
        else:
            yield from self._of_same_kind(reader, writer, path)

    def _of_same_kind(self, reader: Any, writer: Any, path: str) -> Iterator[str]:
        match _kind(reader):
            case "record":
                yield from self._of_records(reader, writer, path)
            case "enum":
                yield from _of_names(reader, writer, path)
                unknown = [symbol for symbol in writer["symbols"] if symbol not in reader["symbols"]]
                if unknown and "default" not in reader:
                    yield f"{path}: symbol {', '.join(unknown)} is not known, and there is no default"
            case "array":
                yield from self.breaks(reader["items"], writer["items"], f"{path}[]")
            case "map":
                yield from self.breaks(reader["values"], writer["values"], f"{path}{{}}")
            case "fixed":
                yield from _of_names(reader, writer, path)
                if reader["size"] != writer["size"]:
                    yield f"{path}: {writer['size']} bytes are read as {reader['size']}"

    def _of_records(self, reader: Any, writer: Any, path: str) -> Iterator[str]:
        pair = (reader["name"], writer["name"])
        if pair in self.under_way:
            return
        self.under_way.add(pair)
        yield from _of_names(reader, writer, path)
        written = {each["name"]: each for each in writer["fields"]}
        for wanted in reader["fields"]:
            names = [name for name in (wanted["name"], *wanted.get("aliases", ())) if name in written]
            if names:
                yield from self.breaks(wanted["type"], written[names[0]]["type"], f"{path}.{wanted['name']}")
            elif "default" not in wanted:
                yield f"{path}.{wanted['name']}: is not written, and has no default"
        self.under_way.discard(pair)


def _of_names(reader: Any, writer: Any, path: str) -> Iterator[str]:
    known = {_short(name) for name in (reader["name"], *reader.get("aliases", ()))}
    if _short(writer["name"]) not in known:
        yield f"{path}: {_short(writer['name'])} is read as {_short(reader['name'])}"


def _names(schema: Any) -> dict[str, Any]:
    """The definitions of all named types in a schema, by full name."""
    if isinstance(schema, list):
        return {name: definition for branch in schema for name, definition in _names(branch).items()}
    if not isinstance(schema, dict):
        return {}
    parts = [*(each["type"] for each in schema.get("fields", ())), schema.get("items"), schema.get("values")]
    found = _names(parts)
    return {f"{schema['namespace']}.{schema['name']}": schema, **found} if "namespace" in schema else found


def _key(schema: Any) -> str:
    return schema if isinstance(schema, str) else ""


def _kind(schema: Any) -> str:
    return schema if isinstance(schema, str) else str(schema["type"])


def _logical(schema: Any) -> str | None:
    return schema.get("logicalType") if isinstance(schema, dict) else None


def _short(name: str) -> str:
    return name.rpartition(".")[2]
