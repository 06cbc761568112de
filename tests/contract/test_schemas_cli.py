"""`bridge schemas`, with and without a registry."""

import json
from collections.abc import Callable, Iterator

import fastavro
import pytest
from typer.testing import CliRunner

from bridge.adapters.avro import RECORDS
from bridge.cli.schemas import app
from tests.registry_stub import RegistryStub, served
from tests.schema_examples import the_schemas, the_topics

SUBJECTS = [f"uk.{topic.name}-value" for topic in the_topics().topics if not topic.is_private]


@pytest.fixture
def stub() -> RegistryStub:
    return RegistryStub()


@pytest.fixture
def environ(stub: RegistryStub, free_port: Callable[[], int]) -> Iterator[dict[str, str]]:
    with served(stub, free_port()) as url:
        yield {"BRIDGE_SCHEMA_REGISTRY_URL": url, "BRIDGE_KAFKA_TOPIC_PREFIX": "uk."}


def test_list_shows_each_schema_with_its_topics() -> None:
    result = CliRunner().invoke(app, ["list"])

    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == sorted(RECORDS)
    assert rows[-1][2:] == ["1", "problem-transitions, test-transitions"]


def test_print_gives_a_schema_that_stands_alone() -> None:
    result = CliRunner().invoke(app, ["print", "Kci"])

    assert json.loads(result.stdout) == the_schemas().current.self_contained("Kci")
    assert fastavro.parse_schema(json.loads(result.stdout))


def test_print_gives_a_published_version_when_asked() -> None:
    result = CliRunner().invoke(app, ["print", "Kci", "--published", "1"])

    assert json.loads(result.stdout) == the_schemas().previous[1].self_contained("Kci")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["print", "Kcis"], "no schema Kcis; there are: Action, "),
        (["print", "Kci", "--published", "99"], "there are: 1"),
    ],
)
def test_print_tells_what_there_is_when_asked_for_something_else(arguments: list[str], complaint: str) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert complaint in result.stderr


def test_register_gives_each_topic_a_subject_and_may_be_repeated(stub: RegistryStub, environ: dict[str, str]) -> None:
    first = CliRunner().invoke(app, ["register"], env=environ)
    second = CliRunner().invoke(app, ["register"], env=environ)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert list(stub.subjects) == SUBJECTS
    assert len(stub.texts) == len(RECORDS)
    assert first.stdout == second.stdout
    assert first.stdout.splitlines()[0] == "uk.fault-tickets-value\tFaultTicketEvent\tid 1"


def test_register_tells_every_refusal(stub: RegistryStub, environ: dict[str, str]) -> None:
    stub.refuse = "not compatible"

    result = CliRunner().invoke(app, ["register"], env=environ)

    assert result.exit_code == 1
    assert result.stderr.splitlines() == [f"subject {subject}: not compatible" for subject in SUBJECTS]


def test_check_compares_with_the_published_versions_and_then_asks_the_registry(
    stub: RegistryStub, environ: dict[str, str]
) -> None:
    alone = CliRunner().invoke(app, ["check"])
    empty = CliRunner().invoke(app, ["check"], env=environ)
    CliRunner().invoke(app, ["register"], env=environ)
    full = CliRunner().invoke(app, ["check"], env=environ)
    stub.refuse = "not compatible"
    refused = CliRunner().invoke(app, ["check"], env=environ)

    assert [each.exit_code for each in (alone, empty, full, refused)] == [0, 0, 0, 1]
    assert alone.stderr == "13 schemas and their published versions can read each other\n"
    assert empty.stdout.count("\tnothing registered yet\n") == len(SUBJECTS)
    assert full.stdout.count("\tcompatible with version 1\n") == len(SUBJECTS)
    assert refused.stderr.splitlines()[1].startswith(
        "subject uk.fault-tickets-value: the registry would not take it: not compatible; add what is new"
    )


def test_the_registrys_user_is_sent(stub: RegistryStub, environ: dict[str, str]) -> None:
    stub.credentials = "Basic YXBwOnBhNTU="
    user = {"BRIDGE_SCHEMA_REGISTRY_USERNAME": "app", "BRIDGE_SCHEMA_REGISTRY_PASSWORD": "pa55"}

    refused = CliRunner().invoke(app, ["register"], env=environ)
    accepted = CliRunner().invoke(app, ["register"], env=environ | user)

    assert refused.exit_code == 1
    assert "answered 401" in refused.stderr
    assert accepted.exit_code == 0


@pytest.mark.parametrize("command", ["register", "check"])
def test_a_registry_that_is_not_there_is_told(command: str, free_port: Callable[[], int]) -> None:
    result = CliRunner().invoke(app, [command], env={"BRIDGE_SCHEMA_REGISTRY_URL": f"http://127.0.0.1:{free_port()}"})

    assert result.exit_code == 1
    assert "no answer from the schema registry at http://127.0.0.1:" in result.stderr


def test_register_without_a_registry_says_what_to_set() -> None:
    result = CliRunner().invoke(app, ["register"])

    assert result.exit_code == 2
    assert result.stderr == "no schema registry is configured; set BRIDGE_SCHEMA_REGISTRY_URL\n"
