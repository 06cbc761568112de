"""
Avro on the wire, in two framings; both are read, one is written.

- Single-object encoding (Avro 1.12 specification): C3 01, the CRC-64-AVRO fingerprint of the writer's schema in little
  endian, the datum. Written when there is no registry.
- Confluent's wire format: 00, the registry's id of the writer's schema as four bytes in big endian, the datum.

Rule: no error text shows the content of a record, only where in it the trouble is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Protocol

import msgspec
from fastavro import parse_schema, schemaless_reader
from fastavro.schema import fingerprint, to_parsing_canonical_form

from bridge.adapters.avro.records import RECORDS
from bridge.adapters.avro.shapes import Change, from_avro
from bridge.adapters.avro.writing import Misfit, Write, writer_of
from bridge.domain.record import Record
from bridge.ports import Undecodable, UnknownSchema
from bridge.schemas import NAMESPACE, Schemas
from bridge.topics import Topics

SINGLE_OBJECT = b"\xc3\x01"
CONFLUENT = b"\x00"
SINGLE_OBJECT_LENGTH = 10
CONFLUENT_LENGTH = 5


class SchemaLookup(Protocol):
    """Whoever knows which schema has an id: a schema registry."""

    async def schema_of(self, schema_id: int) -> str:
        """
        The schema as JSON text.

        Raises:
            UnknownSchema: nobody registered a schema with this id, or it is not Avro.
            SchemaUnavailable: no answer; ask again later.

        """


@dataclass(frozen=True)
class _Writer:
    """
    A schema that bytes were written with: the record's name without namespace, and the schema as fastavro parsed
    it.
    """

    name: str
    schema: Any


@dataclass(frozen=True)
class _Reader:
    """What the bytes of a topic become."""

    record: type[Record]
    current: _Writer
    single_object_header: bytes
    write: Write
    from_avro: Change | None


class AvroCodec:
    """
    The `Codec` port over Avro.

    `ids` has the registry's schema id of each topic that is written in Confluent's
    format; when it is None, all are written as single objects. `lookup` is asked, once per id, what schema an id means.
    """

    def __init__(
        self,
        topics: Topics,
        schemas: Schemas,
        *,
        lookup: SchemaLookup | None = None,
        ids: Mapping[str, int] | None = None,
    ) -> None:
        readers = {name: _reader(record, schemas) for name, record in RECORDS.items()}
        self._readers = {topic.name: readers[topic.record_name] for topic in topics.topics if not topic.is_private}
        self._writers_by_fingerprint = _by_fingerprint(readers, schemas)
        self._writers_by_id: dict[int, _Writer] = {}
        self._lookup = lookup
        self._headers = (
            {topic: reader.single_object_header for topic, reader in self._readers.items()}
            if ids is None
            else {topic: CONFLUENT + schema_id.to_bytes(4, "big") for topic, schema_id in ids.items()}
        )

    def encode(self, topic: str, record: Record) -> bytes:
        """As the port says. Times lose what is finer than a millisecond."""
        reader = self._reader(topic)
        if type(record) is not reader.record:
            raise TypeError(f"{topic} holds {reader.record.__name__} records, not {type(record).__name__}")
        if topic not in self._headers:
            raise ValueError(f"{topic} has no schema id, since it is not among the topics that this service writes")
        pieces = [self._headers[topic]]
        try:
            reader.write(record, pieces.append)
        except Misfit as misfit:
            raise ValueError(f"{topic}: does not fit the schema {reader.current.name} {misfit}") from None
        return b"".join(pieces)

    async def decode(self, topic: str, data: bytes) -> Record:
        """As the port says."""
        reader = self._reader(topic)
        writer, length = await self._writer(topic, data)
        if writer.name != reader.current.name:
            raise Undecodable(
                f"{topic}: the bytes are a {writer.name}, and this topic holds {reader.current.name} records"
            )
        stream = BytesIO(data)
        stream.seek(length)
        resolve_to = None if writer.schema is reader.current.schema else reader.current.schema
        try:
            datum: Any = schemaless_reader(stream, writer.schema, resolve_to, return_record_name=True)
            changed = reader.from_avro(datum) if reader.from_avro else datum
        except Exception as error:  # noqa: BLE001 - fastavro lets through whatever its reads run into; the cause may show content
            raise Undecodable(f"{topic}: not a whole {writer.name} ({type(error).__name__})") from None
        if stream.tell() != len(data):
            raise Undecodable(f"{topic}: {len(data) - stream.tell()} bytes follow the {writer.name}")
        return _record(topic, changed, reader.record)

    def _reader(self, topic: str) -> _Reader:
        if topic not in self._readers:
            raise ValueError(f"{topic} is no topic with a schema; there are: {', '.join(sorted(self._readers))}")
        return self._readers[topic]

    async def _writer(self, topic: str, data: bytes) -> tuple[_Writer, int]:
        """The schema that the bytes were written with, and the length of the framing."""
        if data.startswith(SINGLE_OBJECT) and len(data) >= SINGLE_OBJECT_LENGTH:
            known = self._writers_by_fingerprint.get(data[:SINGLE_OBJECT_LENGTH])
            if known is None:
                shown = data[2:SINGLE_OBJECT_LENGTH].hex()
                raise UnknownSchema(f"{topic}: no version of a schema here has the fingerprint {shown}")
            return known, SINGLE_OBJECT_LENGTH
        if data.startswith(CONFLUENT) and len(data) >= CONFLUENT_LENGTH:
            schema_id = int.from_bytes(data[1:CONFLUENT_LENGTH], "big")
            return await self._registered(topic, schema_id), CONFLUENT_LENGTH
        raise Undecodable(f"{topic}: neither Avro single-object encoding (C3 01 …) nor Confluent's wire format (00 …)")

    async def _registered(self, topic: str, schema_id: int) -> _Writer:
        if schema_id not in self._writers_by_id:
            if self._lookup is None:
                raise UnknownSchema(
                    f"{topic}: framed with schema id {schema_id} of a registry, and none is configured;"
                    " set BRIDGE_SCHEMA_REGISTRY_URL"
                )
            text = await self._lookup.schema_of(schema_id)
            self._writers_by_id[schema_id] = _foreign_writer(topic, schema_id, text)
        return self._writers_by_id[schema_id]


def _reader(record: type[Record], schemas: Schemas) -> _Reader:
    name = record.__name__
    definitions = schemas.current.definitions
    schema = schemas.current.self_contained(name)
    return _Reader(
        record=record,
        current=_Writer(name, parse_schema(schema)),
        single_object_header=_single_object_header(schema),
        write=writer_of(f"{NAMESPACE}.{name}", definitions),
        from_avro=from_avro(f"{NAMESPACE}.{name}", definitions),
    )


def fingerprint_of(schema: dict[str, Any]) -> str:
    """The CRC-64-AVRO fingerprint of a self-contained schema, as hex digits in the order of the wire: little endian."""
    return fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")


def _single_object_header(schema: dict[str, Any]) -> bytes:
    return SINGLE_OBJECT + bytes.fromhex(fingerprint_of(schema))


def _by_fingerprint(readers: Mapping[str, _Reader], schemas: Schemas) -> dict[bytes, _Writer]:
    writers: dict[bytes, _Writer] = {}
    for name, reader in readers.items():
        writers[reader.single_object_header] = reader.current
        for schema in schemas.versions(name):
            header = _single_object_header(schema)
            if header not in writers:
                writers[header] = _Writer(name, parse_schema(schema))
    return writers


def _foreign_writer(topic: str, schema_id: int, text: str) -> _Writer:
    """A schema from the registry; its namespace may be another's, since Avro matches records by the name alone."""
    try:
        parsed: Any = parse_schema(json.loads(text))
        name = str(parsed["name"]).rpartition(".")[2]
    except Exception as error:  # noqa: BLE001 - the text is another's: no record, no Avro, or not even JSON
        raise UnknownSchema(f"{topic}: schema id {schema_id} is no Avro record ({type(error).__name__})") from None
    return _Writer(name, parsed)


def _record(topic: str, builtins: Any, record: type[Record]) -> Record:
    try:
        return msgspec.convert(builtins, record)
    except msgspec.ValidationError as error:
        place = str(error).rpartition(" - at ")[2]
        raise Undecodable(f"{topic}: a value that this version does not know, at {place}") from None
