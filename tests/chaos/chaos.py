"""One scenario from its start to its judgement: load, faults with calls under way, settling, operators, invariants."""

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bridge.domain.entities import Kci
from bridge.domain.outcomes import Basis, GatewayOutcome, Reason, Verdict
from bridge.domain.signals import Choice
from bridge.sandbox.kafka import EmbeddedKafka
from tests.chaos.cluster import cluster
from tests.chaos.fault_log import Fault, FaultLog, Kind
from tests.chaos.form import Form, Result, tell
from tests.chaos.history import History, read_history
from tests.chaos.invariants import COMMANDS, SOURCES, Run, of, transitions, violations
from tests.chaos.link import Link
from tests.chaos.provider import Provider
from tests.chaos.stage import Setup, Stage

# What makes a process busy, by service: calls to the gateway in flight, records settled, requests being handled.
IN_FLIGHT = {"dispatcher": "bridge_supplier_in_flight_calls", "ingester": "bridge_webhook_in_flight_requests"}
SETTLED = "bridge_record_seconds_count"
GROUPS = {
    "dispatcher": ("fault-tickets", "journey-signals", "operator-decisions"),
    "tracker": ("kcis", "observations"),
}
# The gateway takes its time, so that a fault finds calls under way.
CALLS_TAKE = {"latency_seconds": 0.2, "latency_jitter_seconds": 0.4}
BUSY_SECONDS = 60.0
QUIET_SECONDS = 2.0
OPERATOR_ROUNDS = 6
LOOK_SECONDS = 0.5
# Tickets that come at once just before a process is stopped.
BURST = 60
LOOK_EVERY_TICKETS = 10
SAY_EVERY_SECONDS = 10.0

log = logging.getLogger(__name__)


class NotSettled(Exception):
    """Something still moves long after the last fault."""


class NotMet(Exception):
    """A fault was to meet calls under way, and there were none in time."""


@dataclass
class Scenario:
    """What happens to the bridge: `act` injects the faults while tickets come in."""

    name: str
    act: "Callable[[Chaos], None]"
    setup: Setup = field(default_factory=Setup)
    brokers: int = 1
    # Whether the bridge reaches Kafka through a link that can be cut.
    through_link: bool = False
    faults_of: Callable[[str], str] = lambda _: ""
    # Tickets a second; the load goes on at this pace until both the tickets and the faults are through.
    rate: float = 8.0
    # No more tickets than these are in the works at once.
    most_open: int = 250
    # So many come at once, at the beginning.
    backlog: int = 50
    settle_seconds: float = 300.0


