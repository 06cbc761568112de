from datetime import timedelta
from pathlib import Path

import pytest

from bridge.settings import GROUPS, Setting, SettingsError, read, settings_of

GATEWAY = {
    "BRIDGE_GATEWAY_BASE_URL": "http://127.0.0.1:8085/v1",
    "BRIDGE_GATEWAY_CLIENT_ID": "tenant",
    "BRIDGE_GATEWAY_CLIENT_SECRET": "hush",
}


def test_values_have_their_types() -> None:
    settings = read(
        {
            "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": "a:1, b:2",
            "BRIDGE_DISPATCHER_RETRY_FIRST_SECONDS": "0.5",
            "BRIDGE_DISPATCHER_PROBLEM_TYPES": '{"NO_SYNC": {"test": "SYNCHRONISATION", "problem": "SYNCHRONISATION"}}',
            "BRIDGE_DISPATCHER_RERAISE_UNKNOWN": "true",
        },
        "KAFKA",
        "DISPATCHER",
    )

    assert settings.kafka.bootstrap_servers == ("a:1", "b:2")
    assert settings.dispatcher.retry_first_seconds == timedelta(seconds=0.5)
    assert settings.dispatcher.problem_types == {"NO_SYNC": {"test": "SYNCHRONISATION", "problem": "SYNCHRONISATION"}}
    assert settings.dispatcher.reraise_unknown is True


def test_all_problems_are_told_together_and_name_their_variables() -> None:
    with pytest.raises(SettingsError) as raised:
        read(
            {
                "BRIDGE_KAFKA_BOOTSTRAP_SERVER": "a:1",
                "BRIDGE_KAFKA_SECURITY_PROTOCOL": "SASL",
                "BRIDGE_DISPATCHER_MAX_TESTS": "0",
                "BRIDGE_DISPATCHER_PROBLEM_TYPES": "NO_SYNC",
            },
            "KAFKA",
            "DISPATCHER",
            "GATEWAY",
        )

    told = {problem.split(":")[0] for problem in raised.value.problems}
    assert told == {
        "BRIDGE_KAFKA_BOOTSTRAP_SERVER",
        "BRIDGE_KAFKA_BOOTSTRAP_SERVERS",
        "BRIDGE_KAFKA_SECURITY_PROTOCOL",
        "BRIDGE_DISPATCHER_MAX_TESTS",
        "BRIDGE_DISPATCHER_PROBLEM_TYPES",
        "BRIDGE_GATEWAY_BASE_URL",
        "BRIDGE_GATEWAY_CLIENT_ID",
        "BRIDGE_GATEWAY_CLIENT_SECRET",
    }


