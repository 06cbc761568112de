"""
How every Kafka client of the bridge connects: one reading of the settings. aiokafka's clients take it as it is.

aiokafka 0.14 tells a closed port, a wrong password, an unknown authority and a missing client certificate as one and
the same error; `explaining` asks a broker once more by hand and says which it was.
"""

import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from bridge.settings import KafkaSecurity, KafkaSettings

TLS = frozenset({KafkaSecurity.SSL, KafkaSecurity.SASL_SSL})
SASL = frozenset({KafkaSecurity.SASL_PLAINTEXT, KafkaSecurity.SASL_SSL})
ASK_TIMEOUT_MS = 5_000
# X509_V_ERR_… of OpenSSL's x509_vfy.h: the certificate is another host's, or another address's.
WRONG_NAME = frozenset({62, 64})
# Alerts of TLS by which a broker asks for a client certificate or refuses the one it got (RFC 8446 section 6.2).
CERTIFICATE_ALERTS = (
    "CERTIFICATE_REQUIRED",
    "BAD_CERTIFICATE",
    "UNKNOWN_CA",
    "CERTIFICATE_UNKNOWN",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "UNSUPPORTED_CERTIFICATE",
    "HANDSHAKE_FAILURE",
)


class KafkaRefused(Exception):
    """A broker answers and does not let us in, or is not to be trusted; the text names the settings to mend."""


class KafkaAway(Exception):
    """No broker answers; the text names the settings to look at."""


class CertificateUnusable(OSError):
    """A file of certificates cannot be used; the text names its variable."""


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """
    The keyword arguments of any aiokafka client that say where the cluster is and how to prove who we are.

    Brokers' certificates are always checked, their host names too. They hold the password: not for logs.

    Raises:
        CertificateUnusable: a certificate file cannot be read, or holds no certificate.

    """
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "security_protocol": settings.security_protocol.value,
    }
    if settings.security_protocol in TLS:
        options["ssl_context"] = _tls(settings)
    if settings.security_protocol in SASL and settings.sasl_password is not None:
        options["sasl_mechanism"] = settings.sasl_mechanism
        options["sasl_plain_username"] = settings.sasl_username
        options["sasl_plain_password"] = settings.sasl_password.get_secret_value()
    return options


@asynccontextmanager
async def explaining(options: Mapping[str, Any]) -> AsyncIterator[None]:
    """
    What connects inside, with these `connection_options`, fails with a reason.

    Raises:
        KafkaRefused: the brokers answer, and none lets us in.
        KafkaAway: aiokafka's own error came through, and no broker answers.

    """
    try:
        yield
    except Exception as error:
        if not any(isinstance(each, KafkaConnectionError) for each in _chain(error)):
            raise
        refusal = await why_refused(options)
        if refusal is not None:
            raise KafkaRefused(refusal) from error
        if isinstance(error, KafkaConnectionError):
            servers, protocol = ", ".join(options["bootstrap_servers"]), options["security_protocol"]
            raise KafkaAway(
                f"no Kafka broker at {servers} answers over {protocol}; check BRIDGE_KAFKA_BOOTSTRAP_SERVERS and"
                " BRIDGE_KAFKA_SECURITY_PROTOCOL"
            ) from error
        raise


async def why_refused(options: Mapping[str, Any]) -> str | None:
    """Why no broker lets us in, in a sentence without secrets; None when one does, or when none says why."""
    told = None
    details = {name: value for name, value in options.items() if name != "bootstrap_servers"}
    for host, port, _ in collect_hosts(options["bootstrap_servers"]):
        connection = AIOKafkaConnection(host, port, request_timeout_ms=ASK_TIMEOUT_MS, **details)
        try:
            await connection.connect()
        except (KafkaError, OSError, TimeoutError) as error:
            told = told or _told(error, f"{host}:{port}", options)
        else:
            return None
        finally:
            connection.close()
    return told


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_ca_file)
    except OSError as error:
        raise _unusable("BRIDGE_KAFKA_SSL_CA_FILE", settings.ssl_ca_file, error) from error
    if settings.ssl_cert_file is not None:
        try:
            context.load_cert_chain(settings.ssl_cert_file, settings.ssl_key_file, password=_no_passphrase)
        except OSError as error:
            raise _unusable(
                "BRIDGE_KAFKA_SSL_CERT_FILE, BRIDGE_KAFKA_SSL_KEY_FILE", settings.ssl_cert_file, error
            ) from error
    return context


def _no_passphrase() -> str:
    """OpenSSL would ask for one at the terminal."""
    return ""


def _unusable(variables: str, path: Path | None, error: OSError) -> CertificateUnusable:
    why = getattr(error, "reason", None) or error.strerror
    return CertificateUnusable(f"{variables}: {path} cannot be used ({why}); PEM files without a passphrase are needed")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _told(error: BaseException, server: str, options: Mapping[str, Any]) -> str | None:
    """One sentence for what a broker, or the check of its certificate, says; None when it says nothing of use."""
    for each in _chain(error):
        match each:
            case ssl.SSLCertVerificationError():
                return _distrusted(each, server)
            case ssl.SSLError() if each.reason is not None:
                return _not_agreed(each.reason, server, options)
            case UnsupportedSaslMechanismError():
                return (
                    f"Kafka broker {server} does not take the SASL mechanism {options['sasl_mechanism']};"
                    " check BRIDGE_KAFKA_SASL_MECHANISM"
                )
            case SaslAuthenticationFailed() | AuthenticationFailedError():
                return (
                    f"Kafka broker {server} refuses the user {options['sasl_plain_username']!r}: it does not exist for"
                    f" {options['sasl_mechanism']}, or its password is another one; check BRIDGE_KAFKA_SASL_USERNAME,"
                    " BRIDGE_KAFKA_SASL_PASSWORD (or …_FILE) and BRIDGE_KAFKA_SASL_MECHANISM"
                )
            case _:
                pass
    return None


def _distrusted(error: ssl.SSLCertVerificationError, server: str) -> str:
    if error.verify_code in WRONG_NAME:
        return (
            f"the certificate of Kafka broker {server} is for another name ({error.verify_message}); name the brokers"
            " in BRIDGE_KAFKA_BOOTSTRAP_SERVERS as their certificates do"
        )
    return (
        f"the certificate of Kafka broker {server} is not to be trusted ({error.verify_message});"
        " BRIDGE_KAFKA_SSL_CA_FILE must hold the authority that signed it"
    )


def _not_agreed(reason: str, server: str, options: Mapping[str, Any]) -> str:
    if any(alert in reason for alert in CERTIFICATE_ALERTS):
        return (
            f"Kafka broker {server} asks for a client certificate that it trusts, and got none or another one"
            f" ({reason}); check BRIDGE_KAFKA_SSL_CERT_FILE and BRIDGE_KAFKA_SSL_KEY_FILE"
        )
    return (
        f"Kafka broker {server} and the bridge do not agree on TLS ({reason}); check that the port is the one for"
        f" {options['security_protocol']}, BRIDGE_KAFKA_SECURITY_PROTOCOL"
    )
