"""PromQL expressions as data, and what of them is not among the metrics that the bridge has."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser as promql
import yaml

from bridge.adapters.prometheus.definitions import DEFINITIONS, Definition, Kind
from bridge.services.label_sets import closed_sets
from bridge.topics import Party, data_directory, load_topics

ROOT = Path(__file__).parents[1]
TOPICS = load_topics(data_directory() / "topics.yaml")
SUFFIXES = {Kind.COUNTER: ("",), Kind.GAUGE: ("",), Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
# Labels that a scrape puts to each series, and what prometheus_client exposes of each process.
SCRAPED = frozenset({"job", "instance", "namespace", "pod"})
PROCESS = frozenset({"process_start_time_seconds", "process_resident_memory_bytes", "process_cpu_seconds_total"})


class Selector(NamedTuple):
    """One selector of an expression: its metric, and the labels it is matched by, each with the values asked for."""

    metric: str
    matched: tuple[tuple[str, tuple[str, ...]], ...]


def rules_in(path: Path) -> list[dict[str, Any]]:
    """All rules of a file."""
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def selectors_of(expr: str) -> list[Selector]:
    """Every selector of an expression; ValueError where it is no PromQL."""
    return list(_selectors(promql.parse(expr)))


def grouped_by(expr: str) -> set[str]:
    """The labels that an expression groups, joins or leaves by."""
    lists = re.findall(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)", expr)
    return {name.strip() for each in lists for name in each.split(",") if name.strip()}


def faults_in(expr: str) -> list[str]:
    """What of an expression there is not."""
    faults = []
    selectors = selectors_of(expr)
    for metric, matched in selectors:
        labels = LABELS.get(metric)
        if labels is None:
            faults.append(f"there is no metric {metric}")
            continue
        for label, wanted in matched:
            if label not in labels:
                faults.append(f"{metric} has no label {label}")
            elif (values := labels[label]) is not None:
                faults += [f"{label} of {metric} is never {each}" for each in wanted if each not in values]
    known = {label for metric, _ in selectors for label in LABELS.get(metric, {})}
    faults += [f"{selectors[0].metric} has no label {label}" for label in grouped_by(expr) if label not in known]
    return faults


def _selectors(node: Any) -> Iterator[Selector]:
    if isinstance(node, promql.VectorSelector):
        matched = tuple((each.name, _wanted(each)) for each in node.matchers.matchers)
        yield Selector(node.name or "", matched)
    for name in ("vector_selector", "expr", "lhs", "rhs", "param"):
        child = getattr(node, name, None)
        if child is not None:
            yield from _selectors(child)
    for child in getattr(node, "args", None) or ():
        yield from _selectors(child)


def _wanted(matcher: Any) -> tuple[str, ...]:
    """The values of a matcher; of a regular expression those that it lists, and none of one that does more."""
    if "$" in matcher.value:
        return ()
    if "Re" in str(matcher.op):
        words = matcher.value.split("|")
        return tuple(words) if all(re.fullmatch(r"\w+", word) for word in words) else ()
    return (matcher.value,)


def _values(definition: Definition) -> dict[str, frozenset[str] | None]:
    """Each label of a metric with its values; None for those that are not known here."""
    values: dict[str, frozenset[str] | None] = dict.fromkeys((*SCRAPED, "le"), None)
    for label in definition.labels:
        if isinstance(label.values, tuple):
            values[label.name] = frozenset(label.values)
        else:
            sets = [closed_sets(TOPICS, Party(party)) for party in definition.services]
            known = frozenset(value for each in sets for value in each.get(label.values, ()))
            values[label.name] = known or None
    return values


RECORDED = {rule["record"]: rule["expr"] for rule in rules_in(ROOT / "helm" / "rules" / "recording.yaml")}
LABELS: dict[str, dict[str, frozenset[str] | None]] = {
    definition.name + suffix: _values(definition) for definition in DEFINITIONS for suffix in SUFFIXES[definition.kind]
}
LABELS |= {name: dict.fromkeys(SCRAPED, None) for name in PROCESS}
LABELS["ALERTS"] = dict.fromkeys((*SCRAPED, "alertname", "alertstate", "severity"), None)
# A recorded series has the labels that its expression groups by; those of the metrics beneath it say which values.
LABELS |= {
    record: {
        label: next((LABELS[each.metric][label] for each in selectors_of(expr) if label in LABELS[each.metric]), None)
        for label in grouped_by(expr) - {"le"}
    }
    for record, expr in RECORDED.items()
}
