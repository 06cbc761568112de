"""Each service comes into a secured cluster as a user of its own, does its work there, and can do nothing else."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from bridge.adapters.avro import to_json
from bridge.adapters.kafka_connection import connection_options, why_refused
from bridge.cli.acls import PARTS
from bridge.sandbox.ports import free_port
from bridge.sandbox.processes import Child, Fleet, Program
from bridge.settings import read
from bridge.topics import Party, data_directory, load_topics
from tests.builders import a_report, an_event
from tests.integration.kafka_refusals import REFUSALS
from tests.integration.running_services import BRIDGE, run_command
from tests.integration.secured_kafka import SecuredKafka, binding, password_of, secured_kafka
from tests.integration.topic_watch import CODEC
from tests.letters import a_letter

SERVICES = (Party.DISPATCHER, Party.INGESTER, Party.TRACKER)
TOPICS = load_topics(data_directory() / "topics.yaml")
READY_SECONDS = 60.0
END_SECONDS = 40.0
POLL_SECONDS = 0.3
WEBHOOK = {"BRIDGE_WEBHOOK_USERNAME": "gateway", "BRIDGE_WEBHOOK_PASSWORD": "gateway-secret"}
GATEWAY = {"BRIDGE_GATEWAY_CLIENT_ID": "tenant", "BRIDGE_GATEWAY_CLIENT_SECRET": "tenant-secret"}
NOWHERE = "http://127.0.0.1:1/v1"


@pytest.fixture(scope="module")
def secured(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(pytestconfig.rootpath, tmp_path_factory.mktemp("secured")) as running:
        yield running


def as_user(secured: SecuredKafka, how: str, user: str, prefix: str) -> dict[str, str]:
    settings = secured.scram(user) if how == "scram" else secured.mtls(user)
    return {**settings, "BRIDGE_KAFKA_TOPIC_PREFIX": prefix}


# -- each service does its work


@contextmanager
def services(secured: SecuredKafka, how: str, prefix: str, logs: Path) -> Iterator[dict[str, Child]]:
    """The simulator and the three services, each as the user of its own name."""
    gateway, webhook = free_port(), free_port()
    own: dict[Party, dict[str, str]] = {
        Party.DISPATCHER: {
            **GATEWAY,
            "BRIDGE_GATEWAY_BASE_URL": f"http://127.0.0.1:{gateway}/v1",
            "BRIDGE_DISPATCHER_ACCEPT_RESOLUTION_CODES": "*",
        },
        Party.INGESTER: {**WEBHOOK, "BRIDGE_WEBHOOK_LISTEN": f"127.0.0.1:{webhook}"},
        Party.TRACKER: {},
    }
    simulator = {
        "SIMULATOR_LISTEN": f"127.0.0.1:{gateway}",
        "SIMULATOR_WEBHOOK_URL": f"http://127.0.0.1:{webhook}/kcis",
        "SIMULATOR_WEBHOOK_AUTH": "basic",
        "SIMULATOR_KCI_DELAY": "0.1",
    }
    with Fleet() as fleet:
        url = f"http://127.0.0.1:{gateway}/live"
        command = (sys.executable, "-m", "bridge.simulator")
        fleet.start(Program("simulator", command, logs / "simulator.log", simulator, ready_url=url))
        started = {}
        for party in SERVICES:
            settings = {**own[party], **as_user(secured, how, party, prefix)}
            started[party.value] = fleet.start(service(party, settings, logs))
        for child in fleet.children:
            child.wait_ready(READY_SECONDS)
        yield started


def service(party: Party, settings: Mapping[str, str], logs: Path) -> Program:
    management = f"127.0.0.1:{free_port()}"
    environment = {"BRIDGE_MANAGEMENT_LISTEN": management, **settings}
    ready_url = f"http://{management}/ready"
    return Program(party, (*BRIDGE, "run", party), logs / f"{party}.log", environment, ready_url=ready_url)


@pytest.mark.parametrize("how", ["scram", "mtls"])
def test_a_ticket_goes_its_whole_way_with_each_service_as_a_user_of_its_own(
    secured: SecuredKafka, how: str, tmp_path: Path
) -> None:
    prefix = f"{how}."
    secured.prepare(prefix)
    person = as_user(secured, how, "cli", prefix)
    event = an_event(a_report(service_id="SIM-HAPPY_PATH-001"), ticket_id="SECURED-1")
    with services(secured, how, prefix, tmp_path) as started:
        sent = run_command(person, "tickets", "send", "-", stdin=json.dumps(json.loads(to_json(event))))
        assert sent.returncode == 0, sent.stderr
        deadline = time.monotonic() + END_SECONDS
        while "ENDED COMPLETED" not in (listed := run_command(person, "journeys", "list")).stdout:
            logs = "\n".join(child.log_text()[-2000:] for child in started.values())
            assert time.monotonic() < deadline, f"{listed}\n{logs}"
            time.sleep(POLL_SECONDS)
        ended = {name: child.terminate() for name, child in started.items()}

    assert ended == {"dispatcher": 0, "ingester": 0, "tracker": 0}
    logged = "".join(child.log_text() for child in started.values())
    assert "Authorization" not in logged  # neither Kafka's errors nor a header
    assert not [user for user in PARTS if password_of(user) in logged]


# -- and can do nothing else


@pytest.fixture(scope="module")
def fenced(secured: SecuredKafka) -> str:
    """The prefix of topics that nobody works on, with one record in each."""
    prefix = "fenced."
    secured.prepare(prefix)
    written, failed = write_to_all(secured, "admin", prefix)
    assert (len(written), failed) == (len(TOPICS.topics), set())
    return prefix


def write_to_all(secured: SecuredKafka, user: str, prefix: str) -> tuple[set[str], set[str]]:
    """The topics that a user could write a record to, and those that it was refused."""
    written: set[str] = set()
    refused: set[str] = set()

    def told(topic: str, error: KafkaError | None, _: object) -> None:
        if error is None:
            written.add(topic)
        else:
            assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, (topic, error)
            refused.add(topic)

    producer = Producer({**secured.client(user), "log_level": 0})
    for topic in TOPICS.topics:
        producer.produce(
            prefix + topic.name,
            b"{}",
            b"key",
            partition=0,
            on_delivery=partial(told, topic.name),
        )
    assert producer.flush(30) == 0
    return written, refused


def read_from(secured: SecuredKafka, user: str, prefix: str, topics: set[str]) -> tuple[set[str], set[str]]:
    """Of topics that a user may describe, those that it could read, and those that it was refused."""
    taken: set[str] = set()
    refused: set[str] = set()
    # It commits nothing, and so needs no right on its group.
    reading = {"group.id": f"look-{user}", "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer({**secured.client(user), **reading})
    try:
        consumer.assign([TopicPartition(prefix + topic, 0, OFFSET_BEGINNING) for topic in topics])
        deadline = time.monotonic() + 30
        while unheard := topics - taken - refused:
            assert time.monotonic() < deadline, f"{user}: nothing heard of {unheard}"
            message = consumer.poll(0.5)
            if message is None:
                continue
            error, name = message.error(), (message.topic() or "").removeprefix(prefix)
            if error is None:
                taken.add(name)
            elif name:  # without one it is about the group
                assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, (name, error)
                refused.add(name)
    finally:
        consumer.close()
    return taken, refused


def operations(secured: SecuredKafka, user: str, prefix: str) -> dict[str, set[str]]:
    """What the broker says that a user may do with each topic; nothing for one that it may not even see."""
    admin = AdminClient(secured.client(user))
    asked = TopicCollection([prefix + topic.name for topic in TOPICS.topics])
    answers = admin.describe_topics(asked, include_authorized_operations=True)
    allowed = {}
    for name, future in answers.items():
        try:
            told = future.result(timeout=20).authorized_operations
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise
            told = []
        allowed[name.removeprefix(prefix)] = {operation.name.title().replace("_", "") for operation in told}
    return allowed


def names() -> set[str]:
    return {topic.name for topic in TOPICS.topics}


@pytest.mark.parametrize("party", PARTS)
def test_each_part_writes_and_reads_its_own_topics_and_is_refused_all_others(
    secured: SecuredKafka, fenced: str, party: Party
) -> None:
    produced = {topic.name for topic in TOPICS.topics if party in topic.producers}
    consumed = {topic.name for topic in TOPICS.topics if party in topic.consumers}

    allowed = operations(secured, party, fenced)
    assert {topic for topic, operations in allowed.items() if operations} == produced | consumed
    assert set().union(*allowed.values()) <= {"Describe", "DescribeConfigs", "Read", "Write"}
    assert write_to_all(secured, party, fenced) == (produced, names() - produced)
    assert read_from(secured, party, fenced, produced | consumed) == (consumed, produced - consumed)


def test_the_topics_that_a_service_has_no_business_with_are_out_of_its_sight(
    secured: SecuredKafka, fenced: str
) -> None:
    """The same in words, by whoever reads topics.yaml with the eyes of an attacker."""
    assert operations(secured, "ingester", fenced)["fault-tickets"] == set()
    assert operations(secured, "ingester", fenced)["kcis"] == {"Describe", "Write"}
    assert "Write" not in operations(secured, "tracker", fenced)["kcis"]
    assert operations(secured, "tracker", fenced)["dispatcher-journeys"] == set()
    assert "Read" not in operations(secured, "cli", fenced)["fault-tickets"]


def test_a_worker_is_refused_the_transactions_and_the_group_of_another(secured: SecuredKafka, fenced: str) -> None:
    tracker = {**secured.client("tracker"), "log_level": 0}

    def begin(transactional_id: str) -> None:
        producer = Producer({**tracker, "transactional.id": fenced + transactional_id})
        producer.init_transactions(20)

    def join(group: str) -> None:
        consumer = Consumer({**tracker, "group.id": fenced + group, "auto.offset.reset": "earliest"})
        try:
            consumer.subscribe([fenced + "kcis"])
            deadline = time.monotonic() + 20
            while not consumer.assignment():
                assert time.monotonic() < deadline, "neither in the group nor refused"
                message = consumer.poll(0.5)
                if message is not None and message.error() is not None:
                    raise KafkaException(message.error())
        finally:
            consumer.close()

    begin("tracker-6f1d8a52")
    join("tracker")
    with pytest.raises(KafkaException) as fencing:
        begin("dispatcher-6f1d8a52")
    with pytest.raises(KafkaException) as joining:
        join("dispatcher")

    assert fencing.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert joining.value.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_who_decides_about_dead_letters_may_and_a_worker_may_not(secured: SecuredKafka, fenced: str) -> None:
    """Replays and discards are transactions, whose id the rights must name (`bridge topics acls`)."""
    event = an_event(a_report(), ticket_id="SECURED-2")
    letters = [
        a_letter(offset, key=b"SECURED-2", value=CODEC.encode("fault-tickets", event), timestamp=datetime.now(UTC))
        for offset in (1, 2)
    ]
    producer = Producer({**secured.client("admin"), "log_level": 0})
    for letter in letters:
        producer.produce(f"{fenced}dead-letters", CODEC.encode("dead-letters", letter), letter.key)
    assert producer.flush(30) == 0
    person, first, second = as_user(secured, "scram", "cli", fenced), *(each.dead_letter_id for each in letters)

    replayed = run_command(person, "dead-letters", "replay", "--id", first, "--why", "rights")
    discarded = run_command(person, "dead-letters", "discard", "--id", second, "--why", "rights")
    listed = run_command(person, "dead-letters", "list", "--state", "all")

    assert (replayed.returncode, discarded.returncode, listed.returncode) == (0, 0, 0), (replayed, discarded, listed)
    states = dict(line.split("\t")[:2] for line in listed.stdout.splitlines())
    assert (states[first], states[second]) == ("replayed", "discarded")
    stranger = Producer({**secured.client("tracker"), "log_level": 0, "transactional.id": f"{fenced}dead-letter-audit"})
    with pytest.raises(KafkaException) as refused:
        stranger.init_transactions(20)
    assert refused.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


# -- what cannot come in is told why


@pytest.mark.parametrize("case", REFUSALS)
async def test_a_refusal_names_its_cause_and_the_setting_to_mend(
    secured: SecuredKafka, case: str, tmp_path: Path
) -> None:
    settings = read(await asyncio.to_thread(REFUSALS[case].settings, secured, "dispatcher", tmp_path), "KAFKA")

    told = await why_refused(connection_options(settings.kafka))

    assert told is not None
    assert [words for words in REFUSALS[case].words if words not in told] == []
    assert "Zq4kT8wX" not in told


async def test_who_is_let_in_is_not_refused(secured: SecuredKafka) -> None:
    for settings in (secured.scram("tracker"), secured.mtls("tracker")):
        assert await why_refused(connection_options(read(settings, "KAFKA").kafka)) is None


def end_of(party: Party, settings: Mapping[str, str], logs: Path) -> tuple[int, str]:
    """How a service ends that cannot start, and what it wrote."""
    needed: dict[Party, dict[str, str]] = {
        Party.DISPATCHER: {**GATEWAY, "BRIDGE_GATEWAY_BASE_URL": NOWHERE},
        Party.INGESTER: {**WEBHOOK, "BRIDGE_WEBHOOK_LISTEN": f"127.0.0.1:{free_port()}"},
        Party.TRACKER: {},
    }
    with Fleet() as fleet:
        child = fleet.start(service(party, {**needed[party], **settings}, logs))
        return child.wait_ended(END_SECONDS), child.log_text()


@pytest.mark.parametrize("party", SERVICES)
@pytest.mark.parametrize("case", ["a wrong password", "another authority", "no client certificate"])
def test_a_service_that_is_not_let_in_ends_and_says_why(
    secured: SecuredKafka, case: str, party: Party, tmp_path: Path
) -> None:
    exit_code, log = end_of(party, REFUSALS[case].settings(secured, party, tmp_path), tmp_path)

    assert exit_code == 2, log
    # Its last word; libraries may log of what they were doing after it.
    last = [line for line in log.splitlines() if line and not line.startswith("{")][-1]
    expected = [words.replace("dispatcher", party) for words in REFUSALS[case].words]
    assert [words for words in expected if words not in last] == [], log
    assert "Traceback" not in log
    assert "Zq4kT8wX" not in log


def test_a_service_without_rights_on_its_topics_ends_and_names_them(secured: SecuredKafka, tmp_path: Path) -> None:
    settings = as_user(secured, "scram", "nobody", "fenced.")

    exit_code, log = end_of(Party.TRACKER, settings, tmp_path)

    assert exit_code == 1, log
    assert "topic fenced.tracker-entities is missing, or this user may not describe it" in log


@pytest.mark.parametrize("lacking", ["group", "transactional-id"])
def test_a_worker_without_its_group_or_its_transactions_ends_and_names_what_it_lacks(
    secured: SecuredKafka, fenced: str, lacking: str, tmp_path: Path
) -> None:
    rights = [
        binding("User:nobody", "topic", fenced + topic.name, operation)
        for topic in TOPICS.used_by(Party.TRACKER)
        for operation in ("Describe", "Read", "Write")
    ]
    if lacking == "transactional-id":
        rights.append(binding("User:nobody", "group", fenced + "tracker", "Read"))
    secured.allow(iter(rights))

    exit_code, log = end_of(Party.TRACKER, as_user(secured, "scram", "nobody", fenced), tmp_path)

    assert exit_code == 1, log
    assert lacking in log
    assert "bridge topics acls" in log


def test_a_file_that_is_missing_is_named_with_its_variable(secured: SecuredKafka, tmp_path: Path) -> None:
    for variable in ("BRIDGE_KAFKA_SSL_CA_FILE", "BRIDGE_KAFKA_SSL_CERT_FILE"):
        settings: dict[str, Any] = {**secured.mtls("cli"), variable: str(tmp_path / "nowhere.pem")}

        ended = run_command(settings, "journeys", "list")

        assert ended.returncode == 2
        assert variable in ended.stderr
        assert "nowhere.pem cannot be used" in ended.stderr
