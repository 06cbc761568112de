"""What the sides of a comparison have in common, ours and the rivals'."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.sandbox.kafka import EmbeddedKafka
from tests.bench.rig import Sink

# Delays of the sink vary, so a side may be that much faster than the mean says.
LUCK = 1.2
# Most commands of a backlog.
MOST_COMMANDS = 400_000


@dataclass(frozen=True)
class Variant:
    """What is asked of each contestant of the case deliver."""

    api_ms: int
    in_flight: int
    workers: int = 1

    @property
    def name(self) -> str:
        return f"api {self.api_ms} ms, {self.in_flight} in flight, {self.workers} worker{'s' * (self.workers > 1)}"

    @property
    def ceiling(self) -> float | None:
        """Calls a second that no contestant can exceed; None where the API takes no time."""
        return 1000 * self.in_flight * self.workers / self.api_ms if self.api_ms else None


@dataclass(frozen=True)
class Running:
    """A side at work: its processes, and how all of them are killed and started again."""

    pids: Callable[[], list[int]]
    restart: Callable[[], None]


@dataclass(frozen=True)
class Stage:
    """Where a contestant runs."""

    kafka: EmbeddedKafka
    variant: Variant
    sink: Sink
    commands: int
    logs: Path


@dataclass(frozen=True)
class Contestant:
    """
    `delivering` starts it on a backlog, and yields it running.

    `install` makes it ready and raises `Missing` where it cannot be had; `lacks` says what it does not do. `fastest` is
    more than it ever does in a second, and `at_once` how many calls it makes at once where that is not the variant's
    choice: a backlog need not be longer.
    """

    name: str
    delivering: Callable[[Stage], Iterator[Running]]
    install: Callable[[], object] = tuple
    lacks: str = ""
    fastest: int = 5000
    at_once: int | None = None

    def commands(self, variant: Variant, seconds: float) -> int:
        """How many commands last for so long."""
        rate: float = self.fastest
        if variant.api_ms:
            rate = min(rate, LUCK * 1000 * (self.at_once or variant.in_flight) / variant.api_ms)
        return min(MOST_COMMANDS, int(rate * variant.workers * seconds))
