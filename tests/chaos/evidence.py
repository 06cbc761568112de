"""
The table over the raw output of chaos runs: `python -m tests.chaos.evidence` writes docs/evidence/chaos/README.md from
the files beside it, a test compares it.
"""

from collections.abc import Iterator
from pathlib import Path

from tests.chaos.scenarios import SCENARIOS

DIRECTORY = Path(__file__).parents[2] / "docs" / "evidence" / "chaos"
PAGE = DIRECTORY / "README.md"
COLUMNS = ("tickets", "commands", "kcis", "faults", "unknown_interrupted", "unknown_unanswered", "settled_s")
INTRODUCTION = """\
# Runs of the chaos suite

Written by `python -m tests.chaos.evidence` from the files beside it, which are the raw output of the scenarios:
`CHAOS_EVIDENCE=docs/evidence/chaos make chaos`. What each scenario does and what is checked is told in
[the chaos suite](../../chaos.md). `faults` counts those that were injected; `unknown` are commands whose fate was not
known for a while: by a worker that went away, and by an answer that did not come; `s` is the time from the first
ticket until everything was settled.

| scenario | commit | seed | tickets | commands | KCIs | faults | unknown | s | violations |
|---|---|---|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The page as the files make it; scenarios without a file are named below the table."""
    rows = [_row(scenario.name, DIRECTORY / f"{scenario.slug}.txt") for scenario in SCENARIOS]
    missing = [scenario.name for scenario, row in zip(SCENARIOS, rows, strict=True) if row is None]
    return INTRODUCTION + "".join(row for row in rows if row is not None) + "".join(_missing(missing))


def _row(name: str, file: Path) -> str | None:
    if not file.exists():
        return None
    told = dict(_told(file.read_text(encoding="utf-8")))
    tickets, commands, kcis, faults, interrupted, unanswered, seconds = (told[column] for column in COLUMNS)
    count = sum(int(word.partition(":")[2]) for word in faults.strip("{}").split(",") if word)
    unknown = f"{interrupted} + {unanswered}"
    cells = (
        f"[{name}]({file.name})",
        told["commit:"],
        told["form:"].split()[1].strip(","),
        *(tickets, commands, kcis, str(count), unknown, seconds, str(_violations(file.read_text(encoding="utf-8")))),
    )
    return f"| {' | '.join(cells)} |\n"


def _told(text: str) -> Iterator[tuple[str, str]]:
    for line in text.partition("\nfaults, ")[0].splitlines():
        name, _, value = line.partition(" ")
        yield name, value.strip()


def _violations(text: str) -> int:
    """The sum over the checks."""
    lines = text.partition("\nviolations\n")[2].split("\n\n")[0].splitlines()
    return sum(int(line.split()[-1]) for line in lines if line.startswith("  "))


def _missing(names: list[str]) -> Iterator[str]:
    if names:
        yield f"\nNo long run is kept of: {', '.join(names)}.\n"


if __name__ == "__main__":
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
