"""
Asks one broker by hand, step by step as a client connects: the name, the port, TLS, the user, a first question.

What a step says is put into one sentence, without secrets, that names the settings to mend.
"""

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from socket import gaierror
from typing import Any

from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from bridge.adapters.kafka_connection.options import SASL, TLS
from bridge.settings import KafkaSecurity

ASK_SECONDS = 5.0
# How long a broker may take to end a connection, as TLS wants both sides to.
GOODBYE_SECONDS = 0.5
# X509_V_ERR_… of OpenSSL's x509_vfy.h: the certificate is another host's, or another address's; or out of its time.
WRONG_NAME = frozenset({62, 64})
NOT_YET_VALID, EXPIRED = 9, 10
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
MEND_PROTOCOL = "check BRIDGE_KAFKA_SECURITY_PROTOCOL, and that the port is the one for it"


@dataclass(frozen=True)
class Answer:
    """
    What came of asking one broker: it is fine, or refuses (a setting is wrong), or is away (nobody answers there).

    `expires_at` is the end of its certificate, where it showed a good one.
    """

    server: str
    refused: str | None = None
    away: str | None = None
    expires_at: datetime | None = None

    @property
    def fine(self) -> bool:
        """Whether the broker let us in and answered a question."""
        return self.refused is None and self.away is None


async def ask_brokers(options: Mapping[str, Any]) -> list[Answer]:
    """Ask every broker of the `connection_options`, all at once."""
    hosts = collect_hosts(options["bootstrap_servers"])
    return list(await asyncio.gather(*(ask_broker(host, port, options) for host, port, _ in sorted(hosts))))


async def ask_broker(host: str, port: int, options: Mapping[str, Any]) -> Answer:
    """Ask one broker."""
    server = f"{host}:{port}"
    if (away := await _away(host, port)) is not None:
        return Answer(server, away=away)
    protocol = KafkaSecurity(options["security_protocol"])
    connection = _connection(host, port, options)
    connected = False
    try:
        await connection.connect()
        connected = True
        await connection.send(MetadataRequest([]))
        return Answer(server, expires_at=_expires_at(connection))
    except (KafkaError, OSError, TimeoutError, EOFError) as error:
        told = _told(error, server, options)
    finally:
        await _close(connection)
    if told is not None and not told.endswith(MEND_PROTOCOL):
        return Answer(server, refused=told)
    if connected and protocol not in SASL:
        return Answer(
            server,
            refused=f"Kafka broker {server} ends the connection at the first question, as one that wants a user"
            " does; set BRIDGE_KAFKA_SECURITY_PROTOCOL to SASL_PLAINTEXT or SASL_SSL, BRIDGE_KAFKA_SASL_USERNAME and"
            " BRIDGE_KAFKA_SASL_PASSWORD (or …_FILE)",
        )
    if (mistaken := await _other_protocol(host, port, protocol) or told) is not None:
        return Answer(server, refused=mistaken)
    return Answer(server, away=f"{server} took the connection and ended it without a word")


async def _away(host: str, port: int) -> str | None:
    """Why nobody answers at an address."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except gaierror as error:
        return f"the name {host} cannot be resolved ({error.strerror})"
    except ConnectionRefusedError:
        return f"nothing listens at {host}:{port} (connection refused)"
    except TimeoutError:
        return f"{host}:{port} does not answer within {ASK_SECONDS:g} s (a firewall, or no route)"
    except OSError as error:
        return f"{host}:{port} cannot be reached ({error.strerror})"
    writer.close()
    return None


def _connection(host: str, port: int, options: Mapping[str, Any]) -> AIOKafkaConnection:
    details = {name: value for name, value in options.items() if name != "bootstrap_servers"}
    return AIOKafkaConnection(host, port, request_timeout_ms=int(ASK_SECONDS * 1000), **details)


async def _close(connection: AIOKafkaConnection) -> None:
    """Close a connection, and wait until it is gone: whoever asked may end the event loop next."""
    gone = connection.close()
    if connection._protocol is not None:  # noqa: SLF001  # it came about; one that did not is never told as gone
        await asyncio.wait([gone], timeout=GOODBYE_SECONDS)


async def _other_protocol(host: str, port: int, protocol: KafkaSecurity) -> str | None:
    """Whether a port speaks TLS where we do not, or does not where we do."""
    server = f"{host}:{port}"
    if protocol in TLS:
        plain = AIOKafkaConnection(host, port, request_timeout_ms=int(ASK_SECONDS * 1000))
        try:
            await plain.connect()
        except (KafkaError, OSError, TimeoutError, EOFError):
            return None
        finally:
            await _close(plain)
        return f"Kafka broker {server} speaks no TLS on this port, and the bridge does ({protocol}); {MEND_PROTOCOL}"
    if await _speaks_tls(host, port):
        return f"Kafka broker {server} speaks TLS on this port, and the bridge does not ({protocol}); {MEND_PROTOCOL}"
    return None


async def _speaks_tls(host: str, port: int) -> bool:
    """Whether something answers a TLS greeting as TLS; nothing is said to it, so whom it is does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(ASK_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLError as error:
        return "WRONG_VERSION" not in error.reason
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


def _expires_at(connection: AIOKafkaConnection) -> datetime | None:
    writer: Any = connection._writer  # noqa: SLF001  # aiokafka has no public way to the certificate
    certificate = writer.get_extra_info("peercert") if writer is not None else None
    if not certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and all that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _told(error: BaseException, server: str, options: Mapping[str, Any]) -> str | None:
    """One sentence for what a broker, or the check of its certificate, says; None when it says nothing of use."""
    for each in chain(error):
        match each:
            case ssl.SSLCertVerificationError():
                return _distrusted(each, server)
            case ssl.SSLError() if each.reason is not None:
                return _not_agreed(each.reason, server, options)
            case IllegalSaslStateError():
                return (
                    f"Kafka broker {server} asks for no user on this port, and the bridge names one"
                    f" ({options['security_protocol']}); {MEND_PROTOCOL}"
                )
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
    if error.verify_code == EXPIRED:
        return (
            f"the certificate of Kafka broker {server} has expired; nothing here mends that: those who run the cluster"
            " must renew it"
        )
    if error.verify_code == NOT_YET_VALID:
        return (
            f"the certificate of Kafka broker {server} is not valid yet; check the clock of this machine, and when the"
            " certificate begins"
        )
    return (
        f"the certificate of Kafka broker {server} is not to be trusted ({error.verify_message});"
        " BRIDGE_KAFKA_SSL_CA_FILE must hold the authority that signed it"
    )


def _not_agreed(reason: str, server: str, options: Mapping[str, Any]) -> str:
    if "CERTIFICATE_EXPIRED" in reason:
        return (
            f"Kafka broker {server} says that our client certificate has expired; renew BRIDGE_KAFKA_SSL_CERT_FILE and"
            " BRIDGE_KAFKA_SSL_KEY_FILE"
        )
    if any(alert in reason for alert in CERTIFICATE_ALERTS):
        return (
            f"Kafka broker {server} asks for a client certificate that it trusts, and got none, another one, or one"
            f" that has expired ({reason}); check BRIDGE_KAFKA_SSL_CERT_FILE and BRIDGE_KAFKA_SSL_KEY_FILE"
        )
    return (
        f"Kafka broker {server} and the bridge do not agree on TLS ({reason}, {options['security_protocol']});"
        f" {MEND_PROTOCOL}"
    )
