"""
Measures the bridge beside its rivals: `make bench`, or `make bench CASE=deliver`.

Each run adds one JSON line to docs/evidence/bench/CASE.jsonl; docs/benchmarks.md is made of them.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bridge.sandbox.kafka import EmbeddedKafka
from tests.bench import deliver, grow, ingest, journey, latency, micro, react, takeover
from tests.bench.gauge import ROOT
from tests.bench.plan import EVIDENCE, Plan, identity, lines
from tests.bench.rig import Json
from tests.kafka_broker import fresh_kafka

CASES: dict[str, Callable[[EmbeddedKafka, Plan, Path], Iterator[Json]]] = {
    "deliver": deliver.run,
    "latency": latency.run,
    "ingest": ingest.run,
    "journey": journey.run,
    "react": react.run,
    "takeover": takeover.run,
    "grow": grow.run,
    "micro": micro.run,
}
FULL_SECONDS, FULL_REPEATS = 60.0, 3


def main(arguments: list[str]) -> int:
    """Run the cases that are named, or all."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.partition("\n\n")[0])
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], metavar="CASE", help=f"of {', '.join(CASES)}; all")
    parser.add_argument("--seconds", type=float, default=FULL_SECONDS, help="of each side, after its warm-up")
    parser.add_argument("--repeats", type=int, default=FULL_REPEATS)
    parser.add_argument(
        "--only", action="append", default=[], help="a word of the variant or the side; may be repeated"
    )
    parser.add_argument("--resume", action="store_true", help="leave out what the evidence has already")
    parser.add_argument("--evidence", type=Path, default=EVIDENCE, help="where the JSON lines go")
    chosen = parser.parse_args(arguments)
    chosen.evidence.mkdir(parents=True, exist_ok=True)
    for name in chosen.cases or CASES:
        file = chosen.evidence / f"{name}.jsonl"
        done = frozenset(map(identity, lines([file]))) if chosen.resume and file.exists() else frozenset()
        plan = Plan(chosen.seconds, chosen.repeats, tuple(chosen.only), done)
        with fresh_kafka(ROOT) as kafka, tempfile.TemporaryDirectory(prefix="bench-") as logs:
            for figures in CASES[name](kafka, plan, Path(logs)):
                line = json.dumps(figures)
                print(line, flush=True)  # noqa: T201  # what was asked for
                with file.open("a") as evidence:
                    evidence.write(line + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
