"""The provider's connection to the bridge: it writes `fault-tickets` and follows what the bridge tells."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bridge.adapters.kafka_connection import connection_options
from bridge.domain.record import Record
from bridge.domain.tickets import FaultTicketEvent
from bridge.flows.handle_ticket import FAULT_TICKETS, GATEWAY_OUTCOMES, JOURNEYS
from bridge.flows.track_status import ACTIONS_REQUIRED, STATUSES, TRANSITIONS
from bridge.kafka_clients import stop_reading
from bridge.ports import Codec
from bridge.settings import KafkaSettings
from bridge.topics import Topics, physical_name

FOLLOWED = (JOURNEYS, GATEWAY_OUTCOMES, TRANSITIONS[True], STATUSES[True], ACTIONS_REQUIRED)
PAUSE_MILLISECONDS = 100


class Wire:
    """Open as long as the context of `connect` is."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        consumer: AIOKafkaConsumer,
        codec: Codec,
        logical: dict[str, str],
        tickets: str,
    ) -> None:
        self._producer = producer
        self._consumer = consumer
        self._codec = codec
        self._logical = logical
        self._tickets = tickets

    async def send(self, event: FaultTicketEvent) -> None:
        """Publish an event of a ticket; return when the cluster has it."""
        value = self._codec.encode(FAULT_TICKETS, event)
        await self._producer.send_and_wait(self._tickets, value, event.ticket_id.encode())

    async def news(self) -> list[Record]:
        """What the bridge told since the last call, each partition in its order; soon also when that is nothing."""
        told: list[Record] = []
        for partition, records in (await self._consumer.getmany(timeout_ms=PAUSE_MILLISECONDS)).items():
            topic = self._logical[partition.topic]
            told += [await self._codec.decode(topic, record.value) for record in records if record.value is not None]
        return told


@asynccontextmanager
async def connect(settings: KafkaSettings, topics: Topics, codec: Codec) -> AsyncIterator[Wire]:
    """Connect as the provider's ticketing system: everything told from now on is heard, once committed."""
    options = connection_options(settings)
    logical = {physical_name(settings.topic_prefix, name): name for name in FOLLOWED}
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **options)
    consumer = AIOKafkaConsumer(
        isolation_level="read_committed", enable_auto_commit=False, fetch_max_wait_ms=PAUSE_MILLISECONDS, **options
    )
    try:
        await producer.start()
        await consumer.start()
        consumer.assign(
            [
                TopicPartition(physical, number)
                for physical, name in logical.items()
                for number in range(topics.partitions_of(topics[name]))
            ]
        )
        await consumer.seek_to_end()
        yield Wire(producer, consumer, codec, logical, physical_name(settings.topic_prefix, FAULT_TICKETS))
    finally:
        await stop_reading(consumer)
        await producer.stop()
