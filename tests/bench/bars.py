"""
The bars that the product holds itself to, each with the figure that the measured runs give.

A figure of several repeats is the median of them; a ratio is taken within each repeat, where both sides ran in turn on
the same machine, and the median of the ratios counts.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tests.bench.figures import median

Run = Mapping[str, Any]
Figure = float | None
AT_LEAST: Final = ">="
AT_MOST: Final = "<="

BRIDGE, UNWRITTEN = "bridge", "bridge without durability"
MAIN = "api 20 ms, 100 in flight, 1 worker"
# Calls per CPU second of all its processes, measured once beside such a sink, on Kafka 4.3.1 with two cores. It is not
# among the rivals that are run here.
RESTATE_CALLS_PER_CPU_SECOND = 454.0


class Runs:
    """The measured runs; of those with the same case, variant, side and repeat the latest counts."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = {(run["case"], run["variant"], run["side"], run["repeat"]): run for run in runs}

    def __iter__(self) -> Iterator[Run]:
        """Every run."""
        return iter(self._runs.values())

    def of(self, case: str, variant: str, side: str = BRIDGE) -> dict[int, Run]:
        """The runs of one side that were made, by repeat."""
        return {
            repeat: run
            for (of_case, of_variant, of_side, repeat), run in self._runs.items()
            if (of_case, of_variant, of_side) == (case, variant, side) and "not_run" not in run
        }


class Reading(Runs):
    """Runs that keep which of them a figure was made of, as `read`."""

    def __init__(self, runs: Iterable[Run]) -> None:
        super().__init__(runs)
        self.read: list[Run] = []

    def of(self, case: str, variant: str, side: str = BRIDGE) -> dict[int, Run]:
        """The runs of one side that were made, by repeat."""
        found = super().of(case, variant, side)
        self.read += found.values()
        return found


@dataclass(frozen=True)
class Bar:
    """`figure` reads the runs; None means that what it needs was not run."""

    case: str
    says: str
    limit: float
    sense: Literal[">=", "<="]
    figure: Callable[[Runs], Figure]
    unit: str = ""

    def met(self, figure: float) -> bool:
        """Whether a figure meets it."""
        return figure >= self.limit if self.sense == AT_LEAST else figure <= self.limit


def value(run: Run, path: str) -> Figure:
    """A figure of a run, such as `latency_ms.p99`."""
    found: Any = run
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return None if found is None else float(found)


def single(case: str, variant: str, path: str, side: str = BRIDGE) -> Callable[[Runs], Figure]:
    """The median of one figure."""

    def figure(runs: Runs) -> Figure:
        return _median(value(run, path) for run in runs.of(case, variant, side).values())

    return figure


def worst(case: str, variants: Iterable[str], path: str) -> Callable[[Runs], Figure]:
    """The largest of a figure over variants and repeats."""
    wanted = tuple(variants)

    def figure(runs: Runs) -> Figure:
        found = [value(run, path) for variant in wanted for run in runs.of(case, variant).values()]
        known = [each for each in found if each is not None]
        return max(known) if known else None

    return figure


def compared(
    case: str, path: str, one: tuple[str, str], other: tuple[str, str], how: Callable[[float, float], float]
) -> Callable[[Runs], Figure]:
    """One side's figure against another's, each (variant, side), in the same repeat."""

    def figure(runs: Runs) -> Figure:
        ones, others = runs.of(case, *one), runs.of(case, *other)
        found = []
        for repeat in ones.keys() & others.keys():
            a, b = value(ones[repeat], path), value(others[repeat], path)
            if a is not None and b:
                found.append(how(a, b))
        return _median(found)

    return figure


def ratio(one: float, other: float) -> float:
    """How many times the other."""
    return one / other


def difference(one: float, other: float) -> float:
    """How much more than the other."""
    return one - other


def wrongs(runs: Runs) -> Figure:
    """All that went wrong with the bridge in these cases, in runs of any length; None without the main variant."""
    names = ("violations", "overlaps", "duplicates", "strange", "lost")
    ours = [run for run in runs if run["side"] == BRIDGE and run["case"] in {"deliver", "latency", "grow"}]
    return sum(float(run.get(name) or 0) for run in ours for name in names) if runs.of("deliver", MAIN) else None


def _median(figures: Iterable[Figure]) -> Figure:
    known = [figure for figure in figures if figure is not None]
    return median(known) if known else None


