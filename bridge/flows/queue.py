"""Who waits for a call to a supplier, in order, and how long it is worth waiting."""

import asyncio

from bridge.domain.admission import Admitted, Busy, ClosedUntil

# How long a turn is waited for before the ticket goes to rest: some calls of a fast gateway; and longer where the queue
# moves so fast that the turn comes within this. To rest costs as much as a call.
PATIENCE_SECONDS = 0.1
LONGEST_PATIENCE_SECONDS = 1.0
# The pace changes: so many times the wait that it promises is waited; and so much the newest turn counts in it.
MARGIN = 2.0
WEIGHT = 0.05

Place = tuple[str, int]
# What the one who waits is told: it is admitted, or when to come again; None is that the turn did not come soon.
Told = Admitted | Busy | ClosedUntil | None
Turn = asyncio.Future[Told]


class Queue:
    """
    The places of one supplier's queue. A place has a turn while its ticket's lane waits for it, and none while the
    ticket is at rest.
    """

    def __init__(self) -> None:
        """Nobody waits, and no pace is known."""
        self.places: dict[Place, Turn | None] = {}
        self._seconds_each: float | None = None
        self._last: float | None = None

    def join(self, place: Place, turn: Turn, *, first: bool) -> None:
        """Wait behind all others, or before them; who has a place already keeps it."""
        if first and place not in self.places:
            self.places = {place: turn, **self.places}
        else:
            self.places[place] = turn

    def rest(self, place: Place, turn: Turn) -> None:
        """Keep the place, if it is still this turn's, without waiting in it."""
        if self.places.get(place) is turn:
            self.places[place] = None

    @property
    def first(self) -> tuple[Place, Turn | None]:
        """Who waits longest; there must be one."""
        return next(iter(self.places.items()))

    def take_first(self, now: float) -> None:
        """The first has its turn."""
        if self._last is not None:
            taken = now - self._last
            known = taken if self._seconds_each is None else self._seconds_each
            self._seconds_each = known + WEIGHT * (taken - known)
        self._last = now
        del self.places[self.first[0]]

    @property
    def patience(self) -> float:
        """How many seconds the last in the queue should wait for the turn before it goes to rest."""
        expected = len(self.places) * (self._seconds_each or 0.0)
        if expected > LONGEST_PATIENCE_SECONDS:
            return PATIENCE_SECONDS
        return min(max(PATIENCE_SECONDS, MARGIN * expected), LONGEST_PATIENCE_SECONDS)
