"""What the gateway remembers between requests. Ids are one sequence for all kinds, so a mixed-up id is found out."""

import itertools
import time
from collections import Counter

from bridge.simulator.entities import Problem, Request, Resolution, ServiceTest


class Memory:
    """Lookups by id, and counters; cleared by a reset, except that ids go on."""

    def __init__(self, first_id: int) -> None:
        """A `first_id` of 0 takes it from the clock: tenths of a second since 2025, which a restart does not repeat."""
        clock = int((time.time() - 1735689600) * 10)
        self._ids = itertools.count(first_id or clock)
        self.tests: dict[int, ServiceTest] = {}
        self.problems: dict[int, Problem] = {}
        self.requests: dict[int, Request] = {}
        self.resolutions: dict[int, Resolution] = {}
        self._times: Counter[tuple[str, ...]] = Counter()

    def new_id(self) -> int:
        """An id that nothing else has."""
        return next(self._ids)

    def times(self, *what: str) -> int:
        """How often this was asked before; each call counts."""
        self._times[what] += 1
        return self._times[what] - 1

    def clear(self) -> None:
        """Forget everything, and stop every timer of what is forgotten."""
        for entity in (*self.tests.values(), *self.problems.values()):
            for timer in entity.timers.values():
                timer.cancel()
            entity.timers.clear()
        for kept in (self.tests, self.problems, self.requests, self.resolutions, self._times):
            kept.clear()
