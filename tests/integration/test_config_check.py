"""`bridge config check --connect` tells what is wrong with everything that a service needs, on a secured Kafka."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.sandbox.ports import free_port as find_free_port
from bridge.sandbox.processes import Fleet, Program
from tests.integration.kafka_refusals import REFUSALS
from tests.integration.running_services import run_command
from tests.integration.secured_kafka import SecuredKafka, binding, secured_kafka
from tests.registry_stub import RegistryStub, served

PREFIX = "checked."
GATEWAY = {"BRIDGE_GATEWAY_CLIENT_ID": "tenant", "BRIDGE_GATEWAY_CLIENT_SECRET": "tenant-secret"}


@pytest.fixture(scope="module")
def secured(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(pytestconfig.rootpath, tmp_path_factory.mktemp("secured")) as running:
        running.prepare(PREFIX)
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The simulator's URL."""

    port = find_free_port()
    environment = {"SIMULATOR_LISTEN": f"127.0.0.1:{port}"}
    with Fleet() as fleet:
        log = tmp_path_factory.mktemp("gateway") / "simulator.log"
        url = f"http://127.0.0.1:{port}/live"
        fleet.start(Program("simulator", (sys.executable, "-m", "bridge.simulator"), log, environment, ready_url=url))
        fleet.children[0].wait_ready()
        yield f"http://127.0.0.1:{port}/v1"


def as_user(secured: SecuredKafka, user: str) -> dict[str, str]:
    return {**secured.scram(user), "BRIDGE_KAFKA_TOPIC_PREFIX": PREFIX}


