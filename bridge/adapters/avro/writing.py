"""
Records in Avro's binary form, by functions that are put together once for each schema.

A general writer has to find out for every value which branch of a union it belongs to. Here each value is a field of a
record whose class and schema are known, so all that is left to look at is whether it is there (docs/adr/0013).

Rule: what is not of the type that the schema says raises, and no error shows a value.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, TypeAlias

from bridge.schemas import NAMESPACE, Schema

Definitions = Mapping[str, Mapping[str, Any]]
Put: TypeAlias = Callable[[bytes], None]
# Puts one value, piece by piece.
Write = Callable[[Any, Put], None]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
LONG_BITS = 64
ABSENT, PRESENT = b"\x00", b"\x02"
END_OF_ARRAY = b"\x00"


class Misfit(ValueError):
    """A record does not fit its schema; the text says at which field, and never what it holds."""


def writer_of(schema: Schema, definitions: Definitions) -> Write:
    """
    What writes a value of this schema, if it is one of ours: a union is of records alone, or null and one other type,
    and the latter only in a field. What it returns raises Misfit for a record that does not fit.
    """
    if isinstance(schema, list):
        return _union(schema, definitions)
    if isinstance(schema, str):
        namespace, _, short = schema.rpartition(".")
        return writer_of(dict(definitions[short]), definitions) if namespace == NAMESPACE else PRIMITIVES[schema]
    if schema.get("logicalType") == "timestamp-millis":
        return _time
    if schema["type"] == "record":
        return _record(f"{NAMESPACE}.{schema['name']}", schema["fields"], definitions)
    if schema["type"] == "array":
        return _array(writer_of(schema["items"], definitions))
    return _enum(schema["symbols"])


def long(value: int) -> bytes:
    """Avro's variable-length zig-zag coding of a whole number."""
    rest = (value << 1) ^ (value >> (LONG_BITS - 1))
    if rest >> LONG_BITS:
        raise Misfit("a whole number of more than 64 bits")
    coded = bytearray()
    while rest > 0x7F:  # noqa: PLR2004 - seven bits a byte, and one that says that more follow
        coded.append(rest & 0x7F | 0x80)
        rest >>= 7
    coded.append(rest)
    return bytes(coded)


# Nearly every length is one of these.
_LENGTHS = tuple(map(long, range(1024)))


_SHORT = len(_LENGTHS)


def _length(raw: Sequence[Any]) -> bytes:
    length = len(raw)
    return _LENGTHS[length] if length < _SHORT else long(length)


def _string(value: str, put: Put) -> None:
    raw = value.encode()
    put(_length(raw))
    put(raw)


def _bytes(value: bytes, put: Put) -> None:
    _check(value, bytes)
    put(_length(value))
    put(value)


def _long(value: int, put: Put) -> None:
    _check(value, int)
    put(long(value))


def _boolean(value: bool, put: Put) -> None:  # noqa: FBT001 - the value that is written
    _check(value, bool)
    put(b"\x01" if value else b"\x00")


def _time(value: datetime, put: Put) -> None:
    if value.tzinfo is None:
        raise Misfit("a time without an offset; give UTC")
    put(long((value - EPOCH) // MILLISECOND))


def _check(value: object, kind: type) -> None:
    if type(value) is not kind:
        raise Misfit(f"no {kind.__name__}")


PRIMITIVES: Mapping[str, Write] = {"string": _string, "bytes": _bytes, "long": _long, "boolean": _boolean}


def _enum(symbols: Sequence[str]) -> Write:
    coded = {symbol: long(index) for index, symbol in enumerate(symbols)}
    return lambda value, put: put(coded[value])


def _array(item: Write) -> Write:
    def write(values: Sequence[Any], put: Put) -> None:
        if values:
            put(_length(values))
            for value in values:
                item(value, put)
        put(END_OF_ARRAY)

    return write


def _union(branches: list[Any], definitions: Definitions) -> Write:
    """A union of records: which one it is, its class says."""
    writers = {
        str(branch).rpartition(".")[2]: (long(index), writer_of(branch, definitions))
        for index, branch in enumerate(branches)
    }

    def write(value: object, put: Put) -> None:
        index, write_branch = writers[type(value).__name__]
        put(index)
        write_branch(value, put)

    return write


def _record(name: str, fields: Sequence[Mapping[str, Any]], definitions: Definitions) -> Write:
    # One name more than there are fields, so that there are several, and the getter gives a tuple.
    values_of = attrgetter(*(field["name"] for field in fields), "__class__")
    steps = [(field["name"], *_step(field["type"], definitions)) for field in fields]

    def write(record: object, put: Put) -> None:
        field = ""
        values = values_of(record)
        try:
            for (field, is_nullable, write_present), value in zip(steps, values, strict=False):  # noqa: B007 - for the error
                if is_nullable:
                    if value is None:
                        put(ABSENT)
                        continue
                    put(PRESENT)
                if write_present is _string:  # as `_string` does, without two calls for each of the many
                    raw = value.encode()
                    length = len(raw)
                    put(_LENGTHS[length] if length < _SHORT else long(length))
                    put(raw)
                else:
                    write_present(value, put)
        except _Placed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a value of another type leads to; its text may show the value
            why = str(error) if isinstance(error, Misfit) else type(error).__name__
            raise _Placed(f"at {name}.{field} ({why})") from None

    return write


def _step(schema: Schema, definitions: Definitions) -> tuple[bool, Write]:
    """Whether a field may be absent, and what writes it when it is not: absent ones are most, and cost no call."""
    if isinstance(schema, list) and schema[0] == "null":
        return True, writer_of(schema[1], definitions)
    return False, writer_of(schema, definitions)


class _Placed(Misfit):
    """A misfit whose text names the field."""
