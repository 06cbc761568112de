"""
Every topic, as data: `topics.yaml` read into frozen models that refuse what they do not know.

A topic's name here is logical; the name on the cluster has the deployment's prefix before it. Knows no cluster and no
client.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

PRIVATE = "private"
MILLISECONDS_PER_DAY = 86_400_000
# Kafka's own default for max.message.bytes (Apache Kafka documentation, topic configurations).
MAX_MESSAGE_BYTES = 1_048_588


class TopicsError(Exception):
    """What topics.yaml says, or what a cluster has, cannot be used; the text names the topic and how to mend it."""


class Party(StrEnum):
    """Who writes and reads topics: the provider's own systems, and the parts of the bridge."""

    PROVIDER = "provider"
    DISPATCHER = "dispatcher"
    INGESTER = "ingester"
    TRACKER = "tracker"
    CONSOLE = "console"
    CLI = "cli"


class Cleanup(StrEnum):
    """What Kafka does with old records: forget them after a time, or keep the latest of each key."""

    DELETE = "delete"
    COMPACT = "compact"


class Copartition(StrEnum):
    """The groups of topics that share keys and partition counts, so that one worker has all that concerns a key."""

    TICKET = "ticket"
    ENTITY = "entity"


class Strict(BaseModel):
    """Frozen, and strict about keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Parties = Annotated[tuple[Party, ...], Field(min_length=1)]


class Topic(Strict):
    """One topic, by its logical name."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,99}$")]
    purpose: str
    key: str
    copartition: Copartition | None = None
    # The name of a schema, or PRIVATE.
    record_name: str = Field(alias="schema")
    codec: str | None = None
    partitions: Annotated[int, Field(ge=1)] | None = None
    cleanup: Cleanup
    retention_days: Annotated[int, Field(ge=1)] | None = None
    configs: Mapping[str, str] = {}
    producers: Parties
    consumers: Parties
    personal_data: bool

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.is_private != (self.codec is not None):
            raise ValueError("codec is given for a private schema, and only there")
        if (self.cleanup is Cleanup.DELETE) != (self.retention_days is not None):
            raise ValueError("retention_days is given when cleanup is delete, and only then")
        if reserved := {"cleanup.policy", "retention.ms"} & set(self.configs):
            raise ValueError(f"{', '.join(sorted(reserved))} comes from cleanup and retention_days, not from configs")
        return self

    @property
    def is_private(self) -> bool:
        """Whether its values are the owner's own affair, without a schema."""
        return self.record_name == PRIVATE

    @property
    def max_message_bytes(self) -> int:
        """The largest batch it takes; whoever writes it must allow requests of this size."""
        return int(self.configs.get("max.message.bytes", MAX_MESSAGE_BYTES))

    def parties(self) -> frozenset[Party]:
        """All who write or read it."""
        return frozenset((*self.producers, *self.consumers))


class Defaults(Strict):
    """What holds for each topic that does not say otherwise."""

    partitions: Annotated[int, Field(ge=1)]
    replication_factor: Annotated[int, Field(ge=1)]
    configs: Mapping[str, str]


class Topics(Strict):
    """All topics, checked against each other."""

    defaults: Defaults
    topics: tuple[Topic, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if repeated := [name for name, count in Counter(topic.name for topic in self.topics).items() if count > 1]:
            raise ValueError(f"topic {', '.join(repeated)} is listed more than once")
        for group in Copartition:
            members = [topic for topic in self.topics if topic.copartition is group]
            counts = {topic.name: self.partitions_of(topic) for topic in members}
            if len(set(counts.values())) > 1:
                shown = ", ".join(f"{name} {count}" for name, count in counts.items())
                raise ValueError(f"the topics of the group {group} need equal partition counts, and have {shown}")
        return self

    def __getitem__(self, name: str) -> Topic:
        """The topic of this logical name; TopicsError when there is none."""
        for topic in self.topics:
            if topic.name == name:
                return topic
        raise TopicsError(
            f"no topic {name} in topics.yaml; there are: {', '.join(topic.name for topic in self.topics)}"
        )

    def used_by(self, party: Party) -> tuple[Topic, ...]:
        """The topics that it writes or reads: what it needs to start."""
        return tuple(topic for topic in self.topics if party in topic.parties())

    def written_by(self, party: Party) -> tuple[Topic, ...]:
        """The topics that it writes."""
        return tuple(topic for topic in self.topics if party in topic.producers)

    def partitions_of(self, topic: Topic) -> int:
        """How many partitions it has."""
        return topic.partitions if topic.partitions is not None else self.defaults.partitions

    def configs_of(self, topic: Topic, replication_factor: int) -> dict[str, str]:
        """
        Its configuration on a cluster, by Kafka's names.

        `min.insync.replicas` never exceeds the replicas that there are, or nothing could be written.
        """
        configs = {**self.defaults.configs, "cleanup.policy": str(topic.cleanup), **topic.configs}
        if topic.retention_days is not None:
            configs["retention.ms"] = str(topic.retention_days * MILLISECONDS_PER_DAY)
        if "min.insync.replicas" in configs:
            configs["min.insync.replicas"] = str(min(int(configs["min.insync.replicas"]), replication_factor))
        return configs


def physical_name(prefix: str, name: str) -> str:
    """
    The name on the cluster of a topic, a group or a transactional id; `prefix` is the setting
    BRIDGE_KAFKA_TOPIC_PREFIX.
    """
    return f"{prefix}{name}"


def data_directory() -> Path:
    """Where topics.yaml and schemas/ are: inside the installed package, or beside it in a source tree."""
    package = Path(__file__).parent
    installed = package / "_data"
    return installed if installed.is_dir() else package.parent


def load_topics(path: Path) -> Topics:
    """
    Read and check a topics.yaml.

    Raises:
        TopicsError: with every problem, one a line.

    """
    try:
        return Topics.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise TopicsError(f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        lines = [
            f"{path}: {_place(detail['loc'])}{detail['msg'].removeprefix('Value error, ')}" for detail in error.errors()
        ]
        raise TopicsError("\n".join(lines)) from error


def _place(location: tuple[int | str, ...]) -> str:
    return f"{'.'.join(str(part) for part in location)}: " if location else ""
