"""The page docs/metrics.md, made from `bridge.adapters.prometheus.definitions`."""

from collections.abc import Iterator

from bridge.adapters.prometheus.definitions import DEFINITIONS, Definition
from bridge.adapters.prometheus.labels import Known, Label
from bridge.services.label_sets import closed_sets
from bridge.topics import Party, Topics, data_directory, load_topics

INTRODUCTION = """\
# Metrics

Made by `bridge metrics docs` from `bridge/adapters/prometheus/definitions.py`; change that file, not this page.

Each service answers `GET /metrics` on `BRIDGE_MANAGEMENT_LISTEN`, beside Python's own `process_…` and `python_…`. A
label's value is always one of the set that is listed with it: what is not in it is shown as `OTHER`, so that nothing
from outside can make a series. Counters and histograms of closed sets are there with 0 from the start, so that `rate`
and `increase` see the first event; those by supplier begin with the supplier's first fault.

Gauges about journeys, tests and problems are of the partitions that the worker owns: `sum` them over the workers. The
consumer lag is of the whole group in every worker: take its `max`. Metrics of one worker cost the same to read, however
many keys its table has: they are kept up to date by each write, and counted once at a take-over.

Alerts on them are in `helm/rules/`, with a page of what to do in [runbook.md](runbook.md); dashboards are in
`helm/dashboards/`.
"""
GROUPS = (
    ("Every service", (Party.DISPATCHER, Party.INGESTER, Party.TRACKER)),
    ("Dispatcher and tracker", (Party.DISPATCHER, Party.TRACKER)),
    ("Dispatcher and ingester", (Party.DISPATCHER, Party.INGESTER)),
    ("Dispatcher", (Party.DISPATCHER,)),
    ("Tracker", (Party.TRACKER,)),
    ("Ingester", (Party.INGESTER,)),
)


def metrics_page() -> str:
    """The page, as Markdown."""
    topics = load_topics(data_directory() / "topics.yaml")
    return "\n".join((INTRODUCTION, *_groups(), *_labels(topics)))


def _groups() -> Iterator[str]:
    for title, services in GROUPS:
        yield f"## {title}"
        yield ""
        yield "| metric | type | labels | tells |"
        yield "|---|---|---|---|"
        for definition in DEFINITIONS:
            if definition.services == services:
                yield _row(definition)
        yield ""


def _row(definition: Definition) -> str:
    names = ", ".join(f"[{label.name}](#{_anchor(label)})" for label in definition.labels)
    return f"| `{definition.name}` | {definition.kind} | {names} | {definition.meaning} |"


def _labels(topics: Topics) -> Iterator[str]:
    yield "## Labels"
    yield ""
    labels = dict.fromkeys(label for definition in DEFINITIONS for label in definition.labels)
    for label in sorted(labels, key=_anchor):
        yield f"### {_title(label)}"
        yield ""
        yield _values(label, topics)
        yield ""


def _title(label: Label) -> str:
    """A label's name, and where several have it, the first metric that has this one."""
    same = {other for definition in DEFINITIONS for other in definition.labels if other.name == label.name}
    if len(same) == 1:
        return label.name
    first = next(definition for definition in DEFINITIONS if label in definition.labels)
    return f"{label.name} of {first.name.removeprefix('bridge_').removesuffix('_total')}"


def _anchor(label: Label) -> str:
    return _title(label).replace(" ", "-").replace("…", "")


def _values(label: Label, topics: Topics) -> str:
    if isinstance(label.values, tuple):
        return ", ".join(f"`{value}`" for value in label.values)
    words = f"{label.values.value[0].upper()}{label.values.value[1:]}"
    if label.values is Known.READ or label.values is Known.WRITTEN:
        per_service = (
            f"{party}: {', '.join(f'`{name}`' for name in closed_sets(topics, party)[label.values])}"
            for party in (Party.DISPATCHER, Party.INGESTER, Party.TRACKER)
            if closed_sets(topics, party)[label.values]
        )
        return f"{words}. {'; '.join(per_service)}."
    if label.values in (Known.SUPPLIERS, Known.VERSION, Known.PARTITIONS, Known.PROBLEM_TYPES):
        return f"{words}."
    return f"{words}: {', '.join(f'`{value}`' for value in closed_sets(topics, Party.INGESTER)[label.values])}."
