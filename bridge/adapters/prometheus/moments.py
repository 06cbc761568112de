"""
Moments that come and go, and what of them is asked at each scrape: the earliest, and how many have passed.

A change costs O(log n) and a question O(log n) for each moment that passed since the last one, however many there are.
"""

import heapq
from collections.abc import Callable

# A heap is made anew when it holds this many more entries than there are members.
SLACK = 64


class Earliest:
    """The earliest of the moments of members that come and go."""

    def __init__(self) -> None:
        """Nobody is a member."""
        self._moments: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """How many members there are."""
        return len(self._moments)

    def put(self, member: str, moment: float | None) -> None:
        """Set the moment of a member, or, with None, let it go."""
        if moment is None:
            self._moments.pop(member, None)
        elif self._moments.get(member) != moment:
            self._moments[member] = moment
            heapq.heappush(self._heap, (moment, member))
        if len(self._heap) > 2 * len(self._moments) + SLACK:
            self._heap = [(moment, member) for member, moment in self._moments.items()]
            heapq.heapify(self._heap)

    def earliest(self) -> float | None:
        """The earliest moment, or None."""
        while self._heap and self._moments.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_until(self, point: float, taken: Callable[[str, float], None]) -> None:
        """Let every member go whose moment is at most this one, and tell of each."""
        while (earliest := self.earliest()) is not None and earliest <= point:
            moment, member = heapq.heappop(self._heap)
            del self._moments[member]
            taken(member, moment)

    def clear(self) -> None:
        """Let everyone go."""
        self._moments.clear()
        self._heap.clear()


class Passed:
    """How many moments lie before a point that only moves on."""

    def __init__(self) -> None:
        """Nobody is a member."""
        self._ahead = Earliest()
        self._behind: dict[str, float] = {}

    def put(self, member: str, moment: float | None) -> None:
        """Set the moment of a member, or, with None, let it go."""
        if moment is not None and self._behind.get(member) == moment:
            return
        self._behind.pop(member, None)
        self._ahead.put(member, moment)

    def count(self, point: float) -> int:
        """How many moments are at most this one; `point` never goes back."""
        self._ahead.take_until(point, self._behind.__setitem__)
        return len(self._behind)

    def clear(self) -> None:
        """Let everyone go."""
        self._ahead.clear()
        self._behind.clear()
