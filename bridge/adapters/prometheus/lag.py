"""How far a consumer group is behind, as `bridge.adapters.kafka_lag` finds it."""

from typing import NamedTuple


class PartitionLag(NamedTuple):
    """One partition of a source topic, by its logical name."""

    topic: str
    partition: int
    records: int
    seconds: float
