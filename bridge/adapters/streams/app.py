"""
Faust as the bridge uses it: consumer group, co-partitioned assignment, flow control and commits; nothing else
(docs/adr/0001).

State is ours (`table.py`), order and acknowledgement are ours (`lanes.py`), bytes are ours (`avro`). Every setting
below that is more than a number answers a measured fault of Faust 0.15.3 on Apache Kafka 4.3, named beside it.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import faust
import structlog
from faust.types import ChannelT
from faust.types.tuples import Message
from mode.supervisors import CrashingSupervisor

from bridge.adapters.streams.consumer import ReadCommittedConsumer, ReadCommittedTransport
from bridge.adapters.streams.lanes import Delivery, Lanes, Wake, still_going
from bridge.adapters.streams.table import FencedPartition, FencedTable
from bridge.adapters.streams.transactions import Membership
from bridge.domain.dead_letters import Header
from bridge.kafka_clients import partition_of
from bridge.ports import Arrived, TableLost
from bridge.settings import KafkaSettings

log = structlog.get_logger(__name__)

# aiokafka makes an idle or paused worker leave its group for good after this; a spare replica must be able to idle
# for ever.
TEN_YEARS = 10 * 365 * 86400.0
# Of the rebalance time-out: how long calls in flight may take before the partition is given up under them.
DRAIN_SHARE = 0.7
# A consumer that takes part asks for records every second or so, whether any come or not and whether brokers answer or
# not; one that has not for this long never will.
POLL_SECONDS = 60.0
# What a stop takes beyond the calls in flight: Faust leaves its group and ends its thread.
STOP_SECONDS = 60.0
# How many records are put into their lanes before others have a turn in the event loop.
AT_ONCE = 100

Handle = Callable[[Arrived, FencedPartition], Awaitable[None]]
Woken = Callable[[str, FencedPartition], Awaitable[None]]
Opened = Callable[[list[FencedPartition]], Awaitable[None]]


class BridgeApp(faust.App):
    """
    A Faust app that reads committed records, and starts what belongs to it before anything of its own.

    Its consumer sends what it fetches to `fetched`, a fetch at a time, whenever `wants_records` is set.
    """

    before: Callable[[], Awaitable[None]]
    # How long records under way may take when the partitions are wanted back, and what to do with a worker that would
    # wait for longer.
    drain_seconds: float
    give_up: Callable[[BaseException], Awaitable[None]]
    fetched: ChannelT[list[Message]]
    membership: Membership

    def __init__(self, *args: Any, **options: Any) -> None:
        """As Faust's."""
        super().__init__(*args, **options)
        self.wants_records = asyncio.Event()

    async def on_first_start(self) -> None:
        """Start the lanes and the service's own parts; what fails here ends the process with its reason."""
        await self.before()
        await super().on_first_start()

    def _new_transport(self) -> ReadCommittedTransport:
        return ReadCommittedTransport(self.conf.broker_consumer, self)


