"""How records get from Faust's consumer into the lanes."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from bridge.adapters.streams.consumer import ReadCommittedConsumer

PARTITION = TP("fault-tickets", 0)


def a_message(offset: int) -> ConsumerMessage:
    return ConsumerMessage("fault-tickets", 0, offset, 0.0, 0, [], b"TT-1", b"", None, tp=PARTITION, generation_id=1)


class Switch:
    """Faust's flow control, which is on."""

    async def acquire(self) -> None:
        """Wait for nothing."""


class App:
    """Takes records as the lanes do, as long as there is room."""

    should_stop = False
    flow_control = Switch()

    def __init__(self) -> None:
        self.room = asyncio.Semaphore(1000)
        self.taken: list[int] = []
        self.abandons = False

    async def take(self, message: ConsumerMessage) -> None:
        await self.room.acquire()
        self.taken.append(message.offset)
        message.acked = self.abandons


class Source:
    """What Faust's consumer gives its loop: some records, and then the end."""

    consumer_stopped_errors = (ConnectionAbortedError,)

    def __init__(self, *offsets: int) -> None:
        self.app = App()
        self._read_offset: defaultdict[TP, int | None] = defaultdict(lambda: None)
        self.tracked: list[int] = []
        self._offsets = offsets
        self.should_stop = False

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109  # Faust's signature
        for offset in self._offsets:
            yield PARTITION, a_message(offset)
        self.should_stop = True

    def track_message(self, message: ConsumerMessage) -> None:
        self.tracked.append(message.offset)

    async def drain(self) -> None:
        await ReadCommittedConsumer._drain_messages(cast("Any", self), self)  # noqa: SLF001  # what Faust calls


async def test_records_are_handed_over_in_order_and_counted_as_unsettled() -> None:
    source = Source(*range(250))

    await source.drain()

    assert source.app.taken == source.tracked == list(range(250))


async def test_what_was_read_before_is_not_handed_over_again() -> None:
    source = Source(3, 4, 5, 4, 5, 6)

    await source.drain()

    assert source.app.taken == [3, 4, 5, 5, 6]


async def test_a_record_without_room_waits_and_nobody_waits_for_it() -> None:
    source = Source(0, 1)
    source.app.room = asyncio.Semaphore(1)
    draining = asyncio.create_task(source.drain())
    await asyncio.sleep(0.01)

    assert (source.app.taken, source.tracked) == ([0], [0])

    source.app.room.release()
    await draining
    assert source.app.taken == [0, 1]


async def test_a_rebalance_that_ends_while_a_record_waits_for_room_is_read_from_where_it_begins() -> None:
    source = Source(7)
    source.app.room = asyncio.Semaphore(0)
    draining = asyncio.create_task(source.drain())
    await asyncio.sleep(0.01)

    source._read_offset[PARTITION] = 2  # noqa: SLF001  # what Faust does when it seeks
    source.app.room.release()
    await draining

    assert source._read_offset[PARTITION] == 2  # noqa: SLF001  # as above


async def test_an_abandoned_record_is_not_waited_for() -> None:
    source = Source(0)
    source.app.abandons = True

    await source.drain()

    assert source.tracked == []


@pytest.mark.parametrize("stopping", [True, False])
async def test_a_consumer_that_was_closed_is_an_error_unless_the_app_stops(*, stopping: bool) -> None:
    class Closed(Source):
        async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109  # as above
            raise ConnectionAbortedError
            yield

    source = Closed()
    source.app.should_stop = stopping
    if stopping:
        await source.drain()
    else:
        with pytest.raises(ConnectionAbortedError):
            await source.drain()
