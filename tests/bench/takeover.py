"""
The case takeover: kill -9 of a dispatcher that knows 100,000 open journeys, with commands coming in all the time.

Three variants: it is started again; a second worker that was there takes over; a second worker joins and is given half
of the tickets. What counts is how long no call is made, beyond the session time-out that Kafka waits for. In the first
one Parallel Consumer is measured too, which has no state to read and repeats what was under way.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.bench import gauge
from tests.bench.contest import Stage, Variant
from tests.bench.deliver import NO_SUBSTITUTE, dispatcher_services
from tests.bench.plan import Bench, Json, Planned
from tests.bench.rig import BenchServices, Sink, run_module, running_sink, stopped_afterwards
from tests.bench.rivals.sides import PARALLEL_CONSUMER

TICKETS = 100_000
RATE = 100.0
SESSION_SECONDS = 6.0
VARIANT = Variant(api_ms=20, in_flight=100)
BEFORE_SECONDS = 8.0
AFTER_SECONDS = 30.0
LOOK_SECONDS = 0.02
DRAIN_SECONDS = 60.0
RESTARTED, TAKEN_OVER, JOINED = "killed and restarted", "killed beside a second worker", "a second worker joins"


@dataclass
class Progress:
    """When the sink had how many calls; looked at often, by a thread of its own."""

    sink: Sink
    seen: list[tuple[float, int]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def watched(self) -> Iterator[None]:
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            self._over.set()
            watcher.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            counts = self.sink.counts()
            self.seen.append((counts["now"], counts["received"]))

    def longest_pause(self, since: float) -> float:
        """The longest time without a call after a moment."""
        longest, moved, count = 0.0, since, None
        for at, received in self.seen:
            if at < since:
                continue
            if count is not None and received > count:
                longest, moved = max(longest, at - moved), at
            count = received
        return longest


def measure(variant: str, bench: Bench) -> Json:
    """One variant."""
    kafka, logs = bench.kafka, bench.logs
    with running_sink(logs, VARIANT.api_ms / 1000) as sink:
        services = dispatcher_services(kafka, VARIANT, sink, logs, NO_SUBSTITUTE)
        with stopped_afterwards(services):
            services.make_topics()
            place = (services.bootstrap_servers, services.prefix)
            run_module("tests.bench.seed", *place, TICKETS)
            started = time.monotonic()
            for name in ("dispatcher-1", "dispatcher-2") if variant == TAKEN_OVER else ("dispatcher-1",):
                services.begin("dispatcher", name=name)
            for name in list(services.children):
                services.wait_ready(name)
            ready = time.monotonic() - started
            seconds = BEFORE_SECONDS + AFTER_SECONDS
            command = ("-m", "tests.bench.orders", *place, str(TICKETS), str(RATE), str(seconds), "0")
            with (
                services.supervised() as ended,
                subprocess.Popen((sys.executable, *command), cwd=gauge.ROOT, stdout=subprocess.DEVNULL) as orders,
            ):
                time.sleep(BEFORE_SECONDS)
                sink.forget_latencies()
                STRIKES[variant](services)
                orders.wait()
                _drained(sink)
            counts = sink.counts(latencies=True)
            rss = max(gauge.peak_rss_mib(child.pid) for child in services.children.values())
    assert counts["arrived_after"], "nothing was delivered any more"
    # The command that was meant to be sent right after the kill waits longest; the worker beside has others to send.
    pause = counts["arrived_after"]["worst"] / 1000
    waits = SESSION_SECONDS if variant != JOINED else 0.0
    return {
        "tickets": TICKETS,
        "offered": RATE,
        "session_seconds": SESSION_SECONDS,
        "ready_after_seconds": round(ready, 2),
        "longest_pause_seconds": round(pause, 2),
        "pause_beyond_session_seconds": round(pause - waits, 2),
        # Beside the one that was killed: ended by itself, and started again.
        "restarts": len(ended) - (variant == RESTARTED),
        "rss_mib": rss,
        "commands": int(RATE * seconds),
        **{name: counts[name] for name in ("unique", "duplicates", "violations", "overlaps")},
        # Those in flight at the kill are UNKNOWN, and hold their tickets until a person has decided.
        "not_delivered": int(RATE * seconds) - counts["unique"],
    }


def _drained(sink: Sink) -> None:
    """Return when nothing more is delivered: what is left is held, and not merely late."""
    deadline = time.monotonic() + DRAIN_SECONDS
    received, moved = -1, time.monotonic()
    while time.monotonic() < min(deadline, moved + SESSION_SECONDS):
        time.sleep(LOOK_SECONDS)
        if (now := sink.counts()["received"]) != received:
            received, moved = now, time.monotonic()


def _kill(services: BenchServices) -> None:
    services.kill("dispatcher-1")


def _kill_for_good(services: BenchServices) -> None:
    services.gone.add("dispatcher-1")
    services.kill("dispatcher-1")


def _join(services: BenchServices) -> None:
    services.begin("dispatcher", name="dispatcher-2")
    services.wait_ready("dispatcher-2")


STRIKES: dict[str, Callable[[BenchServices], None]] = {
    RESTARTED: _kill,
    TAKEN_OVER: _kill_for_good,
    JOINED: _join,
}


def measure_rival(bench: Bench) -> Json:
    """Parallel Consumer on a backlog, killed in the middle and started again."""
    kafka, logs, commands = bench.kafka, bench.logs, 20_000
    with running_sink(logs, VARIANT.api_ms / 1000) as sink:
        stage = Stage(kafka, VARIANT, sink, commands, logs)
        with contextmanager(PARALLEL_CONSUMER.delivering)(stage) as running:
            while sink.counts()["received"] < commands // 4:
                time.sleep(LOOK_SECONDS)
            progress = Progress(sink)
            with progress.watched():
                struck = time.monotonic()
                running.restart()
                deadline = struck + SESSION_SECONDS + AFTER_SECONDS
                while sink.counts()["unique"] < commands and time.monotonic() < deadline:
                    time.sleep(0.2)
            pause = progress.longest_pause(struck)
            counts = sink.counts()
            rss = sum(map(gauge.peak_rss_mib, running.pids()))
    return {
        "session_seconds": SESSION_SECONDS,
        "longest_pause_seconds": round(pause, 2),
        "pause_beyond_session_seconds": round(pause - SESSION_SECONDS, 2),
        "rss_mib": rss,
        "commands": commands,
        **{name: counts[name] for name in ("unique", "duplicates", "violations", "overlaps")},
        "not_delivered": commands - counts["unique"],
        "lacks": PARALLEL_CONSUMER.lacks,
    }


RUNS = (
    *(Planned(variant, "bridge", partial(measure, variant)) for variant in STRIKES),
    Planned(RESTARTED, PARALLEL_CONSUMER.name, measure_rival, PARALLEL_CONSUMER.install),
)
