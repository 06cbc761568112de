"""Every way in which a user of a secured Kafka is not let in: its settings, and the words that it must be told in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.certificates import Authority
from tests.integration.secured_kafka import HOST, SecuredKafka

Settings = dict[str, str]


@dataclass(frozen=True)
class Refusal:
    """Settings of a user with which no broker lets it in; `words` are the cause and the setting to mend."""

    settings: Callable[[SecuredKafka, str, Path], Settings]
    words: tuple[str, str]


def scram(**changes: str | None) -> Callable[[SecuredKafka, str, Path], Settings]:
    """A user with a password, with some settings changed or left out."""

    def settings(secured: SecuredKafka, user: str, _: Path) -> Settings:
        own: dict[str, str | None] = {**secured.scram(user)}
        own |= {f"BRIDGE_KAFKA_{name.upper()}": value for name, value in changes.items()}
        return {name: value for name, value in own.items() if value is not None}

    return settings


def at(port: Callable[[SecuredKafka], int], **changes: str | None) -> Callable[[SecuredKafka, str, Path], Settings]:
    """The same at another port."""

    def settings(secured: SecuredKafka, user: str, directory: Path) -> Settings:
        servers = f"{HOST}:{port(secured)}"
        return scram(bootstrap_servers=servers, **changes)(secured, user, directory)

    return settings


def another_authority(secured: SecuredKafka, user: str, directory: Path) -> Settings:
    stranger = Authority("stranger", directory)
    return {**secured.scram(user), "BRIDGE_KAFKA_SSL_CA_FILE": str(stranger.file)}


def wrong_password(secured: SecuredKafka, user: str, directory: Path) -> Settings:
    (directory / "wrong").write_text("wrong-Zq4kT8wX")
    return {**secured.scram(user), "BRIDGE_KAFKA_SASL_PASSWORD_FILE": str(directory / "wrong")}


def another_name(secured: SecuredKafka, user: str, _: Path) -> Settings:
    servers = secured.scram_servers.replace("127.0.0.1", "localhost")
    return {**secured.scram(user), "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": servers}


def no_certificate(secured: SecuredKafka, user: str, _: Path) -> Settings:
    settings = secured.mtls(user)
    del settings["BRIDGE_KAFKA_SSL_CERT_FILE"], settings["BRIDGE_KAFKA_SSL_KEY_FILE"]
    return settings


def strangers_certificate(secured: SecuredKafka, user: str, directory: Path) -> Settings:
    return with_certificate(secured, user, *Authority("stranger", directory).sign(user))


def expired_certificate(secured: SecuredKafka, user: str, _: Path) -> Settings:
    return with_certificate(secured, user, *secured.signer.sign(f"late-{user}", until=timedelta(minutes=-1)))


def with_certificate(secured: SecuredKafka, user: str, certificate: Path, key: Path) -> Settings:
    files = {"BRIDGE_KAFKA_SSL_CERT_FILE": str(certificate), "BRIDGE_KAFKA_SSL_KEY_FILE": str(key)}
    return {**secured.mtls(user), **files}


def user_and_certificate(secured: SecuredKafka, user: str, _: Path) -> Settings:
    files = {name: value for name, value in secured.mtls(user).items() if "_SSL_" in name}
    return {**secured.scram(user), **files, "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": secured.mtls_servers}


PLAINTEXT: dict[str, str | None] = {"security_protocol": "PLAINTEXT"}

REFUSALS = {
    "a wrong password": Refusal(wrong_password, ("refuses the user 'dispatcher'", "BRIDGE_KAFKA_SASL_PASSWORD")),
    "a user that does not exist": Refusal(
        scram(sasl_username="stranger"), ("refuses the user 'stranger'", "BRIDGE_KAFKA_SASL_USERNAME")
    ),
    "another mechanism": Refusal(
        scram(sasl_mechanism="PLAIN"), ("does not take the SASL mechanism PLAIN", "BRIDGE_KAFKA_SASL_MECHANISM")
    ),
    "another authority": Refusal(another_authority, ("is not to be trusted", "BRIDGE_KAFKA_SSL_CA_FILE")),
    "the system's authorities": Refusal(scram(ssl_ca_file=None), ("is not to be trusted", "BRIDGE_KAFKA_SSL_CA_FILE")),
    "another name": Refusal(another_name, ("is for another name", "BRIDGE_KAFKA_BOOTSTRAP_SERVERS")),
    "a broker whose certificate has expired": Refusal(
        at(lambda secured: secured.expired_port), ("has expired", "those who run the cluster must renew it")
    ),
    "no client certificate": Refusal(no_certificate, ("asks for a client certificate", "BRIDGE_KAFKA_SSL_CERT_FILE")),
    "a stranger's client certificate": Refusal(
        strangers_certificate, ("asks for a client certificate", "BRIDGE_KAFKA_SSL_KEY_FILE")
    ),
    # A broker on Java does not tell why it refuses a certificate; the certificate's own line does.
    "an expired client certificate": Refusal(expired_certificate, ("that has expired", "BRIDGE_KAFKA_SSL_CERT_FILE")),
    "plaintext against a TLS port": Refusal(
        at(lambda secured: secured.tls_port, **PLAINTEXT),
        ("speaks TLS on this port, and the bridge does not", "BRIDGE_KAFKA_SECURITY_PROTOCOL"),
    ),
    "a user without TLS against a TLS port": Refusal(
        scram(security_protocol="SASL_PLAINTEXT"),
        ("speaks TLS on this port, and the bridge does not", "BRIDGE_KAFKA_SECURITY_PROTOCOL"),
    ),
    "TLS against a plaintext port": Refusal(
        at(lambda secured: secured.user_port),
        ("speaks no TLS on this port, and the bridge does", "BRIDGE_KAFKA_SECURITY_PROTOCOL"),
    ),
    "nobody where a user is wanted": Refusal(
        at(lambda secured: secured.user_port, **PLAINTEXT),
        ("as one that wants a user does", "BRIDGE_KAFKA_SASL_USERNAME"),
    ),
    "nobody, over TLS, where a user is wanted": Refusal(
        scram(security_protocol="SSL"), ("as one that wants a user does", "BRIDGE_KAFKA_SASL_USERNAME")
    ),
    "a user where none is wanted": Refusal(
        user_and_certificate, ("asks for no user on this port", "BRIDGE_KAFKA_SECURITY_PROTOCOL")
    ),
}
