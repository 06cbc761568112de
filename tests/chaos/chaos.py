"""What can be done to a bridge under load; each deed waits for calls under way, and is noted in the log of faults."""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.chaos.fault_log import Fault, FaultLog, Kind
from tests.chaos.hold import Point
from tests.chaos.link import Link
from tests.chaos.provider import Provider
from tests.chaos.stage import Stage

# What makes a process busy, by service: calls to the gateway in flight, records settled, requests being handled.
IN_FLIGHT = {"dispatcher": "bridge_gateway_calls_in_flight", "ingester": "bridge_webhook_requests_in_flight"}
SETTLED = "bridge_record_seconds_count"
# The gateway takes its time, so that a fault finds calls under way.
CALLS_TAKE = {"latency_seconds": 0.2, "latency_jitter_seconds": 0.4}
BUSY_SECONDS = 60.0
LOOK_SECONDS = 0.25
# Tickets that come at once just before a process is stopped.
BURST = 60
# What a process does after it woke up: what it had begun ends, or its writer finds that it was fenced.
WAKING_SECONDS = 2.0
# A jump of the clock is seen in what the bridge publishes, to this precision.
CLOCK_SECONDS = 120.0
# What the ledger calls the commands of the journeys.
OPERATIONS = {
    "RUN_TEST": "tests",
    "RAISE_PROBLEM": "problems",
    "AMEND_PROBLEM": "amendments",
    "CANCEL_PROBLEM": "cancellations",
    "ANSWER_RESOLUTION": "resolutions",
}

log = logging.getLogger(__name__)


class NotMet(Exception):
    """A fault was to meet something, calls under way for instance, and there was none in time."""


