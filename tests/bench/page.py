"""Makes docs/benchmarks.md and its picture of the runs in docs/evidence/bench."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.bars import AT_LEAST, BARS, MAIN, Bar, Figure, Reading, Run, Runs, value
from tests.bench.figures import median
from tests.bench.gauge import ROOT
from tests.bench.plan import lines

PAGE = ROOT / "docs" / "benchmarks.md"
PICTURE = ROOT / "docs" / "benchmarks.svg"
PLOTTING = ROOT / ".sandbox" / "plotting"
MATPLOTLIB = "matplotlib==3.10.3"
NOT_RUN = "not run"
FULL_SECONDS = 60.0

HEAD = """\
# Benchmarks

Made by `make bench` from the lines in `docs/evidence/bench/`; do not edit.

    make bench                                # every case and every rival: hours, on a machine that does nothing else
    make bench CASE=deliver                   # one case
    make bench CASE=deliver ARGS="--seconds 10 --repeats 1 --side bridge --side mq-bridge"
    make bench ARGS=--resume                  # only what the evidence does not have yet
    make bench ARGS=--page                    # only this page, from what is there

The broker is a real Apache Kafka; our services are processes, started as in production, with their metrics and logs on.
Each run adds one line with what it measured, the machine's load, the versions and the commit. The sides of a comparison
run in turn on the same machine, and what counts is CPU seconds and ratios within a repeat: a rate by the clock says as
much about what else the machine does. Latencies come of open models: each command or KCI has its moment, and its
latency counts from there, whether the one before it was answered or not.

CI runs a short form, `tests/bench/test_short.py`: ratios and counts only, which fail when something costs twice what it
did. It says nothing of how fast the bridge is; these tables do.

Rivals are installed by name from their registries when they are measured, never in CI. Their settings are in
`tests/bench/rivals/`: each in its ordered mode. Parallel Consumer needs a JDK, Redpanda Connect needs Go; without them
their rows say so.

Where a call's CPU goes, what was tried, and what holds the bars that are not met: [what a call costs](performance.md).
"""


@dataclass(frozen=True)
class Column:
    """A column of a case's table: its title, where its figure is, and how it is written."""

    title: str
    path: str
    digits: int = 0


TABLES: Mapping[str, tuple[str, Sequence[Column]]] = {
    "deliver": (
        "Commands become POSTs, in order for each ticket. Each is amended ten times; the backlog is there before.",
        (
            Column("calls/s", "rate"),
            Column("of the ceiling", "of_ceiling", 2),
            Column("calls per CPU-s", "calls_per_cpu_second"),
            Column("broker ms/call", "broker_ms_per_call", 3),
            Column("out of order", "violations"),
            Column("overlaps", "overlaps"),
            Column("twice", "duplicates"),
            Column("lost", "lost"),
            Column("most in flight", "most_in_flight"),
            Column("RSS MiB", "rss_mib"),
            Column("load", "load", 1),
        ),
    ),
    "latency": (
        "What durability adds. `over` is the outcome as a consumer reads it, or the answer where nothing is written.",
        (
            Column("arrived p50 ms", "arrived_after_ms.p50", 1),
            Column("arrived p99 ms", "arrived_after_ms.p99", 1),
            Column("over p50 ms", "over_after_ms.p50", 1),
            Column("over p95 ms", "over_after_ms.p95", 1),
            Column("over p99 ms", "over_after_ms.p99", 1),
            Column("CPU ms/call", "cpu_ms_per_call", 3),
            Column("load", "load", 1),
        ),
    ),
    "ingest": (
        "KCIs are delivered; the answer follows the acknowledgement of all replicas.",
        (
            Column("KCIs/s", "rate"),
            Column("per CPU-s", "per_cpu_second"),
            Column("p50 ms", "latency_ms.p50", 1),
            Column("p95 ms", "latency_ms.p95", 1),
            Column("p99 ms", "latency_ms.p99", 1),
            Column("broker ms each", "broker_ms_each", 3),
            Column("RSS MiB", "rss_mib"),
            Column("load", "load", 1),
        ),
    ),
    "journey": (
        "Mixed fault tickets from the report to the end, through all services, with the simulator as gateway.",
        (
            Column("tickets", "tickets"),
            Column("journeys/s", "rate", 1),
            Column("per CPU-s of all services", "journeys_per_cpu_second", 1),
            Column("dispatcher CPU s", "cpu_seconds.dispatcher", 1),
            Column("ingester CPU s", "cpu_seconds.ingester", 1),
            Column("tracker CPU s", "cpu_seconds.tracker", 1),
            Column("simulator CPU s", "cpu_seconds.simulator", 1),
            Column("broker CPU s", "cpu_seconds.broker", 1),
            Column("KCIs each", "kcis_per_ticket", 1),
            Column("lost", "lost"),
            Column("load", "load", 1),
        ),
    ),
    "react": (
        "From the 2xx of a KCI to its transition, as a consumer reads it.",
        (
            Column("KCIs/s", "offered"),
            Column("2xx p50 ms", "latency_ms.p50", 1),
            Column("2xx p99 ms", "latency_ms.p99", 1),
            Column("transition p50 ms", "reaction_ms.p50", 1),
            Column("transition p95 ms", "reaction_ms.p95", 1),
            Column("transition p99 ms", "reaction_ms.p99", 1),
            Column("ingester CPU ms", "cpu_ms_each.ingester", 2),
            Column("tracker CPU ms", "cpu_ms_each.tracker", 2),
            Column("lost", "lost"),
            Column("load", "load", 1),
        ),
    ),
    "takeover": (
        "kill -9 with 100,000 open journeys. What was in flight is UNKNOWN, holds its ticket, and is not repeated.",
        (
            Column("ready after s", "ready_after_seconds", 1),
            Column("longest wait s", "longest_pause_seconds", 1),
            Column("beyond the session s", "pause_beyond_session_seconds", 1),
            Column("restarts", "restarts"),
            Column("sent twice", "duplicates"),
            Column("overlaps", "overlaps"),
            Column("not delivered", "not_delivered"),
            Column("RSS MiB", "rss_mib"),
            Column("load", "load", 1),
        ),
    ),
    "grow": (
        "The same commands for the same thousand tickets; only how many others are known differs.",
        (
            Column("CPU ms/call", "cpu_ms_per_call", 3),
            Column("calls/s", "rate"),
            Column("RSS MiB", "rss_mib"),
            Column("ready after s", "ready_after_seconds", 1),
            Column("CPU s to start", "cpu_seconds_to_start", 1),
            Column("table bytes/ticket", "table_bytes_per_ticket"),
            Column("load", "load", 1),
        ),
    ),
}


