"""
Records on their way to Kafka outside of a transaction: `KafkaOutbox` stays connected and tells what was confirmed,
`Batching` forms the batches.
"""

from bridge.adapters.kafka_outbox.outbox import KafkaOutbox, PublishTelemetry

__all__ = ["KafkaOutbox", "PublishTelemetry"]
