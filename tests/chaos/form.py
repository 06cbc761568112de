"""How a chaos run is sized, told by the environment, and where its figures go."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

SEED, TICKETS, SCALE, EVIDENCE = "CHAOS_SEED", "CHAOS_TICKETS", "CHAOS_SCALE", "CHAOS_EVIDENCE"
SHOWN_VIOLATIONS = 12


@dataclass(frozen=True)
class Form:
    """`scale` is 1 for the long form; `evidence` is the file that each scenario's line is added to."""

    seed: int
    tickets: int
    scale: float
    evidence: Path | None


@dataclass
class Result:
    """The figures of a run, and what was found wrong."""

    scenario: str
    figures: dict[str, object]
    found: dict[str, list[str]]

    @property
    def broken(self) -> int:
        """How many violations there are."""
        return sum(len(each) for each in self.found.values())

    def line(self) -> str:
        """One line of figures."""
        figures = " ".join(f"{name}={value}" for name, value in self.figures.items())
        return f"{self.scenario}: {figures} violations={self.broken}"

    def complaint(self) -> str:
        """What was found wrong, a few of each kind."""
        return "\n".join(
            f"{name}: {len(each)}\n" + "\n".join(f"    {one}" for one in each[:SHOWN_VIOLATIONS])
            for name, each in self.found.items()
            if each
        )


def form_of(tickets: int, scale: float) -> Form:
    """These sizes, unless the environment says otherwise; the seed is the time's unless CHAOS_SEED is set."""
    evidence = os.environ.get(EVIDENCE)
    return Form(
        seed=int(os.environ.get(SEED, int(time.time()))),
        tickets=int(os.environ.get(TICKETS, tickets)),
        scale=float(os.environ.get(SCALE, scale)),
        evidence=Path(evidence) if evidence else None,
    )


def tell(form: Form, result: Result) -> None:
    """Print a scenario's line, and keep it with the evidence."""
    text = f"seed={form.seed} {result.line()}\n{result.complaint()}"
    print(text)  # noqa: T201  # the figures are what a run is for
    if form.evidence is not None:
        form.evidence.parent.mkdir(parents=True, exist_ok=True)
        with form.evidence.open("a") as file:
            file.write(text.rstrip() + "\n")