class Chaos:
    """A scenario under way, as its `act` sees it."""

    def __init__(self, scenario: Scenario, stage: Stage, form: Form) -> None:
        """Nothing happens yet."""
        seed = form.seed
        self.stage = stage
        self.rng = random.Random(f"{seed}/{scenario.name}")  # noqa: S311  # chance that can be repeated is wanted
        self.faults = FaultLog()
        self.scale = form.scale
        self.provider = Provider(
            stage.broker.bootstrap_servers,
            stage.prefix,
            random.Random(f"{seed}/load"),  # noqa: S311  # as above
            faults_of=scenario.faults_of,
        )
        self.wanted = form.tickets
        self._scenario = scenario
        self._acted = threading.Event()
        self._feeder = threading.Thread(target=self._feed, name="feeder", daemon=True)

    # -- the run

    def run(self) -> Result:
        """Carry the scenario out and judge it."""
        started = time.monotonic()
        self.stage.gateway.weather(**CALLS_TAKE)
        self.provider.start()
        self._feeder.start()
        try:
            self._scenario.act(self)
        finally:
            self._acted.set()
        self._feeder.join()
        self.stage.gateway.weather()
        self.stage.wait_all_ready()
        fed = time.monotonic()
        found: dict[str, list[str]] = {"settles in time": []}
        doubts = 0
        try:
            self._settle()
            doubts = self._operators()
        except NotSettled as error:
            found["settles in time"].append(str(error))
        settled = time.monotonic()
        self.provider.stop()
        history = read_history(self.stage.broker.bootstrap_servers, self.stage.prefix, self.stage.gateway)
        run = Run(history, self.faults, frozenset(self.provider.retried))
        figures = {**self._figures(run), "doubts": doubts, "fed_s": round(fed - started), "s": round(settled - started)}
        return Result(self._scenario.name, figures, found | violations(run))

    def _feed(self) -> None:
        """Report tickets at the scenario's pace, until there are enough and the faults are through."""
        started, count = time.monotonic(), 0
        while count < self.wanted or not self._acted.is_set():
            self.provider.report()
            count += 1
            while count % LOOK_EVERY_TICKETS == 0 and len(self.provider.unsettled()) > self._scenario.most_open:
                # A slow machine gets a slower load, not an endless backlog.
                time.sleep(LOOK_SECONDS)
            paced = max(0, count - self._scenario.backlog)
            time.sleep(max(0.0, started + paced / self._scenario.rate - time.monotonic()))

    def _settle(self) -> None:
        """Return when nothing moves any more, anywhere; NotSettled with what still does."""
        deadline = time.monotonic() + self._scenario.settle_seconds
        said = time.monotonic()
        while waiting := self._waiting():
            if time.monotonic() > said + SAY_EVERY_SECONDS:
                said = time.monotonic()
                log.info("waiting: %s", waiting)
            if time.monotonic() > deadline:
                raise NotSettled(f"after {self._scenario.settle_seconds:g} s: {waiting}")
            time.sleep(LOOK_SECONDS)

    def _waiting(self) -> str:
        """What is not settled yet, or nothing."""
        provider = self.provider
        if not provider.flushed():
            return "records are not at Kafka yet"
        if unsettled := provider.unsettled():
            first = provider.journeys.get(unsettled[0])
            return f"{len(unsettled)} tickets are not settled, such as {unsettled[0]}: {first}"
        if time.monotonic() - provider.changed < QUIET_SECONDS:
            return "records still come"
        pending = sum(kci["fate"] == "PENDING" for kci in self.stage.gateway.kcis(fate="PENDING"))
        if pending:
            return f"{pending} KCIs are not delivered yet"
        false = self._false_statuses()
        if false:
            return f"{len(false)} statuses differ from the truth, such as {false[0]}"
        behind = provider.lag(GROUPS)
        return f"records are not committed: {dict(behind)}" if behind else ""

    def _false_statuses(self) -> list[str]:
        known = self.provider.statuses
        gateway = self.stage.gateway
        truth = {f"SERVICE_PROBLEM:{each['id']}": each for each in gateway.problems()} | {
            f"SERVICE_TEST:{each['id']}": each for each in gateway.tests()
        }
        return [
            f"{key} ({known.get(key)}, in truth {each['status']})"
            for key, each in truth.items()
            if each["moving"] or known.get(key) != each["status"]
        ]

    def _operators(self) -> int:
        """Settle each UNKNOWN as an operator does who asked the supplier; return how many there were at first."""
        first: int | None = None
        for _ in range(OPERATOR_ROUNDS):
            doubts = self.provider.in_doubt()
            first = len(doubts) if first is None else first
            if not doubts:
                return first
            history = read_history(self.stage.broker.bootstrap_servers, self.stage.prefix, self.stage.gateway)
            intents = history.intents()
            taken = {
                intents[each["request_id"]].command_id: each["entity_id"]
                for each in history.requests
                if each["accepted"] and each["request_id"] in intents
            }
            for journey in doubts:
                assert journey.pending is not None
                entity_id = taken.get(journey.pending.command_id)
                choice = Choice.RETRY if entity_id is None else Choice.ACCEPTED
                self.provider.decide(journey, choice, None if entity_id is None else str(entity_id))
            self._settle_decisions({each.ticket_id: each for each in doubts})
            self._settle()
        raise NotSettled(f"still in doubt after {OPERATOR_ROUNDS} rounds: {self.provider.in_doubt()}")

    def _settle_decisions(self, decided: Mapping[str, object]) -> None:
        """Return when each decision changed its journey."""
        deadline = time.monotonic() + self._scenario.settle_seconds
        while any(self.provider.journeys[ticket] is journey for ticket, journey in decided.items()):
            if time.monotonic() > deadline:
                raise NotSettled("decisions were not taken up")
            time.sleep(LOOK_SECONDS)

    def _figures(self, run: Run) -> dict[str, object]:
        outcomes: list[GatewayOutcome] = of(run, "gateway-outcomes", GatewayOutcome)
        unknown = Counter(each.reason for each in outcomes if each.verdict is Verdict.UNKNOWN)
        doubted = {each.command_id for each in outcomes if each.verdict is Verdict.UNKNOWN}
        found = Counter(
            each.basis
            for each in outcomes
            if each.command_id in doubted and each.verdict in (Verdict.ACCEPTED, Verdict.FAILED)
        )
        accepted = sum(each["accepted"] and each["operation"] in COMMANDS for each in run.history.requests)
        met = [fault.met for fault in self.faults.faults if fault.met is not None]
        return {
            "tickets": len(self.provider.tickets),
            "events": len(run.history.topics["fault-tickets"]),
            "commands": accepted,
            "gets": sum(each["operation"].startswith("get_") for each in run.history.requests),
            "kcis": len(of(run, "kcis", Kci)),
            "transitions": len(transitions(run)),
            "faults": dict(Counter(str(fault.kind) for fault in self.faults.faults)),
            "met": met,
            "unknown_interrupted": unknown[Reason.INTERRUPTED],
            "unknown_unanswered": sum(unknown.values()) - unknown[Reason.INTERRUPTED],
            "by_answer": found[Basis.ANSWER],
            "by_evidence": found[Basis.EVIDENCE],
            "by_operator": dict(self.provider.decided),
            "settle_p50_p99_s": settling(run.history),
            "dead_letters": len(run.history.topics["dead-letters"]),
            "crashes": dict(self.stage.crashes),
        }

    # -- faults

    def pause(self, least: float, most: float) -> None:
        """Let a random time pass; the seed says which."""
        time.sleep(self.rng.uniform(least, most))

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
        raise NotMet(f"no {service} had {least} under way in {BUSY_SECONDS:g} s\n{self.stage.why()}")

    def kill(self, service: str) -> Fault:
        """Kill -9 a busy process; the supervisor starts it again."""
        name, met = self.busy_one(service)
        self.stage.killed.add(name)
        self.stage.kill(name)
        log.info("killed %s with %d under way", name, met)
        return self.faults.struck(Kind.KILL, name, met=met)

    def freeze(self, service: str, seconds: float, *, least: int = 1) -> Fault:
        """
        SIGSTOP a busy process for longer than its session, with more before it than it has begun, then let it go on.
        """
        for _ in range(BURST):
            self.provider.report()
        name, met = self.busy_one(service, least)
        log.info("freeze %s with %d under way", name, met)
        with self.faults.lasting(Kind.FREEZE, name, met=met) as fault:
            self.stage.children[name].suspend()
            time.sleep(seconds)
            self.stage.children[name].resume()
            # What it had begun before it slept ends, or its writer finds that it was fenced.
            time.sleep(2.0)
        return fault

    def restart(self, name: str) -> Fault:
        """End a process as Kubernetes does and start it again."""
        with self.faults.lasting(Kind.TERM, name, met=self.busy(name)) as fault:
            self.stage.hold(name)
            code = self.stage.terminate(name)
            assert code == 0, f"{name} ended with {code} on SIGTERM:\n{self.stage.why()}"
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
            self.stage.hold(name)
            code = self.stage.terminate(name)
            assert code == 0, f"{name} ended with {code} on SIGTERM:\n{self.stage.why()}"
        return fault

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
        with self.faults.lasting(kind, f"link {how}"):
            if how == "slow":
                link.slow(seconds)
            else:
                (link.cut if how == "cut" else link.stall)()
            yield
            link.mend()

    def wait_struck(self, times: int, most_seconds: float) -> None:
        """Return when the rules of the weather have struck so often; NotMet when they do not in time."""
        deadline = time.monotonic() + most_seconds
        while self.stage.struck() < times:
            if time.monotonic() > deadline:
                raise NotMet(f"the weather did not strike {times} times in {most_seconds:g} s")
            time.sleep(LOOK_SECONDS)

    @contextmanager
    def weather(self, kind: Kind, what: str, **weather: object) -> Iterator[None]:
        """Have the simulator misbehave for as long as the block lasts."""
        with self.faults.lasting(kind, what):
            self.stage.gateway.weather(**{**CALLS_TAKE, **weather})
            yield
            self.stage.gateway.weather(**CALLS_TAKE)


