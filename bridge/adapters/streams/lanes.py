"""
One lane per key over all source topics: strictly one input at a time and in order, many keys at once.

Records are settled in offset order per topic and partition, because Faust commits past a record that is still in
flight when a later one is acknowledged (docs/adr/0001). At a rebalance or a stop nothing new is started, what runs is
finished, and the rest is abandoned: it comes again to whoever owns the partition then. A wake is an input without a
record: a timer that brings a key back to its lane.
"""

import asyncio
import contextlib
import heapq
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import structlog

from bridge.ports import Arrived

log = structlog.get_logger(__name__)

# The lane of records without a key: they can only be dead letters, and those keep their order too.
NO_KEY = ""


# A commit costs as much as a call, and nothing but a little more redelivery hangs on it: the table knows what was
# handled.
COMMIT_SECONDS = 0.25
# How long a wake waits when its partition is assigned and its records do not flow yet.
NOT_FLOWING_YET = timedelta(milliseconds=200)


class Settlement(Enum):
    """How far a record is."""

    PENDING = 0
    DONE = 1
    ABANDONED = 2


@dataclass(slots=True, eq=False)
class Delivery:
    """A record in a lane. `ack` lets it be committed; `forget` lets the source drop it uncommitted."""

    arrived: Arrived
    generation: int
    ack: Callable[[], None]
    forget: Callable[[], None]
    settlement: Settlement = Settlement.PENDING


@dataclass(slots=True, eq=False)
class Wake:
    """A key that asked to be woken."""

    key: str
    partition: int
    generation: int


Input = Delivery | Wake


@dataclass(slots=True, eq=False)
class Pulse:
    """When a lane last got on, by the clock that never runs backwards."""

    at: float


_PULSE: ContextVar[Pulse | None] = ContextVar("pulse", default=None)


def still_going() -> None:
    """
    Tell that the input being handled gets on, after each wait that has a bound of its own: a lane that is silent for
    longer than all of them is stuck. Anywhere else it does nothing.
    """
    pulse = _PULSE.get()
    if pulse is not None:
        pulse.at = time.monotonic()


def lane_of(key: bytes | None) -> str:
    """The lane of a record's key; bytes that are not UTF-8 keep a lane of their own."""
    return NO_KEY if key is None else key.decode("utf-8", "surrogateescape")