def checks(environ: dict[str, str], *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """The exit code, and each check's verdict and sentence."""
    ended = run_command(environ, "config", "check", "--connect", "--output", "json", *arguments)
    assert "Traceback" not in ended.stderr, ended.stderr
    rows: list[dict[str, Any]] = json.loads(ended.stdout)
    return ended.returncode, {row["check"]: (row["verdict"], row["what_was_found"]) for row in rows}


def test_all_that_a_service_needs_is_found_to_be_right(
    secured: SecuredKafka, gateway: str, free_port: Callable[[], int]
) -> None:
    with served(RegistryStub(), free_port()) as registry:
        schema = {"BRIDGE_SCHEMA_REGISTRY_URL": registry, "BRIDGE_KAFKA_TOPIC_PREFIX": PREFIX}
        assert run_command(schema, "schemas", "register").returncode == 0
        environ = {**as_user(secured, "dispatcher"), **schema, **GATEWAY, "BRIDGE_GATEWAY_BASE_URL": gateway}

        code, found = checks(environ, "--service", "dispatcher")

    assert {name for name, (verdict, _) in found.items() if verdict not in ("ok", "warning")} == set(), found
    assert code == 0
    broker = f"kafka {secured.scram_servers}"
    assert found[broker][1] == "answers over SASL_SSL as dispatcher"
    # Its certificate is good for two days, which is soon.
    assert found[f"{broker} certificate"][0] == "warning"
    assert found["rights"] == ("ok", "all that dispatcher needs")
    assert found["gateway"][1].endswith("gave a token to tenant")


@pytest.mark.parametrize("case", REFUSALS)
def test_why_a_broker_lets_nobody_in_is_told(secured: SecuredKafka, case: str, tmp_path: Path) -> None:
    environ = {**REFUSALS[case].settings(secured, "dispatcher", tmp_path), "BRIDGE_KAFKA_TOPIC_PREFIX": PREFIX}

    code, found = checks(environ, "KAFKA")

    assert code == 2, found
    (broker,) = (name for name in found if name.startswith("kafka "))
    verdict, said = found[broker]
    assert verdict == "unusable"
    assert [words for words in REFUSALS[case].words if words not in said] == []
    assert found["topics"][0] == found["rights"][0] == "skipped"


def test_a_client_certificate_that_has_expired_is_named_with_its_day(secured: SecuredKafka, tmp_path: Path) -> None:
    environ = REFUSALS["an expired client certificate"].settings(secured, "dispatcher", tmp_path)

    code, found = checks(environ, "KAFKA")

    verdict, said = found["BRIDGE_KAFKA_SSL_CERT_FILE"]
    assert (code, verdict) == (2, "unusable")
    assert re.search(r"expired at \d{4}-\d\d-\d\d \d\d:\d\d UTC; renew it", said)


def test_what_is_not_there_yet_is_told_with_exit_code_1(secured: SecuredKafka, free_port: Callable[[], int]) -> None:
    environ = {
        **secured.scram("cli"),
        "BRIDGE_KAFKA_TOPIC_PREFIX": "nowhere.",
        "BRIDGE_SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{free_port()}",
        **GATEWAY,
        "BRIDGE_GATEWAY_BASE_URL": f"http://127.0.0.1:{free_port()}/v1",
    }

    code, found = checks(environ, "KAFKA", "SCHEMA", "GATEWAY")

    assert code == 1
    assert {name: verdict for name, (verdict, _) in found.items() if verdict == "failed"} == {
        "topics": "failed",
        "registry": "failed",
        "gateway": "failed",
    }
    assert "topic nowhere.fault-tickets is missing" in found["topics"][1]
    assert "no answer from the schema registry" in found["registry"][1]
    assert "nothing listens there" in found["gateway"][1]


def test_rights_that_are_lacking_are_named(secured: SecuredKafka) -> None:
    topics = ("kcis", "kci-quarantine")
    secured.allow(
        binding("User:nobody", "topic", PREFIX + topic, operation) for topic in topics for operation in ["Describe"]
    )
    webhook = {"BRIDGE_WEBHOOK_USERNAME": "gateway", "BRIDGE_WEBHOOK_PASSWORD": "gateway-secret"}

    code, found = checks({**as_user(secured, "nobody"), **webhook}, "--service", "ingester")

    assert code == 1
    verdict, said = found["rights"]
    assert verdict == "failed"
    assert f"Write on topic {PREFIX}kcis" in said
    assert f"Write on topic {PREFIX}kci-quarantine" in said
    assert "bridge topics acls" in said


def test_every_problem_of_the_settings_is_a_line_and_nothing_is_tried() -> None:
    environ = {
        "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": "kafka",
        "BRIDGE_GATEWAY_CLIENT_IDD": "tenant",
        "BRIDGE_WEBHOOK_AUTH": "bearer",
    }

    code, found = checks(environ)

    assert code == 2
    assert found["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"] == ("unusable", "entry 1 is not host:port, such as kafka-1:9092")
    assert "did you mean BRIDGE_GATEWAY_CLIENT_ID?" in found["BRIDGE_GATEWAY_CLIENT_IDD"][1]
    assert "BRIDGE_WEBHOOK_JWKS_URL" in found
    assert found["connections"][0] == "skipped"


def test_the_doctor_sees_all_that_it_needs_with_the_rights_of_the_cli(secured: SecuredKafka) -> None:
    ended = run_command(as_user(secured, "cli"), "doctor", "--output", "json")

    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.returncode == 1
    whats = [finding["what"] for finding in json.loads(ended.stdout)["findings"]]
    assert [what for what in whats if "cannot be told" in what or "is missing" in what] == []
    assert [what for what in whats if "no dispatcher is running" in what]
    assert [what for what in whats if "no tracker is running" in what]
    # The broker's certificate is good for two days.
    assert [what for what in whats if what.startswith("the certificate of Kafka broker")]


def test_the_doctor_tells_what_a_user_without_rights_cannot_see(secured: SecuredKafka) -> None:
    ended = run_command(as_user(secured, "tracker"), "doctor", "--output", "json")

    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.returncode == 1
    whats = [finding["what"] for finding in json.loads(ended.stdout)["findings"]]
    assert [what for what in whats if f"may not describe the group {PREFIX}dispatcher" in what]
