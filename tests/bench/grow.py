"""
The case grow: what a dispatcher costs that knows a thousand, ten thousand, a hundred thousand, a million tickets.

The same commands for the same thousand tickets each time; only how many others are known differs. Their journeys are
written by the product's own table (`seed.py`), so the start is a real restart.
"""

import asyncio
import time
from functools import partial

from bridge.sandbox.kafka import EmbeddedKafka
from tests.bench import gauge
from tests.bench.commands import round_robin
from tests.bench.contest import Variant
from tests.bench.deliver import NO_SUBSTITUTE, dispatcher_services
from tests.bench.plan import Bench, Json, Planned
from tests.bench.rig import Sink, publish, run_module, running_sink, stopped_afterwards
from tests.integration.topic_watch import CODEC

KNOWN = (1_000, 10_000, 100_000, 1_000_000)
ACTIVE = 1_000
VARIANT = Variant(api_ms=20, in_flight=100)
ROUNDS_A_SECOND = 0.5
START_SECONDS = 900.0
LOOK_SECONDS = 0.1
STUCK_SECONDS = 60.0
TABLE = "dispatcher-journeys"


def measure(known: int, bench: Bench) -> Json:
    """One size: start on what is there, then the commands."""
    kafka, logs = bench.kafka, bench.logs
    rounds = max(3, int(bench.seconds * ROUNDS_A_SECOND))
    with running_sink(logs, VARIANT.api_ms / 1000) as sink:
        services = dispatcher_services(kafka, VARIANT, sink, logs, NO_SUBSTITUTE)
        with stopped_afterwards(services):
            services.make_topics()
            place = (services.bootstrap_servers, services.prefix)
            run_module("tests.bench.seed", *place, known)
            size = topic_bytes(kafka, services.prefix + TABLE)
            started = time.monotonic()
            services.begin("dispatcher")
            services.children["dispatcher"].wait_ready(START_SECONDS)
            ready = time.monotonic() - started
            pids = {"workers": services.pids("dispatcher"), "broker": [kafka.pid(1)]}
            started_cpu = gauge.read(pids).cpu["workers"]
            _deliver(services.bootstrap_servers, services.prefix, range(1))
            _wait(sink, ACTIVE)
            rss = sum(map(gauge.rss_mib, pids["workers"]))
            begin = gauge.read(pids)
            _deliver(services.bootstrap_servers, services.prefix, range(1, 1 + rounds))
            _wait(sink, ACTIVE * (1 + rounds))
            end = gauge.read(pids)
            counts = sink.counts()
    calls = ACTIVE * rounds
    return {
        "known": known,
        "calls": calls,
        "cpu_ms_per_call": round(1000 * end.since(begin, "workers") / calls, 4),
        "broker_ms_per_call": round(1000 * end.since(begin, "broker") / calls, 4),
        "rate": round(calls / (end.at - begin.at), 1),
        "ready_after_seconds": round(ready, 2),
        "cpu_seconds_to_start": round(started_cpu, 2),
        "rss_mib": rss,
        "table_bytes_per_ticket": round(size / known),
        **{name: counts[name] for name in ("violations", "overlaps", "duplicates")},
        "lost": counts["gaps"],
    }


def topic_bytes(kafka: EmbeddedKafka, topic: str) -> int:
    """The size of a topic's log segments on the broker's disk."""
    data = kafka.places[0].directory / "data"
    return sum(segment.stat().st_size for segment in data.glob(f"{topic}-[0-9]*/*.log"))


def _deliver(bootstrap_servers: str, prefix: str, numbers: range) -> None:
    commands = round_robin(ACTIVE, len(numbers), numbers.start)
    records = ((each.key, CODEC.encode("fault-tickets", each.event())) for each in commands)
    asyncio.run(publish(bootstrap_servers, f"{prefix}fault-tickets", records))


def _wait(sink: Sink, calls: int) -> None:
    answered, moved = -1, time.monotonic()
    while (counts := sink.counts())["answered"] < calls:
        if counts["answered"] != answered:
            answered, moved = counts["answered"], time.monotonic()
        assert time.monotonic() < moved + STUCK_SECONDS, f"nothing more was delivered after {answered} of {calls}"
        time.sleep(LOOK_SECONDS)


RUNS = tuple(Planned(f"{known:,} tickets known", "bridge", partial(measure, known)) for known in KNOWN)
