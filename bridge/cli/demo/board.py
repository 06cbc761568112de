"""
What a provider's ticketing system knows of its tickets from the bridge's topics, and from nothing else.

Pure: records come in, one at a time and in the order of their partitions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from bridge.domain.correlation import conversation_id
from bridge.domain.entities import SERVICE_PROBLEM, Source
from bridge.domain.journeys import CommandState, End, JourneyStatus, Phase
from bridge.domain.outcomes import GatewayOutcome, Reason
from bridge.domain.record import Record
from bridge.domain.statuses import ActionRequired, ActionState, EntityStatus, StatusTransition

# What each word asks of a person; a word that is not listed is shown as it is.
TO_DO = {
    "CONFIRM": "accept or reject the repair",
    "INFORMATION_REQUIRED": "answer the supplier",
    "REAPPOINT": "book a new appointment",
    "RESUBMIT": "correct it and send it again",
    "CONTACT_CUSTOMER": "ring the customer",
    "CONTACT_REAPPOINT": "ring the customer, rebook",
    "RESOLVE_UNKNOWN": "ask whether the gateway has it",
    "GATEWAY_REFUSES_ACCESS": "have the gateway's 403 mended",
    "SECOND_PROBLEM": "cancel one of two problems",
}
# What a journey itself asks for; the rest of its words are actions, which are told with more detail by the tracker.
OF_THE_JOURNEY = frozenset({"RESOLVE_UNKNOWN", "GATEWAY_REFUSES_ACCESS", "SECOND_PROBLEM"})


@dataclass
class TicketView:
    """One ticket as its topics show it; `sent` and `answered` are what the ticketing system did about it."""

    ticket_id: str
    journey: JourneyStatus | None = None
    outcomes: list[GatewayOutcome] = field(default_factory=list)
    transitions: list[StatusTransition] = field(default_factory=list)
    actions: dict[str, ActionRequired] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)

    @property
    def conversation_id(self) -> str:
        """The X-Conversation-ID of every call for this ticket."""
        return conversation_id(self.ticket_id)

    @property
    def end(self) -> End | None:
        """How it ended, None while it goes on. A report that cannot be used begins no journey."""
        if self.journey is not None:
            return self.journey.end if self.journey.phase is Phase.ENDED else None
        return End.INVALID if any(outcome.reason is Reason.INVALID for outcome in self.outcomes) else None

    @property
    def phase(self) -> str:
        """Where it is, in one word."""
        if self.end is not None:
            return self.end.value
        return self.journey.phase.value if self.journey is not None else ("sent" if self.sent else "")

    @property
    def test(self) -> str:
        """The test's result, or how far the test is."""
        return "" if self.journey is None else self.journey.test_result or self.journey.test_status or ""

    @property
    def problem_id(self) -> str:
        """The problem's id."""
        return "" if self.journey is None else self.journey.problem_id or ""

    @property
    def status(self) -> str:
        """The problem's status."""
        return "" if self.journey is None else self.journey.problem_status or ""

    @property
    def statuses(self) -> list[str]:
        """Every status that the problem went through."""
        return [transition.to_status for transition in self.transitions if transition.applied]

    @property
    def read_by_get(self) -> bool:
        """Whether a GET told a status of the problem before any KCI did."""
        return any(transition.applied and transition.cause.source is Source.GET for transition in self.transitions)

    @property
    def open_actions(self) -> list[ActionRequired]:
        """What people still have to do, the oldest first."""
        return [action for action in self.actions.values() if action.state is ActionState.REQUIRED]

    @property
    def attention(self) -> str | None:
        """The word of what a person must do, or None."""
        if self.journey is not None and self.journey.attention in OF_THE_JOURNEY:
            return self.journey.attention
        waiting = [action.action for action in self.open_actions if action.action_id not in self.answered]
        return waiting[-1] if waiting and self.end is None else None

    @property
    def to_do(self) -> str:
        """What a person must do."""
        return TO_DO.get(self.attention, self.attention) if self.attention is not None else ""

    @property
    def in_doubt(self) -> str:
        """The command whose outcome is UNKNOWN."""
        pending = self.journey.pending if self.journey is not None else None
        return pending.command.value if pending is not None and pending.state is CommandState.UNKNOWN else ""

    @property
    def updated_at(self) -> datetime | None:
        """When the bridge last told something of it that moved it."""
        if self.journey is not None:
            return self.journey.updated_at
        return self.outcomes[-1].decided_at if self.outcomes else None

    def line(self) -> str:
        """All of it in one line; equal lines mean that nothing changed that a person would see."""
        parts = [
            self.phase,
            f"test {self.test}" if self.test else "",
            f"problem {self.problem_id} {self.status}" if self.problem_id else "",
            f"{self.in_doubt} is UNKNOWN" if self.in_doubt else "",
            f"to do: {self.to_do}" if self.to_do else "",
        ]
        return " · ".join(part for part in parts if part)


class Board:
    """All tickets of the demo; records of other tickets are passed over."""

    def __init__(self, tickets: Iterable[str]) -> None:
        self.views = {ticket: TicketView(ticket) for ticket in tickets}
        self.problem_status: dict[str, EntityStatus] = {}

    def apply(self, record: Record) -> TicketView | None:
        """Take one record in, and return the ticket that it was about."""
        view = self.views.get(getattr(record, "ticket_id", None) or "")
        if view is None:
            return None
        match record:
            case JourneyStatus():
                view.journey = record
            case GatewayOutcome():
                view.outcomes.append(record)
            case StatusTransition():
                view.transitions.append(record)
            case ActionRequired():
                # What was asked stays known: the record that withdraws it repeats no text.
                view.actions[record.action_id] = record
            case EntityStatus() if record.entity.type == SERVICE_PROBLEM:
                self.problem_status[record.entity.id] = record
            case _:
                return None
        return view
