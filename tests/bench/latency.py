"""
The case latency: what durability adds to a command's way, at a rate that leaves the machine room.

Both sides are offered the same open model. With durability a command is over when its outcome can be read; without,
when its call is answered: nothing is written then.
"""

import json
import time
from collections.abc import Mapping
from functools import partial

from tests.bench import gauge
from tests.bench.contest import Variant
from tests.bench.deliver import NO_SUBSTITUTE, UNWRITTEN_DISPATCHER, dispatcher_services
from tests.bench.plan import Bench, Json, Planned
from tests.bench.rig import run_module, running_sink, stopped_afterwards

RATE = 200.0
VARIANT = Variant(api_ms=20, in_flight=100)
TICKETS = 1000
SIDES = {"bridge": NO_SUBSTITUTE, "bridge without durability": UNWRITTEN_DISPATCHER}
QUIET_SECONDS = 1.0


def measure(instead: Mapping[str, str], bench: Bench) -> Json:
    """One side for so many seconds, after a warm-up."""
    kafka, seconds, logs = bench.kafka, bench.seconds, bench.logs
    with running_sink(logs, VARIANT.api_ms / 1000) as sink:
        services = dispatcher_services(kafka, VARIANT, sink, logs, instead)
        with stopped_afterwards(services):
            services.make_topics()
            place = (services.bootstrap_servers, services.prefix)
            run_module("tests.bench.seed", *place, TICKETS)
            services.begin("dispatcher")
            services.wait_ready("dispatcher")
            run_module("tests.bench.orders", *place, TICKETS, RATE, max(3.0, seconds / 4), 0)
            time.sleep(QUIET_SECONDS)
            sink.forget_latencies()
            before = sink.counts()["unique"]
            pids = {"workers": services.pids("dispatcher"), "broker": [kafka.pid(1)]}
            begin = gauge.read(pids)
            watch = () if instead else ("outcomes",)
            offered: Json = json.loads(run_module("tests.bench.orders", *place, TICKETS, RATE, seconds, 10_000, *watch))
            end = gauge.read(pids)
            told = sink.counts(latencies=True)
    calls = offered["commands"]
    return {
        "offered": RATE,
        "seconds": seconds,
        "calls": calls,
        "arrived_after_ms": told["arrived_after"],
        "answered_after_ms": told["answered_after"],
        "over_after_ms": told["answered_after"] if instead else offered["outcome_after"],
        "cpu_ms_per_call": round(1000 * end.since(begin, "workers") / calls, 4),
        "broker_ms_per_call": round(1000 * end.since(begin, "broker") / calls, 4),
        **{name: told[name] for name in ("violations", "overlaps", "duplicates")},
        "lost": calls - (told["unique"] - before if instead else offered["outcomes"]),
    }


RUNS = tuple(
    Planned(f"{RATE:g} a second, api {VARIANT.api_ms} ms", side, partial(measure, instead))
    for side, instead in SIDES.items()
)