PER_CPU = "calls_per_cpu_second"
LATENCY = "200 a second, api 20 ms"
OURS, THEIRS = (MAIN, BRIDGE), (MAIN, UNWRITTEN)
KILLED = ("killed and restarted", "killed beside a second worker")
BARS = (
    Bar(
        "deliver",
        "durable calls per CPU second, of our own lanes without durability",
        0.65,
        AT_LEAST,
        compared("deliver", PER_CPU, OURS, THEIRS, ratio),
    ),
    Bar(
        "deliver",
        "durable calls per CPU second, times Restate's 454 (not in this run)",
        4,
        AT_LEAST,
        lambda runs: (found := single("deliver", MAIN, PER_CPU)(runs)) and found / RESTATE_CALLS_PER_CPU_SECOND,
    ),
    Bar(
        "deliver",
        "durable calls per CPU second, times Parallel Consumer's, which keeps nothing",
        1.5,
        AT_LEAST,
        compared("deliver", PER_CPU, OURS, (MAIN, "Parallel Consumer"), ratio),
    ),
    Bar("deliver", "durable calls per CPU second", 2000, AT_LEAST, single("deliver", MAIN, PER_CPU)),
    Bar("deliver", "rate, of the ceiling in flight / latency", 0.85, AT_LEAST, single("deliver", MAIN, "of_ceiling")),
    Bar(
        "deliver",
        "rate, times Redpanda Connect's in order",
        15,
        AT_LEAST,
        compared("deliver", "rate", OURS, (MAIN, "Redpanda Connect"), ratio),
    ),
    Bar(
        "deliver",
        "rate, times mq-bridge's in order",
        50,
        AT_LEAST,
        compared("deliver", "rate", OURS, (MAIN, "mq-bridge"), ratio),
    ),
    Bar("deliver", "broker CPU for a call", 0.15, AT_MOST, single("deliver", MAIN, "broker_ms_per_call"), "ms"),
    Bar("deliver", "out of order, overlapping, sent twice or lost, in all runs", 0, AT_MOST, wrongs),
    Bar(
        "latency",
        "added by durability, p50",
        20,
        AT_MOST,
        compared("latency", "over_after_ms.p50", (LATENCY, BRIDGE), (LATENCY, UNWRITTEN), difference),
        "ms",
    ),
    Bar(
        "latency",
        "added by durability, p99",
        80,
        AT_MOST,
        compared("latency", "over_after_ms.p99", (LATENCY, BRIDGE), (LATENCY, UNWRITTEN), difference),
        "ms",
    ),
    Bar(
        "ingest",
        "KCIs per CPU second, times Redpanda Connect's, which neither authenticates nor encodes",
        1.0,
        AT_LEAST,
        compared("ingest", "per_cpu_second", ("32 connections", BRIDGE), ("32 connections", "Redpanda Connect"), ratio),
    ),
    Bar("ingest", "KCIs a second", 5000, AT_LEAST, single("ingest", "32 connections", "rate")),
    Bar("ingest", "p99 at 70 % of the knee", 15, AT_MOST, single("ingest", "70 % of the knee", "latency_ms.p99"), "ms"),
    Bar(
        "journey",
        "whole journeys per CPU second of all services",
        100,
        AT_LEAST,
        single("journey", "mixed tickets", "journeys_per_cpu_second"),
    ),
    Bar(
        "react",
        "2xx to transition readable at 200 KCIs a second, p50",
        40,
        AT_MOST,
        single("react", "200 a second", "reaction_ms.p50"),
        "ms",
    ),
    Bar(
        "react",
        "2xx to transition readable at 200 KCIs a second, p99",
        200,
        AT_MOST,
        single("react", "200 a second", "reaction_ms.p99"),
        "ms",
    ),
    Bar(
        "takeover",
        "processing again after the session time-out, 100,000 journeys",
        3,
        AT_MOST,
        worst("takeover", KILLED, "pause_beyond_session_seconds"),
        "s",
    ),
    Bar(
        "takeover",
        "memory of a worker that knows 100,000 journeys",
        400,
        AT_MOST,
        worst("takeover", KILLED, "rss_mib"),
        "MiB",
    ),
    Bar(
        "grow",
        "CPU of a call with 1,000,000 tickets known, times that with 10,000",
        1.2,
        AT_MOST,
        compared(
            "grow", "cpu_ms_per_call", ("1,000,000 tickets known", BRIDGE), ("10,000 tickets known", BRIDGE), ratio
        ),
    ),
)
