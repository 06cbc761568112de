"""
The stub suppliers: they walk the script of each test and problem, step by step, with pauses, and announce what they do.

Everything happens in short synchronous turns on timers of the event loop, so an entity never sees two turns at once.
Rule: every move goes through the tables of `states`; an IllegalMove is a bug in a scenario and stops its entity.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol, TypeVarTuple

from bridge.simulator import states
from bridge.simulator.chance import chance
from bridge.simulator.entities import Entity, Json, Problem, Resolution, ServiceTest, now, stamp
from bridge.simulator.kcis import Subject
from bridge.simulator.memory import Memory
from bridge.simulator.plans import Plan
from bridge.simulator.settings import Settings
from bridge.simulator.steps import (
    Announcement,
    Await,
    Conclude,
    Information,
    Move,
    Resolve,
    Say,
    Step,
)

_log = logging.getLogger(__name__)
Arguments = TypeVarTuple("Arguments")
WALK = "walk"


class Announcer(Protocol):
    """Tells the tenant (by KCIs)."""

    def announce(self, entity: Entity, what: Announcement, *subjects: Subject, by_gateway: bool = False) -> None:
        """Make a KCI of the entity as it stands, and deliver it."""

    def quiet(self, entity: Entity) -> None:
        """Nothing more is announced of the entity until the tenant acts; deliver whatever was kept back."""


class Supplier:
    """Begins, goes on, and answers the tenant's requests about problems."""

    def __init__(self, settings: Settings, memory: Memory, announcer: Announcer) -> None:
        self._settings = settings
        self._memory = memory
        self._announcer = announcer

    # The walk. -----------------------------------------------------------------------------------------------------

    def go_on(self, entity: Entity) -> None:
        """Set the timer for the entity's next step, unless it is at its end or waits for the tenant."""
        if self._rests(entity):
            self._announcer.quiet(entity)
        elif WALK not in entity.timers:
            self.later(entity, WALK, self.pause(entity, entity.plan), self._step, entity)

    def _rests(self, entity: Entity) -> bool:
        if entity.position >= len(entity.script) or states.is_final(entity.moves, entity.status):
            return True
        if not isinstance(entity, Problem):
            return False
        waits = entity.waiting_for is not None or _unanswered(entity) is not None
        return waits or bool(entity.open_requests())

    def _step(self, entity: Entity) -> None:
        self._carry_out_next(entity)
        # Who asks waits from that moment on: the answer may come before the next pause is over.
        if entity.position < len(entity.script) and isinstance(entity.script[entity.position], Await):
            self._carry_out_next(entity)
        self.go_on(entity)

    def _carry_out_next(self, entity: Entity) -> None:
        step = entity.script[entity.position]
        entity.position += 1
        self._carry_out(entity, step)

    def _carry_out(self, entity: Entity, step: Step) -> None:
        match step, entity:
            case Say(), _:
                self._announcer.announce(entity, step.what)
            case Move(), _:
                self.move(entity, step.to, step.what, *_closed_resolution(entity), by_gateway=step.by_gateway)
            case Conclude(), ServiceTest():
                self._conclude(entity, step)
            case Resolve(), Problem():
                self._resolve(entity, step)
            case Await(), Problem():
                asked_already = any(request.what == step.what for request in entity.requests)
                entity.waiting_for = None if asked_already and not step.accepted else step

    def move(self, entity: Entity, to: str, what: Announcement, *subjects: Subject, by_gateway: bool = False) -> None:
        """Move the entity and announce it. At the end of a problem its open requests are refused first."""
        states.check(entity.moves, entity.status, to)
        if isinstance(entity, Problem):
            if states.is_final(entity.moves, to):
                self._refuse_open_requests(entity)
            entity.stand(to)
        else:
            entity.status = to
        entity.updated = now()
        if to in {"ACKNOWLEDGED", "IN_PROGRESS"} and entity.supplier_reference is None:
            entity.supplier_reference = f"A{entity.id}X"
        self._announcer.announce(entity, what, *subjects, by_gateway=by_gateway)

    def _refuse_open_requests(self, problem: Problem) -> None:
        for request in problem.open_requests():
            self._stop(problem, request.timer)
            request.status = "REJECTED"
            self._announcer.announce(problem, Information("RESUBMIT", "OTHER", "The problem has ended."), request)

    # Tests. --------------------------------------------------------------------------------------------------------

    def _conclude(self, test: ServiceTest, step: Conclude) -> None:
        states.check(test.moves, test.status, "COMPLETED")
        moment = now()
        seconds = self._settings.test_validity if step.valid_for is None else step.valid_for
        test.valid_until = moment + timedelta(seconds=seconds)
        test.result = _result(step, stamp(moment), stamp(test.valid_until))
        test.status = "COMPLETED"
        test.updated = moment
        if not step.silent:
            self._announcer.announce(test, Information("COMPLETED", text="The test has come to a result."))

    # Resolutions. --------------------------------------------------------------------------------------------------

    def _resolve(self, problem: Problem, step: Resolve) -> None:
        resolution = Resolution(self._memory.new_id(), problem, step.code, step.text)
        self._memory.resolutions[resolution.id] = resolution
        problem.resolutions.append(resolution)
        self.move(problem, "RESOLVED", step.ask(), resolution)
        closing = self._settings.silent_acceptance if step.closes_early else self._settings.auto_close
        warning = max(closing - self._settings.auto_close_warning, closing / 2)
        self.later(problem, "warning", warning, self._warn, resolution)
        self.later(problem, "closing", closing, self._close_silently, resolution)

    def _warn(self, resolution: Resolution) -> None:
        text = "The resolution will be accepted without an answer."
        self._announcer.announce(resolution.problem, Information("ADDITIONAL", "OTHER", text), resolution)
        self._announcer.quiet(resolution.problem)

    def _close_silently(self, resolution: Resolution) -> None:
        _settle(resolution, "ACCEPTED")
        self.move(resolution.problem, "COMPLETED", COMPLETED, resolution)
        self.go_on(resolution.problem)

    def answered(self, resolution: Resolution, status: str, notes: str | None) -> None:
        """The tenant accepts or rejects: the problem is completed, or the supplier works on it again."""
        _settle(resolution, status)
        resolution.tenant_notes = notes
        problem = resolution.problem
        problem.updated = now()
        for timer in ("warning", "closing"):
            self._stop(problem, timer)
        accepted = (Move("COMPLETED", COMPLETED),)
        problem.script = accepted if status == "ACCEPTED" else problem.plan.scenario.after_rejection
        problem.position = 0
        self.go_on(problem)

    # Timers. -------------------------------------------------------------------------------------------------------

    def pause(self, entity: Entity, plan: Plan) -> float:
        """How long to wait before the next step of the entity, or of a request about it, with this plan."""
        if entity.hurried:
            return 0.0
        delay = self._settings.kci_delay if plan.kci_delay is None else plan.kci_delay
        swing = 2 * chance(self._settings.seed, entity.id, entity.sequence) - 1
        return delay * (1 + self._settings.kci_jitter * swing)

    def halt(self, problem: Problem) -> None:
        """Do not take the next step: the tenant asked for something first."""
        self._stop(problem, WALK)

    def later(
        self,
        entity: Entity,
        name: str,
        seconds: float,
        turn: Callable[[*Arguments], None],
        *arguments: *Arguments,
    ) -> None:
        """Take a turn after `seconds`; a reset of the memory cancels it."""

        def act() -> None:
            entity.timers.pop(name, None)
            try:
                turn(*arguments)
            except states.IllegalMove:
                _log.exception(
                    "scenario %s is wrong; %s %d stands still", entity.plan.scenario.name, entity.kind, entity.id
                )

        entity.timers[name] = asyncio.get_running_loop().call_later(seconds, act)

    def _stop(self, entity: Entity, name: str) -> None:
        timer = entity.timers.pop(name, None)
        if timer is not None:
            timer.cancel()


