"""Records that are valid unless the test says otherwise; personal data in them is recognisable by its words."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from bridge.domain.answers import Ambiguous, NotTaken, Refused, Taken
from bridge.domain.entities import (
    SERVICE_PROBLEM,
    SERVICE_TEST,
    Entity,
    GatewayError,
    Request,
    Resolution,
    TestResult,
    Update,
)
from bridge.domain.outcomes import Reason
from bridge.domain.policy import DEFAULT_PROBLEM_TYPES, JourneyPolicy
from bridge.domain.signals import Choice, EntityChanged, EntitySilent, JourneySignal, OperatorDecision, Signal
from bridge.domain.tickets import (
    Address,
    Characteristic,
    Contact,
    FaultAmended,
    FaultCancelled,
    FaultReported,
    FaultTicketEvent,
    ResolutionAnswered,
    ServiceTestRequested,
    TicketEvent,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TICKET = "TT-1"
SERVICE = "SVC-1"
SUPPLIER = "OPENWORLD"
# What must never be seen outside the requests: tests search for these words.
PERSONAL = ("Ada Lovelace", "+44 20 7946 0000", "ada@example.org", "12345678", "a savage dog", "ring twice", "weeping")
HAS_WORKED = (Characteristic(name="SERVICE_HAS_WORKED", value="false"),)

_numbers = count(1)


def a_policy(**changes: Any) -> JourneyPolicy:
    return JourneyPolicy(**{"problem_types": DEFAULT_PROBLEM_TYPES, **changes})


def a_contact(**changes: Any) -> Contact:
    fields = {"name": PERSONAL[0], "phone_number": PERSONAL[1], "email": PERSONAL[2], **changes}
    return Contact(**fields)


def a_report(**changes: Any) -> FaultReported:
    fields: dict[str, Any] = {
        "service_id": SERVICE,
        "supplier": SUPPLIER,
        "service_specification_id": "FTTP-330",
        "problem_type": "OUTAGE",
        "problem_text": "No light since Monday",
        "notes": f"The customer was {PERSONAL[6]}",
        "characteristics": HAS_WORKED,
        "test_characteristics": HAS_WORKED,
        "primary_contact": a_contact(),
        "address": Address(id=PERSONAL[3], type="UPRN"),
        "hazards": PERSONAL[4],
        "on_site_restrictions": PERSONAL[5],
        **changes,
    }
    return FaultReported(**fields)


def an_amendment(**changes: Any) -> FaultAmended:
    return FaultAmended(**(changes or {"notes": f"Still {PERSONAL[6]}"}))


def a_cancellation(**changes: Any) -> FaultCancelled:
    return FaultCancelled(**{"reason_code": "NO_LONGER_REQUIRED", **changes})


def an_answer(answer: str = "ACCEPTED", **changes: Any) -> ResolutionAnswered:
    if answer == "REJECTED":
        changes = {"notes": f"Still {PERSONAL[6]}", **changes}
    return ResolutionAnswered(answer=answer, **changes)


def a_test_request(**changes: Any) -> ServiceTestRequested:
    fields: dict[str, Any] = {
        "service_id": SERVICE,
        "supplier": SUPPLIER,
        "service_specification_id": "FTTP-330",
        "problem_type": "OUTAGE",
        "characteristics": HAS_WORKED,
        **changes,
    }
    return ServiceTestRequested(**fields)


def an_event(content: TicketEvent, *, ticket_id: str = TICKET, event_id: str | None = None) -> FaultTicketEvent:
    return FaultTicketEvent(
        event_id=event_id or f"event-{next(_numbers)}", ticket_id=ticket_id, occurred_at=NOW, event=content
    )


def a_result(result: str = "RED", *, valid_for: timedelta = timedelta(hours=2), since: datetime = NOW) -> TestResult:
    return TestResult(result=result, code="DAMAGED_CPE", valid_until=since + valid_for)


def a_test(test_id: str = "500", status: str | None = "COMPLETED", **changes: Any) -> Entity:
    fields: dict[str, Any] = {"service_id": SERVICE, "supplier": SUPPLIER, **changes}
    return Entity(type=SERVICE_TEST, id=test_id, status=status, **fields)


def a_problem(problem_id: str = "900", status: str | None = "ACKNOWLEDGED", **changes: Any) -> Entity:
    fields: dict[str, Any] = {"external_identifier": TICKET, "service_id": SERVICE, "supplier": SUPPLIER, **changes}
    return Entity(type=SERVICE_PROBLEM, id=problem_id, status=status, **fields)


def a_resolution(status: str | None = "PENDING", *, number: int = 70, code: str = "NETWORK_ISSUE") -> Resolution:
    return Resolution(id=number, status=status, code=code)


def an_update(**fields: Any) -> Update:
    return Update(id=f"kci-{next(_numbers)}", **fields)


def with_amendment(entity: Entity, number: int = 30) -> Entity:
    return Entity(type=entity.type, id=entity.id, amendment=Request(id=number, status="RECEIVED_BY_GATEWAY"))


def with_cancellation(entity: Entity, number: int = 40) -> Entity:
    return Entity(type=entity.type, id=entity.id, cancellation=Request(id=number, status="RECEIVED_BY_GATEWAY"))


def taken(entity: Entity, *updates: Update, http_status: int = 201) -> Taken:
    return Taken(http_status=http_status, entity=entity, updates=updates)


def refused(http_status: int = 422, code: str = "INVALID_REQUEST") -> Refused:
    return Refused(http_status=http_status, error=GatewayError(uuid="uuid-1", code=code, messages=("not so",)))


def not_taken(why: str = "CONNECT_REFUSED", **fields: Any) -> NotTaken:
    return NotTaken(why=why, **fields)


def ambiguous(reason: Reason = Reason.NO_ANSWER, why: str = "READ_TIMEOUT") -> Ambiguous:
    return Ambiguous(reason=reason, why=why)


def a_signal(signal: Signal, *, ticket_id: str = TICKET) -> JourneySignal:
    return JourneySignal(signal_id=f"signal-{next(_numbers)}", ticket_id=ticket_id, occurred_at=NOW, signal=signal)


def a_change(entity: Entity, *, error: str | None = None, action: str | None = None) -> EntityChanged:
    told = GatewayError(uuid="uuid-2", code=error, messages=()) if error is not None else None
    return EntityChanged(entity=entity, error=told, action=action)


def a_silence(entity: Entity, why: str = "SILENCE") -> EntitySilent:
    return EntitySilent(entity_type=entity.type, entity_id=entity.id, why=why)


def a_decision(
    choice: Choice, *, entity_id: str | None = None, command_id: str | None = None, ticket_id: str = TICKET
) -> OperatorDecision:
    return OperatorDecision(
        decision_id=f"decision-{next(_numbers)}",
        ticket_id=ticket_id,
        command_id=command_id,
        choice=choice,
        entity_id=entity_id,
        decided_by="grace",
        why="asked the supplier",
        decided_at=NOW,
    )
