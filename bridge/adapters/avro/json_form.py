"""
A record as JSON that people write and read: the members of its fields, times as ISO 8601 with an offset, bytes as
base64, and of a union the member `type`, which names the record. Used by the command line and by the examples beside
the schemas.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from bridge.domain.record import Record

R = TypeVar("R", bound=Record)
TAG = "type"


class NotThatRecord(ValueError):
    """The text is not JSON, or not the record that is wanted; the message says where and what would be right."""


def to_json(record: Record) -> str:
    """The record as indented JSON, without a line end."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2).decode()


def from_json(record: type[R], text: str | bytes) -> R:
    """
    Read what `to_json` writes, strictly: a member that the record has no field for is an error, since it may be a
    misspelt one.

    Raises:
        NotThatRecord: with the path of the first thing that is wrong, and never with a value.

    """
    try:
        read = msgspec.json.decode(text, type=record)
    except msgspec.ValidationError as error:
        raise NotThatRecord(f"{record.__name__}: {_without_value(str(error))}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotThatRecord(f"{record.__name__}: not JSON: {_without_value(str(error))}") from None
    for problem in _problems(read, json.loads(text), "$"):
        raise NotThatRecord(f"{record.__name__}: {problem}")
    return read


def _without_value(message: str) -> str:
    """The complaint and the path of an error; msgspec also quotes the value of an unknown enum member or tag."""
    complaint, _, path = message.rpartition(" - at ") if " - at " in message else (message, "", "")
    complaint = complaint.partition(" '")[0] if complaint.startswith("Invalid ") else complaint
    return f"{complaint[:1].lower()}{complaint[1:]}{f', at {path}' if path else ''}"


def _problems(read: Any, written: Any, path: str) -> Iterator[str]:
    """What msgspec lets pass: members without a field, and times without an offset."""
    if isinstance(read, msgspec.Struct):
        yield from _problems_of_members(read, written, path)
    elif isinstance(read, tuple):
        for index, (item, raw) in enumerate(zip(read, written, strict=True)):
            yield from _problems(item, raw, f"{path}[{index}]")
    elif isinstance(read, datetime) and read.tzinfo is None:
        yield f"a time needs an offset, such as 2026-03-02T09:30:00Z, at `{path}`"


def _problems_of_members(read: msgspec.Struct, written: Mapping[str, Any], path: str) -> Iterator[str]:
    fields = {field.encode_name: field.name for field in msgspec.structs.fields(read)}
    tag = {TAG} if read.__struct_config__.tag is not None else set()
    for name, value in written.items():
        if name in fields:
            yield from _problems(getattr(read, fields[name]), value, f"{path}.{name}")
        elif name not in tag:
            known = ", ".join(fields)
            yield f"no member `{path}.{name}`; {type(read).__name__} has {known}"
