"""What reaches a journey beside the provider's own events: signals from the tracker and decisions of people."""

from datetime import datetime
from enum import StrEnum

from bridge.domain.entities import Entity, GatewayError
from bridge.domain.outcomes import CommandName, Reason, Verdict
from bridge.domain.record import Record


class EntityChanged(Record, frozen=True, kw_only=True, tag=True):
    """The tracker's latest view of an entity of this ticket."""

    entity: Entity
    previous_status: str | None = None
    error: GatewayError | None = None
    action: str | None = None


class EntitySilent(Record, frozen=True, kw_only=True, tag=True):
    """Nothing was heard of the entity for too long, or what was heard needs a GET to confirm it."""

    entity_type: str
    entity_id: str
    why: str


class LateAnswer(Record, frozen=True, kw_only=True, tag=True):
    """
    An answer that reached a worker which had lost the ticket's partition meanwhile: evidence for its new owner.

    `request_id` is the X-Request-ID of the intent, by which its owner knows the send; `answered_request_id` that of the
    request that was answered, which is another one after a 401.
    """

    command_id: str
    command: CommandName
    verdict: Verdict
    reason: Reason
    http_status: int | None = None
    request_id: str | None = None
    answered_request_id: str | None = None
    entity: Entity | None = None
    error: GatewayError | None = None


Signal = EntityChanged | EntitySilent | LateAnswer


class JourneySignal(Record, frozen=True, kw_only=True):
    """One record of `journey-signals`."""

    signal_id: str
    ticket_id: str
    occurred_at: datetime
    signal: Signal


class Choice(StrEnum):
    """What a person can decide about a command whose outcome is UNKNOWN."""

    # The gateway took it; `entity_id` names what it made, where the command makes something.
    ACCEPTED = "ACCEPTED"
    # The gateway did not take it, and it shall not be sent again.
    NOT_ACCEPTED = "NOT_ACCEPTED"
    # The gateway did not take it; send it again.
    RETRY = "RETRY"


class OperatorDecision(Record, frozen=True, kw_only=True):
    """One record of `operator-decisions`: durable, in order with the ticket's other inputs, and the audit itself."""

    decision_id: str
    ticket_id: str
    command_id: str | None
    choice: Choice
    entity_id: str | None
    decided_by: str
    why: str
    decided_at: datetime