class Lanes:
    """
    Runs inputs by key. The handler returns when the input is settled durably; False means abandoned, an exception
    means a bug.
    """

    def __init__(
        self,
        handle: Callable[[Input], Awaitable[bool]],
        *,
        is_current: Callable[[int], bool],
        crash: Callable[[BaseException], Awaitable[None]],
        commit: Callable[[], Awaitable[None]],
        max_pulled: int,
    ) -> None:
        """`is_current(generation)` says whether inputs of a generation may still be started."""
        self._handle = handle
        self._is_current = is_current
        self._crash = crash
        self._commit = commit
        self._generation = -1
        self._max_pulled = max_pulled
        self._room = asyncio.Semaphore(max_pulled)
        self._lanes: dict[tuple[int, str], deque[Input]] = {}
        self._order: dict[tuple[str, int, int], deque[Delivery]] = {}
        self._broken: set[tuple[str, int, int]] = set()
        self._dirty = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._keepers: tuple[asyncio.Task[None], ...] = ()
        self._pulses: dict[tuple[int, str], Pulse] = {}
        self._submitted_at = time.monotonic()
        self.timers = Timers(self._wake)

    def start(self) -> None:
        """Begin to commit and to wake. Needs a running loop."""
        self._keepers = (
            self._spawn(self._commit_settled(), "commits"),
            self._spawn(self.timers.run(), "timers"),
        )

    async def stop(self) -> None:
        """End the lanes' own tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def running(self) -> int:
        """How many lanes have something to do."""
        return len(self._lanes)

    @property
    def unsettled(self) -> int:
        """How many records were pulled and are not settled."""
        return self._max_pulled - self._room._value  # noqa: SLF001  # a semaphore does not tell, and counting twice is worse

    def fault(self, stuck_after: float) -> str | None:
        """Tell why only a new process helps: one of the lanes' own tasks ended, or a lane stopped getting on."""
        for task in self._keepers:
            if task.done():
                return f"the task {task.get_name()!r} has ended"
        silent = time.monotonic() - min((pulse.at for pulse in self._pulses.values()), default=time.monotonic())
        return f"an input has not got on for {silent:.0f} s" if silent > stuck_after else None

    @property
    def submitted_at(self) -> float | None:
        """When a record last found room, by the monotonic clock; None while there is none, so that nobody may come."""
        return None if self._room.locked() else self._submitted_at

    def begin(self, generation: int) -> None:
        """A new assignment: wakes of earlier ones are void."""
        self._generation = generation
        self.timers.begin(generation)

    async def submit(self, delivery: Delivery) -> None:
        """Put a record into its lane; waits while too many are unsettled."""
        await self._room.acquire()
        self._submitted_at = time.monotonic()
        self._forget_old_generations(delivery.generation)
        source = self._source_of(delivery)
        self._order.setdefault(source, deque()).append(delivery)
        if self._is_current(delivery.generation):
            self._put(delivery.arrived.partition, lane_of(delivery.arrived.key), delivery)
        else:
            # It keeps its place: nothing behind a record that was dropped may be committed in its generation.
            delivery.settlement = Settlement.ABANDONED
            self._settle(source)
            self._room.release()

    async def drain(self) -> None:
        """Wait until nothing runs."""
        await self._idle.wait()

    def _wake(self, wake: Wake) -> None:
        if wake.generation != self._generation:
            return
        if self._is_current(wake.generation):
            self._put(wake.partition, wake.key, wake)
        else:
            # Woken between the assignment and the moment the flow resumes.
            self.timers.wake(wake.key, wake.partition, datetime.now(UTC) + NOT_FLOWING_YET)

    def _put(self, partition: int, key: str, item: Input) -> None:
        lane = self._lanes.get((partition, key))
        if lane is not None:
            lane.append(item)
            return
        self._lanes[partition, key] = deque([item])
        self._idle.clear()
        self._spawn(self._run((partition, key)))

    def _spawn(self, work: Coroutine[Any, Any, None], name: str | None = None) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _run(self, name: tuple[int, str]) -> None:
        lane = self._lanes[name]
        pulse = self._pulses[name] = Pulse(time.monotonic())
        _PULSE.set(pulse)
        try:
            while lane:
                item = lane[0]
                pulse.at = time.monotonic()
                done = self._is_current(item.generation) and await self._handle(item)
                lane.popleft()
                if isinstance(item, Delivery):
                    item.settlement = Settlement.DONE if done else Settlement.ABANDONED
                    self._settle(self._source_of(item))
                    self._room.release()
        except Exception as error:  # noqa: BLE001  # a bug: nothing is known to be settled, so the process starts again from what is durable
            try:
                log.exception("lane failed")
            finally:
                await self._crash(error)
        finally:
            del self._lanes[name], self._pulses[name]
            if not self._lanes:
                self._idle.set()

    @staticmethod
    def _source_of(delivery: Delivery) -> tuple[str, int, int]:
        return delivery.arrived.topic, delivery.arrived.partition, delivery.generation

    def _settle(self, source: tuple[str, int, int]) -> None:
        """
        Acknowledge what is done from the front; behind an abandoned record nothing of this generation is ever
        acknowledged.
        """
        order = self._order[source]
        while order and order[0].settlement is not Settlement.PENDING:
            delivery = order.popleft()
            if delivery.settlement is Settlement.ABANDONED:
                self._broken.add(source)
            if source in self._broken:
                delivery.forget()
            else:
                delivery.ack()
                self._dirty.set()

    def _forget_old_generations(self, generation: int) -> None:
        for source in [source for source, order in self._order.items() if source[2] != generation and not order]:
            del self._order[source]
            self._broken.discard(source)

    async def _commit_settled(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            await self._commit()
            await asyncio.sleep(COMMIT_SECONDS)


class Timers:
    """
    Wakes keys at their times. Told by the wall clock, in steps of at most a second, so that a clock that jumps is
    noticed.
    """

    def __init__(self, wake: Callable[[Wake], None]) -> None:
        """`wake` is called with each wake that is due."""
        self._fire = wake
        self._due: list[tuple[float, int, Wake]] = []
        self._earliest: dict[tuple[int, str], float] = {}
        self._generation = -1
        self._count = 0
        self._changed = asyncio.Event()

    def begin(self, generation: int) -> None:
        """Forget every wake of earlier generations: their partitions may be somebody else's."""
        self._generation = generation
        self._due.clear()
        self._earliest.clear()

    def wake(self, key: str, partition: int, at: datetime) -> None:
        """Wake a key at a time, unless it will be woken earlier anyway."""
        when = at.timestamp()
        earliest = self._earliest.get((partition, key))
        if earliest is not None and earliest <= when:
            return
        self._earliest[partition, key] = when
        self._count += 1
        heapq.heappush(self._due, (when, self._count, Wake(key, partition, self._generation)))
        if self._due[0][1] == self._count:
            # Only what is due before anything else shortens the pause; most wakes are days away.
            self._changed.set()

    async def run(self) -> None:
        """Fire wakes as they come due."""
        while True:
            now = datetime.now(UTC).timestamp()
            while self._due and self._due[0][0] <= now:
                when, _, wake = heapq.heappop(self._due)
                if self._earliest.get((wake.partition, wake.key)) == when:
                    del self._earliest[wake.partition, wake.key]
                    self._fire(wake)
            self._changed.clear()
            pause = min(1.0, max(0.0, self._due[0][0] - now)) if self._due else 1.0
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), timeout=pause)
