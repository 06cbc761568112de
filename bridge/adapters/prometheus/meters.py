"""
Makes the metrics of one service from their definitions, and gives out their series.

Rule: a label's value that is not in its set is shown as OTHER, so that nothing from outside can make a series.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bridge.adapters.prometheus.definitions import Definition
from bridge.adapters.prometheus.labels import MOST_SUPPLIERS, OTHER, Known, Label

M = TypeVar("M", Counter, Gauge, Histogram)

# The values of the sets that are known when a service starts.
Sets = Mapping[Known, tuple[str, ...]]
# A series of a gauge that is worked out at each scrape: the labels' values, and the value.
Sample = tuple[tuple[str, ...], float]


class Capped:
    """Names from outside: the first so many are shown as they are."""

    def __init__(self, most: int) -> None:
        """No name was met yet."""
        self._most = most
        self._names: set[str] = set()

    def shown(self, name: str) -> str:
        """The name, or OTHER."""
        if name not in self._names:
            if len(self._names) >= self._most:
                return OTHER
            self._names.add(name)
        return name


class Series(Generic[M]):
    """The series of one metric by the values of its labels; one that was asked for is found by one look-up."""

    def __init__(self, metric: M, admit: tuple[Callable[[str], str], ...]) -> None:
        """`admit` has a function for each label, which gives the value that is shown."""
        self._metric: M = metric
        self._admit = admit
        self._found: dict[tuple[str, ...], M] = {}

    def __call__(self, *values: str) -> M:
        """The series of these values."""
        return self._found.get(values) or self._find(values)

    def _find(self, values: tuple[str, ...]) -> M:
        shown = tuple(admit(value) for admit, value in zip(self._admit, values, strict=True))
        found: M = self._metric.labels(*shown) if shown else self._metric
        if shown == values:
            self._found[values] = found
        return found


class Tally:
    """
    How many there are of each kind, as plain numbers: a take-over counts a million keys one by one, and a gauge of
    prometheus_client would take its lock each time.
    """

    def __init__(self, admit: tuple[Callable[[str], str], ...], kinds: Iterable[tuple[str, ...]]) -> None:
        """`kinds` are those that can be, `admit` gives for each label the value that is shown."""
        self._admit = admit
        self._counts = dict.fromkeys(kinds, 0)

    def add(self, step: int, *kind: str) -> None:
        """So many more, or less, of a kind."""
        if kind not in self._counts:
            kind = tuple(admit(value) for admit, value in zip(self._admit, kind, strict=True))
        self._counts[kind] = self._counts.get(kind, 0) + step

    def clear(self) -> None:
        """There is nothing any more."""
        self._counts = dict.fromkeys(self._counts, 0)

    def samples(self) -> list[Sample]:
        """What a scrape shows."""
        return [(kind, float(count)) for kind, count in self._counts.items()]


class Meters:
    """The metrics of one process, in the registry that it is given."""

    def __init__(self, registry: CollectorRegistry, sets: Sets) -> None:
        """Make nothing yet."""
        self.registry = registry
        self._sets = sets
        self._suppliers = Capped(MOST_SUPPLIERS)

    def counter(self, definition: Definition, *, initial: Iterable[tuple[str, ...]] | None = None) -> Series[Counter]:
        """Make a counter; `initial` are the series that are there from the start, where not all can come."""
        # prometheus_client puts the ending of a counter's name to it by itself.
        names = [label.name for label in definition.labels]
        counter = Counter(definition.name.removesuffix("_total"), definition.meaning, names, registry=self.registry)
        return self._series(definition, counter, initial)

    def gauge(self, definition: Definition, *, initial: Iterable[tuple[str, ...]] | None = None) -> Series[Gauge]:
        """Make a gauge; `initial` as for a counter."""
        names = [label.name for label in definition.labels]
        gauge = Gauge(definition.name, definition.meaning, names, registry=self.registry)
        return self._series(definition, gauge, initial)

    def histogram(self, definition: Definition) -> Series[Histogram]:
        """Make a histogram."""
        names = [label.name for label in definition.labels]
        made = Histogram(definition.name, definition.meaning, names, buckets=definition.buckets, registry=self.registry)
        return self._series(definition, made)

    def worked_out(self, definition: Definition, look: Callable[[], Iterable[Sample]]) -> None:
        """Make a gauge whose series are worked out at each scrape."""
        admit = self._admitters(definition)

        class WorkedOut(Collector):
            def collect(self) -> Iterable[GaugeMetricFamily]:
                names = [label.name for label in definition.labels]
                family = GaugeMetricFamily(definition.name, definition.meaning, labels=names)
                sums: dict[tuple[str, ...], float] = {}
                for values, value in look():
                    shown = tuple(each(value) for each, value in zip(admit, values, strict=True))
                    # Whoever is not shown by name is shown together.
                    sums[shown] = sums.get(shown, 0.0) + value
                for shown, value in sums.items():
                    family.add_metric(shown, value)
                yield family

        self.registry.register(WorkedOut())

    def tally(self, definition: Definition) -> Tally:
        """Make a gauge that counts how many there are, of labels whose values are all known."""
        made = Tally(self._admitters(definition), product(*map(self.values, definition.labels)))
        self.worked_out(definition, made.samples)
        return made

    def values(self, label: Label) -> tuple[str, ...]:
        """All values that a label can have from the start; none for names that come as they come."""
        if isinstance(label.values, tuple):
            return label.values
        return () if label.values is Known.SUPPLIERS else self._sets[label.values]

    def _series(self, definition: Definition, metric: M, initial: Iterable[tuple[str, ...]] | None = None) -> Series[M]:
        series = Series(metric, self._admitters(definition))
        for values in product(*map(self.values, definition.labels)) if initial is None else initial:
            series(*values)
        return series

    def _admitters(self, definition: Definition) -> tuple[Callable[[str], str], ...]:
        return tuple(
            self._suppliers.shown if label.values is Known.SUPPLIERS else _member_of(frozenset(self.values(label)))
            for label in definition.labels
        )


def _member_of(values: frozenset[str]) -> Callable[[str], str]:
    return lambda value: value if value in values else OTHER
