"""
Measures the bridge beside its rivals: `make bench`, or `make bench CASE=deliver`.

Each run adds one JSON line to docs/evidence/bench/CASE.jsonl; docs/benchmarks.md is made of them.
"""

import argparse
import json
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

from bridge.sandbox.broker import LASTING
from bridge.sandbox.errors import SandboxError
from tests.bench import deliver, grow, ingest, journey, latency, micro, page, react, takeover
from tests.bench.gauge import ROOT, circumstances, wait_until_quiet
from tests.bench.plan import EVIDENCE, Bench, Json, Missing, Planned, identity, lines
from tests.bench.reference import reference_us
from tests.kafka_broker import fresh_kafka

CASES = {
    "deliver": deliver.RUNS,
    "latency": latency.RUNS,
    "ingest": ingest.RUNS,
    "journey": journey.RUNS,
    "react": react.RUNS,
    "takeover": takeover.RUNS,
    "grow": grow.RUNS,
    "micro": micro.RUNS,
}
FULL_REPEATS = 3
FAILED = "failed"


def main(arguments: list[str]) -> int:
    """Run the cases that are named, or all; 1 if a run failed."""
    chosen = _read(arguments)
    chosen.evidence.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in () if chosen.page else chosen.cases or CASES:
        file = chosen.evidence / f"{name}.jsonl"
        for figures in _case(name, chosen, _there(file, chosen.seconds) if chosen.resume else frozenset()):
            print(json.dumps(figures), flush=True)  # noqa: T201  # what was asked for
            if FAILED in figures:
                failed = True
                continue
            with file.open("a") as evidence:
                evidence.write(json.dumps(figures) + "\n")
    if chosen.evidence == EVIDENCE:
        page.write(EVIDENCE)
    return int(failed)


def _read(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], metavar="CASE", help=f"of {', '.join(CASES)}; all")
    parser.add_argument("--seconds", type=float, default=page.FULL_SECONDS, help="of each run, after its warm-up")
    parser.add_argument("--repeats", type=int, default=FULL_REPEATS)
    parser.add_argument("--variant", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--side", action="append", default=[], help="only this one; may be repeated")
    parser.add_argument("--resume", action="store_true", help="leave out what the evidence has, as long or longer")
    parser.add_argument("--page", action="store_true", help="measure nothing; make the page of what is there")
    parser.add_argument("--evidence", type=Path, default=EVIDENCE, help="where the JSON lines go")
    return parser.parse_args(arguments)


def _there(file: Path, seconds: float) -> frozenset[tuple[object, ...]]:
    """What was measured at least as long before."""
    found = lines([file]) if file.exists() else []
    return frozenset(identity(run) for run in found if run.get("asked_seconds", 0) >= seconds)


def _case(name: str, chosen: argparse.Namespace, there: frozenset[tuple[object, ...]]) -> Iterator[Json]:
    """
    Every run of a case, the sides in turn within each repeat; a run that fails does not keep the next from being made.
    """
    wanted = [
        (planned, about)
        for repeat in range(1, chosen.repeats + 1)
        for planned in CASES[name]
        if planned.is_one_of(chosen.variant, chosen.side)
        and identity(about := {"case": name, "variant": planned.variant, "side": planned.side, "repeat": repeat})
        not in there
    ]
    if not wanted:
        return
    with fresh_kafka(ROOT, life=LASTING) as kafka, tempfile.TemporaryDirectory(prefix="bench-") as logs:
        for number, (planned, about) in enumerate(wanted):
            yield {**about, **_made(planned, Bench(kafka, chosen.seconds, Path(logs, str(number))))}


def _made(planned: Planned, bench: Bench) -> Json:
    try:
        planned.install()
    except Missing as missing:
        return {"not_run": str(missing)}
    wait_until_quiet()
    before = {**circumstances(), "reference_us": reference_us(), "asked_seconds": bench.seconds}
    try:
        return {**before, **planned.measure(bench), "reference_us_afterwards": reference_us()}
    except (AssertionError, SandboxError, OSError) as error:
        traceback.print_exception(error)
        return {**before, FAILED: str(error)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
