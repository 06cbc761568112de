"""
The door to the gateway: who may call now, and who waits outside, in which order.

Who is turned away waits in the durable journey, not in the window of records, so a slow supplier holds up nobody else.
"""

import random
from collections import defaultdict, deque
from collections.abc import Callable
from datetime import timedelta

from bridge.domain.admission import Admission, Admitted, Busy, ClosedUntil
from bridge.ports import Clock, Wakes

# How long a call that finds its supplier busy waits, if no finished call wakes it before; longer in a longer queue,
# so that thousands who wait do not all come to ask each second.
BUSY_WAIT = timedelta(seconds=1)
BUSY_WAIT_EACH = timedelta(milliseconds=20)
# Those who may come back at one moment spread over this time.
SPREAD_SECONDS = 0.2

Place = tuple[str, int]


class Door:
    """Asks for admission, and wakes who waits when a call is over. One for a process, as its admission is."""

    def __init__(self, admission: Admission, *, wakes: Wakes, clock: Clock, monotonic: Callable[[], float]) -> None:
        """`monotonic` are the seconds that the admission reckons with."""
        self._admission = admission
        self._wakes = wakes
        self._clock = clock
        self._monotonic = monotonic
        self._waiting: dict[str, deque[Place]] = defaultdict(deque)
        self._called: set[Place] = set()

    def ask(self, supplier: str, key: str, partition: int) -> timedelta | None:
        """None: the call may start, and `leave` must follow it. Else how long to wait before asking again."""
        now = self._monotonic()
        place = (key, partition)
        called = place in self._called
        self._called.discard(place)
        match self._admission.admit(supplier, now):
            case Admitted():
                return None
            case Busy(until=None):
                return self._queue_up(supplier, place, called=called)
            case Busy(until=until) | ClosedUntil(until=until):
                spread = random.random() * SPREAD_SECONDS  # noqa: S311  # it only keeps them apart
                return timedelta(seconds=max(0.0, (until or now) - now) + spread)

    def leave(self, supplier: str, *, ok: bool | None) -> None:
        """
        A call is over, well or not, or was never made (None): whoever waits longest for this supplier, or else for
        another, is woken.
        """
        now = self._monotonic()
        if ok is None:
            self._admission.withdrawn(supplier, now)
        else:
            self._admission.finished(supplier, now, ok=ok)
        queue = self._waiting.get(supplier) or next((other for other in self._waiting.values() if other), None)
        if queue:
            place = queue.popleft()
            self._called.add(place)
            self._wakes.wake(*place, self._clock.now())

    def hold(self, supplier: str, seconds: float) -> None:
        """The gateway said when to come back."""
        self._admission.hold(supplier, self._monotonic() + seconds)

    def forget_all(self) -> None:
        """Partitions were assigned anew: whoever still has something to do comes again."""
        self._waiting.clear()
        self._called.clear()

    def _queue_up(self, supplier: str, place: Place, *, called: bool) -> timedelta:
        queue = self._waiting[supplier]
        if place not in queue:
            # One that was called, and found that another had slipped in, keeps its turn.
            (queue.appendleft if called else queue.append)(place)
        return BUSY_WAIT + BUSY_WAIT_EACH * len(queue)
