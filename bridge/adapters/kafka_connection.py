"""How every Kafka client of the bridge connects: one reading of the settings. aiokafka's clients take it as it is."""

import ssl
from typing import Any

from bridge.settings import KafkaSecurity, KafkaSettings

TLS = frozenset({KafkaSecurity.SSL, KafkaSecurity.SASL_SSL})
SASL = frozenset({KafkaSecurity.SASL_PLAINTEXT, KafkaSecurity.SASL_SSL})


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """
    The keyword arguments of any aiokafka client that say where the cluster is and how to prove who we are.

    Brokers' certificates are always checked, their host names too. They hold the password: not for logs.

    Raises:
        OSError: a certificate file cannot be read; ssl.SSLError, one of these, when it is none.

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
    context = ssl.create_default_context(cafile=settings.ssl_ca_file)
    if settings.ssl_cert_file is not None:
        context.load_cert_chain(settings.ssl_cert_file, settings.ssl_key_file)
    return context
