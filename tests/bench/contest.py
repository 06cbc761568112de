"""What the sides of a comparison have in common, ours and the rivals'."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.sandbox.kafka import EmbeddedKafka
from tests.bench.rig import Sink

# Commands a second that a backlog must last for where the API takes no time.
FASTEST = 6000


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

    def commands(self, seconds: float) -> int:
        """How many commands last for so long."""
        return int(min(self.ceiling or FASTEST, FASTEST * self.workers) * seconds)


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

    `install` makes it ready and raises `Missing` where it cannot be had; `lacks` says what it does not do.
    """

    name: str
    delivering: Callable[[Stage], Iterator[Running]]
    install: Callable[[], object] = tuple
    lacks: str = ""
