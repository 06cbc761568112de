"""
The Avro schemas as files: one named type per file, `schemas/<Name>.avsc`, and every published version under
`schemas/previous/<number>/`.

A file refers to the types of other files by full name. `self_contained` puts them together into what a registry or
another implementation can read on its own. Knows JSON, but not Avro's binary form.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAMESPACE = "bridge"
# What a schema is: a name, an object, or a union.
Schema = str | dict[str, Any] | list[Any]


class SchemasError(Exception):
    """The schema files do not make sense; the text names the file and what to change."""


@dataclass(frozen=True)
class SchemaSet:
    """One version of all schemas: the definition of each named type by its short name, as its file has it."""

    definitions: Mapping[str, Mapping[str, Any]]

    def self_contained(self, name: str) -> dict[str, Any]:
        """
        The schema of a record with every type that it uses defined inside it, at its first use.

        Raises:
            SchemasError: there is no such schema, or it uses a type that has no file.

        """
        return _Assembly(self.definitions).define(name)

    def uses(self, name: str) -> frozenset[str]:
        """The short names of all types that a schema uses, itself among them."""
        assembly = _Assembly(self.definitions)
        assembly.define(name)
        return frozenset(assembly.defined)

    def personal_fields(self, name: str) -> tuple[str, ...]:
        """
        `Type.field` for each field, of the schema or of a type that it uses, that is marked as personal data; in
        order.
        """
        return tuple(
            f"{used}.{field['name']}"
            for used in sorted(self.uses(name))
            for field in self.definitions[used].get("fields", ())
            if field.get("personal_data")
        )


@dataclass(frozen=True)
class Schemas:
    """The current version of all schemas, and every published one before it by its number."""

    current: SchemaSet
    previous: Mapping[int, SchemaSet]

    def versions(self, name: str) -> Iterator[dict[str, Any]]:
        """The self-contained schema of a record: the current one first, then the published ones, the newest first."""
        yield self.current.self_contained(name)
        for number in sorted(self.previous, reverse=True):
            if name in self.previous[number].definitions:
                yield self.previous[number].self_contained(name)


def load_schemas(directory: Path) -> Schemas:
    """
    Read `*.avsc` and `previous/*/*.avsc`.

    Raises:
        SchemasError: a file is not JSON, or its name is not that of the type it defines.

    """
    published = sorted(path for path in (directory / "previous").glob("*") if path.is_dir())
    return Schemas(
        current=load_schema_set(directory),
        previous={_number(path): load_schema_set(path) for path in published},
    )


def load_schema_set(directory: Path) -> SchemaSet:
    """Read the `*.avsc` of one directory; SchemasError as in `load_schemas`."""
    definitions = {path.stem: _definition(path) for path in sorted(directory.glob("*.avsc"))}
    if not definitions:
        raise SchemasError(f"{directory}: no *.avsc files")
    return SchemaSet(definitions)


class _Assembly:
    """Puts one self-contained schema together: each type is defined where it is first met and named after that."""

    def __init__(self, definitions: Mapping[str, Mapping[str, Any]]) -> None:
        self._definitions = definitions
        self.defined: set[str] = set()

    def define(self, name: str) -> dict[str, Any]:
        if name not in self._definitions:
            raise SchemasError(f"no schema {name}; there are: {', '.join(sorted(self._definitions))}")
        self.defined.add(name)
        definition = dict(self._definitions[name])
        if "fields" in definition:
            definition["fields"] = [{**field, "type": self._resolve(field["type"])} for field in definition["fields"]]
        return definition

    def _resolve(self, schema: Schema) -> Schema:
        if isinstance(schema, list):
            return [self._resolve(branch) for branch in schema]
        if isinstance(schema, dict):
            return {**schema, "items": self._resolve(schema["items"])} if "items" in schema else schema
        namespace, _, name = schema.rpartition(".")
        return self.define(name) if namespace == NAMESPACE and name not in self.defined else schema


def _number(path: Path) -> int:
    if not path.name.isdecimal():
        raise SchemasError(f"{path}: the directory of a published version is named by its number, such as previous/1")
    return int(path.name)


def _definition(path: Path) -> dict[str, Any]:
    try:
        definition = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SchemasError(f"{path}: not JSON: {error}") from error
    if not isinstance(definition, dict) or (definition.get("name"), definition.get("namespace")) != (
        path.stem,
        NAMESPACE,
    ):
        raise SchemasError(f"{path}: must define one type, named {path.stem}, in the namespace {NAMESPACE}")
    return definition