COMPLETED = Information("COMPLETED", text="The problem is closed.")


def _unanswered(problem: Problem) -> Resolution | None:
    return next((each for each in problem.resolutions if each.status == "PENDING"), None)


def _closed_resolution(entity: Entity) -> tuple[Resolution, ...]:
    """The resolution that the tenant has just answered, which the next announcement is about."""
    if isinstance(entity, Problem) and entity.status == "RESOLVED":
        return tuple(entity.resolutions[-1:])
    return ()


def _settle(resolution: Resolution, status: str) -> None:
    states.check(states.RESOLUTION_MOVES, resolution.status, status)
    resolution.status = status
    resolution.closed = now()


def _result(step: Conclude, captured: str, valid_until: str) -> Json:
    """A result as contract 4.4 shows it."""
    measure: dict[str, Any] = {
        "metricName": "ONT_LIGHT_LEVEL",
        "captureDateTime": captured,
        "metricValue": "-14.5" if step.result == "GREEN" else "-31.0",
        "unitOfMeasure": "decibel",
        "ruleViolation": step.result != "GREEN",
        "ruleSeverity": "WARNING",
    }
    outcome = {"testResult": step.result, "code": step.code}
    return {"testValidity": valid_until, "testMeasures": [measure], "testOutcome": outcome}
