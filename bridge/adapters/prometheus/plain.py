"""
Counters and histograms as plain numbers, which a scrape reads.

prometheus_client's own take a lock and look at their arguments each time that something is counted: two counters and
two histograms took a twentieth of all that the ingester does for a KCI.

Rule: each series is written by one thread only.
"""

from bisect import bisect_left
from collections.abc import Iterable
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from bridge.adapters.prometheus.definitions import Definition


class Counter:
    """One series of a counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        """Nothing was counted yet."""
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """So many more, never less."""
        self.value += amount


class Histogram:
    """One series of a histogram."""

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """Take the upper bounds of all buckets but the last, which has none."""
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """One more, of this size."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Counters(Collector):
    """All series of a counter."""

    def __init__(self, definition: Definition) -> None:
        """There is no series yet."""
        self._definition = definition
        self._series: dict[tuple[str, ...], Counter] = {}

    def series(self, *values: str) -> Counter:
        """Make the series of these values of the labels, or give it again."""
        return self._series.setdefault(values, Counter())

    def collect(self) -> Iterable[CounterMetricFamily]:
        """What a scrape shows."""
        name, names = self._definition.name, [label.name for label in self._definition.labels]
        family = CounterMetricFamily(name, self._definition.meaning, labels=names)
        for values, counter in list(self._series.items()):
            family.add_metric(values, counter.value)
        yield family


class Histograms(Collector):
    """All series of a histogram."""

    def __init__(self, definition: Definition) -> None:
        """There is no series yet."""
        self._definition = definition
        self._series: dict[tuple[str, ...], Histogram] = {}

    def series(self, *values: str) -> Histogram:
        """Make the series of these values of the labels, or give it again."""
        return self._series.setdefault(values, Histogram(self._definition.buckets))

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """What a scrape shows."""
        names = [label.name for label in self._definition.labels]
        limits = (*self._definition.buckets, float("inf"))
        bounds = [floatToGoString(limit) for limit in limits]  # type: ignore[no-untyped-call]  # it has no annotations
        family = HistogramMetricFamily(self._definition.name, self._definition.meaning, labels=names)
        for values, histogram in list(self._series.items()):
            buckets = [(bound, float(count)) for bound, count in zip(bounds, accumulate(histogram.counts), strict=True)]
            family.add_metric(values, buckets, histogram.total)
        yield family
