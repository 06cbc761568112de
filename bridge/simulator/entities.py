"""What the gateway keeps: tests, problems, the tenant's requests, resolutions. Plain data, and how it is shown."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from bridge.simulator.plans import Plan
from bridge.simulator.states import PROBLEM_MOVES, TEST_MOVES, WORKED_ON
from bridge.simulator.steps import Await, Script

Json = dict[str, Any]


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A date-time as the gateway writes it: 2022-01-01T09:09:33.001Z."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(eq=False)
class Followed:
    """What tests and problems share: what was asked (`fields`), where it stands, and the walk of its script."""

    id: int
    fields: Json
    plan: Plan
    conversation_id: str
    script: Script
    status: str = "RECEIVED_BY_GATEWAY"
    position: int = 0
    sequence: int = 0
    supplier_reference: str | None = None
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)
    updates: list[Json] = field(default_factory=list)
    settled: int = 0  # KCIs that were delivered, lost or given up
    hurried: bool = False  # no pauses: its KCIs are to overtake the answer
    lost: int = 0  # KCIs lost on purpose

    @property
    def service_id(self) -> str:
        """The service that it is about."""
        return str(self.fields["serviceId"])

    @property
    def moving(self) -> bool:
        """Whether something more happens by itself soon (an unanswered resolution's closing does not count)."""
        return any(name not in {"warning", "closing"} for name in self.timers)

    @property
    def external_identifier(self) -> str | None:
        """The tenant's own name for it; tests have none."""
        return self.fields.get("externalIdentifier")

    def _gateway_fields(self) -> Json:
        return {
            "id": self.id,
            "status": self.status,
            "created": stamp(self.created),
            "updated": stamp(self.updated),
        }

    def _named_specification(self) -> Json:
        return {**self.fields["serviceSpecification"], "name": "FTTH"}


@dataclass(eq=False)
class ServiceTest(Followed):
    """A test of a service."""

    result: Json | None = None
    valid_until: datetime | None = None

    kind: ClassVar = "SERVICE_TEST"
    operation: ClassVar = "tests"
    moves: ClassVar = TEST_MOVES

    def shown(self) -> Json:
        """The test; the result only once it is there (contract 1.7)."""
        reference = {"supplierReference": self.supplier_reference} if self.supplier_reference else {}
        result = {"result": self.result} if self.result else {}
        specification = {"serviceSpecification": self._named_specification()}
        return {**self._gateway_fields(), **reference, **self.fields, **specification, **result}


@dataclass(eq=False)
class Request:
    """An amendment or a cancellation: the tenant's request about a problem (RequestStatus)."""

    id: int
    what: Literal["amendment", "cancellation"]
    problem: "Problem"
    fields: Json
    plan: Plan
    status: str = "RECEIVED_BY_GATEWAY"

    @property
    def timer(self) -> str:
        """The name of its timer among the problem's."""
        return f"request {self.id}"

    def shown(self) -> Json:
        """The request as answers and KCIs show it (contract 1.5, 1.6)."""
        return {"id": self.id, "status": self.status, **self.fields}


@dataclass(eq=False)
class Resolution:
    """The supplier's claim that the problem is repaired, which the tenant accepts or rejects."""

    id: int
    problem: "Problem"
    code: str
    text: str
    status: str = "PENDING"
    resolved: datetime = field(default_factory=now)
    closed: datetime | None = None
    tenant_notes: str | None = None

    def shown(self) -> Json:
        """The resolution as answers and KCIs show it (contract 1.8)."""
        shown: Json = {
            "id": self.id,
            "serviceProblemId": self.problem.id,
            "status": self.status,
            "resolvedDate": stamp(self.resolved),
            "resolutionDetails": {
                "resolutionCode": self.code,
                "resolutionCategory": "FAULTY_EQUIPMENT",
                "resolutionText": self.text,
                "supplierCodes": ["R9"],
                "faultCode": ["DAMAGED_ONT"],
            },
        }
        if self.closed:
            shown["closedDate"] = stamp(self.closed)
        if self.tenant_notes:
            shown["tenantNotes"] = self.tenant_notes
        return shown


@dataclass(eq=False)
class Problem(Followed):
    """A problem raised with a supplier."""

    previous: str = "IN_PROGRESS"
    waiting_for: Await | None = None
    requests: list[Request] = field(default_factory=list)
    resolutions: list[Resolution] = field(default_factory=list)

    kind: ClassVar = "SERVICE_PROBLEM"
    operation: ClassVar = "problems"
    moves: ClassVar = PROBLEM_MOVES

    def shown(self) -> Json:
        """The problem without its updates (contract 1.3)."""
        reference = {"supplierIdentifier": self.supplier_reference} if self.supplier_reference else {}
        specification = {"serviceSpecification": self._named_specification()}
        return {**self._gateway_fields(), **reference, **self.fields, **specification}

    def stand(self, status: str) -> None:
        """Take a status, and remember it as the one to return to when the supplier works on the problem in it."""
        self.status = status
        if status in WORKED_ON:
            self.previous = status

    def open_requests(self) -> list[Request]:
        """The amendments and cancellations that still wait for their verdict."""
        return [request for request in self.requests if request.status in {"RECEIVED_BY_GATEWAY", "PENDING"}]


Entity = ServiceTest | Problem
