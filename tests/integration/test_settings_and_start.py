"""What keeps a service or a command from starting: told at once, all of it, with what mends it."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from bridge.adapters.avro import to_json
from bridge.sandbox.kafka import EmbeddedKafka
from tests.builders import PERSONAL, a_report, an_event
from tests.integration.running_services import run_command
from tests.integration.topic_watch import TopicWatch

USABLE = {
    "BRIDGE_GATEWAY_BASE_URL": "http://127.0.0.1:20001/v1",
    "BRIDGE_GATEWAY_CLIENT_ID": "tenant",
    "BRIDGE_GATEWAY_CLIENT_SECRET": "tenant-secret",
    "BRIDGE_WEBHOOK_LISTEN": "127.0.0.1:8080",
    "BRIDGE_WEBHOOK_USERNAME": "gateway",
    "BRIDGE_WEBHOOK_PASSWORD": "gateway-secret",
    "BRIDGE_MANAGEMENT_LISTEN": "127.0.0.1:9090",
}
# For each service: a topic of its own that is missing, and one that has too many partitions.
SPOILT = {
    "dispatcher": ("gateway-outcomes", "journeys"),
    "ingester": ("kci-quarantine", "kcis"),
    "tracker": ("test-transitions", "problem-status"),
}


@pytest.fixture(scope="module")
def cluster(kafka: EmbeddedKafka) -> dict[str, str]:
    """Settings of a cluster that has the topics."""
    settings = {
        "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "BRIDGE_KAFKA_TOPIC_PREFIX": f"start-{os.getpid()}-",
    }
    applied = run_command(settings, "topics", "apply", "--replication-factor", "1")
    assert applied.returncode == 0, applied.stderr
    return settings


@pytest.fixture(scope="module")
def spoilt(kafka: EmbeddedKafka) -> dict[str, str]:
    """Settings of a cluster on which each service misses a topic, and finds another one with seven partitions."""
    settings = {
        "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "BRIDGE_KAFKA_TOPIC_PREFIX": f"spoilt-{os.getpid()}-",
    }
    assert run_command(settings, "topics", "apply", "--replication-factor", "1").returncode == 0
    asyncio.run(spoil(settings))
    return settings


async def spoil(settings: Mapping[str, str]) -> None:
    prefix = settings["BRIDGE_KAFKA_TOPIC_PREFIX"]
    admin = AIOKafkaAdminClient(bootstrap_servers=settings["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"])
    await admin.start()
    try:
        await admin.delete_topics([f"{prefix}{missing}" for missing, _ in SPOILT.values()])
        await admin.create_partitions({f"{prefix}{grown}": NewPartitions(7) for _, grown in SPOILT.values()})
    finally:
        await admin.close()


@pytest.mark.parametrize("service", SPOILT)
def test_a_service_refuses_to_start_without_the_topics_it_needs(spoilt: dict[str, str], service: str) -> None:
    missing, grown = (f"{spoilt['BRIDGE_KAFKA_TOPIC_PREFIX']}{topic}" for topic in SPOILT[service])

    ended = run_command({**USABLE, **spoilt}, "run", service)

    assert ended.returncode == 1, ended.stderr
    sentences = ended.stderr.splitlines()
    (about_missing,) = [sentence for sentence in sentences if missing in sentence]
    (about_grown,) = [sentence for sentence in sentences if grown in sentence]
    assert "missing" in about_missing
    assert "`bridge topics apply`" in about_missing
    assert "7 partitions" in about_grown
    assert "6" in about_grown
    assert "bridge topics" in about_grown
    assert "Traceback" not in ended.stderr


def test_a_missing_topic_is_made_by_the_command_that_the_sentence_names(spoilt: dict[str, str]) -> None:
    """What the command cannot mend, it says: Kafka takes no partitions away."""
    applied = run_command(spoilt, "topics", "apply", "--replication-factor", "1")

    created = {
        line.split("\t")[0].removeprefix(spoilt["BRIDGE_KAFKA_TOPIC_PREFIX"]) for line in applied.stdout.splitlines()
    }
    assert created == {missing for missing, _ in SPOILT.values()}
    assert applied.returncode == 1
    for _, grown in SPOILT.values():
        assert f"{spoilt['BRIDGE_KAFKA_TOPIC_PREFIX']}{grown} has 7 partitions, wanted 6" in applied.stderr


@pytest.mark.parametrize(
    ("service", "settings", "variables"),
    [
        (
            "dispatcher",
            {
                "BRIDGE_GATEWAY_CLIENT_AUTH": "telepathy",
                "BRIDGE_GATEWAY_MAX_IN_FLIGHT": "none",
                "BRIDGE_DISPATCHER_MAX_TESTS": "0",
                "BRIDGE_DISPATCHER_PROBLEM_TYPES": "{not json",
                "BRIDGE_DISPACHER_MAX_RAISES": "2",
            },
            {
                "BRIDGE_KAFKA_BOOTSTRAP_SERVERS",
                "BRIDGE_GATEWAY_CLIENT_ID",
                "BRIDGE_GATEWAY_CLIENT_SECRET",
                "BRIDGE_GATEWAY_BASE_URL",
                "BRIDGE_GATEWAY_CLIENT_AUTH",
                "BRIDGE_GATEWAY_MAX_IN_FLIGHT",
                "BRIDGE_DISPATCHER_MAX_TESTS",
                "BRIDGE_DISPATCHER_PROBLEM_TYPES",
                "BRIDGE_DISPACHER_MAX_RAISES",
            },
        ),
        (
            "ingester",
            {
                "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:20002",
                "BRIDGE_WEBHOOK_PASSWORD_FILE": "/nowhere/secret",
                "BRIDGE_WEBHOOK_MAX_DEPTH": "1",
                "BRIDGE_LOG_LEVELL": "DEBUG",
            },
            {"BRIDGE_WEBHOOK_PASSWORD_FILE", "BRIDGE_WEBHOOK_MAX_DEPTH", "BRIDGE_LOG_LEVELL"},
        ),
    ],
    ids=["dispatcher", "ingester"],
)
def test_settings_that_cannot_be_used_are_all_told_with_exit_code_2(
    service: str, settings: dict[str, str], variables: set[str]
) -> None:
    ended = run_command(settings, "run", service)

    assert ended.returncode == 2, ended.stderr
    assert {sentence.split(":")[0] for sentence in ended.stderr.splitlines()} == variables
    assert "Traceback" not in ended.stderr


def test_a_secret_is_read_from_a_file_and_never_told(cluster: dict[str, str], tmp_path: Path) -> None:
    secret = tmp_path / "client-secret"
    secret.write_text("open-sesame\n")
    settings = {
        **cluster,
        **USABLE,
        "BRIDGE_GATEWAY_CLIENT_SECRET_FILE": str(secret),
        "BRIDGE_DISPATCHER_MAX_TESTS": "0",
    }
    del settings["BRIDGE_GATEWAY_CLIENT_SECRET"]

    checked = run_command(settings, "config", "check")

    assert checked.returncode == 2
    assert [line.split("\t")[0] for line in checked.stdout.splitlines()] == ["BRIDGE_DISPATCHER_MAX_TESTS"]
    assert "open-sesame" not in checked.stdout + checked.stderr


def an_event_as_json(ticket_id: str) -> dict[str, object]:
    written: dict[str, object] = json.loads(to_json(an_event(a_report(), ticket_id=ticket_id)))
    return written


def test_ticket_events_from_a_file_are_sent_whole_or_not_at_all(cluster: dict[str, str], tmp_path: Path) -> None:
    good, misspelt, naive = (an_event_as_json(f"FILE-{number}") for number in (1, 2, 3))
    misspelt["ocurred_at"] = misspelt.pop("occurred_at")
    naive["occurred_at"] = "2026-03-02T09:30:00"
    file = tmp_path / "events.jsonl"
    lines = [json.dumps(good), json.dumps(misspelt), "", "{not json", json.dumps(naive)]
    file.write_text("\n".join(lines))

    sent = run_command(cluster, "tickets", "send", str(file))

    assert sent.returncode == 1
    told = sent.stderr.removeprefix(f"{file}: ").splitlines()
    assert [sentence.split(":")[0] for sentence in told] == ["line 2", "line 4", "line 5"]
    assert "occurred_at" in told[0]
    assert "not JSON" in told[1]
    assert "a time needs an offset" in told[2]
    assert not any(word in sent.stderr for word in PERSONAL)
    assert on_fault_tickets(cluster) == []

    sent = run_command(cluster, "tickets", "send", "-", stdin=f"{lines[0]}\n")

    assert sent.returncode == 0, sent.stderr
    assert sent.stdout.startswith("FILE-1 FaultReported -> ")
    assert on_fault_tickets(cluster) == ["FILE-1"]


def on_fault_tickets(settings: Mapping[str, str]) -> list[str]:
    """The keys of all ticket events."""
    topics = ("fault-tickets",)
    watch = TopicWatch(settings["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"], settings["BRIDGE_KAFKA_TOPIC_PREFIX"], topics)
    watch.start()
    try:
        watch.catch_up()
        return [seen.key for seen in watch.records("fault-tickets")]
    finally:
        watch.stop()


def test_a_file_that_is_not_there_is_told_without_a_traceback(cluster: dict[str, str], tmp_path: Path) -> None:
    sent = run_command(cluster, "tickets", "send", str(tmp_path / "nothing.jsonl"))

    assert (sent.returncode, "nothing.jsonl" in sent.stderr, "Traceback" in sent.stderr) == (1, True, False)
