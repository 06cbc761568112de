"""
The gateway itself, without HTTP: what it accepts, what it refuses and why, and what it tells the tenant afterwards.

Bodies that come in here have passed `limits`; what remains are the rules between things (422) and lookups (404).
"""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final

from bridge.simulator import words
from bridge.simulator.deliveries import Deliveries
from bridge.simulator.desk import Desk, may_amend, may_cancel
from bridge.simulator.entities import Entity, Json, Problem, Request, Resolution, ServiceTest, now
from bridge.simulator.kcis import Subject, make
from bridge.simulator.ledger import Ledger
from bridge.simulator.memory import Memory
from bridge.simulator.plans import Plan
from bridge.simulator.settings import Settings
from bridge.simulator.steps import Announcement, Script
from bridge.simulator.supplier import Supplier

_LOOK_AGAIN: Final = 0.005  # while KCI_EARLY waits for deliveries


class Refused(Exception):
    """The gateway does not accept the request; nothing has changed."""

    def __init__(self, status: HTTPStatus, code: str, messages: list[str]) -> None:
        super().__init__("; ".join(messages))
        self.status = status
        self.code = code
        self.messages = messages


def invalid(*messages: str) -> Refused:
    """A request that is well formed, but cannot be done: 422 INVALID_REQUEST."""
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_REQUEST", list(messages))


def malformed(*messages: str) -> Refused:
    """A request that breaks the contract's form: 400 MALFORMED_REQUEST."""
    return Refused(HTTPStatus.BAD_REQUEST, "MALFORMED_REQUEST", list(messages))


@dataclass(frozen=True)
class Asked:
    """What comes with a request beside its body; `early` KCIs are to be delivered before it is answered."""

    plan: Plan
    conversation_id: str
    early: int = 0


