"""How long and how often is measured, and what of it is there already."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.gauge import ROOT

EVIDENCE = ROOT / "docs" / "evidence" / "bench"
IDENTITY = ("case", "variant", "side", "repeat")


@dataclass(frozen=True)
class Plan:
    """`done` are the runs that need not be made again; `only` are words of which a run must have every one."""

    seconds: float
    repeats: int
    only: tuple[str, ...] = ()
    done: frozenset[tuple[Any, ...]] = field(default_factory=frozenset)

    def wants(self, about: Mapping[str, object]) -> bool:
        """Whether a run is to be made."""
        words = f"{about['variant']}, {about['side']}"
        return identity(about) not in self.done and all(word in words for word in self.only)


def identity(about: Mapping[str, object]) -> tuple[Any, ...]:
    """What tells one run from another."""
    return tuple(about.get(name) for name in IDENTITY)


def lines(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """The runs that files of JSON lines hold."""
    return [json.loads(line) for path in paths for line in path.read_text().splitlines() if line]
