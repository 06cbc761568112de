"""
Which rights on a cluster each part of the bridge needs, from topics.yaml, as arguments of Kafka's own `kafka-acls`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.topics import Party, Topics, physical_name

# Who belongs to a consumer group of its own name and writes in transactions. The others read without a group.
WORKERS = (Party.DISPATCHER, Party.TRACKER)
# The parts of the bridge: the provider's rights on the rest of its cluster are its own affair.
PARTS = tuple(party for party in Party if party is not Party.PROVIDER)


@dataclass(frozen=True)
class Access:
    """One right: operations on a resource, by its name or by the beginning of its name."""

    resource: str
    name: str
    operations: tuple[str, ...]
    prefixed: bool = False

    def arguments(self) -> str:
        """As kafka-acls takes it."""
        operations = " ".join(f"--operation {operation}" for operation in self.operations)
        pattern = " --resource-pattern-type prefixed" if self.prefixed else ""
        return f"{operations} --{self.resource} '{self.name}'{pattern}"


def access_of(party: Party, topics: Topics, prefix: str) -> Iterator[Access]:
    """The rights of one part: its topics and, for a worker, its group and its transactions."""
    for topic in topics.used_by(party):
        operations = ["Describe"]
        operations += ["Read"] if party in topic.consumers else []
        operations += ["Write"] if party in topic.producers else []
        yield Access("topic", physical_name(prefix, topic.name), tuple(operations))
    if party in WORKERS:
        yield Access("group", physical_name(prefix, party), ("Read",))
        yield Access("transactional-id", physical_name(prefix, f"{party}-"), ("Describe", "Write"), prefixed=True)


def access_of_apply(topics: Topics, prefix: str) -> Iterator[Access]:
    """The rights that `bridge topics plan|apply` needs."""
    for topic in topics.topics:
        operations = ("Describe", "DescribeConfigs", "Create", "Alter", "AlterConfigs")
        yield Access("topic", physical_name(prefix, topic.name), operations)


def access_commands(topics: Topics, prefix: str, principal: str) -> Iterator[str]:
    """
    One kafka-acls command a line; `{party}` in the principal stands for the part, `topics` for the one that applies
    topics.yaml.
    """
    accesses = {party.value: tuple(access_of(party, topics, prefix)) for party in PARTS}
    accesses["topics"] = tuple(access_of_apply(topics, prefix))
    for party, rights in accesses.items():
        user = principal.replace("{party}", party)
        for right in rights:
            yield (
                'kafka-acls --bootstrap-server "$BRIDGE_KAFKA_BOOTSTRAP_SERVERS" --add'
                f" --allow-principal '{user}' {right.arguments()}"
            )
