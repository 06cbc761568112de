"""`bridge topics` on a real cluster: what it shows, changes and refuses, and what a service checks at its start."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from typer.testing import CliRunner, Result

from bridge.adapters.kafka_admin import (
    ChangeConfigs,
    ClusterTopic,
    CreateTopic,
    KafkaAdmin,
    KafkaUnreachable,
    check_topics,
)
from bridge.adapters.kafka_connection import connection_options
from bridge.cli.topics import app
from bridge.sandbox.kafka import EmbeddedKafka
from bridge.settings import read
from bridge.topics import Party, TopicsError
from tests.schema_examples import the_topics

T = TypeVar("T")


@dataclass(frozen=True)
class Deployment:
    """A prefix of its own on the shared cluster, and the command line with its environment."""

    environ: dict[str, str]

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env=self.environ)

    @property
    def prefix(self) -> str:
        return self.environ["BRIDGE_KAFKA_TOPIC_PREFIX"]

    @property
    def options(self) -> dict[str, Any]:
        return connection_options(read(self.environ, "KAFKA").kafka)

    def ask(self, work: Callable[[KafkaAdmin], Coroutine[Any, Any, T]]) -> T:
        async def within() -> T:
            async with KafkaAdmin(self.options) as admin:
                return await work(admin)

        return asyncio.run(within())

    def described(self, name: str) -> ClusterTopic:
        return self.ask(lambda admin: admin.describe([f"{self.prefix}{name}"]))[f"{self.prefix}{name}"]

    def create(self, name: str, partitions: int) -> None:
        configs = the_topics().configs_of(the_topics()[name], 1)
        self.ask(lambda admin: admin.apply(CreateTopic(f"{self.prefix}{name}", partitions, 1, configs)))


@pytest.fixture
def deployment(kafka: EmbeddedKafka, request: pytest.FixtureRequest) -> Deployment:
    prefix = f"{request.node.name}."
    return Deployment({"BRIDGE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "BRIDGE_KAFKA_TOPIC_PREFIX": prefix})


@pytest.fixture
def applied(deployment: Deployment) -> Deployment:
    result = deployment.run("apply", "--replication-factor", "1")
    assert result.exit_code == 0, result.output
    return deployment


def test_plan_shows_what_apply_then_does_and_nothing_is_left(deployment: Deployment) -> None:
    planned = deployment.run("plan", "--replication-factor", "1")
    applied = deployment.run("apply", "--replication-factor", "1")
    planned_again = deployment.run("plan", "--replication-factor", "1")

    assert planned.exit_code == 1
    assert planned.stdout.splitlines() == applied.stdout.splitlines()
    assert planned.stdout.count("\tcreate with 6 partitions, 1 replicas, ") == len(the_topics().topics)
    assert applied.exit_code == 0
    assert (planned_again.exit_code, planned_again.stdout) == (0, "")


def test_an_applied_topic_is_as_topics_yaml_says(applied: Deployment) -> None:
    found = applied.described("kcis")

    assert (found.partitions, found.replication_factor) == (6, 1)
    assert found.own_configs == {
        "cleanup.policy": "delete",
        "max.message.bytes": "2097152",
        "min.insync.replicas": "1",
        "retention.ms": "604800000",
        "segment.ms": "86400000",
    }
    assert applied.described("problem-status").configs["cleanup.policy"] == "compact"


def test_a_changed_configuration_is_set_back_and_other_peoples_are_kept(applied: Deployment) -> None:
    theirs = {**applied.described("kcis").own_configs, "retention.ms": "1000", "flush.messages": "5000"}
    applied.ask(lambda admin: admin.apply(ChangeConfigs(f"{applied.prefix}kcis", {}, theirs)))

    planned = applied.run("plan", "--replication-factor", "1")
    done = applied.run("apply", "--replication-factor", "1")

    assert (planned.exit_code, planned.stdout) == (1, f"{applied.prefix}kcis\tretention.ms 1000 → 604800000\n")
    assert done.exit_code == 0
    assert applied.described("kcis").own_configs == {**theirs, "retention.ms": "604800000"}


def test_more_partitions_for_a_keyed_topic_are_refused_unless_told_so(deployment: Deployment) -> None:
    deployment.create("kcis", partitions=3)

    refused = deployment.run("apply", "--replication-factor", "1")

    assert refused.exit_code == 1
    assert refused.stderr == (
        f"topic {deployment.prefix}kcis: partitions 3 → 6; keys move, so the order of a key is lost;"
        " not done without --allow-losing-order\n"
    )
    assert deployment.described("kcis").partitions == 3
    assert deployment.described("observations").partitions == 6, "what can be done is done"

    allowed = deployment.run("apply", "--replication-factor", "1", "--allow-losing-order")

    assert allowed.exit_code == 0
    assert deployment.described("kcis").partitions == 6


def test_partitions_are_never_taken_away(deployment: Deployment) -> None:
    deployment.create("kcis", partitions=8)

    refused = deployment.run("apply", "--replication-factor", "1", "--allow-losing-order")

    assert refused.exit_code == 1
    assert "has 8 partitions, wanted 6; Kafka cannot take partitions away" in refused.stderr
    assert deployment.described("kcis").partitions == 8


def test_more_replicas_than_brokers_are_told_in_kafkas_words(deployment: Deployment) -> None:
    refused = deployment.run("apply")

    assert refused.exit_code == 1
    assert f"topic {deployment.prefix}fault-tickets: InvalidReplicationFactorError: " in refused.stderr
    assert len(refused.stderr.splitlines()) == len(the_topics().topics)


def test_another_number_of_replicas_is_told_and_left(applied: Deployment) -> None:
    planned = applied.run("plan")

    assert planned.exit_code == 1
    assert planned.stdout.count("has 1 replicas, wanted 3; move them with kafka-reassign-partitions") == len(
        the_topics().topics
    )


def test_check_names_each_topic_that_is_missing_or_different_and_the_command(deployment: Deployment) -> None:
    deployment.create("kcis", partitions=3)

    checked = deployment.run("check", "--service", "ingester")

    assert checked.exit_code == 1
    assert checked.stderr.splitlines() == [
        f"topic {deployment.prefix}kcis has 3 partitions and needs 6; run `bridge topics apply`",
        (
            f"topic {deployment.prefix}kci-quarantine is missing, or this user may not describe it;"
            " run `bridge topics apply`"
        ),
    ]


def test_check_is_content_with_what_apply_made(applied: Deployment) -> None:
    assert applied.run("check").exit_code == 0


async def test_a_service_refuses_to_start_without_its_topics_and_looking_creates_none(deployment: Deployment) -> None:
    for _ in range(2):
        with pytest.raises(TopicsError, match=r"topic .*fault-tickets is missing.*; run `bridge topics apply`"):
            await check_topics(deployment.options, the_topics(), [Party.DISPATCHER], deployment.prefix)


async def test_a_service_may_start_when_only_topics_of_others_are_missing(deployment: Deployment) -> None:
    async with KafkaAdmin(deployment.options) as admin:
        for name in ("kcis", "kci-quarantine"):
            await admin.apply(CreateTopic(f"{deployment.prefix}{name}", 6, 1, {}))

    await check_topics(deployment.options, the_topics(), [Party.INGESTER], deployment.prefix)


def test_a_cluster_that_is_not_there_is_told_with_the_settings_to_look_at(free_port: Callable[[], int]) -> None:
    nowhere = Deployment(
        {"BRIDGE_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}", "BRIDGE_KAFKA_TOPIC_PREFIX": "x."}
    )

    for arguments in (("plan",), ("apply",), ("check",)):
        result = nowhere.run(*arguments)

        assert result.exit_code == 1
        assert "no Kafka broker at 127.0.0.1:" in result.stderr
        assert "check BRIDGE_KAFKA_BOOTSTRAP_SERVERS" in result.stderr
    with pytest.raises(KafkaUnreachable):
        nowhere.described("kcis")


def test_a_command_without_its_setting_says_which() -> None:
    result = CliRunner().invoke(app, ["plan"], env={})

    assert result.exit_code == 2
    assert result.stderr == "BRIDGE_KAFKA_BOOTSTRAP_SERVERS: field required\n"
