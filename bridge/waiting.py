"""
Waiting with a time-out, where the time-out would cost more than what it bounds: `asyncio.timeout` is a timer and some
objects each time.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from datetime import timedelta
from functools import partial
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Patience:
    """
    Waits for futures until a time that each of them has; one timer serves all that are waited for at once.

    A future that takes longer is cancelled, so it has to be one of which nobody else waits for the result.
    """

    def __init__(self) -> None:
        """Nothing is waited for yet."""
        self._until: dict[asyncio.Future[Any], float] = {}
        self._late: set[asyncio.Future[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, future: "asyncio.Future[T]", *, until: float) -> T:
        """
        The future's result; `until` is a time of the event loop's clock.

        Raises:
            TimeoutError: it took longer.

        """
        self._until[future] = until
        if self._timer is None or until < self._timer.when():
            self._set_timer(until)
        try:
            return await future
        except asyncio.CancelledError:
            if future in self._late:
                raise TimeoutError from None
            raise
        finally:
            del self._until[future]
            self._late.discard(future)

    def _set_timer(self, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(until, self._look)

    def _look(self) -> None:
        """Cancel what is late, and come again when the next one would be."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        self._late |= {future for future, until in self._until.items() if until <= now and future.cancel()}
        pending = [until for future, until in self._until.items() if not future.done()]
        if pending:
            self._set_timer(min(pending))


class Gathering:
    """
    Lets what comes at nearly the same time be dealt with together: once nothing has come for a while, and at the latest
    so long after the first.
    """

    def __init__(self, deal: Callable[[], None], *, pause: timedelta, longest: timedelta) -> None:
        """
        Call `deal` for all that came since it was called last. `pause` is the while, and how exactly it is kept, and
        `longest` how long the first waits at most. To be made inside the running event loop.
        """
        self._loop = asyncio.get_running_loop()
        self._deal = deal
        self._pause = pause.total_seconds()
        self._longest = longest.total_seconds()
        self._step = min(self._pause, self._longest)
        self._is_waiting = False
        self._latest = 0.0
        self._until = 0.0

    def came(self) -> None:
        """Something came."""
        self._latest = self._loop.time()
        if not self._is_waiting:
            self._is_waiting = True
            self._until = self._latest + self._longest
            self._loop.call_later(self._step, self._look)

    def _look(self) -> None:
        if self._loop.time() < min(self._latest + self._pause, self._until):
            self._loop.call_later(self._step, self._look)
            return
        self._is_waiting = False
        self._deal()


async def within(time: timedelta, work: Coroutine[Any, None, T]) -> T:
    """
    What the work returns; only work that has to wait is given a timer.

    Raises:
        TimeoutError: it took longer; it was cancelled.

    """
    try:
        waits_for = work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    async with asyncio.timeout(time.total_seconds()):
        return await _resumed(work, waits_for)


@coroutine
def _resumed(work: Coroutine[Any, None, T], waits_for: Any) -> Generator[Any, None, T]:
    """Await work that was begun: what it waits for goes to the event loop, and what that says, to the work."""
    while True:
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - whatever it is, a cancellation among them, is the work's to meet
            step = partial(work.throw, error)
        else:
            step = partial(work.send, None)
        try:
            waits_for = step()
        except StopIteration as done:
            result: T = done.value
            return result
