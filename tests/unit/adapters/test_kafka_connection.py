"""The settings of a cluster become the arguments of its clients, and certificates are always checked."""

import asyncio
import gc
import ssl
import warnings
from pathlib import Path
from typing import Any

import pytest

from bridge.adapters.kafka_connection import connection_options, why_refused
from bridge.settings import KafkaSettings, read
from tests.silent_peer import HOST, silent_peer


def settings(**more: str) -> KafkaSettings:
    environ = {"BRIDGE_KAFKA_BOOTSTRAP_SERVERS": "a.test:9092, b.test:9092"}
    return read(environ | {f"BRIDGE_KAFKA_{name.upper()}": value for name, value in more.items()}, "KAFKA").kafka


def test_plaintext_needs_the_servers_alone() -> None:
    assert connection_options(settings()) == {
        "bootstrap_servers": ["a.test:9092", "b.test:9092"],
        "security_protocol": "PLAINTEXT",
    }


def test_sasl_has_its_user_and_no_tls() -> None:
    options = connection_options(
        settings(security_protocol="SASL_PLAINTEXT", sasl_username="app", sasl_password="pa55", sasl_mechanism="PLAIN")
    )

    assert options["sasl_mechanism"] == "PLAIN"
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("app", "pa55")
    assert "ssl_context" not in options


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_tls_checks_the_certificate_and_the_host_name(protocol: str) -> None:
    user: dict[str, Any] = {"sasl_username": "app", "sasl_password": "pa55"} if protocol == "SASL_SSL" else {}

    context = connection_options(settings(security_protocol=protocol, **user))["ssl_context"]

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("name", ["ssl_ca_file", "ssl_cert_file"])
def test_a_file_that_holds_no_certificate_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    files = {name: str(tmp_path / "no.pem")}
    if name == "ssl_cert_file":
        files["ssl_key_file"] = str(tmp_path / "no.pem")

    with pytest.raises(OSError, match=r"SSL|PEM|NO_CERTIFICATE"):
        connection_options(settings(security_protocol="SSL", **files))


def test_who_asked_a_peer_that_never_says_goodbye_leaves_no_connection_behind(tmp_path: Path) -> None:
    with silent_peer(tmp_path) as (port, _), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        told = asyncio.run(why_refused({"bootstrap_servers": [f"{HOST}:{port}"], "security_protocol": "PLAINTEXT"}))
        gc.collect()

    assert told is not None
    assert "speaks TLS on this port" in told
    assert [str(each.message) for each in warned] == []
