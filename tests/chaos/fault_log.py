"""What was done to the bridge and when, so that each doubt it tells of can be matched with a cause."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of faults, by what they can leave in doubt."""

    # A process was killed: calls of that service under way.
    KILL = "kill"
    # A process was stopped for longer than its session and woke up again.
    FREEZE = "freeze"
    # An orderly end: it leaves nothing in doubt.
    TERM = "term"
    # A broker was killed, stopped or cut off.
    BROKER = "broker"
    # The gateway or the way to it misbehaved.
    GATEWAY = "gateway"
    # KCIs were lost, doubled, shuffled, early or held: no command is in doubt because of that.
    KCI = "kci"
    # A clock jumped: it leaves nothing in doubt.
    CLOCK = "clock"
    # A clock is so wrong that Kafka refuses what its process writes, and the process ends: calls under way, and no time
    # that it tells can be matched with ours.
    REFUSED = "refused"


@dataclass
class Fault:
    """One injected fault; times are seconds of the wall clock, `met` how many calls it found under way."""

    kind: Kind
    target: str
    start: float
    end: float | None = None
    met: int | None = None


@dataclass
class FaultLog:
    """All faults of a run."""

    faults: list[Fault] = field(default_factory=list)

    def struck(self, kind: Kind, target: str, *, met: int | None = None) -> Fault:
        """Note a fault that is over as soon as it begins."""
        now = time.time()
        fault = Fault(kind, target, now, now, met)
        self.faults.append(fault)
        return fault

    @contextmanager
    def lasting(self, kind: Kind, target: str, *, met: int | None = None) -> Iterator[Fault]:
        """Note a fault that lasts as long as the block."""
        fault = Fault(kind, target, time.time(), None, met)
        self.faults.append(fault)
        try:
            yield fault
        finally:
            fault.end = time.time()

    def any_between(self, kinds: frozenset[Kind], start: float, end: float) -> bool:
        """Whether a fault of these kinds was in force at some moment of this time, or at one that cannot be told."""
        return any(
            fault.kind in kinds
            and (fault.kind is Kind.REFUSED or (fault.start <= end and (fault.end is None or fault.end >= start)))
            for fault in self.faults
        )
