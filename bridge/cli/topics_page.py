"""The page docs/topics.md, made from topics.yaml."""

from collections.abc import Iterator

from bridge.topics import Copartition, Topic, Topics

INTRODUCTION = """\
# Topics

Made from `topics.yaml` by `bridge topics docs`; change that file, not this page.

`bridge topics plan` compares a cluster with it, `bridge topics apply` makes the cluster match, and every service checks
at its start that the topics it needs are there with the right number of partitions. Names have the prefix
`BRIDGE_KAFKA_TOPIC_PREFIX` before them, if one is set. Values are Avro, `schemas/<schema>.avsc`; a private topic holds
its owner's own state and may change with any version. Keys are text in UTF-8, and partitions are chosen by Kafka's own
partitioner (murmur2). Some records are written in transactions: read with `isolation.level=read_committed`.

Personal data: whether records may hold a customer's contacts, address, hazards, notes or other free text about a visit.
"""
GROUPS = """\
Topics of a group have the same key and the same number of partitions, so that one worker has all that concerns a key:
"""


def topics_page(topics: Topics) -> str:
    """The page, as Markdown."""
    return "\n".join((INTRODUCTION, *_overview(topics), "", *_groups(topics), *_details(topics)))


def _overview(topics: Topics) -> Iterator[str]:
    yield "| topic | schema | written by | read by | personal data |"
    yield "|---|---|---|---|---|"
    for topic in topics.topics:
        link = f"[{topic.name}](#{topic.name})"
        writers, readers = ", ".join(topic.producers), ", ".join(topic.consumers)
        yield f"| {link} | {topic.record_name} | {writers} | {readers} | {'yes' if topic.personal_data else 'no'} |"


def _groups(topics: Topics) -> Iterator[str]:
    yield GROUPS
    for group in Copartition:
        members = [topic.name for topic in topics.topics if topic.copartition is group]
        yield f"- {group}: {', '.join(members)}"
    yield ""


def _details(topics: Topics) -> Iterator[str]:
    for topic in topics.topics:
        yield f"## {topic.name}"
        yield ""
        yield topic.purpose
        yield ""
        yield f"- Key: {topic.key}"
        yield f"- Value: {_value(topic)}"
        yield f"- Partitions: {topics.partitions_of(topic)}"
        yield f"- Kept: {_kept(topic)}"
        configs = topics.configs_of(topic, topics.defaults.replication_factor)
        yield f"- Configuration: {', '.join(f'`{key}={value}`' for key, value in sorted(configs.items()))}"
        yield ""


def _value(topic: Topic) -> str:
    return f"private: {topic.codec}" if topic.is_private else f"`schemas/{topic.record_name}.avsc`"


def _kept(topic: Topic) -> str:
    return "the latest record of each key" if topic.retention_days is None else f"{topic.retention_days} days"
