"""
A real Apache Kafka that trusts nobody by default: SCRAM over TLS on one port, mutual TLS on another, and ACLs that are
exactly what `bridge topics acls` prints. Two more ports are for what goes wrong: one shows a certificate that has
expired, one takes users without TLS.
"""

import argparse
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its documented names, which it does not mark as exported
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from bridge.sandbox.broker import BrokerPlace
from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.ports import free_port
from tests.certificates import Authority
from tests.integration.running_services import run_command
from tests.kafka_broker import fresh_kafka

USERS = ("admin", "dispatcher", "ingester", "tracker", "console", "cli", "topics", "nobody")
HOST = "127.0.0.1"
RESOURCES = ("topic", "group", "transactional-id")


def password_of(user: str) -> str:
    """A password that nothing else looks like."""
    return f"{user}-Zq4kT8wX"


@dataclass(frozen=True)
class SecuredKafka:
    """The cluster, and what its users need to come in."""

    kafka: EmbeddedKafka
    tls_port: int
    expired_port: int
    user_port: int
    signer: Authority
    certificates: Mapping[str, tuple[Path, Path]]
    secrets: Path

    @property
    def scram_servers(self) -> str:
        return self.kafka.bootstrap_servers

    @property
    def mtls_servers(self) -> str:
        return f"{HOST}:{self.tls_port}"

    def scram(self, user: str) -> dict[str, str]:
        """The BRIDGE_KAFKA_ settings of a user with a password, which is in a file as Kubernetes mounts it."""
        file = self.secrets / user
        file.write_text(f"{password_of(user)}\n")
        return {
            "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": self.scram_servers,
            "BRIDGE_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "BRIDGE_KAFKA_SSL_CA_FILE": str(self.signer.file),
            "BRIDGE_KAFKA_SASL_USERNAME": user,
            "BRIDGE_KAFKA_SASL_PASSWORD_FILE": str(file),
        }

    def mtls(self, user: str) -> dict[str, str]:
        """The BRIDGE_KAFKA_ settings of a user with a certificate."""
        certificate, key = self.certificates[user]
        return {
            "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": self.mtls_servers,
            "BRIDGE_KAFKA_SECURITY_PROTOCOL": "SSL",
            "BRIDGE_KAFKA_SSL_CA_FILE": str(self.signer.file),
            "BRIDGE_KAFKA_SSL_CERT_FILE": str(certificate),
            "BRIDGE_KAFKA_SSL_KEY_FILE": str(key),
        }

    def client(self, user: str) -> dict[str, Any]:
        """What confluent-kafka, an implementation of its own, needs to come in as this user."""
        return {
            "bootstrap.servers": self.scram_servers,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": password_of(user),
            "ssl.ca.location": str(self.signer.file),
        }

    def prepare(self, prefix: str) -> None:
        """Give each part the rights that are printed for it, and let the one that may make the topics."""
        printed = run_command({"BRIDGE_KAFKA_TOPIC_PREFIX": prefix}, "topics", "acls")
        assert printed.returncode == 0, printed.stderr
        self.allow(binding for line in printed.stdout.splitlines() for binding in bindings(line))
        settings = {**self.scram("topics"), "BRIDGE_KAFKA_TOPIC_PREFIX": prefix}
        applied = run_command(settings, "topics", "apply", "--replication-factor", "1")
        assert applied.returncode == 0, applied.stderr

    def allow(self, rights: Iterator[AclBinding]) -> None:
        """Add rights, as the cluster's administrator."""
        admin = AdminClient(self.client("admin"))
        for future in admin.create_acls(list(rights)).values():
            future.result(timeout=20)


@contextmanager
def secured_kafka(root: Path, directory: Path) -> Iterator[SecuredKafka]:
    """Start it; its certificates and passwords are in `directory`."""
    authority = Authority("authority", directory)
    certificate, key = authority.sign("broker", HOST)
    keystore = directory / "broker.pem"
    keystore.write_bytes(key.read_bytes() + certificate.read_bytes())
    tls_port, expired_port, user_port = sorted({free_port(), free_port(), free_port(), free_port(), free_port()})[:3]
    expired_certificate, expired_key = authority.sign("late-broker", HOST, until=timedelta(minutes=-1))
    expired = directory / "late-broker.pem"
    expired.write_bytes(expired_key.read_bytes() + expired_certificate.read_bytes())
    options = [
        word for user in USERS for word in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password_of(user)}]")
    ]

    def properties(place: BrokerPlace) -> dict[str, str]:
        return _properties(place, (tls_port, expired_port, user_port), keystore, expired, authority.file)

    with fresh_kafka(root, extra_properties=properties, format_options=options) as kafka:
        certificates = {user: authority.sign(user) for user in USERS}
        secrets = directory / "secrets"
        secrets.mkdir()
        yield SecuredKafka(kafka, tls_port, expired_port, user_port, authority, certificates, secrets)


def _properties(
    place: BrokerPlace, ports: tuple[int, int, int], keystore: Path, expired: Path, authority: Path
) -> dict[str, str]:
    tls_port, expired_port, user_port = ports
    clients = f"SCRAM://{HOST}:{place.port},MTLS://{HOST}:{tls_port},EXPIRED://{HOST}:{expired_port},USER://{HOST}:{user_port}"
    return {
        "listeners": f"{clients},CONTROLLER://{HOST}:{place.controller_port}",
        "advertised.listeners": clients,
        "listener.security.protocol.map": "SCRAM:SASL_SSL,MTLS:SSL,EXPIRED:SASL_SSL,USER:SASL_PLAINTEXT,CONTROLLER:SSL",
        "inter.broker.listener.name": "MTLS",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority),
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.controller.ssl.client.auth": "required",
        # A certificate's user is called as the one with a password: CN=tracker is User:tracker.
        "ssl.principal.mapping.rules": "RULE:^CN=([a-z]+)$/$1/,DEFAULT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.scram.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.user.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.expired.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "listener.name.expired.ssl.keystore.location": str(expired),
        "listener.name.expired.ssl.keystore.type": "PEM",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": "User:admin;User:broker",
    }


def bindings(command: str) -> Iterator[AclBinding]:
    """What a kafka-acls command of `bridge topics acls` adds; an argument that kafka-acls does not have is an error."""
    program, *words = shlex.split(command)
    assert program == "kafka-acls"
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--bootstrap-server", required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--allow-principal", required=True)
    parser.add_argument("--operation", action="append", required=True)
    parser.add_argument("--resource-pattern-type", default="literal", choices=["literal", "prefixed"])
    for resource in RESOURCES:
        parser.add_argument(f"--{resource}", action="append", default=[])
    given = vars(parser.parse_args(words))
    for resource in RESOURCES:
        for name in given[resource.replace("-", "_")]:
            for operation in given["operation"]:
                yield binding(
                    given["allow_principal"], resource, name, operation, pattern=given["resource_pattern_type"]
                )


def binding(principal: str, resource: str, name: str, operation: str, *, pattern: str = "literal") -> AclBinding:
    """One right, from the words of kafka-acls."""
    words = "".join(f"_{letter}" if letter.isupper() else letter for letter in operation).strip("_")
    return AclBinding(
        ResourceType[resource.replace("-", "_").upper()],
        name,
        ResourcePatternType[pattern.upper()],
        principal,
        "*",
        AclOperation[words.upper()],
        AclPermissionType.ALLOW,
    )
