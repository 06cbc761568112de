"""The records that have schemas of their own, each by the name of its schema, which is that of its class."""

from collections.abc import Mapping

from bridge.domain.dead_letters import DeadLetter, DeadLetterDecision, QuarantinedKci
from bridge.domain.entities import Kci, Observation
from bridge.domain.journeys import JourneyStatus
from bridge.domain.outcomes import GatewayOutcome
from bridge.domain.record import Record
from bridge.domain.signals import JourneySignal, OperatorDecision
from bridge.domain.statuses import ActionRequired, EntityStatus, StatusTransition
from bridge.domain.tickets import FaultTicketEvent

RECORDS: Mapping[str, type[Record]] = {
    record.__name__: record
    for record in (
        ActionRequired,
        DeadLetter,
        DeadLetterDecision,
        EntityStatus,
        FaultTicketEvent,
        GatewayOutcome,
        JourneySignal,
        JourneyStatus,
        Kci,
        Observation,
        OperatorDecision,
        QuarantinedKci,
        StatusTransition,
    )
}
