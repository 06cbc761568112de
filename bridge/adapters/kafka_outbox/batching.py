"""
Records that come together go to Kafka together: one batch for each partition, of which one at a time is under way.

A request to Kafka costs what five records cost, however many are in it. Left to itself, aiokafka sends the first record
by itself and what comes meanwhile with the next, and each record has a coroutine, a future and a wake-up of its own.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from copy import copy
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from bridge.kafka_clients import Sending, filled
from bridge.waiting import Gathering

PAUSE_TO_GATHER = timedelta(milliseconds=1)
LONGEST_TO_GATHER = timedelta(milliseconds=5)


class Waiting(NamedTuple):
    """A record, and who waits for its acknowledgement."""

    record: Sending
    acknowledged: "asyncio.Future[None]"


class Batching:
    """
    Sends records through its `producer`, which is started and stopped by whoever owns both.

    A record of which nobody waits for the acknowledgement any more is not sent, unless its batch is under way.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        """Begin to send; to be made inside the running event loop."""
        self._loop = asyncio.get_running_loop()
        self.producer = producer
        self._came: list[Waiting] = []
        # What waits for its turn in each partition, and the partitions of which a batch is under way.
        self._queues: dict[tuple[str, int], deque[Waiting]] = {}
        self._under_way: set[tuple[str, int]] = set()
        self._wanted = asyncio.Event()
        self._gathering = Gathering(self._wanted.set, pause=PAUSE_TO_GATHER, longest=LONGEST_TO_GATHER)
        self._idle = asyncio.Event()
        self._idle.set()
        self._sender = self._loop.create_task(self._run(), name="kafka batches")

    def send(self, record: Sending) -> "asyncio.Future[None]":
        """
        Send a record; the future's result is there when all in-sync replicas have it, and its error is the producer's.

        It may be cancelled by its only waiter.
        """
        acknowledged: asyncio.Future[None] = self._loop.create_future()
        self._came.append(Waiting(record, acknowledged))
        self._idle.clear()
        self._gathering.came()
        return acknowledged

    async def drain(self) -> None:
        """Return when nothing is waited for any more, and send nothing after it."""
        try:
            await self._idle.wait()
        finally:
            self._sender.cancel()
            await asyncio.wait([self._sender])

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._sort()
            for place in [place for place in self._queues if place not in self._under_way]:
                await self._send(place)
            self._look_whether_idle()

    async def _sort(self) -> None:
        """Put what came where it belongs."""
        came, self._came = self._came, []
        counts: dict[str, int] = {}
        for waiting in came:
            topic = waiting.record.topic
            try:
                count = counts.get(topic) or counts.setdefault(topic, len(await self.producer.partitions_for(topic)))
            except Exception as error:  # noqa: BLE001  # whatever it is, it is told to who waits
                _fail(waiting, error)
                continue
            queue = self._queues.setdefault((topic, waiting.record.home(count)), deque())
            # While a partition has no leader, those who gave up must not pile up.
            while queue and queue[0].acknowledged.done():
                queue.popleft()
            queue.append(waiting)

    async def _send(self, place: tuple[str, int]) -> None:
        """Send a batch of what waits in a partition, and leave what does not fit for the next."""
        waiting = [each for each in self._queues.pop(place) if not each.acknowledged.done()]
        if not waiting:
            return
        try:
            batch, count = filled(self.producer, [each.record for each in waiting])
            # It waits for nothing: the topic is known, and no batch of this partition is there.
            sent = await self.producer.send_batch(batch, place[0], partition=place[1])
        except Exception as error:  # noqa: BLE001  # whatever it is, it is told to those who wait
            for each in waiting:
                _fail(each, error)
            return
        if count < len(waiting):
            self._queues[place] = deque(waiting[count:])
        self._under_way.add(place)
        sent.add_done_callback(partial(self._ended, place, waiting[:count]))

    def _ended(self, place: tuple[str, int], waiting: Sequence[Waiting], sent: "asyncio.Future[Any]") -> None:
        self._under_way.discard(place)
        error = KafkaError("the producer was stopped") if sent.cancelled() else sent.exception()
        for each in waiting:
            if error is not None:
                _fail(each, error)
            elif not each.acknowledged.done():
                each.acknowledged.set_result(None)
        if place in self._queues:
            self._wanted.set()
        self._look_whether_idle()

    def _look_whether_idle(self) -> None:
        if not (self._came or self._queues or self._under_way):
            self._idle.set()


def _fail(waiting: Waiting, error: BaseException) -> None:
    if not waiting.acknowledged.done():
        # One for each: raising an exception adds to it where it was raised.
        waiting.acknowledged.set_exception(copy(error))
