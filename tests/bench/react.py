"""
The case react: from the 2xx that a KCI is given to its transition on `problem-transitions`, as a consumer reads it.

Ingester and tracker run as in production; KCIs come in an open model at 50 and 200 a second, and at the highest rate
of a doubling series at which nothing piles up.
"""

import json
from functools import partial

from tests.bench import gauge
from tests.bench.plan import Bench, Json, Planned
from tests.bench.rig import BenchServices, run_module, stopped_afterwards
from tests.webhook_doubles import PASSWORD, USER

RATES = (50.0, 200.0)
CONNECTIONS = 32
PROBLEMS = 1000
SERVICES = ("ingester", "tracker")
FIRST_TRIED, LAST_TRIED = 400.0, 6400.0
TRY_SECONDS = 8.0
# Held: every KCI has its transition, and half of them within this.
HELD_MS = 1000.0


def measure_highest(bench: Bench) -> Json:
    """The highest rate held; looked for anew each time, since it is the machine's as well."""
    return measure(highest(bench), bench)


def highest(bench: Bench) -> float:
    """The last rate of the series that is held."""
    held, rate = FIRST_TRIED / 2, FIRST_TRIED
    while rate <= LAST_TRIED:
        told = measure(rate, Bench(bench.kafka, TRY_SECONDS, bench.logs / f"{rate:g}"))
        if not is_held(told):
            break
        held, rate = rate, rate * 2
    return held


def is_held(told: Json) -> bool:
    """Whether a rate did not pile up."""
    every = told["accepted"] == told["transitions"] == round(told["offered"] * told["seconds"])
    return bool(every and told["reaction_ms"].get("p50", HELD_MS) < HELD_MS)


def measure(rate: float, bench: Bench) -> Json:
    """One rate for so many seconds, after a warm-up."""
    kafka, seconds, logs = bench.kafka, bench.seconds, bench.logs
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
        "offered": rate,
        "seconds": seconds,
        **{name: told[name] for name in names},
        "cpu_ms_each": {name: round(1000 * end.since(begin, name) / told["answered"], 3) for name in pids},
        "rss_mib": rss,
        "lost": told["accepted"] - told["transitions"],
    }


RUNS = (
    *(Planned(f"{rate:g} a second", "bridge", partial(measure, rate)) for rate in RATES),
    Planned("highest rate held", "bridge", measure_highest),
)
