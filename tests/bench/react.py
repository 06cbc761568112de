"""
The case react: from the 2xx that a KCI is given to its transition on `problem-transitions`, as a consumer reads it.

Ingester and tracker run as in production; KCIs come in an open model at 50 and 200 a second, and at the highest rate
of a doubling series at which nothing piles up.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from bridge.sandbox.kafka import EmbeddedKafka
from tests.bench import gauge
from tests.bench.plan import Plan
from tests.bench.rig import BenchServices, Json, run_module, stopped_afterwards
from tests.webhook_doubles import PASSWORD, USER

RATES = (50, 200)
CONNECTIONS = 32
PROBLEMS = 1000
SERVICES = ("ingester", "tracker")
FIRST_TRIED, LAST_TRIED = 400, 6400
TRY_SECONDS = 8.0
# Held: every KCI has its transition, and half of them within this.
HELD_MS = 1000.0
HIGHEST = "highest rate held"


def run(kafka: EmbeddedKafka, plan: Plan, logs: Path) -> Iterator[Json]:
    """Each rate; the highest one is looked for anew in each repeat, since it is the machine's as well."""
    for repeat in range(1, plan.repeats + 1):
        for rate in RATES:
            about = {"case": "react", "variant": f"{rate} a second", "side": "bridge", "repeat": repeat}
            if plan.wants(about):
                yield {**about, **measure(kafka, rate, plan.seconds, logs / f"{time.time():.0f}")}
        about = {"case": "react", "variant": HIGHEST, "side": "bridge", "repeat": repeat}
        if plan.wants(about):
            rate = highest(kafka, logs / f"{time.time():.0f}")
            yield {**about, **measure(kafka, rate, plan.seconds, logs / f"{time.time():.0f}")}


def highest(kafka: EmbeddedKafka, logs: Path) -> int:
    """The last rate of the series that is held."""
    held, rate = FIRST_TRIED // 2, FIRST_TRIED
    while rate <= LAST_TRIED:
        told = measure(kafka, rate, TRY_SECONDS, logs)
        if not is_held(told):
            break
        held, rate = rate, rate * 2
    return held


def is_held(told: Json) -> bool:
    """Whether a rate did not pile up."""
    every = told["accepted"] == told["transitions"] == round(told["offered"] * told["seconds"])
    return bool(every and told["reaction_ms"].get("p50", HELD_MS) < HELD_MS)


def measure(kafka: EmbeddedKafka, rate: float, seconds: float, logs: Path) -> Json:
    """One rate for so many seconds, after a warm-up."""
    settings = {"BRIDGE_WEBHOOK_USERNAME": USER, "BRIDGE_WEBHOOK_PASSWORD": PASSWORD}
    services = BenchServices(kafka, logs, settings=settings)
    with stopped_afterwards(services):
        services.make_topics()
        for service in SERVICES:
            services.begin(service)
        for service in SERVICES:
            services.wait_ready(service)
        port = services.port("webhook")
        transitions = (services.bootstrap_servers, f"{services.prefix}problem-transitions")
        # Other problems than the measured ones, which would be found to be in their status already.
        run_module("tests.bench.deliveries", port, min(rate, 200), 3, CONNECTIONS, PROBLEMS, 1, *transitions)
        pids = {**{service: services.pids(service) for service in SERVICES}, "broker": [kafka.pid(1)]}
        begin = gauge.read(pids)
        load = (port, rate, seconds, CONNECTIONS, PROBLEMS, 1 + PROBLEMS, *transitions)
        told: Json = json.loads(run_module("tests.bench.deliveries", *load))
        end = gauge.read(pids)
        rss = {service: sum(map(gauge.peak_rss_mib, pids[service])) for service in SERVICES}
    names = ("answered", "accepted", "statuses", "rate", "latency_ms", "transitions", "reaction_ms")
    return {
        **gauge.circumstances(),
        "offered": rate,
        "seconds": seconds,
        **{name: told[name] for name in names},
        "cpu_ms_each": {name: round(1000 * end.since(begin, name) / told["answered"], 3) for name in pids},
        "rss_mib": rss,
        "lost": told["accepted"] - told["transitions"],
    }
