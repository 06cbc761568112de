"""One reading of the settings, as aiokafka's clients take it: where the cluster is and how to prove who we are."""

import ssl
from pathlib import Path
from typing import Any

from bridge.settings import KafkaSecurity, KafkaSettings

TLS = frozenset({KafkaSecurity.SSL, KafkaSecurity.SASL_SSL})
SASL = frozenset({KafkaSecurity.SASL_PLAINTEXT, KafkaSecurity.SASL_SSL})


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
