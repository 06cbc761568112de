"""
Calls under way: so many at once over all suppliers, and so many for each. Who must wait goes in the order of asking.

A slot is held for the call alone, and not while the call's intent is written: otherwise the writes, and not the
gateway, would say how many calls a second there are.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

# How much a new call counts in the averages.
WEIGHT = 0.05


class Slots:
    """Gives slots out. Used within one event loop."""

    def __init__(self, most: int, most_each: int, monotonic: Callable[[], float]) -> None:
        """`most` calls at once, and `most_each` for one supplier."""
        self._most = most
        self._most_each = most_each
        self._monotonic = monotonic
        self._calls: Counter[str] = Counter()
        self._total = 0
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()
        self._preparing = 0.0
        self._calling = 0.0

    @property
    def ahead(self) -> float:
        """
        How many calls may be prepared beside those under way, as a share of these: so many that the next is ready when
        one ends (the time of preparing over the time of a call), and never more than there are slots.
        """
        return min(1.0, self._preparing / self._calling) if self._calling else 0.0

    def prepared(self, seconds: float) -> None:
        """It took so long to prepare a call."""
        self._preparing += WEIGHT * (seconds - self._preparing)

    @asynccontextmanager
    async def slot(self, supplier: str) -> AsyncIterator[None]:
        """Wait for a slot, and hold it."""
        await self._take(supplier)
        started = self._monotonic()
        try:
            yield
        finally:
            self._calling += WEIGHT * (self._monotonic() - started - self._calling)
            self._give(supplier)

    async def _take(self, supplier: str) -> None:
        if self._is_free(supplier):
            self._count(supplier)
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((supplier, granted))
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self._give(supplier)
            raise

    def _give(self, supplier: str) -> None:
        self._calls[supplier] -= 1
        self._total -= 1
        if not self._calls[supplier]:
            del self._calls[supplier]
        still: deque[tuple[str, asyncio.Future[None]]] = deque()
        while self._waiting and self._total < self._most:
            name, granted = self._waiting.popleft()
            if granted.done():
                continue
            if self._is_free(name):
                self._count(name)
                granted.set_result(None)
            else:
                still.append((name, granted))
        still.extend(self._waiting)
        self._waiting = still

    def _is_free(self, supplier: str) -> bool:
        return self._total < self._most and self._calls[supplier] < self._most_each

    def _count(self, supplier: str) -> None:
        self._calls[supplier] += 1
        self._total += 1
