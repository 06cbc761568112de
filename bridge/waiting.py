"""
Waiting that costs nothing when there is nothing to wait for.

A time-out is a timer and some objects, dearer than much of the work that it bounds, and most of what is bounded so is
ready at once.
"""

import asyncio
from collections.abc import Coroutine, Generator
from datetime import timedelta
from functools import partial
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


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
