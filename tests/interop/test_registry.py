"""`bridge schemas` against a real schema registry with Confluent's API: Apicurio Registry."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from bridge.adapters.registry import SchemaRegistry, registered_ids, registry_client, schema_text, subject_of
from bridge.cli.schemas import app
from bridge.compatibility import qualified
from bridge.sandbox.apicurio import EmbeddedRegistry
from bridge.settings import SchemaSettings
from bridge.topics import Party
from tests.schema_examples import the_schemas, the_topics

TOPICS = [topic for topic in the_topics().topics if not topic.is_private]


@pytest.fixture
def bridge(registry: EmbeddedRegistry, request: pytest.FixtureRequest) -> Callable[..., Result]:
    """Runs a command with subjects of this test's own."""
    environ = {"BRIDGE_SCHEMA_REGISTRY_URL": registry.url, "BRIDGE_KAFKA_TOPIC_PREFIX": f"{request.node.name}."}

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env=environ)

    return run


def test_schemas_are_registered_once_and_found_by_the_services(
    bridge: Callable[..., Result], request: pytest.FixtureRequest
) -> None:
    before = bridge("check", "--output", "json")
    first = bridge("register", "--output", "json")
    second = bridge("register", "--output", "json")
    after = bridge("check", "--output", "json")

    assert [each.exit_code for each in (before, first, second, after)] == [0, 0, 0, 0], first.output
    assert {row["result"] for row in json.loads(before.stdout)} == {"nothing registered yet"}
    rows = json.loads(first.stdout)
    assert [row["subject"] for row in rows] == [f"{request.node.name}.{topic.name}-value" for topic in TOPICS]
    assert first.stdout == second.stdout
    assert all(row["result"].removeprefix("id ").isdecimal() for row in rows)
    assert {row["result"] for row in json.loads(after.stdout)} == {"compatible with version 1"}


def test_the_ids_that_a_service_frames_with_are_the_registrys(
    bridge: Callable[..., Result], registry: EmbeddedRegistry, request: pytest.FixtureRequest
) -> None:
    rows = json.loads(bridge("register", "--output", "json").stdout)
    prefix = f"{request.node.name}."

    async def look() -> tuple[dict[str, int], str]:
        async with registry_client(registry.url, SchemaSettings()) as client:
            asked = SchemaRegistry(client)
            ids = await registered_ids(asked, the_topics(), the_schemas(), Party.TRACKER, prefix)
            return ids, await asked.schema_of(ids["problem-status"])

    ids, schema = asyncio.run(look())

    # The registry leaves out every namespace that goes without saying.
    assert qualified(json.loads(schema)) == the_schemas().current.self_contained("EntityStatus")
    told = {row["subject"]: row["result"] for row in rows}
    assert {f"id {number}" for number in ids.values()} == {
        told[subject_of(topic, prefix)] for topic in the_topics().written_by(Party.TRACKER) if not topic.is_private
    }


def put(registry: EmbeddedRegistry, subject: str, schema: object) -> None:
    """Register something as somebody else would."""
    answer = httpx.post(f"{registry.url}/subjects/{subject}/versions", json={"schema": json.dumps(schema)})
    assert answer.is_success, answer.text


def test_an_incompatible_schema_is_refused_with_what_where_and_how(
    bridge: Callable[..., Result], registry: EmbeddedRegistry, request: pytest.FixtureRequest
) -> None:
    """A deployment before this one had a field without a default that the present readers do not give."""
    subject = f"{request.node.name}.operator-decisions-value"
    theirs = json.loads(schema_text(the_schemas(), the_topics()["operator-decisions"]))
    theirs["fields"].append({"name": "approved_by", "type": "string"})
    put(registry, subject, theirs)

    checked = bridge("check")

    assert checked.exit_code == 1
    (sentence,) = [line for line in checked.stderr.splitlines() if line.startswith("subject")]
    assert f"subject {subject}: version 1 in the registry cannot read the current schema" in sentence
    assert "approved_by" in sentence
    assert "with a default" in sentence


def test_the_registry_itself_refuses_what_its_level_forbids(
    bridge: Callable[..., Result], registry: EmbeddedRegistry, request: pytest.FixtureRequest
) -> None:
    subject = f"{request.node.name}.kcis-value"
    assert bridge("register", "--compatibility", "FULL_TRANSITIVE").exit_code == 0

    level = httpx.get(f"{registry.url}/config/{subject}").json()
    theirs = json.loads(schema_text(the_schemas(), the_topics()["kcis"]))
    theirs["fields"].append({"name": "approved_by", "type": "string"})
    refused = httpx.post(f"{registry.url}/subjects/{subject}/versions", json={"schema": json.dumps(theirs)})

    assert level["compatibilityLevel"] == "FULL_TRANSITIVE"
    assert refused.status_code == 409
    assert bridge("register").exit_code == 0


def test_a_refusal_of_the_registry_is_told(
    bridge: Callable[..., Result], registry: EmbeddedRegistry, request: pytest.FixtureRequest
) -> None:
    subject = f"{request.node.name}.kcis-value"
    theirs = {"type": "record", "name": "Kci", "namespace": "bridge", "fields": [{"name": "id", "type": "int"}]}
    put(registry, subject, theirs)
    httpx.put(f"{registry.url}/config/{subject}", json={"compatibility": "BACKWARD"}).raise_for_status()

    registered = bridge("register")

    assert registered.exit_code == 1
    assert registered.stderr.startswith(f"subject {subject}: ")
    assert len(registered.stderr.splitlines()) == 1
    assert "kcis-value\tKci\trefused" in registered.stdout


def test_an_address_that_is_no_registry_is_told(registry: EmbeddedRegistry, tmp_path: Path) -> None:
    environ = {"BRIDGE_SCHEMA_REGISTRY_URL": registry.url.replace("/apis/ccompat/v7", "/nowhere")}

    result = CliRunner().invoke(app, ["register"], env=environ)

    assert result.exit_code == 1
    assert "check BRIDGE_SCHEMA_REGISTRY_URL" in result.stderr
