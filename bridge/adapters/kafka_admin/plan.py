"""
What differs between a cluster and topics.yaml, as data. Pure: knows no client.

Rule: nothing is ever deleted, and nothing that someone else set on a topic is taken back.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bridge.topics import Topic, Topics, physical_name

APPLY = "run `bridge topics apply`"


@dataclass(frozen=True)
class ClusterTopic:
    """A topic as the cluster has it: every configuration in force, and those that were set on the topic itself."""

    partitions: int
    replication_factor: int
    configs: Mapping[str, str]
    own_configs: Mapping[str, str]


@dataclass(frozen=True)
class CreateTopic:
    """The topic is missing."""

    name: str
    partitions: int
    replication_factor: int
    configs: Mapping[str, str]

    def __str__(self) -> str:
        configs = ", ".join(f"{key}={value}" for key, value in sorted(self.configs.items()))
        return f"create with {self.partitions} partitions, {self.replication_factor} replicas, {configs}"


@dataclass(frozen=True)
class AddPartitions:
    """The topic has too few partitions. Keys move when there are more, so this is done only when asked for."""

    name: str
    before: int
    after: int

    def __str__(self) -> str:
        return f"partitions {self.before} → {self.after}; keys move, so the order of a key is lost"


@dataclass(frozen=True)
class ChangeConfigs:
    """
    Configurations of the topic have other values; `all_configs` is what the topic itself will have after the
    change.
    """

    name: str
    changes: Mapping[str, tuple[str | None, str]]
    all_configs: Mapping[str, str]

    def __str__(self) -> str:
        return ", ".join(f"{key} {before} → {after}" for key, (before, after) in sorted(self.changes.items()))


@dataclass(frozen=True)
class Obstacle:
    """A difference that cannot be mended from here."""

    name: str
    why: str

    def __str__(self) -> str:
        return self.why


Change = CreateTopic | AddPartitions | ChangeConfigs | Obstacle


def plan(
    cluster: Mapping[str, ClusterTopic], topics: Topics, prefix: str, replication_factor: int
) -> tuple[Change, ...]:
    """
    What to do so that the cluster, its topics by their names there, has each topic as topics.yaml wants it; in its
    order.
    """
    return tuple(
        change
        for topic in topics.topics
        for change in _changes(cluster, topics, topic, physical_name(prefix, topic.name), replication_factor)
    )


def unfit(cluster: Mapping[str, ClusterTopic], topics: Topics, needed: Iterable[Topic], prefix: str) -> tuple[str, ...]:
    """
    Why a service that needs these topics cannot start: one sentence for each topic that is missing or has another
    partition count.
    """
    return tuple(
        sentence
        for topic in needed
        if (
            sentence := _unfit(
                cluster.get(name := physical_name(prefix, topic.name)), topics.partitions_of(topic), name
            )
        )
    )


def _changes(
    cluster: Mapping[str, ClusterTopic], topics: Topics, topic: Topic, name: str, replication_factor: int
) -> Iterator[Change]:
    partitions = topics.partitions_of(topic)
    found = cluster.get(name)
    if found is None:
        yield CreateTopic(name, partitions, replication_factor, topics.configs_of(topic, replication_factor))
        return
    if found.partitions < partitions:
        yield AddPartitions(name, found.partitions, partitions)
    if found.partitions > partitions:
        yield Obstacle(
            name,
            f"has {found.partitions} partitions, wanted {partitions}; Kafka cannot take partitions away:"
            f" set partitions to {found.partitions} in topics.yaml, for its whole group",
        )
    if found.replication_factor != replication_factor:
        yield Obstacle(
            name,
            f"has {found.replication_factor} replicas, wanted {replication_factor}; move them with"
            f" kafka-reassign-partitions, or give --replication-factor {found.replication_factor}",
        )
    wanted = topics.configs_of(topic, found.replication_factor)
    changes = {key: (found.configs.get(key), value) for key, value in wanted.items() if found.configs.get(key) != value}
    if changes:
        yield ChangeConfigs(name, changes, {**found.own_configs, **wanted})


def _unfit(found: ClusterTopic | None, partitions: int, name: str) -> str | None:
    if found is None:
        return f"topic {name} is missing, or this user may not describe it; {APPLY}"
    if found.partitions != partitions:
        return f"topic {name} has {found.partitions} partitions and needs {partitions}; {APPLY}"
    return None
