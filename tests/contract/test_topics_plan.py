"""What differs between a cluster and topics.yaml is told as data, and so is why a service cannot start."""

import dataclasses
from collections.abc import Mapping

import pytest

from bridge.adapters.kafka_admin import AddPartitions, ChangeConfigs, ClusterTopic, CreateTopic, Obstacle, plan, unfit
from bridge.topics import Party, physical_name
from tests.schema_examples import the_topics

TOPICS = the_topics()
PREFIX = "uk."


def matching_cluster(replication_factor: int = 3) -> dict[str, ClusterTopic]:
    """A cluster that is as topics.yaml wants it; each broker default is shown too, as a cluster does."""
    cluster = {}
    for topic in TOPICS.topics:
        own = TOPICS.configs_of(topic, replication_factor)
        cluster[physical_name(PREFIX, topic.name)] = ClusterTopic(
            partitions=TOPICS.partitions_of(topic),
            replication_factor=replication_factor,
            configs={"compression.type": "producer", "retention.ms": "604800000", **own},
            own_configs=own,
        )
    return cluster


def differing(**changes: object) -> Mapping[str, ClusterTopic]:
    """A cluster where kcis differs."""
    cluster = matching_cluster()
    cluster["uk.kcis"] = dataclasses.replace(cluster["uk.kcis"], **changes)  # type: ignore[arg-type]  # any field
    return cluster


def test_an_empty_cluster_gets_every_topic() -> None:
    changes = plan({}, TOPICS, PREFIX, replication_factor=1)

    assert [change.name for change in changes] == [f"uk.{topic.name}" for topic in TOPICS.topics]
    assert all(isinstance(change, CreateTopic) and change.replication_factor == 1 for change in changes)
    assert isinstance(changes[0], CreateTopic)
    assert changes[0].configs["min.insync.replicas"] == "1"


@pytest.mark.parametrize("replication_factor", [1, 3])
def test_a_cluster_that_matches_needs_no_change(replication_factor: int) -> None:
    assert plan(matching_cluster(replication_factor), TOPICS, PREFIX, replication_factor) == ()


def test_topics_of_others_are_left_alone() -> None:
    others = {"orders": ClusterTopic(1, 1, {}, {}), "kcis": ClusterTopic(1, 1, {}, {})}

    assert plan({**matching_cluster(), **others}, TOPICS, PREFIX, 3) == ()


def test_a_missing_partition_is_told_as_a_loss_of_order() -> None:
    (change,) = plan(differing(partitions=4), TOPICS, PREFIX, 3)

    assert change == AddPartitions("uk.kcis", 4, 6)
    assert "the order of a key is lost" in str(change)


def test_a_partition_too_many_cannot_be_taken_away() -> None:
    (change,) = plan(differing(partitions=8), TOPICS, PREFIX, 3)

    assert isinstance(change, Obstacle)
    assert "set partitions to 8 in topics.yaml" in change.why


def test_another_number_of_replicas_is_told_with_what_mends_it() -> None:
    (change,) = plan(differing(replication_factor=2), TOPICS, PREFIX, 3)

    assert isinstance(change, Obstacle)
    assert "--replication-factor 2" in change.why


def test_a_changed_configuration_keeps_what_others_set_on_the_topic() -> None:
    kcis = matching_cluster()["uk.kcis"]
    theirs = {"message.timestamp.type": "LogAppendTime", "retention.ms": "1000"}
    cluster = differing(configs={**kcis.configs, **theirs}, own_configs={**kcis.own_configs, **theirs})

    (change,) = plan(cluster, TOPICS, PREFIX, 3)

    assert isinstance(change, ChangeConfigs)
    assert change.changes == {"retention.ms": ("1000", "604800000")}
    assert change.all_configs == {**kcis.own_configs, "message.timestamp.type": "LogAppendTime"}
    assert str(change) == "retention.ms 1000 → 604800000"


def test_a_configuration_that_the_cluster_does_not_show_is_set() -> None:
    (change,) = plan(differing(configs={}, own_configs={}), TOPICS, PREFIX, 3)

    assert isinstance(change, ChangeConfigs)
    assert change.changes["cleanup.policy"] == (None, "delete")


def test_a_service_can_start_when_its_topics_are_there() -> None:
    needed = TOPICS.used_by(Party.INGESTER)
    cluster = {name: topic for name, topic in matching_cluster().items() if name in {"uk.kcis", "uk.kci-quarantine"}}

    assert unfit(cluster, TOPICS, needed, PREFIX) == ()


def test_a_service_cannot_start_without_a_topic_or_with_another_partition_count() -> None:
    cluster = {"uk.kcis": ClusterTopic(3, 1, {}, {})}

    assert unfit(cluster, TOPICS, TOPICS.used_by(Party.INGESTER), PREFIX) == (
        "topic uk.kcis has 3 partitions and needs 6; run `bridge topics apply`",
        "topic uk.kci-quarantine is missing, or this user may not describe it; run `bridge topics apply`",
    )
