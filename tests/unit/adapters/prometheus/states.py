"""Tickets and entities as the tables keep them, for those who count them."""

from datetime import datetime, timedelta
from typing import Any

from bridge.domain.commands import RaiseProblem
from bridge.domain.entities import SERVICE_PROBLEM, Entity
from bridge.domain.journey.state import FollowedProblem, Journey, Planned, TicketState
from bridge.domain.journeys import CommandState, Phase
from bridge.domain.statuses import ActionRequired, ActionState
from bridge.domain.tracking.state import OpenAction, Position, TrackedEntity
from tests.builders import NOW, SERVICE, SUPPLIER, TICKET, a_report


def a_command(state: CommandState = CommandState.NOT_SENT, **changes: Any) -> Planned:
    report = a_report()
    command = RaiseProblem(
        service_id=SERVICE,
        supplier=SUPPLIER,
        service_specification_id=report.service_specification_id,
        problem_type="OUTAGE",
        problem_text=report.problem_text,
        notes=report.notes,
        characteristics=report.characteristics,
        primary_contact=report.primary_contact,
        external_identifier=TICKET,
        service_test_id=1,
    )
    return Planned(command_id=f"{TICKET}/1", command=command, event_id="e", state=state, **changes)


def a_ticket_state(
    *,
    phase: Phase = Phase.OPEN,
    head: Planned | None = None,
    status: str | None = "ACKNOWLEDGED",
    supplier: str = SUPPLIER,
    problem_type: str = "OUTAGE",
    action: str | None = None,
    **journey: Any,
) -> TicketState:
    fields: dict[str, Any] = {
        "report": a_report(supplier=supplier, problem_type=problem_type),
        "report_event_id": "e",
        "reported_at": NOW - timedelta(minutes=3),
        "problem": None if status is None else FollowedProblem(id="900", status=status, action=action),
        **journey,
    }
    started = Journey(
        conversation_id="c",
        phase=phase,
        alone=False,
        started_at=NOW,
        supplier=supplier,
        queue=() if head is None else (head,),
        **fields,
    )
    return TicketState(ticket_id=TICKET, journey=started, touched_at=NOW)


def an_open_action(action: str = "CONFIRM", due_at: datetime | None = None, action_id: str = "a") -> OpenAction:
    record = ActionRequired(
        action_id=action_id,
        ticket_id=TICKET,
        entity_type=SERVICE_PROBLEM,
        entity_id="900",
        action=action,
        state=ActionState.REQUIRED,
        raised_at=NOW,
        due_at=due_at,
    )
    return OpenAction(record=record, at=Position(sequence=1, arrival=1), status="RESOLVED")


def a_tracked_entity(
    *, status: str | None = "ACKNOWLEDGED", action: str | None = None, due_at: datetime | None = None, **changes: Any
) -> TrackedEntity:
    fields: dict[str, Any] = {
        "actions": () if action is None else (an_open_action(action, due_at),),
        "ticket_id": TICKET,
        **changes,
    }
    entity = Entity(type=SERVICE_PROBLEM, id="900", status=status)
    return TrackedEntity(entity=entity, last_heard_at=NOW, **fields)
