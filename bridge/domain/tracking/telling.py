"""What is published about an entity after something was heard of it: its latest status, and signals to its ticket."""

from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from bridge.domain.entities import Entity, GatewayError, Request, Resolution, TestResult
from bridge.domain.record import Record
from bridge.domain.signals import EntityChanged, JourneySignal
from bridge.domain.statuses import EntityStatus
from bridge.domain.tracking.identity import made_id
from bridge.domain.tracking.requests import FIELD_OF, Told
from bridge.domain.tracking.state import RequestKind, TrackedEntity

Part = TypeVar("Part", bound=Request | Resolution | TestResult)


class News(Record, frozen=True, kw_only=True):
    """What one signal tells beside the entity as it stands: requests that moved, an error, an action."""

    requests: dict[RequestKind, Told]
    error: GatewayError | None = None
    action: str | None = None


def latest_status(state: TrackedEntity, when: datetime) -> EntityStatus | None:
    """The record for those who start later; None as long as no status is known."""
    if state.status is None or state.since is None:
        return None
    return EntityStatus(
        entity=state.entity,
        ticket_id=state.ticket_id,
        status=state.status,
        previous_status=state.previous_status,
        terminal=state.ended,
        since=state.since,
        observed_at=when,
        transitions=state.transitions,
        last_sequence_number=state.last_sequence_number,
        last_kci_id=state.last_kci_id,
    )


def signal(
    state: TrackedEntity, news: News, when: datetime, previous_status: str | None, *cause: str | int
) -> JourneySignal | None:
    """The signal to the ticket; None as long as nobody knows whose entity it is."""
    if state.ticket_id is None:
        return None
    return JourneySignal(
        signal_id=made_id(state.entity.key, EntityChanged.__name__, *cause),
        ticket_id=state.ticket_id,
        occurred_at=when,
        signal=EntityChanged(
            entity=view(state.entity, news.requests),
            previous_status=previous_status,
            error=news.error,
            action=news.action or open_action(state),
        ),
    )


def open_action(state: TrackedEntity) -> str | None:
    """The newest action that a person still has to take."""
    return state.actions[-1].record.action if state.actions else None


def view(entity: Entity, requests: dict[RequestKind, Told]) -> Entity:
    """What a journey needs of an entity, nothing personal; each given request is shown in its kind's place."""
    shown = Entity(
        type=entity.type,
        id=entity.id,
        status=entity.status,
        service_id=entity.service_id,
        supplier=entity.supplier,
        service_test_id=entity.service_test_id,
        result=_bare(entity.result),
        resolution=_bare(entity.resolution),
        amendment=_bare(entity.amendment),
        cancellation=_bare(entity.cancellation),
    )
    return replace(shown, **{FIELD_OF[kind]: _bare(told) for kind, told in requests.items()})


def result_of(entity: Entity) -> TestResult | None:
    """The part of a test's result that a journey decides by."""
    return _bare(entity.result)


def _bare(told: Part | None) -> Part | None:
    return None if told is None else replace(told, other=None)