def write(evidence: Path) -> None:
    """Write the page and the picture."""
    runs = Runs(lines(sorted(evidence.glob("*.jsonl"))))
    PAGE.write_text("\n".join(_sections(runs)) + "\n")
    _draw(runs)


def _sections(runs: Runs) -> Iterable[str]:
    yield HEAD
    if runs.of("deliver", MAIN):
        yield "![Figures beside their bars, and calls per CPU second](benchmarks.svg)\n"
    yield from _bars(runs)
    for case, (about, columns) in TABLES.items():
        yield from _table(runs, case, about, columns)
    yield from _micro(runs)
    yield from _circumstances(runs)


def _bars(runs: Runs) -> Iterable[str]:
    yield "## Bars\n"
    yield "Medians over the repeats; a ratio is taken within each repeat.\n"
    yield from _provisional(runs)
    yield "| case | bar | | figure | met |"
    yield "| --- | --- | --- | --- | --- |"
    for bar in BARS:
        reading = Reading(runs)
        figure = bar.figure(reading)
        verdict = "" if any(map(_is_provisional, reading.read)) else _verdict(bar, figure)
        limit = f"{'at least' if bar.sense == AT_LEAST else 'at most'} {bar.limit:g} {bar.unit}".strip()
        yield f"| {bar.case} | {bar.says} | {limit} | {_figure(bar, figure)} | {verdict} |"
    yield ""


def _is_short(run: Run) -> bool:
    return bool(run["asked_seconds"] < FULL_SECONDS)


def _is_busy(run: Run) -> bool:
    return bool(run["load"] > run["cpus"])


def _is_provisional(run: Run) -> bool:
    """Whether a run is too short, or was made beside too much else, for its figures to be quoted."""
    return _is_short(run) or _is_busy(run)


def _provisional(runs: Runs) -> Iterable[str]:
    made = [run for run in runs if "load" in run]
    if any(map(_is_provisional, made)):
        yield (
            f"Of {len(made)} runs {sum(map(_is_short, made))} were shorter than {FULL_SECONDS:g} s, and"
            f" {sum(map(_is_busy, made))} began on a machine that others kept busy (load above its CPUs); no bar is"
            " called met or missed by such a run.\n"
        )


def _figure(bar: Bar, figure: Figure) -> str:
    return NOT_RUN if figure is None else f"{figure:.3g} {bar.unit}".strip() if figure < 1000 else f"{figure:,.0f}"


def _verdict(bar: Bar, figure: Figure) -> str:
    if figure is None:
        return ""
    return "yes" if bar.met(figure) else "**no**"


