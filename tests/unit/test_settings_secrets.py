"""Secrets come from the environment or from files, and no output of the settings shows one."""

import json
from ipaddress import ip_network
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli import app
from bridge.settings import GROUPS, SettingsError, read

SECRET = "Tr0ub4dor&3"
EVERY_SECRET = {
    "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": "kafka:9093",
    "BRIDGE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "BRIDGE_KAFKA_SASL_USERNAME": "dispatcher",
    "BRIDGE_KAFKA_SASL_PASSWORD": f"{SECRET}-kafka",
    "BRIDGE_GATEWAY_BASE_URL": "https://gateway.example/v1",
    "BRIDGE_GATEWAY_CLIENT_ID": "tenant",
    "BRIDGE_GATEWAY_CLIENT_SECRET": f"{SECRET}-gateway",
    "BRIDGE_WEBHOOK_USERNAME": "gateway",
    "BRIDGE_WEBHOOK_PASSWORD": f"{SECRET}-webhook",
    "BRIDGE_SCHEMA_REGISTRY_URL": "https://registry.example",
    "BRIDGE_SCHEMA_REGISTRY_PASSWORD": f"{SECRET}-registry",
}


def test_no_representation_of_the_settings_shows_a_secret() -> None:
    settings = read(EVERY_SECRET, *GROUPS)

    shown = [f"{group!r} {group!s} {group.model_dump_json()} {group.model_dump()}" for group in vars(settings).values()]

    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == f"{SECRET}-kafka"
    assert SECRET not in "".join(shown)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    "variable",
    [name for name in EVERY_SECRET if name != "BRIDGE_WEBHOOK_USERNAME"]
    + [
        "BRIDGE_KAFKA_SESSION_TIMEOUT_SECONDS",
        "BRIDGE_DISPATCHER_PROBLEM_TYPES",
        "BRIDGE_WEBHOOK_AUTH",
        "BRIDGE_WEBHOOK_MAX_DEPTH",
        "BRIDGE_WEBHOOK_TRUSTED_PROXIES",
        "BRIDGE_LOG_LEVEL",
        "BRIDGE_NO_SUCH_SETTING",
    ],
)
def test_a_secret_under_any_name_is_not_in_the_problems(variable: str) -> None:
    environ = {**EVERY_SECRET, "BRIDGE_GATEWAY_MAX_IN_FLIGHT": "0", variable: SECRET}

    with pytest.raises(SettingsError) as raised:
        read(environ, *GROUPS)

    assert SECRET not in f"{raised.value} {raised.value!r} {raised.value.problems}"


def test_config_check_tells_problems_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**EVERY_SECRET, "BRIDGE_DISPATCHER_MAX_TESTS": SECRET}.items():
        monkeypatch.setenv(name, value)

    result = CliRunner().invoke(app, ["config", "check"])

    assert result.exit_code == 2
    assert result.output.startswith("BRIDGE_DISPATCHER_MAX_TESTS\tunusable\t")
    assert SECRET not in result.output


def test_a_secret_and_its_file_are_not_both_given(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)

    with pytest.raises(SettingsError, match="BRIDGE_KAFKA_SASL_PASSWORD: give BRIDGE_KAFKA_SASL_PASSWORD or "):
        read({**EVERY_SECRET, "BRIDGE_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "secret")}, "KAFKA")


@pytest.mark.parametrize(("content", "problem"), [(b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "not UTF-8")])
def test_a_file_without_a_usable_secret_is_named(content: bytes, problem: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(content)
    environ = {name: value for name, value in EVERY_SECRET.items() if name != "BRIDGE_KAFKA_SASL_PASSWORD"}

    with pytest.raises(SettingsError) as raised:
        read({**environ, "BRIDGE_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "secret")}, "KAFKA")

    assert [each for each in raised.value.problems if "SASL_PASSWORD_FILE" in each and problem in each]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_line_end_in_the_file_is_no_part_of_the_secret(end: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(f" {SECRET} {end}".encode())
    environ = {name: value for name, value in EVERY_SECRET.items() if name != "BRIDGE_KAFKA_SASL_PASSWORD"}

    password = read(
        {**environ, "BRIDGE_KAFKA_SASL_PASSWORD_FILE": str(tmp_path / "secret")}, "KAFKA"
    ).kafka.sasl_password

    assert password is not None
    assert password.get_secret_value() == f" {SECRET} "


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("BRIDGE_GATEWAY_BASE_URL", f"https://tenant:{SECRET}@gateway.example/v1"),
        ("BRIDGE_GATEWAY_TOKEN_URL", f"https://tenant:{SECRET}@gateway.example/token"),
        ("BRIDGE_WEBHOOK_JWKS_URL", f"https://tenant:{SECRET}@gateway.example/jwks"),
        ("BRIDGE_SCHEMA_REGISTRY_URL", f"https://{SECRET}@registry.example"),
    ],
)
def test_urls_are_no_place_for_credentials(variable: str, url: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read({**EVERY_SECRET, variable: url}, *GROUPS)

    assert [each.split(":")[0] for each in raised.value.problems] == [variable]
    assert SECRET not in str(raised.value)


def test_trusted_proxies_are_addresses_and_ranges() -> None:
    environ = {"BRIDGE_WEBHOOK_AUTH": "none", "BRIDGE_WEBHOOK_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7,fd00::/8"}

    settings = read(environ, "WEBHOOK").webhook

    assert settings.trusted_proxies == tuple(map(ip_network, ("10.0.0.0/8", "192.0.2.7/32", "fd00::/8")))
    assert read({"BRIDGE_WEBHOOK_AUTH": "none"}, "WEBHOOK").webhook.trusted_proxies == ()
    assert json.loads(settings.model_dump_json())["trusted_proxies"][1] == "192.0.2.7/32"


@pytest.mark.parametrize("proxies", ["10.0.0.1/8", "ingress", "0.0.0.0/0", "::/0"])
def test_proxies_that_are_no_network_or_everyone_are_refused(proxies: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read({"BRIDGE_WEBHOOK_AUTH": "none", "BRIDGE_WEBHOOK_TRUSTED_PROXIES": f"192.0.2.7,{proxies}"}, "WEBHOOK")

    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith("BRIDGE_WEBHOOK_TRUSTED_PROXIES: entry 2 is ")
