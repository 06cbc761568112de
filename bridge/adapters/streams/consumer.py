"""
Faust's consumer as the bridge needs it: it reads committed records and sends them to the agent, says as which member of
the group it was assigned its partitions, goes back to where the group is, and commits what the lanes acknowledged
(docs/adr/0001).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import Message

from bridge.adapters.streams.transactions import Membership


class ReadCommittedThread(driver.AIOKafkaConsumerThread):
    """Faust reads uncommitted unless it is exactly_once itself, and would see the records of aborted transactions."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001  # set before start(), where aiokafka reads it; it has no setter
        return consumer

    async def seek_to_committed(self) -> Mapping[Any, Any]:
        """
        As Faust's, and to the beginning where nothing was committed: aiokafka leaves such a partition where it is, and
        what was fetched of it while the group settled would never be read again.
        """
        committed: Mapping[Any, Any] = await self.call_thread(seek_to_committed, self._ensure_consumer())
        return committed

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Look whether records are asked for; Faust would also miss a stream for each topic, and the bridge has one."""
        self.verify_recovery_event_path(now, tp)

    def close(self) -> None:
        """
        Nothing, where Faust closes the connections under a rebalance that meets the end of its service, and from
        another thread: a member that is just joining then waits for its topics for ever, and the service with it; any
        other never leaves its group, which misses it only when its session ends. The thread stops its consumer itself,
        when the join is over.
        """


async def seek_to_committed(consumer: AIOKafkaConsumer) -> Mapping[Any, Any]:
    """Go back to where the group is in each partition, and return where that is."""
    committed: Mapping[Any, int | None] = await consumer.seek_to_committed()
    never = [partition for partition, offset in committed.items() if not offset]
    if never:
        await consumer.seek_to_beginning(*never)
    return committed


class MembershipListener(driver.ConsumerRebalanceListener):
    """Keeps as which member, and in which generation, the partitions were assigned."""

    def __init__(self, thread: driver.AIOKafkaConsumerThread) -> None:
        """Listen for a consumer's thread."""
        super().__init__(thread)
        self._bridge_thread = thread

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """
        Keep it before anything else happens: a moment later the group may know this worker no more. A service that is
        ending takes nothing over; its main thread would not answer, and this one would never end.

        aiokafka sends heartbeats from when this has returned, and a take-over of many journeys may last longer than the
        session: so they begin here.
        """
        app: Any = self._bridge_thread.app
        if app.should_stop:
            return
        consumer: Any = self._bridge_thread._consumer  # noqa: SLF001  # neither Faust nor aiokafka tells it
        coordinator = consumer._coordinator  # noqa: SLF001  # as above
        app.membership = Membership(app.conf.id, coordinator.generation, coordinator.member_id)
        coordinator._start_heartbeat_task()  # noqa: SLF001  # as above; it does nothing when it is called again
        await super().on_partitions_assigned(assigned)


class ReadCommittedConsumer(driver.Consumer):
    """A consumer whose thread reads committed records only, and that remembers when it last asked for some."""

    RebalanceListener = MembershipListener
    polled_at = 0.0

    async def wait_empty(self) -> None:
        """
        As Faust's, which waits for records under way as long as it takes: whatever they wait for is over by then, or
        never will be, and the group has put this worker out.
        """
        app: Any = self.app
        # A task of its own: Faust's takes no cancellation.
        waiting = asyncio.ensure_future(super().wait_empty())
        await asyncio.wait([waiting], timeout=app.drain_seconds)
        if not waiting.done():
            await app.give_up(TimeoutError(f"records under way have not ended in {app.drain_seconds:g} s"))
        await waiting

    def resume_flow(self) -> None:
        """As Faust's; what it had to wait for before does not count against it."""
        self.polled_at = time.monotonic()
        super().resume_flow()

    async def _wait_next_records(self, timeout: float) -> Any:  # noqa: ASYNC109  # Faust's signature
        answer = await super()._wait_next_records(timeout)
        self.polled_at = time.monotonic()
        return answer

    async def _drain_messages(self, fetcher: Any) -> None:
        """
        Send records to the agent, a fetch at a time, when it wants some.

        Faust's own loop makes four tasks for a record, takes each through a conductor, an event, a queue and a stream,
        and sleeps for a second whenever the queue was full.
        """
        app: Any = self.app
        try:
            while not (self.should_stop or fetcher.should_stop):
                await app.wants_records.wait()
                await asyncio.sleep(0)
                fetched = [message async for message in self._unread()]
                if fetched:
                    app.wants_records.clear()
                    await app.fetched.send(value=fetched)
        except asyncio.CancelledError:
            if not app.should_stop:
                raise
        except self.consumer_stopped_errors:
            if not app.should_stop:
                raise

    async def _unread(self) -> AsyncIterator[Message]:
        """What comes next, without what was read before: a fetch may begin further back than the last one ended."""
        async for tp, message in self.getmany(timeout=1.0):
            last = self._read_offset[tp]
            if last is None or message.offset >= last:
                self._read_offset[tp] = message.offset
                yield message

    def _new_consumer_thread(self) -> ReadCommittedThread:
        return ReadCommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing depends on gaps, see `_new_offset`."""

    def _new_offset(self, tp: TP) -> int | None:
        """
        What may be committed: everything up to the last record that was acknowledged, since the lanes acknowledge in
        offset order. What lies between two of them is no record: a transaction's marker, or what was aborted.

        Faust looks for the first offset that is neither acknowledged nor in a gap. It counts the record behind a gap as
        part of the gap, and sees none behind offset 0: commits move by one transaction, or never again.
        """
        acked = self._acked[tp]
        if not acked:
            return None
        last = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return last + 1


class ReadCommittedTransport(driver.Transport):
    """The transport that makes such consumers."""

    Consumer = ReadCommittedConsumer
