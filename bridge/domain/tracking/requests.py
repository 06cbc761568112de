"""
Amendments, cancellations and resolutions of a problem: each is told apart by its id and follows its own lifecycle.

Their statuses only ever move forward, so it does not matter in which order they are told.
"""

from typing import cast

from msgspec.structs import replace

from bridge.domain.entities import Entity, Request, Resolution, Update
from bridge.domain.lifecycle import REQUEST, RESOLUTION, Lifecycle, judge
from bridge.domain.statuses import Move
from bridge.domain.tracking.merging import overlay
from bridge.domain.tracking.state import KnownRequest, Position, RequestKind, TrackedEntity

Told = Request | Resolution

LIFECYCLE_OF: dict[RequestKind, Lifecycle] = {
    RequestKind.AMENDMENT: REQUEST,
    RequestKind.CANCELLATION: REQUEST,
    RequestKind.RESOLUTION: RESOLUTION,
}
FIELD_OF = {
    RequestKind.AMENDMENT: "amendment",
    RequestKind.CANCELLATION: "cancellation",
    RequestKind.RESOLUTION: "resolution",
}
# More than any problem has; the ones that were told of longest ago give way.
REMEMBERED = 60


def requests_in(holder: Entity | Update) -> tuple[tuple[RequestKind, Told], ...]:
    """What an entity or an update tells of: the contract does not settle which of the two holds it (4.3)."""
    held = ((kind, _shown(holder, kind)) for kind in RequestKind)
    return tuple((kind, told) for kind, told in held if told is not None)


def take(state: TrackedEntity, kind: RequestKind, told: Told, at: Position) -> tuple[TrackedEntity, Told | None]:
    """The state that knows of it, and the request as it stands if its existence or its status is news."""
    known = find(state, kind, told.id)
    status = told.status if known is None else _status_after(known, told.status, at)
    is_news = known is None or status != known.status
    standing = KnownRequest(
        kind=kind,
        id=told.id,
        status=status,
        first=at if known is None else min(known.first, at),
        latest=at if known is None else max(known.latest, at),
        status_at=known.status_at if known is not None and not is_news else at,
    )
    entity = _with_latest(state, kind, replace(told, status=status), at)
    state = replace(state, entity=entity, requests=_with(state.requests, known, standing))
    if not is_news:
        return state, None
    shown = _shown(entity, kind)
    return state, shown if shown is not None and shown.id == told.id else replace(told, status=status)


def find(state: TrackedEntity, kind: RequestKind, request_id: int | None) -> KnownRequest | None:
    """What is known of one request."""
    return next((known for known in state.requests if known.kind is kind and known.id == request_id), None)


def is_accepted(known: KnownRequest) -> bool:
    """Whether the supplier took an amendment or a cancellation."""
    return known.kind is not RequestKind.RESOLUTION and known.status == "COMPLETED"


def is_answered(known: KnownRequest) -> bool:
    """Whether a resolution was accepted or rejected."""
    return known.kind is RequestKind.RESOLUTION and RESOLUTION.ends_in(known.status)


def _status_after(known: KnownRequest, told: str | None, at: Position) -> str | None:
    """A listed move counts whenever it is told, an unlisted one only if it is newer, and one out of an end never."""
    if told is None:
        return known.status
    move = judge(LIFECYCLE_OF[known.kind], known.status, told)
    return told if move is Move.EXPECTED or (move is Move.UNLISTED and at > known.latest) else known.status


def _with_latest(state: TrackedEntity, kind: RequestKind, told: Told, at: Position) -> Entity:
    """The entity shows, of each kind, the request that was told of last."""
    shown = _shown(state.entity, kind)
    if shown is not None:
        newer = _is_newer(state, kind, shown, at)
        if shown.id == told.id:
            lower, upper = (shown, told) if newer else (told, shown)
            told = replace(overlay(lower, upper), status=told.status)
        elif not newer:
            return state.entity
    return replace(state.entity, **{FIELD_OF[kind]: told})


def _shown(holder: Entity | Update, kind: RequestKind) -> Told | None:
    return cast("Told | None", getattr(holder, FIELD_OF[kind]))


def _is_newer(state: TrackedEntity, kind: RequestKind, shown: Told, at: Position) -> bool:
    known = find(state, kind, shown.id)
    return known is None or at >= known.latest


def _with(
    requests: tuple[KnownRequest, ...], known: KnownRequest | None, standing: KnownRequest
) -> tuple[KnownRequest, ...]:
    others = [request for request in requests if request is not known]
    kept = sorted(others, key=lambda request: request.latest)[-(REMEMBERED - 1) :]
    return (*kept, standing)
