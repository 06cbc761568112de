"""The examples beside the schemas, and what reads them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bridge.adapters.avro import RECORDS, AvroCodec, from_json
from bridge.domain.record import Record
from bridge.schemas import Schemas, load_schemas
from bridge.topics import Topics, data_directory, load_topics


@dataclass(frozen=True)
class Example:
    """A file under schemas/examples: `<Record>.json`, or `<Record>.<what is special>.json`."""

    path: Path

    @property
    def record_name(self) -> str:
        return self.path.stem.partition(".")[0]

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def record(self) -> Record:
        return from_json(RECORDS[self.record_name], self.text)

    def topic(self) -> str:
        return topic_of(self.record_name)

    def __str__(self) -> str:
        return self.path.stem


EXAMPLES = [Example(path) for path in sorted((data_directory() / "schemas" / "examples").glob("*.json"))]


@cache
def the_topics() -> Topics:
    return load_topics(data_directory() / "topics.yaml")


@cache
def the_schemas() -> Schemas:
    return load_schemas(data_directory() / "schemas")


def topic_of(record_name: str) -> str:
    """The first topic that holds such records."""
    return next(topic.name for topic in the_topics().topics if topic.record_name == record_name)


@cache
def codec_without_registry() -> AvroCodec:
    return AvroCodec(the_topics(), the_schemas())
