"""
The door to the gateway: who may prepare a call now, and who waits outside, in which order.

Who is turned away waits in the durable journey, not in the window of records, so a slow supplier holds up nobody else.
Only where the turn may be a moment away is it waited for, since going to rest costs a write and a wake.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from bridge.domain.admission import Admission, Admitted, Busy, ClosedUntil
from bridge.flows.queue import Place, Queue, Told, Turn
from bridge.flows.slots import Slots
from bridge.ports import Clock, Wakes

# How long a call that finds its supplier busy waits, if no finished call wakes it before; longer in a longer queue,
# so that thousands who wait do not all come to ask each second.
BUSY_WAIT = timedelta(seconds=1)
BUSY_WAIT_EACH = timedelta(milliseconds=20)
# Those who may come back at one moment spread over this time.
SPREAD_SECONDS = 0.2


class Door:
    """Asks for admission, and calls who waits when a call is over. One for a process, as its admission is."""

    def __init__(self, admission: Admission, *, wakes: Wakes, clock: Clock, monotonic: Callable[[], float]) -> None:
        """`monotonic` are the seconds that the admission reckons with."""
        self._admission = admission
        self._wakes = wakes
        self._clock = clock
        self._monotonic = monotonic
        # By supplier; a queue that nobody stands in any more is none, since its pace says nothing of a later one.
        self._waiting: dict[str, Queue] = {}
        # Those who were at rest and had their turn, and did not ask again yet.
        self._called: set[Place] = set()
        policy = admission.policy
        self._slots = Slots(policy.max_in_flight, policy.supplier_max_in_flight, monotonic)

    async def ask(self, supplier: str, key: str, partition: int) -> timedelta | None:
        """None: the call may be prepared, and `leave` must follow it. Else how long to wait before asking again."""
        place = (key, partition)
        called = place in self._called
        self._called.discard(place)
        told: Told = self._admit(supplier)
        if _must_queue(told):
            told = await self._turn(supplier, place, first=called)
        else:
            self._drop(supplier, place)
        match told:
            case Admitted():
                return None
            case Busy(until=until) | ClosedUntil(until=until):
                now = self._monotonic()
                spread = random.random() * SPREAD_SECONDS  # noqa: S311  # it only keeps them apart
                return timedelta(seconds=max(0.0, (until or now) - now) + spread)
            case None:
                queue = self._waiting.get(supplier)
                return BUSY_WAIT + BUSY_WAIT_EACH * (len(queue.places) if queue is not None else 0)

    def prepared(self, since: float) -> None:
        """A call that was asked for at `since` is prepared; its slot is next."""
        self._slots.prepared(self._monotonic() - since)

    def slot(self, supplier: str) -> AbstractAsyncContextManager[None]:
        """Hold one of the slots for calls, when there is one."""
        return self._slots.slot(supplier)

    def leave(self, supplier: str, *, ok: bool | None) -> None:
        """
        A call is over, well or not, or was never made (None): whoever waits longest for this supplier, or else for
        another, has its turn.
        """
        now = self._monotonic()
        if ok is None:
            self._admission.withdrawn(supplier, now)
        else:
            self._admission.finished(supplier, now, ok=ok)
        if self._waiting:
            self._call(supplier if supplier in self._waiting else next(iter(self._waiting)))

    def hold(self, supplier: str, seconds: float) -> None:
        """The gateway said when to come back."""
        self._admission.hold(supplier, self._monotonic() + seconds)

    def forget_all(self) -> None:
        """Partitions were assigned anew: whoever still has something to do comes again."""
        waiting, self._waiting = self._waiting, {}
        self._called.clear()
        for queue in waiting.values():
            for turn in queue.places.values():
                _tell(turn, None)

    def _admit(self, supplier: str) -> Admitted | Busy | ClosedUntil:
        return self._admission.admit(supplier, self._monotonic(), ahead=self._slots.ahead)

    def _call(self, supplier: str) -> None:
        """
        Give turns to those who wait for a supplier, as many as there is room for. They are admitted here and not when
        they ask again, so that nobody who comes meanwhile is before them.
        """
        queue = self._waiting[supplier]
        while queue.places:
            place, turn = queue.first
            if turn is None or turn.done():
                self._called.add(place)
                self._wakes.wake(*place, self._clock.now())
                queue.take_first(self._monotonic())
                break
            told = self._admit(supplier)
            if _must_queue(told):
                break
            turn.set_result(told)
            queue.take_first(self._monotonic())
            if isinstance(told, Busy):
                break  # of the rate: the others are told one by one, so that they do not all come back at once
        self._close_if_empty(supplier)

    async def _turn(self, supplier: str, place: Place, *, first: bool) -> Told:
        """Queue up, and say what came of it soon; the place is kept if nothing did."""
        queue = self._waiting.get(supplier)
        if queue is None:
            queue = self._waiting[supplier] = Queue()
        loop = asyncio.get_running_loop()
        turn: Turn = loop.create_future()
        # One that was called, and found that another had slipped in, keeps its turn.
        queue.join(place, turn, first=first)
        patience = loop.call_later(queue.patience, _tell, turn, None)
        try:
            told = await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and isinstance(turn.result(), Admitted):
                self.leave(supplier, ok=None)
            raise
        finally:
            patience.cancel()
        if told is None:
            queue.rest(place, turn)
        return told

    def _drop(self, supplier: str, place: Place) -> None:
        if supplier in self._waiting:
            self._waiting[supplier].places.pop(place, None)
            self._close_if_empty(supplier)

    def _close_if_empty(self, supplier: str) -> None:
        if not self._waiting[supplier].places:
            del self._waiting[supplier]


def _must_queue(told: Told) -> bool:
    return isinstance(told, Busy) and told.until is None


def _tell(turn: Turn | None, told: None) -> None:
    if turn is not None and not turn.done():
        turn.set_result(told)