def credentials(connection: Mapping[str, Any]) -> Any:
    """Faust's own form of aiokafka's connection arguments."""
    context: ssl.SSLContext | None = connection.get("ssl_context")
    if "sasl_mechanism" in connection:
        return faust.SASLCredentials(
            mechanism=connection["sasl_mechanism"],
            username=connection["sasl_plain_username"],
            password=connection["sasl_plain_password"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context is not None else None


class StreamService:
    """
    One service on Faust: source topics into lanes, a table beside them, one handler for records and one for wakes.
    """

    def __init__(  # noqa: PLR0913  # each is a fact of the service that no other part knows
        self,
        *,
        group: str,
        topics: Mapping[str, str],
        table: FencedTable,
        connection: Mapping[str, Any],
        kafka: KafkaSettings,
        max_pulled: int,
        stuck_after: timedelta,
        data_directory: str,
    ) -> None:
        """
        `topics` maps the physical name of each source topic to its logical one; `stuck_after` is longer than any wait
        after which a handler tells that it is `still_going`.
        """
        session_timeout_seconds = kafka.session_timeout_seconds.total_seconds()
        rebalance_timeout_seconds = kafka.rebalance_timeout_seconds.total_seconds()
        self._topics = topics
        self._table = table
        self._max_pulled = max_pulled
        self._stuck_after = stuck_after.total_seconds()
        self._opening = False
        self._ending = False
        self._stopping_since: float | None = None
        self._lanes: Lanes | None = None
        self._handle: Handle | None = None
        self._woken: Woken | None = None
        self._opened: Opened | None = None
        self._before: list[Callable[[], Awaitable[None]]] = []
        self._after: list[Callable[[], Awaitable[None]]] = []
        self.app = BridgeApp(
            group,
            broker=";".join(f"kafka://{server}" for server in connection["bootstrap_servers"]),
            broker_credentials=credentials(connection),
            store="memory://",
            datadir=data_directory,
            key_serializer="raw",
            value_serializer="raw",
            processing_guarantee="at_least_once",
            consumer_auto_offset_reset="earliest",
            topic_allow_declare=False,
            topic_disable_leader=True,
            # Not 0: without standby replicas Faust assigns round robin, and the source topics come apart at some
            # worker counts.
            # There is no Faust table, so no standby exists.
            table_standby_replicas=1,
            agent_supervisor=CrashingSupervisor,
            stream_wait_empty=True,
            broker_max_poll_interval=TEN_YEARS,
            broker_session_timeout=session_timeout_seconds,
            broker_heartbeat_interval=session_timeout_seconds / 10,
            broker_rebalance_timeout=rebalance_timeout_seconds,
            broker_request_timeout=max(90.0, session_timeout_seconds),
            broker_commit_interval=1.0,
            web_enabled=False,
            env_prefix="BRIDGE_UNUSED_FAUST_",
        )
        self.app.before = self._start
        self.app.drain_seconds = rebalance_timeout_seconds * DRAIN_SHARE
        self.app.give_up = self._crash
        self.app.on_partitions_assigned.connect(self._assigned, weak=False)  # type: ignore[arg-type]  # Faust calls it with the app first, as its documentation says
        self.app.on_partitions_revoked.connect(self._revoked, weak=False)  # type: ignore[arg-type]  # Faust calls it with the app first, as its documentation says
        self.app.on_before_shutdown.connect(self._stopping, weak=False)  # type: ignore[arg-type]  # Faust calls it with the app first, as its documentation says
        self.app.fetched = self.app.channel()
        self.app.agent(self.app.fetched, name=f"{group}-inputs")(self._run)

    def connect(
        self,
        *,
        handle: Handle,
        woken: Woken,
        opened: Opened,
        before: Iterable[Callable[[], Awaitable[None]]] = (),
        after: Iterable[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """
        Say what to do with a record, a wake and newly opened partitions; and what to start before and to stop after.
        """
        self._handle, self._woken, self._opened = handle, woken, opened
        self._before, self._after = list(before), list(after)

    def wake(self, key: str, partition: int, at: datetime) -> None:
        """The `Wakes` port."""
        self.lanes.timers.wake(key, partition, at)

    def wake_now(self, key: str, partition: int) -> None:
        """Wake a key at once."""
        self.wake(key, partition, datetime.now(UTC))

    @staticmethod
    def home(key: bytes, partitions: int) -> int:
        """The partition that Kafka's own clients put a key into."""
        return partition_of(key, partitions)

    @property
    def lanes(self) -> Lanes:
        """The lanes, once the app has started."""
        if self._lanes is None:
            raise RuntimeError("the lanes start with the app")
        return self._lanes

    @property
    def assigned(self) -> bool:
        """Whether this worker takes part: the group has settled, its partitions are open, and the flow is on."""
        settled = bool(self.app.flow_control.is_active()) and not self.app.rebalancing
        return settled and not self._opening and not self.app.should_stop

    def fault(self) -> str | None:
        """
        Tell why only a new process helps, or None. A gateway, a broker or a registry that is away is no fault of ours,
        and a rebalance, a take-over or a slow call is not the end.
        """
        if self._lanes is None:
            return None
        now = time.monotonic()
        if self._stopping_since is not None:
            late = now - self._stopping_since > self.app.drain_seconds + STOP_SECONDS
            return "the service was told to stop and does not end" if late else None
        # Inputs that came a moment before their partition was opened wait for it, however long it takes.
        fault = None if self._opening else self._lanes.fault(self._stuck_after)
        submitted_at = self._lanes.submitted_at
        if fault is None and self.assigned and submitted_at is not None:
            consumer = cast("ReadCommittedConsumer", self.app.consumer)
            silent = now - max(submitted_at, consumer.polled_at)
            fault = f"no records have been asked for since {silent:.0f} s" if silent > POLL_SECONDS else None
        return fault

    def main(self, loglevel: str, loop: asyncio.AbstractEventLoop) -> None:
        """Run until SIGTERM or SIGINT; ends the process."""
        asyncio.set_event_loop(loop)
        worker = faust.Worker(
            self.app,
            loop=loop,
            loglevel=loglevel,
            redirect_stdouts=False,
            override_logging=False,
            quiet=True,
            blocking_timeout=0.0,
        )
        worker.spinner = None
        worker.execute_from_commandline()

    # -- Faust's callbacks

    async def _start(self) -> None:
        self._lanes = Lanes(
            self._run_input,
            is_current=self._is_current,
            crash=self._crash,
            commit=self._commit,
            max_pulled=self._max_pulled,
        )
        self._lanes.start()
        for start in self._before:
            await start()
        self.app.topics.add(self.app.topic(*self._topics, key_type=bytes, value_type=bytes))

    async def _run(self, stream: Any) -> None:
        """Put each record into its lane, and wait there while the lanes have no room."""
        self.app.wants_records.set()
        async for fetched in stream:
            for number, message in enumerate(fetched, 1):
                message.incref()
                await self.lanes.submit(self._delivery(message))
                if not message.acked:
                    # Only now: one that never found room would be waited for at a rebalance.
                    self.app.consumer.track_message(message)
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
            self.app.wants_records.set()

    def _delivery(self, message: Message) -> Delivery:
        def forget() -> None:
            # Faust stops waiting for it and never commits it.
            message.acked = True

        def ack() -> None:
            message.ack(self.app.consumer)

        arrived = Arrived(
            topic=self._topics[message.topic],
            partition=message.partition,
            offset=message.offset,
            timestamp=datetime.fromtimestamp(message.timestamp, UTC),
            key=message.key,
            value=message.value,
            headers=tuple(Header.of(name, value) for name, value in _pairs(message.headers)),
        )

        return Delivery(arrived, message.generation_id or 0, ack=ack, forget=forget)

    def _is_current(self, generation: int) -> bool:
        app = self.app
        return not app.should_stop and bool(app.flow_control.is_active()) and generation == app.consumer_generation_id

    async def _run_input(self, item: Delivery | Wake) -> bool:
        number = item.arrived.partition if isinstance(item, Delivery) else item.partition
        try:
            partition = await self._table.get(number, item.generation)
            still_going()
            if isinstance(item, Delivery):
                await self._handle(item.arrived, partition)  # type: ignore[misc]  # connected before the app starts
            else:
                await self._woken(item.key, partition)  # type: ignore[misc]  # connected before the app starts
        except TableLost as lost:
            if self._is_current(item.generation):
                await self._crash(lost)
            return False
        return True

    async def _commit(self) -> None:
        try:
            await self.app.consumer.commit()
        except Exception as error:  # noqa: BLE001  # offsets are committed again with the next record; the table knows what was handled
            log.warning("offsets not committed", error=repr(error))

    async def _crash(self, error: BaseException) -> None:
        """
        End the process at once: everything that counts is durable, and a stop that waits for records in flight would
        never end.
        """
        try:
            if not self._ending:
                # A table that is lost is lost to everything under way.
                self._ending = True
                log.critical("the service ends and must be restarted", error=repr(error))
            await asyncio.sleep(0)
        finally:
            os._exit(1)

    async def _assigned(self, _app: Any, assigned: Iterable[Any], **_: Any) -> None:
        membership = self.app.membership
        self.lanes.begin(membership.generation)
        # What was fetched for the last generation and has no reader yet, Faust throws away.
        self.app.wants_records.set()
        self._opening = True
        try:
            partitions = await self._table.open({partition.partition for partition in assigned}, membership)
            await self._opened(partitions)  # type: ignore[misc]  # connected before the app starts
        except Exception as error:  # noqa: BLE001  # a worker that cannot read its state must not take part
            await self._crash(error)
        finally:
            self._opening = False

    async def _revoked(self, _app: Any, _revoked: Iterable[Any] = (), **_: Any) -> None:
        await self._drain()

    async def _stopping(self, _app: Any = None, **_: Any) -> None:
        self._stopping_since = time.monotonic()
        await self._drain()
        if self._lanes is not None:
            await self._lanes.stop()
        await self._table.stop()
        for stop in self._after:
            await stop()

    async def _drain(self) -> None:
        """Let what runs finish (Faust waited for records, not for wakes), then give the partitions up."""
        if self._lanes is not None:
            try:
                await asyncio.wait_for(self._lanes.drain(), timeout=self.app.drain_seconds)
            except TimeoutError:
                log.warning("calls still in flight when the partitions were given up", lanes=self._lanes.running)
        await self._table.close()


def _pairs(headers: Any) -> list[tuple[str, bytes | None]]:
    """Faust gives headers as a mapping or as pairs; only pairs keep repeated names."""
    if not headers:
        return []
    return list(headers.items()) if isinstance(headers, Mapping) else list(headers)
