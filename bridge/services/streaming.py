"""
What the dispatcher and the tracker have in common: one Faust app, one fenced table, the management server, and the
way they start and stop.

One service runs in one process, since Faust's classes share state between apps (docs/adr/0001).
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from tempfile import mkdtemp
from typing import Any

from prometheus_client import CollectorRegistry

from bridge.adapters import logging
from bridge.adapters.asgi import AsgiServer
from bridge.adapters.clock import WallClock
from bridge.adapters.kafka_connection import connection_options
from bridge.adapters.kafka_outbox import KafkaOutbox
from bridge.adapters.management import management_app, refuse
from bridge.adapters.prometheus import PrometheusTelemetry
from bridge.adapters.streams.app import StreamService
from bridge.adapters.streams.lanes import still_going
from bridge.adapters.streams.table import FencedTable, TableSpec
from bridge.domain.record import Record
from bridge.flows.intake import DeadLetterLimit, Intake
from bridge.ports import Codec
from bridge.services.codec import codec_for
from bridge.services.loop import new_loop
from bridge.services.start import check_cluster, check_worker
from bridge.settings import Settings
from bridge.topics import Party, Topics, data_directory, load_topics, physical_name

PUBLISH_TIMEOUT = timedelta(seconds=10)
# Beside the calls and the transactions of an input: the longest wait for a schema registry, and a busy machine.
STUCK_MARGIN = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True)
class Streaming:
    """The parts that a service is wired from."""

    settings: Settings
    topics: Topics
    codec: Codec
    clock: WallClock
    telemetry: PrometheusTelemetry
    outbox: KafkaOutbox
    stream: StreamService
    party: Party
    build: str

    def intake(self, *, key_of: Callable[[Record], str], dead_letters_per_minute: int) -> Intake[Any]:
        """What every record goes through first."""
        return Intake(
            service=self.party.value,
            version=self.build,
            codec=self.codec,
            clock=self.clock,
            telemetry=self.telemetry,
            limit=DeadLetterLimit(dead_letters_per_minute),
            home=lambda topic, key: self.stream.home(key, self.topics.partitions_of(self.topics[topic])),
            key_of=key_of,
            pause=_pause,
        )

    def run(self) -> int:
        """Run until a signal ends the process."""
        self.stream.main(self.settings.log.level, new_loop())
        return 0


def wire(
    settings: Settings,
    party: Party,
    *,
    sources: tuple[str, ...],
    table: str,
    kept: Any,
    max_pulled: int,
    longest_call: timedelta = timedelta(),
) -> Streaming:
    """
    Put a service together from its settings; nothing connects before it runs, except to check the topics.

    `longest_call` bounds whatever an input waits for that is not Kafka.
    """
    build = version("fibre-fault-bridge")
    secrets = logging.secrets_in(*(group for group in vars(settings).values()))
    logging.configure(settings.log, service=party.value, stream=sys.stderr, secrets=secrets)
    topics = load_topics(data_directory() / "topics.yaml")
    prefix = settings.kafka.topic_prefix
    group = physical_name(prefix, party.value)
    transactional_id = physical_name(prefix, table)
    codec = asyncio.run(_start(settings, topics, party, group=group, transactional_id=transactional_id))
    connection = connection_options(settings.kafka)
    longest = max(topic.max_message_bytes for topic in topics.written_by(party))
    fenced = FencedTable(
        TableSpec(
            topic=physical_name(prefix, table),
            transactional_id=transactional_id,
            kept=kept,
            encode=codec.encode,
            physical=lambda name: physical_name(prefix, name),
            connection=connection,
            transaction_timeout_seconds=settings.kafka.transaction_timeout_seconds.total_seconds(),
            max_record_bytes=longest,
        )
    )
    stream = StreamService(
        group=group,
        topics={physical_name(prefix, name): name for name in sources},
        table=fenced,
        connection=connection,
        kafka=settings.kafka,
        max_pulled=max_pulled,
        # Around a call there are two transactions: its intent and its outcome.
        stuck_after=longest_call + 2 * settings.kafka.transaction_timeout_seconds + STUCK_MARGIN,
        data_directory=mkdtemp(prefix="bridge-faust-"),
    )
    telemetry = PrometheusTelemetry(CollectorRegistry(), service=party.value, version=build)
    outbox = KafkaOutbox(
        connection,
        lambda name: physical_name(prefix, name),
        codec,
        telemetry,
        client_id=group,
        publish_timeout=PUBLISH_TIMEOUT,
        max_record_bytes=longest,
    )
    return Streaming(
        settings=settings,
        topics=topics,
        codec=codec,
        clock=WallClock(),
        telemetry=telemetry,
        outbox=outbox,
        stream=stream,
        party=party,
        build=build,
    )


def management(streaming: Streaming) -> AsgiServer:
    """The management server of a streaming service."""
    app = management_app(
        alive={"stream": streaming.stream.fault},
        ready={"group": lambda: None if streaming.stream.assigned else "the consumer group has not settled yet"},
        metrics=streaming.telemetry.exposition,
    )
    return AsgiServer(
        app,
        streaming.settings.management.listen,
        head_timeout=timedelta(seconds=10),
        grace=timedelta(seconds=2),
        refuse=refuse,
    )


async def _pause(seconds: float) -> None:
    """A registry that is away holds up one key, and no restart would bring it back."""
    still_going()
    await asyncio.sleep(seconds)
    still_going()


async def _start(settings: Settings, topics: Topics, party: Party, *, group: str, transactional_id: str) -> Codec:
    await check_cluster(settings, topics, party)
    await check_worker(settings, group=group, transactional_id=transactional_id)
    return await codec_for(settings.kafka, settings.schema, topics, party)