class Gateway:
    """The seven operations on the memory, with the suppliers behind them."""

    def __init__(self, settings: Settings, memory: Memory, ledger: Ledger, deliveries: Deliveries) -> None:
        self.memory = memory
        self._settings = settings
        self._ledger = ledger
        self._deliveries = deliveries
        self._supplier = Supplier(settings, memory, self)
        self._desk = Desk(self._supplier, self)

    # Announcer: what the suppliers say. ----------------------------------------------------------------------------

    def announce(self, entity: Entity, what: Announcement, *subjects: Subject, by_gateway: bool = False) -> None:
        """Make a KCI of the entity as it stands, and deliver it."""
        nested = self._settings.requests_inside_entity
        kci = make(entity, what, subjects, by_gateway=by_gateway, nested=nested, seq=len(self._ledger.kcis) + 1)
        self._ledger.kcis.append(kci.entry)
        self._deliveries.submit(kci)

    def quiet(self, entity: Entity) -> None:
        """Deliver whatever was kept back of the entity."""
        self._deliveries.release(entity)

    # The operations. -----------------------------------------------------------------------------------------------

    def create_test(self, body: Json, asked: Asked) -> ServiceTest:
        """POST /service-tests. Raises Refused."""
        if body["problemType"] not in words.TEST_PROBLEM_TYPES:
            raise invalid(
                f"Invalid value for field problemType - accepted values are {', '.join(words.TEST_PROBLEM_TYPES)}"
            )
        self._check_characteristics(body, equipment=body["problemType"] == "CPE")
        script = self._nth(asked.plan.scenario.tests, "tests", asked.plan.scenario.name, body["serviceId"])
        test = ServiceTest(
            self.memory.new_id(), body, asked.plan, asked.conversation_id, script, hurried=asked.early > 0
        )
        self.memory.tests[test.id] = test
        self._supplier.go_on(test)
        return test

    def create_problem(self, body: Json, asked: Asked) -> Problem:
        """POST /service-problems. Raises Refused when the test does not allow a problem (contract 4.4)."""
        broken = list(self._broken_gate(body))
        if broken:
            raise invalid(*broken)
        self._check_characteristics(body, equipment=False)
        script = self._nth(asked.plan.scenario.problems, "problems", asked.plan.scenario.name, body["serviceId"])
        problem = Problem(
            self.memory.new_id(), body, asked.plan, asked.conversation_id, script, hurried=asked.early > 0
        )
        self.memory.problems[problem.id] = problem
        self._supplier.go_on(problem)
        return problem

    def amend(self, body: Json, asked: Asked) -> Request:
        """POST /service-problem-amendments. Raises Refused."""
        problem = self._referred(body)
        if not may_amend(problem):
            raise invalid(f"The problem cannot be amended while it is {problem.status} or being cancelled")
        return self._take(Request(self.memory.new_id(), "amendment", problem, body, asked.plan), asked)

    def cancel(self, body: Json, asked: Asked) -> Request:
        """POST /service-problem-cancellations. Raises Refused."""
        problem = self._referred(body)
        if body["reasonCode"] not in words.REASON_CODES:
            raise invalid(f"Invalid value for field reasonCode - accepted values are {', '.join(words.REASON_CODES)}")
        if not may_cancel(problem):
            raise invalid(f"The problem cannot be cancelled while it is {problem.status} or being cancelled already")
        return self._take(Request(self.memory.new_id(), "cancellation", problem, body, asked.plan), asked)

    def answer(self, resolution: Resolution, body: Json, asked: Asked) -> Resolution:
        """PATCH /service-problem-resolutions/{id}. Raises Refused: only ACCEPTED or REJECTED, and only once."""
        if body["status"] == "PENDING":
            raise invalid("Invalid value for field status - a tenant answers with ACCEPTED or REJECTED")
        if resolution.status != "PENDING":
            raise invalid(f"The resolution is closed already: {resolution.status}")
        resolution.problem.hurried = asked.early > 0
        self._supplier.answered(resolution, body["status"], body.get("tenantNotes"))
        return resolution

    async def overtaken(self, entity: Entity, count: int) -> None:
        """
        Return once `count` KCIs of a hurried entity were delivered, none are to come, or the limit is over (KCI_EARLY).

        From then on the entity takes its usual pauses.
        """
        target = entity.settled + count
        deadline = time.monotonic() + self._settings.early_limit
        while entity.settled < target and time.monotonic() < deadline:
            if entity.settled == entity.sequence and not entity.moving:
                break
            await asyncio.sleep(_LOOK_AGAIN)
        entity.hurried = False

    # Rules. --------------------------------------------------------------------------------------------------------

    def _broken_gate(self, body: Json) -> Iterator[str]:
        test = self.memory.tests.get(int(body["serviceTestId"]))
        if test is None:
            yield "The service test of field serviceTestId does not exist"
            return
        if test.status != "COMPLETED" or test.result is None:
            yield f"The service test is {test.status} - it must be COMPLETED"
        else:
            if test.result["testOutcome"]["testResult"] == "GREEN":
                yield "The service test is GREEN - no problem may be raised"
            if not _is_valid(test, now()):
                yield "The service test is not valid any more - a new test is needed"
        for name in ("serviceId", "supplier"):
            if test.fields[name] != body[name]:
                yield f"Field {name} differs from that of the service test"

    def _check_characteristics(self, body: Json, *, equipment: bool) -> None:
        if not self._settings.check_characteristics:
            return
        given = {each["name"]: each["value"] for each in body["characteristics"]}
        wanted = ["SERVICE_HAS_WORKED"]
        wanted += ["SERVICE_LAST_WORKED"] if given.get("SERVICE_HAS_WORKED") == "true" else []
        wanted += ["EQUIPMENT_TYPE"] if equipment else []
        missing = [f"Missing characteristic {name} - it is required" for name in wanted if name not in given]
        if missing:
            raise invalid(*missing)

    def _referred(self, body: Json) -> Problem:
        problem = self.memory.problems.get(int(body["serviceProblemId"]))
        if problem is None:
            raise invalid("The problem of field serviceProblemId does not exist")
        return problem

    def _take(self, request: Request, asked: Asked) -> Request:
        request.problem.hurried = asked.early > 0
        self.memory.requests[request.id] = request
        self._desk.take(request)
        return request

    def _nth(self, scripts: tuple[Script, ...], *what: str) -> Script:
        return scripts[min(self.memory.times(*what), len(scripts) - 1)]


def _is_valid(test: ServiceTest, moment: datetime) -> bool:
    return test.valid_until is not None and moment < test.valid_until
