"""
Dead letters, quarantined deliveries and the decisions about them, as they are on the cluster.

One transactional id for all who decide, on any machine: whoever opens the ledger ends every transaction that an earlier
one left open and shuts it out (KIP-98), so what is read afterwards is all that was ever decided, and no two people
replay the same letter.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import typer
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced
from msgspec.structs import replace

from bridge.adapters.clock import WallClock
from bridge.adapters.kafka_connection import connection_options
from bridge.adapters.kafka_reader import read_topic
from bridge.domain.dead_letters import DeadLetter, DeadLetterDecision, QuarantinedKci
from bridge.domain.letters import Reading
from bridge.domain.record import Record
from bridge.domain.replay import Home
from bridge.flows.replay import ReplayLetters, ReplayStopped, Returning, read_letter
from bridge.kafka_clients import partition_of
from bridge.ports import Codec, Outgoing, Undecodable
from bridge.services.codec import codec_for
from bridge.settings import Settings, read
from bridge.topics import Party, Topics, data_directory, load_topics, physical_name

R = TypeVar("R", bound=Record)

DEAD_LETTERS = "dead-letters"
QUARANTINE = "kci-quarantine"
AUDIT = "dead-letter-audit"
# Whose records can become dead letters: the services that read with an intake.
READERS = frozenset((Party.DISPATCHER, Party.TRACKER))


@dataclass(frozen=True)
class Box:
    """A cluster and its topics, to read letters from; nothing is open."""

    settings: Settings
    topics: Topics
    codec: Codec

    async def letters(self) -> list[DeadLetter]:
        """Every dead letter that its topic still has."""
        return await self._records(DEAD_LETTERS, DeadLetter)

    async def deliveries(self) -> list[QuarantinedKci]:
        """Every quarantined delivery that its topic still has."""
        return await self._records(QUARANTINE, QuarantinedKci)

    async def decisions(self) -> list[DeadLetterDecision]:
        """Every decision, those about one id in the order in which they were made."""
        return await self._records(AUDIT, DeadLetterDecision)

    @property
    def homes(self) -> dict[str, Home]:
        """The topics that letters go back to."""
        return {
            topic.name: _home(self.topics.partitions_of(topic), topic.retention_days)
            for topic in self.topics.topics
            if READERS & set(topic.consumers) and not topic.is_private
        }

    async def read(self, letter: DeadLetter) -> Reading:
        """What a letter's bytes tell now, or why they still tell nothing."""
        return await read_letter(letter, self.codec, self.homes)

    @asynccontextmanager
    async def deciding(self) -> AsyncIterator[ReplayLetters]:
        """Shut out whoever decided before, and decide; what is settled is to be read within."""
        producer = AIOKafkaProducer(
            transactional_id=physical_name(self.settings.kafka.topic_prefix, AUDIT),
            transaction_timeout_ms=int(self.settings.kafka.transaction_timeout_seconds.total_seconds() * 1000),
            max_request_size=max(topic.max_message_bytes for topic in self.topics.topics),
            **connection_options(self.settings.kafka),
        )
        asyncio.get_running_loop().set_exception_handler(_unless_shut_out)
        try:
            await producer.start()
            yield ReplayLetters(
                ledger=KafkaLedger(producer, self.codec, self.settings.kafka.topic_prefix),
                clock=WallClock(),
                pause=asyncio.sleep,
                monotonic=time.monotonic,
            )
        finally:
            await producer.stop()

    async def _records(self, topic: str, kind: type[R]) -> list[R]:
        found: list[R] = []
        physical = physical_name(self.settings.kafka.topic_prefix, topic)
        async for arrived in read_topic(connection_options(self.settings.kafka), physical, topic):
            try:
                record = await self.codec.decode(topic, arrived.value or b"")
            except Undecodable as error:
                place = f"{physical} partition {arrived.partition} offset {arrived.offset}"
                typer.echo(f"{place} is left out, since it cannot be read: {error}", err=True)
                continue
            if isinstance(record, kind):
                found.append(record)
        return found


class KafkaLedger:
    """The `Ledger` port over one transactional producer."""

    def __init__(self, producer: AIOKafkaProducer, codec: Codec, prefix: str) -> None:
        """`producer` is started."""
        self._producer = producer
        self._codec = codec
        self._prefix = prefix

    async def settle(
        self, decision: DeadLetterDecision, record: Returning | Outgoing | None = None
    ) -> DeadLetterDecision:
        """As the port says."""
        try:
            await self._producer.begin_transaction()
            if record is not None:
                decision = await self._send(decision, record)
            data = self._codec.encode(AUDIT, decision)
            sent = await self._producer.send(physical_name(self._prefix, AUDIT), data, decision.dead_letter_id.encode())
            await sent
            await self._producer.commit_transaction()
        except (ProducerFenced, InvalidProducerEpoch) as error:
            raise ReplayStopped(
                f"stopped before {decision.dead_letter_id}: somebody else has begun to decide about dead letters;"
                " wait for them to finish, and run this again: what is settled is left out"
            ) from error
        except KafkaError as error:
            with contextlib.suppress(KafkaError):
                await self._producer.abort_transaction()
            raise ReplayStopped(
                f"stopped at {decision.dead_letter_id}: Kafka did not take it ({type(error).__name__});"
                " run this again: it is left out if it was taken after all"
            ) from error
        return decision

    async def _send(self, decision: DeadLetterDecision, record: Returning | Outgoing) -> DeadLetterDecision:
        topic = physical_name(self._prefix, record.topic)
        if isinstance(record, Returning):
            sent = await self._producer.send(
                topic,
                record.value,
                record.key,
                partition=record.partition,
                timestamp_ms=round(record.timestamp.timestamp() * 1000),
                headers=[(header.name, header.raw) for header in record.headers],
            )
        else:
            value = None if record.value is None else self._codec.encode(record.topic, record.value)
            sent = await self._producer.send(topic, value, record.raw_key)
        place = await sent
        return replace(
            decision, replay_topic=record.topic, replay_partition=place.partition, replay_offset=place.offset
        )


async def open_box() -> Box:
    """
    Read the settings, and the topics and schemas that go with them.

    Raises:
        SettingsError, TopicsError: as `read` and `load_topics`.
        SchemaUnavailable, SchemaNotRegistered: as `codec_for`.

    """
    settings = read(os.environ, "KAFKA", "SCHEMA")
    topics = load_topics(data_directory() / "topics.yaml")
    return Box(settings, topics, await codec_for(settings.kafka, settings.schema, topics, Party.CLI))


def _unless_shut_out(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Tell what nobody awaited; but aiokafka 0.14 leaves futures of its own behind when a producer is shut out."""
    if not isinstance(context.get("exception"), ProducerFenced):
        loop.default_exception_handler(context)


def _home(partitions: int, retention_days: int | None) -> Home:
    return Home(
        partition_of=lambda key: partition_of(key, partitions),
        retention=None if retention_days is None else timedelta(days=retention_days),
    )