class Chaos:
    """A scenario under way, as its `act` sees it."""

    def __init__(
        self, stage: Stage, provider: Provider, rng: random.Random, *, scale: float, all_reported: Callable[[], bool]
    ) -> None:
        """`all_reported` says whether the load is through, but for what goes on until the faults are."""
        self.stage = stage
        self.provider = provider
        self.rng = rng
        self.scale = scale
        self.faults = FaultLog()
        self._all_reported = all_reported

    @property
    def all_reported(self) -> bool:
        """Whether as many tickets as were wanted have been reported."""
        return self._all_reported()

    def pause(self, least: float, most: float) -> None:
        """Let a random time pass; the seed says which."""
        time.sleep(self.rng.uniform(least, most))

    def wait_for(self, condition: Callable[[], int], least: int, what: str, most_seconds: float) -> int:
        """Return the count once there are so many; NotMet when there are not in time."""
        deadline = time.monotonic() + most_seconds
        while (count := condition()) < least:
            if time.monotonic() > deadline:
                raise self._not_met(f"{count} of {least} in {most_seconds:g} s: {what}")
            time.sleep(LOOK_SECONDS)
        return count

    def _not_met(self, what: str) -> NotMet:
        """With all that may tell why: a load that stands still is a finding, and its machines are gone afterwards."""
        return NotMet(
            f"{what}\n{self.provider.waits() or 'everything that was reported is settled'}\n{self.stage.why()}"
        )

    # -- processes

    def busy(self, name: str) -> int:
        """How much a process has under way now."""
        service = name.partition("-")[0]
        if service in IN_FLIGHT:
            return int(self.stage.metric(name, IN_FLIGHT[service]))
        before = self.stage.metric(name, SETTLED)
        time.sleep(0.1)
        return int(self.stage.metric(name, SETTLED) - before)

    def busy_one(self, service: str, least: int = 1) -> tuple[str, int]:
        """A process of the service with so much under way at least, chosen by chance among those that run."""
        deadline = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < deadline:
            names = [name for name in self.stage.names(service) if self.stage.children[name].running]
            self.rng.shuffle(names)
            for name in names:
                if (met := self.busy(name)) >= least:
                    return name, met
        raise self._not_met(f"no {service} had {least} under way in {BUSY_SECONDS:g} s")

    def kill(self, service: str, least: int = 1) -> Fault:
        """Kill -9 a busy process; the supervisor starts it again."""
        return self.strike(*self.busy_one(service, least))

    def strike(self, name: str, met: int) -> Fault:
        """Kill -9 this process; the supervisor starts it again."""
        self.stage.killed.add(name)
        self.stage.kill(name)
        log.info("killed %s with %d under way", name, met)
        return self.faults.struck(Kind.KILL, name, met=met)

    def freeze(self, service: str, seconds: float, *, least: int = 1) -> Fault:
        """
        SIGSTOP a busy process for longer than its session, with more before it than it has begun, then let it go on.
        """
        self.burst()
        name, met = self.busy_one(service, least)
        log.info("freeze %s with %d under way", name, met)
        with self.faults.lasting(Kind.FREEZE, name, met=met) as fault:
            self.stage.children[name].suspend()
            time.sleep(seconds)
            self.stage.children[name].resume()
            time.sleep(WAKING_SECONDS)
        return fault

    def hold_and_freeze(self, point: Point, seconds: float, *, least: int) -> Fault:
        """
        Hold the calls of a dispatcher at a point, SIGSTOP it for so long, then let it go on. It must be one that can be
        held. If its calls stand before their intents, it sleeps until others have made `least` of them.
        """
        hold = self.stage.hold_of_calls
        name = self.rng.choice(self.stage.names("dispatcher"))
        hold.put(name, point)
        self.burst()
        self.wait_for(lambda: len(hold.held()), least, f"calls that {name} holds {point}", BUSY_SECONDS)
        with self.faults.lasting(Kind.FREEZE, f"{name} held {point}") as fault:
            self.stage.children[name].suspend()
            time.sleep(0.1)
            held = hold.held()
            fault.met = len(held)
            log.info("freeze %s with %d calls held %s", name, fault.met, point)
            # A second test or raise of a ticket cannot be told from its first.
            fresh = held - self._taken()
            time.sleep(seconds)
            if point is Point.BEFORE_THE_INTENT:
                what = f"calls of {name}, which sleeps, that others made"
                self.wait_for(lambda: len(fresh & self._taken()), min(least, len(fresh)), what, BUSY_SECONDS)
            hold.lift()
            self.stage.children[name].resume()
            time.sleep(WAKING_SECONDS)
        return fault

    def _taken(self) -> set[tuple[str, str]]:
        """The conversation and the command of everything that the gateway accepted."""
        commands = {operation: command for command, operation in OPERATIONS.items()}
        return {
            (each["conversation_id"], commands[each["operation"]])
            for each in self.stage.gateway.entries()
            if each["accepted"] and each["operation"] in commands
        }

    def burst(self) -> None:
        """Tickets that come at once."""
        for _ in range(BURST):
            self.provider.report()

    def restart(self, name: str) -> Fault:
        """End a process as Kubernetes does and start it again."""
        with self.faults.lasting(Kind.TERM, name, met=self.busy(name)) as fault:
            self._end(name)
            self.stage.release(name)
            self.stage.wait_all_ready()
        return fault

    def add(self, service: str) -> str:
        """Start one more replica, and return its name when it takes part."""
        name = f"{service}-{len([each for each in self.stage.children if each.startswith(service)]) + 1}"
        self.stage.begin(service, name=name)
        self.stage.wait_all_ready()
        return name

    def remove(self, name: str) -> Fault:
        """End a replica in order, for good."""
        with self.faults.lasting(Kind.TERM, name, met=self.busy(name)) as fault:
            self._end(name)
        return fault

    def _end(self, name: str) -> None:
        self.stage.hold(name)
        code = self.stage.terminate(name)
        assert code == 0, f"{name} ended with {code} on SIGTERM:\n{self.stage.why()}"

    # -- brokers, links, clocks

    @contextmanager
    def broker_away(self, *nodes: int, kill: bool) -> Iterator[None]:
        """Brokers that are killed, or stopped in order, for as long as the block lasts, and a while to come back."""
        kafka = self.stage.broker
        _, met = self.busy_one("dispatcher")
        with self.faults.lasting(Kind.BROKER, f"brokers {nodes}", met=met):
            for node in nodes:
                (kafka.kill if kill else kafka.stop_broker)(node)
            log.info("brokers %s are away, %d calls under way", nodes, met)
            yield
            with ThreadPoolExecutor(len(nodes)) as pool:
                list(pool.map(kafka.start_broker, nodes))
            log.info("brokers %s are back", nodes)
            self.stage.wait_all_ready(seconds=120.0)

    @contextmanager
    def link(self, kind: Kind, link: Link, how: str, seconds: float = 0.0) -> Iterator[None]:
        """A link that is cut, stalled or slow for as long as the block lasts."""
        _, met = self.busy_one("dispatcher" if link is self.stage.to_gateway else "ingester")
        with self.faults.lasting(kind, f"{link.name} {how}", met=met):
            link.disturb(how, seconds)
            yield
            link.mend()

    @contextmanager
    def broker_links(self, services: Sequence[str], how: str, seconds: float = 0.0) -> Iterator[None]:
        """The ways of services to Kafka, cut, stalled or slow for as long as the block lasts."""
        _, met = self.busy_one(services[0])
        links = [self.stage.to_broker[service] for service in services]
        with self.faults.lasting(Kind.BROKER, f"{', '.join(services)} to Kafka {how}", met=met):
            for link in links:
                link.disturb(how, seconds)
            yield
            for link in links:
                link.mend()

    def jump(self, seconds: float, *, refused: bool = False) -> Fault:
        """
        Set the clock of the processes that have one of their own so far ahead of the machine's, and return when it is
        seen in what they publish; `refused`: when Kafka has refused what they wrote, and they have ended for that.
        """
        crashes = self.stage.crashes.total()
        fault = self.faults.struck(Kind.REFUSED if refused else Kind.CLOCK, f"clock {seconds:+g} s")
        self.stage.clock.write_text(str(seconds))
        log.info("the clocks are %+g s ahead", seconds)
        if refused:
            self.wait_for(lambda: self.stage.crashes.total() - crashes, 1, "processes that Kafka refused", BUSY_SECONDS)
        else:
            self.wait_for(
                lambda: abs(self.provider.clock_ahead - seconds) < CLOCK_SECONDS,
                1,
                "the jump is not seen",
                BUSY_SECONDS,
            )
        return fault

    # -- the gateway

    def wait_struck(self, times: int, most_seconds: float) -> None:
        """Return when each of the rules of the weather has struck so often; NotMet when they do not in time."""
        self.wait_for(lambda: min(self.stage.struck()), times, "how often the weather struck", most_seconds)

    def wait_unanswered(self, operation: str, least: int, most_seconds: float) -> int:
        """Return when the gateway has taken so many of these requests and owes the answers."""

        def unanswered() -> int:
            entries = self.stage.gateway.entries(operation=operation)
            return sum(each["accepted"] and each["finished"] is None for each in entries)

        return self.wait_for(unanswered, least, f"{operation} that were taken and are not answered", most_seconds)

    def wait_doubled(self, most_seconds: float) -> None:
        """Return when the gateway has taken something twice, or the time is over: the judge says which."""
        deadline = time.monotonic() + most_seconds
        while time.monotonic() < deadline and not doubled(self.stage.gateway.entries()):
            time.sleep(LOOK_SECONDS)

    @contextmanager
    def weather(self, kind: Kind, what: str, **weather: object) -> Iterator[None]:
        """Have the simulator misbehave for as long as the block lasts."""
        with self.faults.lasting(kind, what):
            self.stage.gateway.weather(**{**CALLS_TAKE, **weather})
            yield
            self.stage.gateway.weather(**CALLS_TAKE)


def doubled(entries: list[dict[str, Any]]) -> int:
    """How many tickets have more first tests or more problems accepted than one."""
    taken = Counter(
        (each["conversation_id"], each["operation"])
        for each in entries
        if each["accepted"] and each["operation"] in ("tests", "problems")
    )
    return sum(count > 1 for count in taken.values())