def _table(runs: Runs, case: str, about: str, columns: Sequence[Column]) -> Iterable[str]:
    rows = dict.fromkeys((run["variant"], run["side"]) for run in runs if run["case"] == case)
    if not rows:
        return
    yield f"## {case}\n"
    yield f"{about} Medians, and in brackets the least and the most of the repeats.\n"
    yield f"| variant | side | runs | {' | '.join(column.title for column in columns)} |"
    yield f"| --- | --- | {' | '.join('---' for _ in range(len(columns) + 1))} |"
    for variant, side in rows:
        made = list(runs.of(case, variant, side).values())
        if made:
            cells = " | ".join(_spread([value(run, column.path) for run in made], column.digits) for column in columns)
            seconds = _spread([value(run, "asked_seconds") for run in made], 0)
            yield f"| {variant} | {side} | {len(made)} of {seconds} s | {cells} |"
        else:
            why = next(run["not_run"] for run in runs if (run["variant"], run["side"]) == (variant, side))
            yield f"| {variant} | {side} | {NOT_RUN}: {why} |"
    yield ""
    lacking = {run["side"]: run["lacks"] for run in runs if run["case"] == case and run.get("lacks")}
    yield from (f"- {side}: {lacks}." for side, lacks in lacking.items())
    if lacking:
        yield ""


def _spread(figures: Iterable[Figure], digits: int) -> str:
    known = [figure for figure in figures if figure is not None]
    if not known:
        return ""

    def shown(figure: float) -> str:
        return f"{figure:,.{digits}f}"

    low, high = shown(min(known)), shown(max(known))
    return shown(median(known)) + ("" if low == high else f" ({low}..{high})")


def _micro(runs: Runs) -> Iterable[str]:
    made = list(runs.of("micro", "amendment").values())
    if not made:
        return
    yield "## micro\n"
    yield (
        "CPU of one step of an amendment, or of a KCI, in microseconds and in reference operations "
        "(see the circumstances).\n"
    )
    yield "| step | µs | references |"
    yield "| --- | --- | --- |"
    for step in made[0]["steps"]:
        times = [value(run, f"steps.{step}.us") for run in made]
        references = [value(run, f"steps.{step}.references") for run in made]
        yield f"| {step} | {_spread(times, 1)} | {_spread(references, 2)} |"
    yield ""


def _circumstances(runs: Runs) -> Iterable[str]:
    made = [run for run in runs if "commit" in run]
    if not made:
        return
    yield "## Circumstances\n"
    yield "| case | runs | seconds each | from | to | load | reference µs | commits |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for case in dict.fromkeys(run["case"] for run in made):
        of_case = [run for run in made if run["case"] == case]
        seconds = _spread([value(run, "seconds") for run in of_case], 0)
        loads = _spread([value(run, "load") for run in of_case], 1)
        references = _spread([value(run, "reference_us") for run in of_case], 2)
        commits = ", ".join(dict.fromkeys(f"`{run['commit']}`" for run in of_case))
        times = sorted(run["at"] for run in of_case)
        yield f"| {case} | {len(of_case)} | {seconds} | {times[0]} | {times[-1]} | {loads} | {references} | {commits} |"
    yield ""
    yield "A reference operation is `json.loads` of 1.2 kB: how fast the machine was when a run began."
    latest: Run = max(made, key=lambda run: str(run["at"]))
    versions = ", ".join(f"{name} {number}" for name, number in latest["versions"].items())
    yield ""
    yield f"{latest['cpus']} CPUs ({latest['cpu']}), Python {latest['python']}, {versions}."


def _draw(runs: Runs) -> None:
    """Have the picture drawn by a Python that has matplotlib, which nothing else here needs."""
    figures = [(bar, bar.figure(runs)) for bar in BARS]
    drawn = {
        "picture": str(PICTURE),
        "bars": [
            {
                "says": f"{bar.case}: {bar.says}",
                "share": figure / bar.limit if bar.sense == AT_LEAST else bar.limit / figure if figure else None,
                "met": bar.met(figure),
            }
            for bar, figure in figures
            if figure is not None and bar.limit
        ],
        "sides": {
            side: median([each for run in made.values() if (each := value(run, "calls_per_cpu_second"))])
            for side in dict.fromkeys(run["side"] for run in runs if (run["case"], run["variant"]) == ("deliver", MAIN))
            if (made := runs.of("deliver", MAIN, side))
        },
    }
    if not drawn["sides"]:
        PICTURE.unlink(missing_ok=True)
        return
    python = PLOTTING / "bin" / "python"
    if not (PLOTTING / "installed").exists():
        subprocess.run((sys.executable, "-m", "venv", str(PLOTTING)), check=True)
        pip = (str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", MATPLOTLIB)
        subprocess.run(pip, check=True)
        (PLOTTING / "installed").touch()
    plot = Path(__file__).with_name("plot.py")
    subprocess.run((str(python), str(plot)), input=json.dumps(drawn), text=True, check=True)