def test_rules_over_several_variables_name_the_one_to_mend() -> None:
    with pytest.raises(SettingsError) as raised:
        read({"BRIDGE_KAFKA_BOOTSTRAP_SERVERS": "a:1", "BRIDGE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA")

    assert raised.value.problems[0].startswith("BRIDGE_KAFKA_SASL_USERNAME: ")


def test_the_webhook_is_open_only_when_that_is_said_out_loud() -> None:
    with pytest.raises(SettingsError, match="BRIDGE_WEBHOOK_USERNAME"):
        read({}, "WEBHOOK")

    assert read({"BRIDGE_WEBHOOK_AUTH": "none"}, "WEBHOOK").webhook.auth == "none"


def test_cvt_needs_its_base_url() -> None:
    without = {name: value for name, value in GATEWAY.items() if name != "BRIDGE_GATEWAY_BASE_URL"}

    with pytest.raises(SettingsError, match="BRIDGE_GATEWAY_BASE_URL"):
        read({**without, "BRIDGE_GATEWAY_PROFILE": "cvt"}, "GATEWAY")

    assert read({**without, "BRIDGE_GATEWAY_PROFILE": "production"}, "GATEWAY").gateway.base_url is None


def test_a_secret_may_be_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    environ = {name: value for name, value in GATEWAY.items() if name != "BRIDGE_GATEWAY_CLIENT_SECRET"}
    settings = read({**environ, "BRIDGE_GATEWAY_CLIENT_SECRET_FILE": str(secret)}, "GATEWAY")

    assert settings.gateway.client_secret.get_secret_value() == "hush"


def test_a_secret_file_that_cannot_be_read_is_named() -> None:
    environ = {name: value for name, value in GATEWAY.items() if name != "BRIDGE_GATEWAY_CLIENT_SECRET"}

    with pytest.raises(SettingsError, match="BRIDGE_GATEWAY_CLIENT_SECRET_FILE: /nowhere/secret cannot be read"):
        read({**environ, "BRIDGE_GATEWAY_CLIENT_SECRET_FILE": "/nowhere/secret"}, "GATEWAY")


def test_secrets_are_not_shown() -> None:
    settings = read(GATEWAY, "GATEWAY")

    assert "hush" not in repr(settings.gateway)

    with pytest.raises(SettingsError) as raised:
        read({**GATEWAY, "BRIDGE_GATEWAY_MAX_IN_FLIGHT": "hush-hush"}, "GATEWAY")

    assert "hush-hush" not in str(raised.value)


# -- the settings themselves


SETTINGS = [setting for name in GROUPS for setting in settings_of(name)]


@pytest.mark.parametrize("name", GROUPS)
def test_the_examples_of_a_group_can_be_used_as_they_are(name: str) -> None:
    environ = {setting.variable: setting.example for setting in settings_of(name)}

    group = getattr(read(environ, name), name.lower())

    assert [s.variable for s in settings_of(name) if not s.example or s.shown(getattr(group, s.field)) == ""] == []


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_every_setting_says_its_type_its_unit_and_its_meaning(setting: Setting) -> None:
    assert setting.type
    assert setting.info.description
    assert (setting.unit == "seconds") == ("timedelta" in str(setting.info.annotation))


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(SettingsError) as raised:
        read({"BRIDGE_KAFKA_BOOTSTRAP_SERVER": "a:1", "BRIDGE_COLOUR": "blue"})

    assert raised.value.problems == [
        "BRIDGE_COLOUR: no setting of this name; `bridge config table` lists them all",
        "BRIDGE_KAFKA_BOOTSTRAP_SERVER: no setting of this name; did you mean BRIDGE_KAFKA_BOOTSTRAP_SERVERS?",
    ]


def test_rules_are_told_beside_fields_that_are_wrong() -> None:
    with pytest.raises(SettingsError) as raised:
        read(
            {
                "BRIDGE_WEBHOOK_LISTEN": "8080",
                "BRIDGE_WEBHOOK_AUTH": "bearer",
                "BRIDGE_WEBHOOK_ISSUER": "https://login.example.com",
                "BRIDGE_WEBHOOK_JWKS_URL": "login.example.com",
            },
            "WEBHOOK",
        )

    assert {problem.split(":")[0] for problem in raised.value.problems} == {
        "BRIDGE_WEBHOOK_LISTEN",
        "BRIDGE_WEBHOOK_JWKS_URL",  # is no URL; that it is needed is not told of it then
        "BRIDGE_WEBHOOK_ISSUER",  # lacks its audience
    }


def test_a_rule_over_a_field_that_is_wrong_waits_for_it() -> None:
    with pytest.raises(SettingsError) as raised:
        read({"BRIDGE_WEBHOOK_AUTH": "digest"}, "WEBHOOK")

    assert [problem.split(":")[0] for problem in raised.value.problems] == ["BRIDGE_WEBHOOK_AUTH"]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BRIDGE_KAFKA_BOOTSTRAP_SERVERS", "kafka-1"),
        ("BRIDGE_KAFKA_BOOTSTRAP_SERVERS", "kafka-1:9092,kafka-2"),
        ("BRIDGE_KAFKA_BOOTSTRAP_SERVERS", " , "),
        ("BRIDGE_KAFKA_BOOTSTRAP_SERVERS", "kafka-1:99999"),
        ("BRIDGE_KAFKA_SESSION_TIMEOUT_SECONDS", "0"),
        ("BRIDGE_KAFKA_SESSION_TIMEOUT_SECONDS", "-3"),
        ("BRIDGE_KAFKA_SESSION_TIMEOUT_SECONDS", "nan"),
        ("BRIDGE_KAFKA_SASL_MECHANISM", "SCRAM"),
        ("BRIDGE_GATEWAY_BASE_URL", "prod.fibregateway.com/v1"),
        ("BRIDGE_GATEWAY_BASE_URL", "https://user:secret-4711@prod.fibregateway.com/v1"),
        ("BRIDGE_GATEWAY_BASE_URL", "https://prod.fibregateway.com:port/v1"),
        ("BRIDGE_WEBHOOK_CLOCK_LEEWAY_SECONDS", "-1"),
        ("BRIDGE_LOG_LEVEL", "loud"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_and_not_repeated(variable: str, value: str) -> None:
    name = variable.split("_")[1]
    environ = {setting.variable: setting.example for setting in settings_of(name)} | {variable: value}

    with pytest.raises(SettingsError) as raised:
        read(environ, name)

    assert [problem.split(":")[0] for problem in raised.value.problems] == [variable]
    assert "4711" not in str(raised.value)
