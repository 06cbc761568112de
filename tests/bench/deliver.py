"""
The case deliver: commands become POSTs, each ticket's in its order.

A backlog is there before a contestant starts; after a warm-up its rate and its CPU seconds are taken over a window that
ends when the time is over or the backlog is. One contestant runs at a time, on topics of its own.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType

from bridge.sandbox.kafka import EmbeddedKafka
from tests.bench import gauge
from tests.bench.commands import ROUNDS, round_robin
from tests.bench.contest import Contestant, Running, Stage, Variant
from tests.bench.plan import Bench, Json, Planned
from tests.bench.rig import BenchServices, Sink, publish, run_module, running_sink, stopped_afterwards
from tests.bench.rivals.sides import MQ_BRIDGE, PARALLEL_CONSUMER, REDPANDA_CONNECT
from tests.integration.topic_watch import CODEC

LOOK_SECONDS = 0.05
START_SECONDS = 90.0
STUCK_SECONDS = 30.0


VARIANTS = (
    Variant(20, 100),
    Variant(20, 300),
    Variant(20, 100, workers=2),
    Variant(0, 100),
    Variant(200, 100),
    Variant(200, 300),
)


def dispatcher_services(
    kafka: EmbeddedKafka, variant: Variant, sink: Sink, logs: Path, instead: Mapping[str, str]
) -> BenchServices:
    """Our dispatcher, or what takes its place, in front of a sink."""
    return BenchServices(
        kafka,
        logs,
        settings={
            "BRIDGE_GATEWAY_BASE_URL": sink.base_url,
            "BRIDGE_GATEWAY_MAX_IN_FLIGHT": str(variant.in_flight),
            "BRIDGE_GATEWAY_SUPPLIER_MAX_IN_FLIGHT": str(variant.in_flight),
        },
        instead=instead,
    )


def bridge_delivering(instead: Mapping[str, str]) -> Callable[[Stage], Iterator[Running]]:
    """Our dispatcher, or what takes its place, as a contestant."""

    def delivering(stage: Stage) -> Iterator[Running]:
        services = dispatcher_services(stage.kafka, stage.variant, stage.sink, stage.logs, instead)
        with stopped_afterwards(services):
            services.make_topics()
            tickets = stage.commands // ROUNDS
            run_module("tests.bench.seed", services.bootstrap_servers, services.prefix, tickets)
            records = ((each.key, CODEC.encode("fault-tickets", each.event())) for each in round_robin(tickets, ROUNDS))
            asyncio.run(publish(services.bootstrap_servers, f"{services.prefix}fault-tickets", records))
            names = [f"dispatcher-{number}" for number in range(1, stage.variant.workers + 1)]
            for name in names:
                services.begin("dispatcher", name=name)
            for name in names:
                services.wait_ready(name)
            yield Running(lambda: services.pids("dispatcher"), lambda: _restart(services, names))

    return delivering


NO_SUBSTITUTE: Mapping[str, str] = MappingProxyType({})
UNWRITTEN_DISPATCHER: Mapping[str, str] = MappingProxyType({"dispatcher": "tests.bench.unwritten_dispatcher"})
DURABLE = Contestant("bridge", bridge_delivering(NO_SUBSTITUTE))
UNWRITTEN = Contestant(
    "bridge without durability",
    bridge_delivering(UNWRITTEN_DISPATCHER),
    lacks="writes neither intent nor outcome; a crash sends again and forgets",
)
CONTESTANTS = (DURABLE, UNWRITTEN, PARALLEL_CONSUMER, REDPANDA_CONNECT, MQ_BRIDGE)


def measure(contestant: Contestant, variant: Variant, bench: Bench) -> Json:
    """One contestant for so many seconds after its warm-up."""
    kafka, seconds, logs = bench.kafka, bench.seconds, bench.logs
    warm_up = max(3.0, seconds / 4)
    commands = contestant.commands(variant, seconds + warm_up) // ROUNDS * ROUNDS
    with (
        running_sink(logs, variant.api_ms / 1000) as sink,
        contextmanager(contestant.delivering)(Stage(kafka, variant, sink, commands, logs)) as running,
    ):
        pids = {"workers": running.pids(), "broker": [kafka.pid(1)], "sink": [sink.child.pid]}
        _warm_up(sink, warm_up, commands // 4)
        before, begin = sink.counts(), gauge.read(pids)
        after = _watch(sink, commands, begin.at + seconds)
        end = gauge.read(pids)
        figures = {
            "api_ms": variant.api_ms,
            "in_flight": variant.in_flight,
            "workers": variant.workers,
            "rss_mib": sum(map(gauge.peak_rss_mib, pids["workers"])),
            "lacks": contestant.lacks,
            "complete": after["unique"] == commands,
        }
    calls = after["answered"] - before["answered"]
    # What the sink's clock says, since its last answer is what ends the work, not our looking.
    lasted = (after["last"] if figures["complete"] else after["now"]) - before["now"]
    cpu = end.since(begin, "workers")
    return {
        **figures,
        "seconds": round(lasted, 2),
        "calls": calls,
        "rate": round(calls / lasted, 1),
        "of_ceiling": round(calls / lasted / variant.ceiling, 3) if variant.ceiling else None,
        "cpu_seconds": round(cpu, 2),
        "calls_per_cpu_second": round(calls / cpu, 1) if cpu else None,
        "broker_ms_per_call": round(1000 * end.since(begin, "broker") / calls, 4) if calls else None,
        "sink_ms_per_call": round(1000 * end.since(begin, "sink") / calls, 4) if calls else None,
        **{name: after[name] for name in ("violations", "overlaps", "duplicates", "strange", "most_in_flight")},
        "lost": after["gaps"],
    }


def _restart(services: BenchServices, names: list[str]) -> None:
    for name in names:
        services.kill(name)
    services.restart(*names)


def _warm_up(sink: Sink, seconds: float, most: int) -> None:
    """Let it deliver for so long, but not more than a part of the backlog."""
    deadline = time.monotonic() + START_SECONDS
    while not sink.counts()["answered"]:
        assert time.monotonic() < deadline, f"nothing was delivered in {START_SECONDS:g} s"
        time.sleep(LOOK_SECONDS)
    until = time.monotonic() + seconds
    while time.monotonic() < until and sink.counts()["answered"] < most:
        time.sleep(LOOK_SECONDS)


def _watch(sink: Sink, commands: int, until: float) -> Json:
    """The counts when everything is delivered, or the time is over."""
    moved, answered = time.monotonic(), -1
    while True:
        counts = sink.counts()
        if counts["unique"] >= commands and not counts["in_flight"]:
            return counts
        now = time.monotonic()
        if now >= until:
            return counts
        if counts["answered"] != answered:
            moved, answered = now, counts["answered"]
        assert now < moved + STUCK_SECONDS, f"nothing more was delivered after {answered} of {commands} commands"
        time.sleep(LOOK_SECONDS)


RUNS = tuple(
    Planned(variant.name, contestant.name, partial(measure, contestant, variant), contestant.install)
    for variant in VARIANTS
    for contestant in CONTESTANTS
)
