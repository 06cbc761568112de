"""`bridge config show` and `bridge config check`, without anything to connect to."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli import app


def test_show_tells_where_each_value_comes_from_and_masks_secrets(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("open-sesame\n")
    environ = {
        "BRIDGE_GATEWAY_BASE_URL": "https://gateway.test/v1",
        "BRIDGE_GATEWAY_CLIENT_ID": "tenant",
        "BRIDGE_GATEWAY_CLIENT_SECRET_FILE": str(tmp_path / "secret"),
        "BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS": "12.50",
    }

    result = CliRunner().invoke(app, ["config", "show", "gateway", "--output", "json"], env=environ)

    assert result.exit_code == 0, result.stderr
    rows = {row["variable"]: (row["value"], row["source"]) for row in json.loads(result.stdout)}
    assert rows["BRIDGE_GATEWAY_CLIENT_ID"] == ("tenant", "environment")
    assert rows["BRIDGE_GATEWAY_CLIENT_SECRET"] == ("********", f"file {tmp_path / 'secret'}")
    assert rows["BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS"] == ("12.5", "environment")
    assert rows["BRIDGE_GATEWAY_CONNECT_TIMEOUT_SECONDS"] == ("5", "default")
    assert "open-sesame" not in result.output


def test_show_tells_what_it_can_of_an_environment_that_cannot_be_used() -> None:
    environ = {"BRIDGE_KAFKA_SASL_PASSWORD": "open-sesame", "BRIDGE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}

    result = CliRunner().invoke(app, ["config", "show", "KAFKA"], env=environ)

    assert result.exit_code == 2
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert ["BRIDGE_KAFKA_BOOTSTRAP_SERVERS", "", "missing"] in rows
    assert ["BRIDGE_KAFKA_SASL_PASSWORD", "********", "environment"] in rows
    told = [line.split(":")[0] for line in result.stderr.splitlines()]
    assert told == ["BRIDGE_KAFKA_BOOTSTRAP_SERVERS", "BRIDGE_KAFKA_SASL_USERNAME"]
    assert "open-sesame" not in result.output


def test_check_of_a_group_that_does_not_exist_names_those_that_do() -> None:
    result = CliRunner().invoke(app, ["config", "check", "KAFKAA"])

    assert result.exit_code == 2
    assert "there are: KAFKA, GATEWAY" in result.stderr


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("bridge jou", {"journeys", "journey-tables"}),
        ("bridge run ", {"dispatcher", "ingester", "tracker"}),
        ("bridge journeys list --output ", {"table", "json"}),
    ],
)
def test_a_shell_completes_commands_and_the_words_of_their_options(words: str, offered: set[str]) -> None:
    asked = {
        "_BRIDGE_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }

    result = CliRunner().invoke(app, [], env=asked, prog_name="bridge")

    assert set(result.stdout.split()) == offered
