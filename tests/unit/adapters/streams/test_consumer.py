"""How records get from Faust's consumer to the agent."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from bridge.adapters.streams.consumer import MembershipListener, ReadCommittedConsumer, ReadCommittedThread
from bridge.adapters.streams.transactions import Membership

PARTITION = TP("fault-tickets", 0)


def a_message(offset: int) -> ConsumerMessage:
    return ConsumerMessage("fault-tickets", 0, offset, 0.0, 0, [], b"TT-1", b"", None, tp=PARTITION, generation_id=1)


class App:
    """Takes what is fetched as the agent does: one fetch at a time, when it wants one."""

    should_stop = False

    def __init__(self) -> None:
        self.wants_records = asyncio.Event()
        self.wants_records.set()
        self.fetched = self
        self.taken: list[list[int]] = []

    async def send(self, *, value: list[ConsumerMessage]) -> None:
        self.taken.append([message.offset for message in value])


class Source:
    """What Faust's consumer gives its loop: some fetches, and then the end."""

    consumer_stopped_errors = (ConnectionAbortedError,)
    _unread = ReadCommittedConsumer._unread  # noqa: SLF001  # the part under test

    def __init__(self, *fetches: list[int]) -> None:
        self.app = App()
        self._read_offset: defaultdict[TP, int | None] = defaultdict(lambda: None)
        self._fetches = list(fetches)
        self.should_stop = not fetches

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109  # Faust's signature
        for offset in self._fetches.pop(0):
            yield PARTITION, a_message(offset)
        self.should_stop = not self._fetches

    async def drain(self) -> None:
        await ReadCommittedConsumer._drain_messages(cast("Any", self), self)  # noqa: SLF001  # what Faust calls

    def seek(self, offset: int) -> None:
        """What Faust does when a new assignment begins."""
        self._read_offset[PARTITION] = offset


async def test_records_are_handed_over_a_fetch_at_a_time_when_they_are_wanted() -> None:
    source = Source([0, 1, 2], [3, 4])
    draining = asyncio.create_task(source.drain())
    await asyncio.sleep(0.01)

    assert source.app.taken == [[0, 1, 2]]

    source.app.wants_records.set()
    await draining
    assert source.app.taken == [[0, 1, 2], [3, 4]]


async def test_a_fetch_without_records_wakes_nobody_and_is_asked_for_again() -> None:
    source = Source([], [7])

    await source.drain()

    assert source.app.taken == [[7]]


async def test_what_was_read_before_is_not_handed_over_again() -> None:
    source = Source([3, 4, 5, 4, 5, 6])

    await source.drain()

    assert source.app.taken == [[3, 4, 5, 5, 6]]


async def test_a_new_assignment_is_read_from_where_it_begins() -> None:
    source = Source([7], [2, 3])
    draining = asyncio.create_task(source.drain())
    await asyncio.sleep(0.01)
    source.seek(2)
    source.app.wants_records.set()
    await draining

    assert source.app.taken == [[7], [2, 3]]


@pytest.mark.parametrize("stopping", [True, False])
async def test_a_consumer_that_was_closed_is_an_error_unless_the_app_stops(*, stopping: bool) -> None:
    class Closed(Source):
        async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109  # as above
            raise ConnectionAbortedError
            yield

    source = Closed([])
    source.app.should_stop = stopping
    if stopping:
        await source.drain()
    else:
        with pytest.raises(ConnectionAbortedError):
            await source.drain()


async def test_a_record_that_never_ends_holds_no_rebalance_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust would wait for it for ever, with the group settled long since without this worker."""

    async def until_given_up(_: Any) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # as Faust's
            await given_up.wait()

    given_up = asyncio.Event()
    why: list[str] = []

    async def give_up(error: BaseException) -> None:
        why.append(str(error))
        given_up.set()

    monkeypatch.setattr(driver.Consumer, "wait_empty", until_given_up)
    consumer: Any = object.__new__(ReadCommittedConsumer)
    consumer.app = SimpleNamespace(drain_seconds=0.01, give_up=give_up)

    async with asyncio.timeout(5):
        await consumer.wait_empty()

    assert why == ["records under way have not ended in 0.01 s"]


class Thread:
    """The thread of a Faust consumer that was assigned partitions, with the app that it belongs to."""

    def __init__(self, *, should_stop: bool) -> None:
        self.beats = 0
        coordinator = SimpleNamespace(generation=3, member_id="member", _start_heartbeat_task=self._beat)
        self._consumer = SimpleNamespace(_coordinator=coordinator)
        self.app = SimpleNamespace(should_stop=should_stop, conf=SimpleNamespace(id="group"), membership=None)
        self.told: list[tuple[set[TP], int]] = []

    def _beat(self) -> None:
        self.beats += 1

    def _ensure_consumer(self) -> Any:
        return self._consumer

    async def on_partitions_assigned(self, assigned: set[TP], generation: int) -> None:
        assert self.beats == 1, "the session would end under a long take-over"
        self.told.append((assigned, generation))


async def test_an_assignment_is_taken_with_the_membership_that_it_was_made_for() -> None:
    thread = Thread(should_stop=False)

    await MembershipListener(cast("Any", thread)).on_partitions_assigned([PARTITION])

    assert thread.app.membership == Membership("group", 3, "member")
    assert thread.told == [({PARTITION}, 3)]


async def test_a_service_that_is_ending_takes_nothing_over() -> None:
    """Its main thread does not answer any more, and a consumer that waits for it would never end."""
    thread = Thread(should_stop=True)

    await MembershipListener(cast("Any", thread)).on_partitions_assigned([PARTITION])

    assert thread.told == []


def test_a_rebalance_that_meets_the_end_of_the_service_leaves_the_consumer_to_its_own_thread() -> None:
    consumer: Any = object.__new__(ReadCommittedConsumer)
    consumer._thread = object.__new__(ReadCommittedThread)  # noqa: SLF001  # where Faust keeps them
    consumer._thread._consumer = SimpleNamespace(_closed=False)  # noqa: SLF001  # as above

    faust.App._on_rebalance_when_stopped(cast("Any", SimpleNamespace(consumer=consumer)))  # noqa: SLF001  # what Faust calls

    assert consumer._thread._consumer == SimpleNamespace(_closed=False)  # noqa: SLF001  # as above
