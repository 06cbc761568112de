"""topics.yaml is strict, agrees with itself, and is what the page in the docs says."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.cli.topics_page import topics_page
from bridge.topics import Cleanup, Copartition, Party, Topics, TopicsError, data_directory, load_topics
from tests.schema_examples import the_topics

ROOT = Path(__file__).parents[2]
TOPICS = {topic.name: topic for topic in the_topics().topics}
KEYED_BY_TICKET = {
    "fault-tickets",
    "journey-signals",
    "operator-decisions",
    "gateway-outcomes",
    "journeys",
    "actions-required",
    "dispatcher-journeys",
}
KEYED_BY_ENTITY = {
    "kcis",
    "observations",
    "problem-transitions",
    "test-transitions",
    "problem-status",
    "test-status",
    "tracker-entities",
}


def loaded(path: Path, change: Any) -> Topics:
    """topics.yaml after a change of what it says."""
    content: dict[str, Any] = copy.deepcopy(yaml.safe_load((data_directory() / "topics.yaml").read_text()))
    change(content)
    file = path / "topics.yaml"
    file.write_text(yaml.safe_dump(content))
    return load_topics(file)


def first(content: dict[str, Any]) -> dict[str, Any]:
    topic: dict[str, Any] = content["topics"][0]
    return topic


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda content: first(content).update(colour="red"), r"topics.0.colour: Extra inputs are not permitted"),
        (lambda content: content.update(owner="us"), r"owner: Extra inputs are not permitted"),
        (lambda content: content["defaults"].update(retention=1), r"defaults.retention: Extra inputs"),
        (lambda content: first(content).update(name="Fault Tickets"), r"topics.0.name: String should match"),
        (lambda content: first(content).update(producers=["nobody"]), r"producers.0: Input should be 'provider'"),
        (lambda content: first(content).update(consumers=[]), r"topics.0.consumers: Tuple should have at least 1 item"),
        (lambda content: first(content).pop("personal_data"), r"topics.0.personal_data: Field required"),
        (lambda content: first(content).pop("retention_days"), r"topics.0: retention_days is given when"),
        (lambda content: first(content).update(cleanup="compact"), r"topics.0: retention_days is given when"),
        (lambda content: first(content).update(codec="mine"), r"topics.0: codec is given for a private schema"),
        (lambda content: first(content).update(schema="private"), r"topics.0: codec is given for a private schema"),
        (
            lambda content: first(content).update(configs={"retention.ms": "1"}),
            r"topics.0: retention.ms comes from cleanup and retention_days",
        ),
        (lambda content: content["topics"].append(first(content)), r"topic fault-tickets is listed more than once"),
        (
            lambda content: first(content).update(partitions=7),
            r"the topics of the group ticket need equal partition counts, and have fault-tickets 7, journey-signals 6",
        ),
    ],
)
def test_what_topics_yaml_may_not_say_is_refused_with_its_place(tmp_path: Path, change: Any, complaint: str) -> None:
    with pytest.raises(TopicsError, match=complaint):
        loaded(tmp_path, change)


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "topics.yaml").write_text("topics: [")

    with pytest.raises(TopicsError, match="not YAML"):
        load_topics(tmp_path / "topics.yaml")


def test_a_group_may_have_more_partitions_when_all_of_it_has(tmp_path: Path) -> None:
    def widen(content: dict[str, Any]) -> None:
        for topic in content["topics"]:
            if topic.get("copartition") == "ticket":
                topic["partitions"] = 12

    topics = loaded(tmp_path, widen)

    assert topics.partitions_of(topics["fault-tickets"]) == 12
    assert topics.partitions_of(topics["kcis"]) == topics.defaults.partitions


def test_the_groups_are_those_that_a_worker_needs_together() -> None:
    assert {name for name, topic in TOPICS.items() if topic.copartition is Copartition.TICKET} == KEYED_BY_TICKET
    assert {name for name, topic in TOPICS.items() if topic.copartition is Copartition.ENTITY} == KEYED_BY_ENTITY
    assert {topic.key for name, topic in TOPICS.items() if name in KEYED_BY_TICKET} == {"ticket id"}


def test_a_private_topic_belongs_to_one_party_alone() -> None:
    private = [topic for topic in TOPICS.values() if topic.is_private]

    assert {topic.name for topic in private} == {"dispatcher-journeys", "tracker-entities"}
    assert all(topic.producers == topic.consumers and len(topic.producers) == 1 for topic in private)


def test_personal_data_is_not_kept_long() -> None:
    kept = [
        topic.retention_days for topic in TOPICS.values() if topic.personal_data and topic.cleanup is Cleanup.DELETE
    ]
    lag = [
        topic.configs.get("max.compaction.lag.ms")
        for topic in TOPICS.values()
        if topic.personal_data and topic.cleanup is Cleanup.COMPACT
    ]

    assert max(days for days in kept if days is not None) <= 14
    assert set(lag) == {"86400000"}


def test_a_dead_letter_has_room_for_a_record_of_any_topic() -> None:
    readers = {Party.DISPATCHER, Party.TRACKER}
    read = [topic.max_message_bytes for topic in TOPICS.values() if readers & set(topic.consumers)]

    assert TOPICS["dead-letters"].max_message_bytes >= 2 * max(read)


def test_each_topic_that_a_worker_reads_can_be_written_by_those_who_replay_dead_letters() -> None:
    read = [topic for topic in TOPICS.values() if {Party.DISPATCHER, Party.TRACKER} & set(topic.consumers)]

    assert [topic.name for topic in read if not topic.is_private and Party.CLI not in topic.producers] == []


def test_what_a_service_needs_is_what_it_writes_and_reads() -> None:
    assert {topic.name for topic in the_topics().used_by(Party.INGESTER)} == {"kcis", "kci-quarantine"}
    assert {topic.name for topic in the_topics().written_by(Party.TRACKER)} >= {"problem-status", "tracker-entities"}
    assert "kcis" not in {topic.name for topic in the_topics().written_by(Party.TRACKER)}


def test_an_unknown_topic_is_told_with_those_that_there_are() -> None:
    with pytest.raises(TopicsError, match=r"no topic kci in topics\.yaml; there are: fault-tickets, "):
        the_topics()["kci"]


@pytest.mark.parametrize(("replication_factor", "in_sync"), [(1, "1"), (2, "2"), (3, "2"), (5, "2")])
def test_no_more_replicas_must_be_in_sync_than_there_are(replication_factor: int, in_sync: str) -> None:
    configs = the_topics().configs_of(TOPICS["fault-tickets"], replication_factor)

    assert configs["min.insync.replicas"] == in_sync


def test_a_topic_has_the_configuration_that_its_entry_asks_for() -> None:
    assert the_topics().configs_of(TOPICS["kcis"], 3) == {
        "cleanup.policy": "delete",
        "max.message.bytes": "2097152",
        "min.insync.replicas": "2",
        "retention.ms": "604800000",
        "segment.ms": "86400000",
    }
    assert "retention.ms" not in the_topics().configs_of(TOPICS["problem-status"], 3)


def test_the_page_in_the_docs_is_made_from_topics_yaml() -> None:
    assert (ROOT / "docs" / "topics.md").read_text(encoding="utf-8") == topics_page(the_topics()), (
        "run `bridge topics docs > docs/topics.md`"
    )
