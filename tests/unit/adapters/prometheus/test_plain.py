"""A scrape of plain numbers shows what one of prometheus_client's own counters and histograms would."""

import prometheus_client
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from bridge.adapters.prometheus import definitions as of
from bridge.adapters.prometheus.plain import Counters, Histograms


def told(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["200", "503"]),
            st.sampled_from(of.WEBHOOK_SECONDS.buckets) | st.floats(0, 100, allow_nan=False),
        ),
        max_size=30,
    )
)
def test_a_histogram_reads_as_theirs(observed: list[tuple[str, float]]) -> None:
    definition = of.WEBHOOK_SECONDS
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    histograms = Histograms(definition)
    ours.register(histograms)
    names = [label.name for label in definition.labels]
    reference = prometheus_client.Histogram(
        definition.name, definition.meaning, names, buckets=definition.buckets, registry=theirs
    )
    for code, seconds in observed:
        histograms.series(code).observe(seconds)
        reference.labels(code).observe(seconds)

    assert told(ours) == told(theirs)


def test_a_counter_reads_as_theirs() -> None:
    definition = of.WEBHOOK_ANSWERS
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counters = Counters(definition)
    ours.register(counters)
    names = [label.name for label in definition.labels]
    reference = prometheus_client.Counter(definition.name, definition.meaning, names, registry=theirs)
    for values, amount in ((("200", "PUBLISHED"), 3), (("200", "PUBLISHED"), 1), (("503", "OVERLOADED"), 0)):
        counters.series(*values).inc(amount)
        reference.labels(*values).inc(amount)

    assert told(ours) == told(theirs)
