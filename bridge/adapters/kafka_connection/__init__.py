"""
How every Kafka client of the bridge connects, and why it cannot where it cannot.

aiokafka 0.14 tells a closed port, a wrong password, an unknown authority and a missing client certificate as one and
the same error; `explaining` asks each broker once more by hand and says which it was.
"""

from bridge.adapters.kafka_connection.asking import Answer, ask_broker, ask_brokers
from bridge.adapters.kafka_connection.explaining import KafkaAway, KafkaRefused, explaining, why_refused
from bridge.adapters.kafka_connection.options import SASL, TLS, CertificateUnusable, connection_options

__all__ = [
    "SASL",
    "TLS",
    "Answer",
    "CertificateUnusable",
    "KafkaAway",
    "KafkaRefused",
    "ask_broker",
    "ask_brokers",
    "connection_options",
    "explaining",
    "why_refused",
]
