"""compose.yaml, which no engine tries here, says the same as the broker that the tests run on."""

import re
from pathlib import Path
from typing import Any

import yaml

from bridge.sandbox.jars import KAFKA_VERSION

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
KAFKA: dict[str, Any] = yaml.safe_load(TEXT)["services"]["kafka"]
DOORS = dict(each.split("://") for each in KAFKA["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(","))


def test_it_runs_the_version_that_the_tests_run_on() -> None:
    assert KAFKA["image"] == f"apache/kafka:{KAFKA_VERSION}"


def test_the_address_that_it_tells_people_is_published_on_this_machine_alone() -> None:
    (told,) = re.findall(r"BRIDGE_KAFKA_BOOTSTRAP_SERVERS=(\S+) make demo", TEXT)

    assert DOORS["HOST"] == told
    host, _, port = told.partition(":")
    assert KAFKA["ports"] == [f"{host}:{port}:{port}"]
    assert f"HOST://0.0.0.0:{port}" in KAFKA["environment"]["KAFKA_LISTENERS"].split(",")
    assert host == "127.0.0.1"


def test_every_listener_has_a_protocol_and_topics_come_from_topics_yaml_alone() -> None:
    environment = KAFKA["environment"]
    listeners = {each.partition("://")[0] for each in environment["KAFKA_LISTENERS"].split(",")}

    assert {
        each.partition(":")[0] for each in environment["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    } == listeners
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
