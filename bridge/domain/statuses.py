"""What the tracker publishes about entities: transitions, the latest status, and what people must do."""

from datetime import datetime
from enum import StrEnum

from bridge.domain.entities import Action, Entity, GatewayError, Information, Resolution, Source
from bridge.domain.record import Record


class Move(StrEnum):
    """How a change of status relates to the lifecycle tables (contract 6)."""

    # A listed move: applied.
    EXPECTED = "EXPECTED"
    # Not listed, but out of a live status: applied, flagged, and confirmed by a GET.
    UNLISTED = "UNLISTED"
    # Older than what is already known: kept as history, not applied.
    LATE = "LATE"
    # Out of a terminal status: never applied, flagged, and checked by a GET.
    AFTER_END = "AFTER_END"


class Cause(Record, frozen=True, kw_only=True):
    """The observation behind a transition. `id` is the KCI's id, or the observation's."""

    source: Source
    id: str
    sequence_number: int | None = None
    update_type: str | None = None


class StatusTransition(Record, frozen=True, kw_only=True):
    """
    One record of `problem-transitions` or `test-transitions`. `transition_id` is derived from entity and cause: the
    same cause gives the same id.
    """

    transition_id: str
    entity_type: str
    entity_id: str
    ticket_id: str | None
    from_status: str | None
    to_status: str
    move: Move
    applied: bool
    cause: Cause
    information: Information | None = None
    action: Action | None = None
    error: GatewayError | None = None
    resolution: Resolution | None = None
    observed_at: datetime


class EntityStatus(Record, frozen=True, kw_only=True):
    """
    One record of `problem-status` or `test-status`: the latest of everything, for those who start later (compacted).
    """

    entity: Entity
    ticket_id: str | None
    status: str
    previous_status: str | None
    terminal: bool
    since: datetime
    observed_at: datetime
    transitions: int
    last_sequence_number: int | None = None
    last_kci_id: str | None = None


class ActionState(StrEnum):
    """Whether a person still has to act."""

    REQUIRED = "REQUIRED"
    SETTLED = "SETTLED"


class ActionRequired(Record, frozen=True, kw_only=True):
    """
    One record of `actions-required`: what a person must answer, and by when. A SETTLED record with the same id
    withdraws it.
    """

    action_id: str
    ticket_id: str | None
    entity_type: str
    entity_id: str
    action: str
    state: ActionState
    text: str | None = None
    resolution_id: int | None = None
    raised_at: datetime
    due_at: datetime | None = None
    due_because: str | None = None
