"""What is measured, how long and how often, and what of it is there already."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.sandbox.kafka import EmbeddedKafka
from tests.bench.gauge import ROOT

EVIDENCE = ROOT / "docs" / "evidence" / "bench"
IDENTITY = ("case", "variant", "side", "repeat")

Json = dict[str, Any]


class Missing(Exception):
    """A side cannot be had here; the text says what it needs."""


@dataclass(frozen=True)
class Bench:
    """Where a run is made: `seconds` is how long its measured part lasts, `logs` a directory of its own."""

    kafka: EmbeddedKafka
    seconds: float
    logs: Path


@dataclass(frozen=True)
class Planned:
    """One run of a case. `install` makes its side ready, and raises `Missing` where it cannot be had."""

    variant: str
    side: str
    measure: Callable[[Bench], Json]
    install: Callable[[], object] = tuple

    def is_one_of(self, variants: Collection[str], sides: Collection[str]) -> bool:
        """Whether it is asked for; no variants or no sides are all of them."""
        return (not variants or self.variant in variants) and (not sides or self.side in sides)


def identity(about: Mapping[str, object]) -> tuple[Any, ...]:
    """What tells one run from another."""
    return tuple(about.get(name) for name in IDENTITY)


def lines(paths: Iterable[Path]) -> list[Json]:
    """The runs that files of JSON lines hold."""
    return [json.loads(line) for path in paths for line in path.read_text().splitlines() if line]