def settling(history: History) -> list[float]:
    """How long after it was written an input was settled: the median and the 99th of a hundred, in seconds."""
    written = {
        (row.topic, row.partition, row.offset): row.at
        for sources in GROUPS.values()
        for topic in sources
        for row in history.topics[topic]
    }
    waits: dict[tuple[str, int, int], float] = {}
    for table in SOURCES:
        for row in history.topics[table]:
            for topic, offset in row.value.seen.items() if row.value is not None else ():
                place = (topic, row.partition, offset)
                if place in written:
                    waits.setdefault(place, row.at - written[place])
    ordered = sorted(waits.values())
    return [round(ordered[len(ordered) * share // 100], 2) for share in (50, 99)] if ordered else []


def run_scenario(
    scenario: Scenario,
    kafka: EmbeddedKafka,
    logs: Path,
    *,
    form: Form,
    to_broker: Link | None = None,
) -> Result:
    """Set the stage, carry out the scenario, and take everything down again."""
    stage = Stage(kafka, scenario.name.replace(" ", "-"), logs, scenario.setup, to_broker)
    try:
        with stage.fleet:
            stage.start()
            result = Chaos(scenario, stage, form).run()
    finally:
        stage.stop()
    tell(form, result)
    return result


def run_on_a_cluster_of_its_own(scenario: Scenario, root: Path, logs: Path, form: Form) -> Result:
    """The same on a Kafka that nobody else uses, with as many brokers as the scenario wants."""
    with cluster(root, brokers=scenario.brokers, linked=scenario.through_link) as (kafka, link):
        return run_scenario(scenario, kafka, logs, form=form, to_broker=link)
