"""
What the tracker remembers of one entity. It is the value of the tracker's private tables, as JSON, so every type here
survives `msgspec.json` unchanged.
"""

from datetime import datetime
from enum import StrEnum

from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Entity, GatewayError
from bridge.domain.lifecycle import PROBLEM, TEST, Lifecycle
from bridge.domain.record import Record
from bridge.domain.signals import JourneySignal
from bridge.domain.statuses import ActionRequired, EntityStatus, StatusTransition

LIFECYCLE_OF = {SERVICE_PROBLEM: PROBLEM, SERVICE_TEST: TEST}


def is_tracked(entity_type: str) -> bool:
    """Whether entities of this type are followed: orders, and types that nobody knows yet, are not."""
    return entity_type in LIFECYCLE_OF


class Position(Record, frozen=True, kw_only=True, order=True, array_like=True):
    """
    Where something stands in an entity's history: by sequence number, and among equals by arrival.

    What has no sequence number stands behind everything that had arrived before it. Times play no part (contract 3.30).
    """

    sequence: int
    arrival: int


class StatusHeard(Record, frozen=True, kw_only=True, array_like=True):
    """A status that was told, applied or not, and where in the history."""

    status: str
    at: Position


class RequestKind(StrEnum):
    """What can be asked of a problem or about it, each under ids of its own."""

    AMENDMENT = "AMENDMENT"
    CANCELLATION = "CANCELLATION"
    RESOLUTION = "RESOLUTION"


class KnownRequest(Record, frozen=True, kw_only=True):
    """An amendment, a cancellation or a resolution: where it was first and last told of, and where its status was."""

    kind: RequestKind
    id: int | None
    status: str | None
    first: Position
    latest: Position
    status_at: Position


class OpenAction(Record, frozen=True, kw_only=True):
    """An action that a person still has to take; `status` is the entity's by the KCI that asked for it."""

    record: ActionRequired
    at: Position
    status: str | None


class Why(StrEnum):
    """Why an entity is to be fetched: the word in `EntitySilent.why`."""

    # Nothing was heard of it for too long.
    SILENCE = "SILENCE"
    # Sequence numbers are missing, and did not come meanwhile.
    GAP = "GAP"
    # Its status moved in a way that no table lists.
    UNLISTED = "UNLISTED"
    # It is said to live on after its end.
    AFTER_END = "AFTER_END"
    # A KCI did not say the status.
    NO_STATUS = "NO_STATUS"


class Ask(Record, frozen=True, kw_only=True):
    """A GET that is wanted: asked for `sent` times so far, next at `due_at`."""

    why: Why
    due_at: datetime
    sent: int = 0


class LinkedBy(StrEnum):
    """How the entity's ticket is known; the first of these that is known counts."""

    OBSERVATION = "OBSERVATION"
    CONVERSATION = "CONVERSATION"
    EXTERNAL_IDENTIFIER = "EXTERNAL_IDENTIFIER"


class TrackedEntity(Record, frozen=True, kw_only=True):
    """All that is remembered of one test or problem; `entity` is all that was told, merged, with the applied status."""

    entity: Entity
    last_heard_at: datetime
    ticket_id: str | None = None
    linked_by: LinkedBy | None = None
    conversation_id: str | None = None
    previous_status: str | None = None
    since: datetime | None = None
    transitions: int = 0
    # What was told with, or since, the present status.
    error: GatewayError | None = None

    # Order: the highest sequence number heard, those below it that never came, and a count of all that arrived.
    last_sequence_number: int | None = None
    missing: tuple[int, ...] = ()
    arrivals: int = 0
    statuses_heard: tuple[StatusHeard, ...] = ()
    last_kci_id: str | None = None

    # Duplicates: KCIs that were delivered (the latest few hundred) or found by a GET (all), and answers (the latest).
    delivered_ids: tuple[str, ...] = ()
    fetched_ids: tuple[str, ...] = ()
    observation_ids: tuple[str, ...] = ()

    requests: tuple[KnownRequest, ...] = ()
    actions: tuple[OpenAction, ...] = ()

    # The GET that is wanted, the statuses claimed after the end that were checked, and how often silence was told.
    ask: Ask | None = None
    claims: tuple[str, ...] = ()
    silent_asks: int = 0
    silent_asked_at: datetime | None = None
    # All `EntitySilent` signals so far; it tells their ids apart.
    asked: int = 0

    @property
    def status(self) -> str | None:
        """The applied status; None as long as nobody has told one."""
        return self.entity.status

    @property
    def lifecycle(self) -> Lifecycle:
        """The table of its kind of entity."""
        return LIFECYCLE_OF[self.entity.type]

    @property
    def ended(self) -> bool:
        """Whether its status is terminal."""
        return self.lifecycle.ends_in(self.entity.status)

    @property
    def awaited(self) -> tuple[int, ...]:
        """
        The missing numbers that are worth a GET. A test that has ended is whole without them: its status tells all, and
        its GET lists no updates (contract 1.7).
        """
        return () if self.ended and self.entity.type == SERVICE_TEST else self.missing


class Folded(Record, frozen=True, kw_only=True):
    """What one input led to: the next state, and what to publish in the same transaction."""

    state: TrackedEntity
    transitions: tuple[StatusTransition, ...] = ()
    status: EntityStatus | None = None
    actions: tuple[ActionRequired, ...] = ()
    signals: tuple[JourneySignal, ...] = ()
    duplicate: bool = False
