"""How a chaos run is sized, told by the environment, and where its figures go."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.fault_log import Fault
from tests.chaos.invariants import Run

SEED, TICKETS, SCALE, EVIDENCE = "CHAOS_SEED", "CHAOS_TICKETS", "CHAOS_SCALE", "CHAOS_EVIDENCE"
SHOWN_VIOLATIONS = 12


@dataclass(frozen=True)
class Form:
    """`scale` is 1 for the long form; `evidence` is the directory that each scenario's raw output goes to."""

    seed: int
    tickets: int
    scale: float
    evidence: Path | None


@dataclass
class Result:
    """The figures of a run, what each check found wrong, and what was judged."""

    scenario: str
    figures: dict[str, object]
    found: dict[str, list[str]]
    run: Run

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

    def report(self, form: Form) -> str:
        """Everything that is kept of a run, as text."""
        faults = self.run.faults.faults
        started = min((fault.start for fault in faults), default=0.0)
        return "\n".join(
            (
                f"scenario: {self.scenario}",
                f"ended:    {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
                f"commit:   {commit()}",
                f"form:     seed {form.seed}, {form.tickets} tickets at least, scale {form.scale:g}",
                f"machine:  {os.cpu_count()} cores, load {' '.join(f'{each:.1f}' for each in os.getloadavg())}",
                "",
                *(f"{name:20} {value}" for name, value in self.figures.items()),
                "",
                "faults, in seconds after the first",
                *(described(fault, started) for fault in faults),
                "",
                "violations",
                *(f"  {name:38} {len(each)}" for name, each in self.found.items()),
                *([""] if self.broken else []),
                self.complaint(),
            )
        )


def described(fault: Fault, started: float) -> str:
    """A fault in a line: when, how long, what, and how much it found under way."""
    lasted = f"{(fault.end or fault.start) - fault.start:6.1f}"
    met = "" if fault.met is None else f", met {fault.met}"
    return f"  {fault.start - started:7.1f} +{lasted}  {fault.kind:8} {fault.target}{met}"


def commit() -> str:
    """The commit that runs, and whether files differ from it."""
    asked = ("describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")
    told = subprocess.run(("git", *asked), capture_output=True, text=True, check=False)  # noqa: S607  # whichever git there is
    return told.stdout.strip() or "unknown"


def form_of(tickets: int, scale: float) -> Form:
    """These sizes, unless the environment says otherwise; the seed is the time's unless CHAOS_SEED is set."""
    evidence = os.environ.get(EVIDENCE)
    return Form(
        seed=int(os.environ.get(SEED, int(time.time()))),
        tickets=int(os.environ.get(TICKETS, tickets)),
        scale=float(os.environ.get(SCALE, scale)),
        evidence=Path(evidence) if evidence else None,
    )


def say(text: str) -> None:
    """A line for whoever watches; pytest shows it with `-s`."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # a run of minutes has to show that it lives


def tell(form: Form, result: Result) -> None:
    """Print a scenario's line, and keep its raw output with the evidence."""
    say(f"seed={form.seed} {result.line()}\n{result.complaint()}".rstrip())
    if form.evidence is not None:
        form.evidence.mkdir(parents=True, exist_ok=True)
        name = result.scenario.lower().replace(" ", "-")
        (form.evidence / f"{name}.txt").write_text(result.report(form).rstrip() + "\n")
