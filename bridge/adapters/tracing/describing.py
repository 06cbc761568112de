"""What a span says of a record: ids, and the words of the bridge and the gateway; never a text that a person wrote."""

from typing import Any

from bridge.domain.dead_letters import DeadLetter, QuarantinedKci
from bridge.domain.entities import Kci, Observation, shown_key
from bridge.domain.journeys import JourneyStatus
from bridge.domain.outcomes import GatewayOutcome
from bridge.domain.record import Record
from bridge.domain.signals import JourneySignal
from bridge.domain.statuses import ActionRequired, EntityStatus, StatusTransition

TICKET = "bridge.ticket_id"
ENTITY = "bridge.entity"
CONVERSATION = "messaging.message.conversation_id"
REQUEST = "bridge.request_id"

Attributes = dict[str, Any]


def attributes_of(record: Record) -> Attributes:
    """The attributes that tell a record from others of its topic; those that are not known are left out."""
    return {name: value for name, value in _told(record).items() if value is not None}


def _told(record: Record) -> Attributes:  # noqa: C901, PLR0911  # a row for each kind of record
    match record:
        case GatewayOutcome():
            return {
                TICKET: record.ticket_id,
                CONVERSATION: record.conversation_id,
                REQUEST: record.request_id,
                "bridge.command": record.command.value,
                "bridge.command_id": record.command_id,
                "bridge.verdict": record.verdict.value,
                "bridge.reason": record.reason.value,
            }
        case Observation():
            return {
                TICKET: record.ticket_id,
                ENTITY: shown_key(record.entity.key),
                CONVERSATION: record.conversation_id,
                "bridge.source": record.source.value,
            }
        case StatusTransition():
            return {
                TICKET: record.ticket_id,
                ENTITY: shown_key(f"{record.entity_type}:{record.entity_id}"),
                "bridge.from_status": record.from_status,
                "bridge.to_status": record.to_status,
                "bridge.move": record.move.value,
                "bridge.cause": f"{record.cause.source}:{record.cause.id}",
            }
        case EntityStatus():
            return {TICKET: record.ticket_id, ENTITY: shown_key(record.entity.key), "bridge.status": record.status}
        case ActionRequired():
            return {TICKET: record.ticket_id, "bridge.action": record.action, "bridge.action_state": record.state.value}
        case JourneySignal():
            return {TICKET: record.ticket_id, "bridge.signal": type(record.signal).__name__}
        case JourneyStatus():
            end = None if record.end is None else record.end.value
            return {TICKET: record.ticket_id, "bridge.phase": record.phase.value, "bridge.end": end}
        case Kci():
            return {
                ENTITY: shown_key(record.entity.key),
                CONVERSATION: record.conversation_id,
                "bridge.kci_id": record.update.id,
            }
        case DeadLetter():
            return {"bridge.dead_letter_id": record.dead_letter_id, "bridge.reason": record.reason.value}
        case QuarantinedKci():
            return {"bridge.quarantine_id": record.quarantine_id, "bridge.reason": record.reason.value}
        case _:
            return {}
