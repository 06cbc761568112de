"""
What the dispatcher and the tracker have in common: one Faust app, one fenced table, the management server, and the
way they start and stop.

One service runs in one process, since Faust's classes share state between apps (docs/adr/0001).
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from tempfile import mkdtemp
from typing import Any, Generic, TypeVar

from prometheus_client import CollectorRegistry

from bridge.adapters import logging
from bridge.adapters.asgi import AsgiServer
from bridge.adapters.clock import WallClock
from bridge.adapters.kafka_connection import connection_options
from bridge.adapters.kafka_lag import Behind, LagWatch
from bridge.adapters.management import management_app, refuse
from bridge.adapters.prometheus import PartitionLag, StreamTelemetry
from bridge.adapters.streams.app import StreamService
from bridge.adapters.streams.lanes import still_going
from bridge.adapters.streams.table import FencedTable, TableSpec
from bridge.domain.record import Record
from bridge.flows.intake import DeadLetterLimit, Intake
from bridge.ports import Codec, Tracing
from bridge.services.codec import codec_for
from bridge.services.label_sets import closed_sets
from bridge.services.loop import new_loop
from bridge.services.memory import spare_the_collector
from bridge.services.start import check_cluster, check_worker
from bridge.services.tracing import tracing_for
from bridge.services.watched import Flow, WatchedFlow
from bridge.settings import Settings
from bridge.topics import Party, Topics, data_directory, load_topics, physical_name

T = TypeVar("T", bound=StreamTelemetry)

# Beside the calls and the transactions of an input: the longest wait for a schema registry, and a busy machine.
STUCK_MARGIN = timedelta(seconds=60)
# Why a worker is not ready.
NOT_YET = "the consumer group has not settled yet, or its table is still being read"


@dataclass(frozen=True, kw_only=True)
class Streaming(Generic[T]):
    """The parts that a service is wired from."""

    settings: Settings
    topics: Topics
    codec: Codec
    clock: WallClock
    telemetry: T
    tracing: Tracing
    stream: StreamService
    lag: LagWatch
    party: Party
    build: str
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

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

    def connect(
        self,
        flow: Flow[Any],
        *,
        before: Iterable[Callable[[], Awaitable[None]]] = (),
        after: Iterable[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """Say which flow handles the inputs, and what is started before it and stopped after it."""
        server = management(self)
        watched = WatchedFlow(flow, self.telemetry)
        self.stream.connect(
            handle=self.tracing.handling(watched.arrived),
            woken=self.tracing.waking(watched.woken),
            opened=watched.opened,
            before=[server.start, self._watch, *before],
            after=[*after, self.lag.stop, self.tracing.stop, server.stop],
        )

    async def _watch(self) -> None:
        telemetry, stream = self.telemetry, self.stream
        telemetry.watch_group(takes_part=lambda: stream.assigned, unsettled=lambda: stream.lanes.unsettled)
        stream.app.on_partitions_revoked.connect(self._revoked, weak=False)  # type: ignore[arg-type]  # as in StreamService
        self.tasks.append(asyncio.create_task(telemetry.watch_loop(), name="loop watch"))
        await self.lag.start()

    async def _revoked(self, _app: Any, *_: Any, **__: Any) -> None:
        self.telemetry.partitions_given_up()

    def run(self) -> int:
        """Run until a signal ends the process."""
        spare_the_collector()
        self.stream.main(self.settings.log.level, new_loop())
        return 0


def wire(  # noqa: PLR0913  # each is a fact of the service that no other part knows
    settings: Settings,
    party: Party,
    *,
    sources: tuple[str, ...],
    table: str,
    kept: Any,
    max_pulled: int,
    longest_call: timedelta = timedelta(),
    telemetry: type[T],
    problem_types: Iterable[str] = (),
) -> Streaming[T]:
    """
    Put a service together from its settings; nothing connects before it runs, except to check the topics.

    `longest_call` bounds whatever an input waits for that is not Kafka; `problem_types` are the provider's words for a
    fault.
    """
    build = version("fibre-fault-bridge")
    prefix = settings.kafka.topic_prefix
    topics = load_topics(data_directory() / "topics.yaml")
    clock = WallClock()
    watcher = telemetry(CollectorRegistry(), party, closed_sets(topics, party, problem_types), clock.now)
    tracing = tracing_for(
        settings.tracing,
        watcher,
        service=party.value,
        version=build,
        physical=lambda name: physical_name(prefix, name),
    )
    secrets = logging.secrets_in(*(group for group in vars(settings).values()))
    logging.configure(
        settings.log, service=party.value, stream=sys.stderr, secrets=secrets, trace_ids=tracing.ids, for_good=True
    )
    group = physical_name(prefix, party.value)
    transactional_id_prefix = f"{group}-"
    codec = asyncio.run(_start(settings, topics, party, group=group, transactional_id_prefix=transactional_id_prefix))
    connection = connection_options(settings.kafka)
    logical = {physical_name(prefix, name): name for name in sources}
    longest = max(topic.max_message_bytes for topic in topics.written_by(party))
    fenced = FencedTable(
        TableSpec(
            topic=physical_name(prefix, table),
            written=[physical_name(prefix, topic.name) for topic in topics.written_by(party)],
            transactional_id_prefix=transactional_id_prefix,
            kept=kept,
            encode=codec.encode,
            physical=lambda name: physical_name(prefix, name),
            connection=connection,
            transaction_timeout_seconds=settings.kafka.transaction_timeout_seconds.total_seconds(),
            max_record_bytes=longest,
            recovered=watcher.table_recovered,
        )
    )
    lag = LagWatch(
        connection,
        group=group,
        topics=logical,
        tell=lambda found: watcher.lag_seen(_by_logical_name(found, logical)),
    )
    stream = StreamService(
        group=group,
        topics=logical,
        table=fenced,
        connection=connection,
        kafka=settings.kafka,
        max_pulled=max_pulled,
        # Around a call there are two transactions: its intent and its outcome.
        stuck_after=longest_call + 2 * settings.kafka.transaction_timeout_seconds + STUCK_MARGIN,
        data_directory=mkdtemp(prefix="bridge-faust-"),
    )
    return Streaming(
        settings=settings,
        topics=topics,
        codec=codec,
        clock=clock,
        telemetry=watcher,
        tracing=tracing,
        stream=stream,
        lag=lag,
        party=party,
        build=build,
    )


def _by_logical_name(found: Iterable[Behind], logical: Mapping[str, str]) -> list[PartitionLag]:
    return [PartitionLag(logical[each.topic], each.partition, each.records, each.seconds) for each in found]


def management(streaming: Streaming[Any]) -> AsgiServer:
    """The management server of a streaming service."""
    app = management_app(
        alive={"stream": streaming.stream.fault},
        ready={"group": lambda: None if streaming.stream.assigned else NOT_YET},
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


async def _start(
    settings: Settings, topics: Topics, party: Party, *, group: str, transactional_id_prefix: str
) -> Codec:
    await check_cluster(settings, topics, party)
    await check_worker(settings, group=group, transactional_id_prefix=transactional_id_prefix)
    return await codec_for(settings.kafka, settings.schema, topics, party)
