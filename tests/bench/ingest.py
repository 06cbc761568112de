"""
The case ingest: a KCI is delivered, authenticated, validated, encoded and acknowledged by Kafka before its answer.

First every side is driven as hard as it goes (how many for a CPU second, and where its knee is); then ours alone at
70 % of its knee in an open model, which is where a latency means something.
"""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.ports import free_port
from bridge.sandbox.processes import Fleet, Program
from tests.bench import gauge
from tests.bench.plan import Bench, Json, Planned
from tests.bench.rig import BenchServices, delete_topics, run_module, stopped_afterwards
from tests.bench.rivals import install
from tests.bench.rivals.sides import PREFIX, make_topic
from tests.bench.seed import PARTITIONS
from tests.webhook_doubles import PASSWORD, USER

CONNECTIONS = 32
PROBLEMS = 1000
SHARE_OF_KNEE = 0.7
KNEE_SECONDS = 15.0
START_SECONDS = 30.0
TOPIC = f"{PREFIX}kcis"
HERE = Path(__file__).parent
BYTES_ONLY = "neither authenticates nor validates nor encodes: the bytes as they come"


@dataclass(frozen=True)
class Taken:
    """Who takes the deliveries, and where."""

    port: int
    pids: list[int]


@dataclass(frozen=True)
class Side:
    """One who takes KCIs."""

    name: str
    taking: Callable[[EmbeddedKafka, Path], Iterator[Taken]]
    install: Callable[[], object] = tuple
    lacks: str = ""


def _ours(kafka: EmbeddedKafka, logs: Path) -> Iterator[Taken]:
    settings = {"BRIDGE_WEBHOOK_USERNAME": USER, "BRIDGE_WEBHOOK_PASSWORD": PASSWORD}
    services = BenchServices(kafka, logs, settings=settings)
    with stopped_afterwards(services):
        services.make_topics()
        services.begin("ingester")
        services.wait_ready("ingester")
        yield Taken(services.port("webhook"), services.pids("ingester"))


def _rival(
    command: Callable[[int, str], tuple[tuple[str, ...], dict[str, str]]],
) -> Callable[[EmbeddedKafka, Path], Iterator[Taken]]:
    def taking(kafka: EmbeddedKafka, logs: Path) -> Iterator[Taken]:
        asyncio.run(make_topic(kafka, TOPIC))
        port, fleet = free_port(), Fleet(grace_seconds=1)
        logs.mkdir(parents=True, exist_ok=True)
        try:
            arguments, environment = command(port, kafka.bootstrap_servers)
            child = fleet.start(Program("rival", arguments, logs / "rival.log", environment))
            child.wait_until(lambda: _takes(port), "take deliveries", START_SECONDS)
            yield Taken(port, [child.pid])
        finally:
            for child in fleet.children:
                child.kill()
            asyncio.run(delete_topics(kafka.bootstrap_servers, PREFIX))

    return taking


def _takes(port: int) -> bool:
    told = json.loads(run_module("tests.bench.deliveries", port, 0, 0.2, 1, 1, 1)) if _listens(port) else {}
    return bool(told.get("accepted"))


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _connect(port: int, bootstrap: str) -> tuple[tuple[str, ...], dict[str, str]]:
    settings = HERE / "rivals" / "connect" / "ingest.yaml"
    environment = {"BOOTSTRAP": bootstrap, "TOPIC": TOPIC, "PORT": str(port)}
    return (*install.redpanda_connect(), str(settings)), environment


def _mq_bridge(port: int, bootstrap: str) -> tuple[tuple[str, ...], dict[str, str]]:
    program = HERE / "rivals" / "mq_bridge_ingest.py"
    return (*install.mq_bridge(), str(program), str(port), bootstrap, TOPIC, str(PARTITIONS)), {}


OURS = Side("bridge", _ours)
SIDES = (
    OURS,
    Side("Redpanda Connect", _rival(_connect), install.redpanda_connect, BYTES_ONLY),
    Side("mq-bridge", _rival(_mq_bridge), install.mq_bridge, BYTES_ONLY),
)


def measure_at_70(bench: Bench) -> Json:
    """Ours at a share of a knee that is looked for right before."""
    knee = measure(OURS, 0.0, Bench(bench.kafka, min(bench.seconds, KNEE_SECONDS), bench.logs / "knee"))["rate"]
    return measure(OURS, SHARE_OF_KNEE * float(knee), bench)


def measure(side: Side, rate: float, bench: Bench) -> Json:
    """One side for so many seconds, after a warm-up; a rate of 0 is as hard as it goes."""
    kafka, seconds, logs = bench.kafka, bench.seconds, bench.logs
    with contextmanager(side.taking)(kafka, logs) as taken:
        run_module("tests.bench.deliveries", taken.port, rate, max(3.0, seconds / 4), CONNECTIONS, PROBLEMS, 1)
        pids = {"workers": taken.pids, "broker": [kafka.pid(1)]}
        begin = gauge.read(pids)
        told: Json = json.loads(
            run_module("tests.bench.deliveries", taken.port, rate, seconds, CONNECTIONS, PROBLEMS, 1 + PROBLEMS)
        )
        end = gauge.read(pids)
        rss = sum(map(gauge.peak_rss_mib, taken.pids))
    cpu = end.since(begin, "workers")
    return {
        "offered": round(rate, 1) or None,
        "seconds": seconds,
        **{
            name: told[name]
            for name in ("answered", "accepted", "statuses", "broken_connections", "rate", "latency_ms")
        },
        "cpu_seconds": round(cpu, 2),
        "per_cpu_second": round(told["accepted"] / cpu, 1) if cpu else None,
        "broker_ms_each": round(1000 * end.since(begin, "broker") / told["accepted"], 4) if told["accepted"] else None,
        "rss_mib": rss,
        "lacks": side.lacks,
    }


RUNS = (
    *(Planned(f"{CONNECTIONS} connections", side.name, partial(measure, side, 0.0), side.install) for side in SIDES),
    Planned("70 % of the knee", OURS.name, measure_at_70),
)
