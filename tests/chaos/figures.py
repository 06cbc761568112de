"""What a run amounted to, in figures."""

from collections import Counter
from typing import Any

from bridge.domain.entities import Kci
from bridge.domain.outcomes import Basis, GatewayOutcome, Reason, Verdict
from tests.chaos.history import History
from tests.chaos.invariants import COMMANDS, SOURCES, Run, of, transitions


def figures(run: Run, *, tickets: int, decided: Counter[Any]) -> dict[str, object]:
    """The figures of a run; `tickets` were reported, and `decided` says what operators chose how often."""
    outcomes: list[GatewayOutcome] = of(run, "gateway-outcomes", GatewayOutcome)
    unknown = Counter(each.reason for each in outcomes if each.verdict is Verdict.UNKNOWN)
    doubted = {each.command_id for each in outcomes if each.verdict is Verdict.UNKNOWN}
    found = Counter(
        each.basis
        for each in outcomes
        if each.command_id in doubted and each.verdict in (Verdict.ACCEPTED, Verdict.FAILED)
    )
    return {
        "tickets": tickets,
        "events": len(run.history.topics["fault-tickets"]),
        "commands": sum(each["accepted"] and each["operation"] in COMMANDS for each in run.history.requests),
        "gets": sum(each["operation"].startswith("get_") for each in run.history.requests),
        "kcis": len(of(run, "kcis", Kci)),
        "transitions": len(transitions(run)),
        "faults": dict(Counter(str(fault.kind) for fault in run.faults.faults)),
        "met": [fault.met for fault in run.faults.faults if fault.met is not None],
        "unknown_interrupted": unknown[Reason.INTERRUPTED],
        "unknown_unanswered": sum(unknown.values()) - unknown[Reason.INTERRUPTED],
        "by_answer": found[Basis.ANSWER],
        "by_evidence": found[Basis.EVIDENCE],
        "by_operator": {str(choice): count for choice, count in decided.items()},
        "settle_p50_p99_s": settling(run.history),
        "dead_letters": len(run.history.topics["dead-letters"]),
    }


def settling(history: History) -> list[float]:
    """How long after it was written an input was settled: the median and the 99th of a hundred, in seconds."""
    written = {
        (row.topic, row.partition, row.offset): row.at
        for sources in SOURCES.values()
        for topic in sources
        for row in history.topics[topic]
    }
    waits: dict[tuple[str, int, int], float] = {}
    for table in SOURCES:
        for row in history.topics[table]:
            for topic, offset in row.value.seen.items() if row.value is not None else ():
                place = (topic, row.partition, offset)
                if place in written:
                    waits.setdefault(place, row.at - written[place])
    ordered = sorted(waits.values())
    return [round(ordered[len(ordered) * share // 100], 2) for share in (50, 99)] if ordered else []
