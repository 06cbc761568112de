"""
The door to the gateway: who may prepare a call now, and who waits outside, in which order.

Who is turned away waits in the durable journey, not in the window of records, so a slow supplier holds up nobody else.
Only where the next turn may be a moment away is it waited for, since going to rest costs a write and a wake.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from bridge.domain.admission import Admission, Admitted, Busy, ClosedUntil
from bridge.flows.slots import Slots
from bridge.ports import Clock, Wakes

# How long a turn is waited for before the ticket goes to rest: some calls of a fast gateway.
PATIENCE_SECONDS = 0.1
# How long a call that finds its supplier busy waits, if no finished call wakes it before; longer in a longer queue,
# so that thousands who wait do not all come to ask each second.
BUSY_WAIT = timedelta(seconds=1)
BUSY_WAIT_EACH = timedelta(milliseconds=20)
# Those who may come back at one moment spread over this time.
SPREAD_SECONDS = 0.2

Place = tuple[str, int]
# Who waits, in order; with a future while its lane waits for the turn, without one when the ticket is at rest.
Queue = dict[Place, asyncio.Future[bool] | None]


class Door:
    """Asks for admission, and wakes who waits when a call is over. One for a process, as its admission is."""

    def __init__(self, admission: Admission, *, wakes: Wakes, clock: Clock, monotonic: Callable[[], float]) -> None:
        """`monotonic` are the seconds that the admission reckons with."""
        self._admission = admission
        self._wakes = wakes
        self._clock = clock
        self._monotonic = monotonic
        self._waiting: dict[str, Queue] = {}
        self._called: set[Place] = set()
        policy = admission.policy
        self._slots = Slots(policy.max_in_flight, policy.supplier_max_in_flight, monotonic)

    async def ask(self, supplier: str, key: str, partition: int) -> timedelta | None:
        """None: the call may be prepared, and `leave` must follow it. Else how long to wait before asking again."""
        place = (key, partition)
        called = place in self._called
        self._called.discard(place)
        while True:
            now = self._monotonic()
            match self._admission.admit(supplier, now, ahead=self._slots.ahead):
                case Admitted():
                    self._drop(supplier, place)
                    return None
                case Busy(until=None):
                    if not await self._turn(supplier, place, called=called):
                        return BUSY_WAIT + BUSY_WAIT_EACH * len(self._waiting.get(supplier, ()))
                    called = True
                case Busy(until=until) | ClosedUntil(until=until):
                    self._drop(supplier, place)
                    spread = random.random() * SPREAD_SECONDS  # noqa: S311  # it only keeps them apart
                    return timedelta(seconds=max(0.0, (until or now) - now) + spread)

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
        queue = self._waiting.get(supplier) or next((other for other in self._waiting.values() if other), None)
        if not queue:
            return
        place = next(iter(queue))
        turn = queue.pop(place)
        if turn is None or turn.done():
            self._called.add(place)
            self._wakes.wake(*place, self._clock.now())
        else:
            turn.set_result(True)

    def hold(self, supplier: str, seconds: float) -> None:
        """The gateway said when to come back."""
        self._admission.hold(supplier, self._monotonic() + seconds)

    def forget_all(self) -> None:
        """Partitions were assigned anew: whoever still has something to do comes again."""
        waiting, self._waiting = self._waiting, {}
        self._called.clear()
        for queue in waiting.values():
            for turn in queue.values():
                if turn is not None and not turn.done():
                    turn.set_result(False)

    async def _turn(self, supplier: str, place: Place, *, called: bool) -> bool:
        """Queue up, and say whether the turn came soon; the place is kept if it did not."""
        queue = self._waiting.setdefault(supplier, {})
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if called and place not in queue:
            # One that was called, and found that another had slipped in, keeps its turn.
            queue = self._waiting[supplier] = {place: turn, **queue}
        else:
            queue[place] = turn
        patience = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, _no_longer, turn)
        try:
            came = await turn
        finally:
            patience.cancel()
        if not came and queue.get(place) is turn:
            queue[place] = None
        return came

    def _drop(self, supplier: str, place: Place) -> None:
        queue = self._waiting.get(supplier)
        if queue is not None:
            queue.pop(place, None)


def _no_longer(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)
