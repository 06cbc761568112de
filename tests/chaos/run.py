"""One scenario from its start to its judgement: load, faults, settling, operators, invariants."""

import logging
import random
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from bridge.domain.signals import Choice
from bridge.sandbox.kafka import EmbeddedKafka
from tests.chaos.chaos import CALLS_TAKE, Chaos
from tests.chaos.cluster import cluster
from tests.chaos.figures import figures
from tests.chaos.form import Form, Result, say, tell
from tests.chaos.history import read_history
from tests.chaos.invariants import Run, violations
from tests.chaos.link import Link
from tests.chaos.provider import Provider
from tests.chaos.scenario import Scenario
from tests.chaos.stage import Stage

GROUPS = {
    "dispatcher": ("fault-tickets", "journey-signals", "operator-decisions"),
    "tracker": ("kcis", "observations"),
}
QUIET_SECONDS = 2.0
OPERATOR_ROUNDS = 6
LOOK_SECONDS = 0.5
# The truth of thousands of entities is a long document: it is not asked for at each look.
LOOK_AT_TRUTH_SECONDS = 2.0
LOOK_EVERY_TICKETS = 10
SAY_EVERY_SECONDS = 15.0

log = logging.getLogger(__name__)


class NotSettled(Exception):
    """Something still moves long after the last fault."""


class ScenarioRun:
    """A scenario on its stage."""

    def __init__(self, scenario: Scenario, stage: Stage, form: Form) -> None:
        """Nothing happens yet."""
        self.stage = stage
        self.provider = Provider(
            stage.broker.bootstrap_servers,
            stage.prefix,
            random.Random(f"{form.seed}/load"),  # noqa: S311  # chance that can be repeated is wanted
            faults_of=scenario.faults_of,
            mix=scenario.mix,
        )
        self.chaos = Chaos(
            stage,
            self.provider,
            random.Random(f"{form.seed}/{scenario.name}"),  # noqa: S311  # as above
            scale=form.scale,
            all_reported=lambda: len(self.provider.tickets) >= form.tickets,
        )
        self._scenario = scenario
        self._form = form
        self._acted = threading.Event()
        self._over = threading.Event()
        self._step = "load and faults"
        self._started = time.monotonic()
        self._feeder = threading.Thread(target=self._feed, name="feeder", daemon=True)
        self._teller = threading.Thread(target=self._tell_progress, name="teller", daemon=True)

    def run(self) -> Result:
        """Carry the scenario out and judge it."""
        self._started = time.monotonic()
        self.stage.gateway.weather(**CALLS_TAKE)
        self.provider.start()
        self._feeder.start()
        self._teller.start()
        try:
            return self._run()
        finally:
            self._over.set()

    def _run(self) -> Result:
        try:
            self._scenario.act(self.chaos)
        finally:
            self._acted.set()
        self._feeder.join()
        self.stage.gateway.weather()
        self.stage.wait_all_ready(seconds=120.0)
        fed = time.monotonic()
        found: dict[str, list[str]] = {"settles in time": []}
        doubts = 0
        try:
            self._step = "settling"
            self._settle()
            self._step = "operators decide"
            doubts = self._operators()
        except NotSettled as error:
            found["settles in time"].append(str(error))
        settled = time.monotonic()
        self._step = "judging"
        self.provider.stop()
        history = read_history(self.stage.broker.bootstrap_servers, self.stage.prefix, self.stage.gateway)
        run = Run(history, self.chaos.faults, frozenset(self.provider.retried))
        seen = {
            **figures(run, tickets=len(self.provider.tickets), decided=self.provider.decided),
            "crashes": dict(self.stage.crashes),
            "doubts": doubts,
            "fed_s": round(fed - self._started),
            "settled_s": round(settled - self._started),
        }
        return Result(self._scenario.name, seen, found | violations(run), run)

    def _feed(self) -> None:
        """Report tickets at the scenario's pace, until there are enough and the faults are through."""
        started, count = time.monotonic(), 0
        while count < self._form.tickets or not self._acted.is_set():
            self.provider.report()
            count += 1
            while count % LOOK_EVERY_TICKETS == 0 and len(self.provider.unsettled()) > self._scenario.most_open:
                # A slow machine gets a slower load, not an endless backlog.
                time.sleep(LOOK_SECONDS)
            paced = max(0, count - self._scenario.backlog)
            time.sleep(max(0.0, started + paced / self._scenario.rate - time.monotonic()))

    def _tell_progress(self) -> None:
        while not self._over.wait(SAY_EVERY_SECONDS):
            faults = [fault.met for fault in self.chaos.faults.faults]
            say(
                f"{self._scenario.name}: {time.monotonic() - self._started:.0f} s, {self._step}: "
                f"{len(self.provider.tickets)} tickets, {len(self.provider.unsettled())} open, {len(faults)} faults"
            )

    def _settle(self) -> None:
        """Return when nothing moves any more, anywhere; NotSettled with what still does."""
        deadline = time.monotonic() + self._scenario.settle_seconds
        while waiting := self._waiting():
            log.info("waiting: %s", waiting)
            if time.monotonic() > deadline:
                raise NotSettled(f"after {self._scenario.settle_seconds:g} s: {waiting}\n{self.stage.why()}")
            time.sleep(LOOK_SECONDS)

    def _waiting(self) -> str:
        """What is not settled yet, or nothing."""
        provider = self.provider
        if waits := provider.waits():
            return waits
        if time.monotonic() - provider.changed < QUIET_SECONDS:
            return "records still come"
        if pending := len(self.stage.gateway.kcis(fate="PENDING")):
            return f"{pending} KCIs are not delivered yet"
        if false := self._false_statuses():
            time.sleep(LOOK_AT_TRUTH_SECONDS)
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


def run_scenario(
    scenario: Scenario,
    kafka: EmbeddedKafka,
    logs: Path,
    *,
    form: Form,
    to_broker: Mapping[str, Link] | None = None,
) -> Result:
    """Set the stage, carry out the scenario, and take everything down again."""
    stage = Stage(kafka, scenario.slug, logs, scenario.setup, to_broker or {})
    try:
        with stage.fleet:
            stage.start()
            result = ScenarioRun(scenario, stage, form).run()
    finally:
        stage.stop()
    tell(form, result)
    return result


def run_on_a_cluster_of_its_own(scenario: Scenario, root: Path, logs: Path, form: Form) -> Result:
    """The same on a Kafka that nobody else uses, with as many brokers as the scenario wants."""
    with cluster(root, brokers=scenario.brokers, linked=scenario.through_links) as (kafka, links):
        return run_scenario(scenario, kafka, logs, form=form, to_broker=links)
