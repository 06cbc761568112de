"""What the bridge tells about tickets of the demo, as records, and stories about them."""

from typing import Any

from bridge.cli.demo.stories import Expected, ExpectedOutcome, FollowUp, Scenario, Story, When
from bridge.domain.correlation import conversation_id
from bridge.domain.entities import SERVICE_PROBLEM, Entity, Source
from bridge.domain.journeys import End, JourneyStatus, Phase
from bridge.domain.outcomes import Basis, CommandName, GatewayOutcome, Reason, Verdict
from bridge.domain.statuses import ActionRequired, ActionState, Cause, EntityStatus, Move, StatusTransition
from bridge.domain.tickets import FaultTicketEvent
from tests.builders import NOW, a_report, an_answer, an_event

TICKET = "FLT-1"


def a_story(*later: tuple[When, FaultTicketEvent], ticket: str = TICKET, **expect: Any) -> Story:
    """A report that is sent at once, and what follows."""
    expected = Expected(**{"end": End.COMPLETED, "test": "RED", "problem": "COMPLETED", **expect})
    follow_ups = tuple(FollowUp(event=event.event_id, when=when) for when, event in later)
    scenario = Scenario(ticket=ticket, story="a story", follow_ups=follow_ups, expect=expected)
    report = an_event(a_report(), ticket_id=ticket, event_id=f"{ticket}/1")
    return Story(scenario=scenario, at_once=(report,), later=later)


def an_answer_event(number: int, answer: str = "ACCEPTED", **changes: Any) -> FaultTicketEvent:
    return an_event(an_answer(answer, resolution_id=None, **changes), ticket_id=TICKET, event_id=f"{TICKET}/{number}")


def a_journey(ticket: str = TICKET, **changes: Any) -> JourneyStatus:
    fields: dict[str, Any] = {
        "ticket_id": ticket,
        "phase": Phase.OPEN,
        "end": None,
        "conversation_id": conversation_id(ticket),
        "service_id": None,
        "supplier": None,
        "test_id": "5",
        "test_status": "COMPLETED",
        "test_result": "RED",
        "problem_id": "9",
        "problem_status": "IN_PROGRESS",
        "pending": None,
        "queued": 0,
        "attention": None,
        "updated_at": NOW,
    }
    return JourneyStatus(**{**fields, **changes})


def an_ended_journey(end: End = End.COMPLETED, **changes: Any) -> JourneyStatus:
    return a_journey(**{"phase": Phase.ENDED, "end": end, "problem_status": "COMPLETED", **changes})


def an_outcome(command: CommandName, verdict: Verdict = Verdict.ACCEPTED, **changes: Any) -> GatewayOutcome:
    fields: dict[str, Any] = {
        "outcome_id": "o",
        "ticket_id": TICKET,
        "event_id": None,
        "command_id": f"{TICKET}/{command}",
        "command": command,
        "verdict": verdict,
        "basis": Basis.ANSWER,
        "reason": Reason.ANSWERED,
        "message": "The gateway took it.",
        "attempts": 1,
        "conversation_id": conversation_id(TICKET),
        "decided_at": NOW,
    }
    return GatewayOutcome(**{**fields, **changes})


def an_action(
    action: str, number: int = 1, state: ActionState = ActionState.REQUIRED, **changes: Any
) -> ActionRequired:
    fields: dict[str, Any] = {
        "action_id": f"action-{number}",
        "ticket_id": TICKET,
        "entity_type": SERVICE_PROBLEM,
        "entity_id": "9",
        "action": action,
        "state": state,
        "raised_at": NOW,
    }
    return ActionRequired(**{**fields, **changes})


def a_transition(to_status: str, source: Source = Source.KCI, *, applied: bool = True) -> StatusTransition:
    return StatusTransition(
        transition_id=f"t-{to_status}",
        entity_type=SERVICE_PROBLEM,
        entity_id="9",
        ticket_id=TICKET,
        from_status=None,
        to_status=to_status,
        move=Move.EXPECTED,
        applied=applied,
        cause=Cause(source=source, id="k"),
        observed_at=NOW,
    )


def a_status(status: str, problem_id: str = "9", ticket: str | None = TICKET) -> EntityStatus:
    return EntityStatus(
        entity=Entity(type=SERVICE_PROBLEM, id=problem_id, status=status),
        ticket_id=ticket,
        status=status,
        previous_status=None,
        terminal=False,
        since=NOW,
        observed_at=NOW,
        transitions=1,
    )


def expected_outcome(command: CommandName, verdict: Verdict = Verdict.ACCEPTED, **changes: Any) -> ExpectedOutcome:
    return ExpectedOutcome(command=command, verdict=verdict, **changes)
