"""
Which rights on a cluster each part of the bridge needs, from topics.yaml, as arguments of Kafka's own `kafka-acls`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from bridge.topics import Party, Topics, physical_name

# Who belongs to a consumer group of its own name and writes its table in transactions `<group>-<uuid>`. The others
# read without a group.
WORKERS = (Party.DISPATCHER, Party.TRACKER)
# Who decides about dead letters, in transactions whose id is the name of the topic that the decisions are on.
DECIDERS = (Party.CONSOLE, Party.CLI)
DECISIONS = "dead-letter-audit"
# The parts of the bridge: the provider's rights on the rest of its cluster are its own affair.
PARTS = tuple(party for party in Party if party is not Party.PROVIDER)


@dataclass(frozen=True)
class Access:
    """One right: operations on a resource, by its name or by the beginning of its name."""

    resource: str
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False


def access_of(party: Party, topics: Topics, prefix: str) -> Iterator[Access]:
    """
    The rights of one part: its topics, its group and its transactions.

    The idempotent producer of the others needs no right of its own: Write on any topic is enough (KIP-679).
    """
    for topic in topics.used_by(party):
        operations = ["Describe"]
        operations += ["Read"] if party in topic.consumers else []
        operations += ["Write"] if party in topic.producers else []
        yield Access("topic", physical_name(prefix, topic.name), tuple(operations))
    if party in WORKERS:
        yield Access("group", physical_name(prefix, party), ("Read",))
        yield Access("transactional-id", physical_name(prefix, f"{party}-"), ("Describe", "Write"), prefixed=True)
    if party in DECIDERS:
        # To tell who is in a worker's group, and how far it has come.
        for worker in WORKERS:
            yield Access("group", physical_name(prefix, worker), ("Describe",))
        yield Access("transactional-id", physical_name(prefix, DECISIONS), ("Describe", "Write"))


def access_of_apply(topics: Topics, prefix: str) -> Iterator[Access]:
    """The rights that `bridge topics plan|apply` needs."""
    for topic in topics.topics:
        operations = ("Describe", "DescribeConfigs", "Create", "Alter", "AlterConfigs")
        yield Access("topic", physical_name(prefix, topic.name), operations)


def access_commands(topics: Topics, prefix: str, principal: str, command_config: str | None = None) -> Iterator[str]:
    """
    One kafka-acls command a line; `{party}` in the principal stands for the part, `topics` for the one that applies
    topics.yaml. `command_config` is a properties file that says how kafka-acls itself connects.

    Resources with the same operations share a command: each one starts a Java machine.
    """
    accesses = {party.value: tuple(access_of(party, topics, prefix)) for party in PARTS}
    accesses["topics"] = tuple(access_of_apply(topics, prefix))
    connection = '--bootstrap-server "$BRIDGE_KAFKA_BOOTSTRAP_SERVERS"'
    if command_config is not None:
        connection += f" --command-config '{command_config}'"
    for party, rights in accesses.items():
        user = principal.replace("{party}", party)
        for arguments in _arguments(rights):
            yield f"kafka-acls {connection} --add --allow-principal '{user}' {arguments}"


def _arguments(rights: Iterable[Access]) -> Iterator[str]:
    def kind(access: Access) -> tuple[str, tuple[str, ...], bool]:
        return access.resource, access.operations, access.prefixed

    for (resource, operations, prefixed), alike in groupby(sorted(rights, key=kind), key=kind):
        words = [f"--operation {operation}" for operation in operations]
        words += [f"--{resource} '{access.name}'" for access in alike]
        words += ["--resource-pattern-type prefixed"] if prefixed else []
        yield " ".join(words)
