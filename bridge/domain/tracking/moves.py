"""What a claimed status does to the applied one: the rules of contract 6.1."""

from msgspec.structs import replace

from bridge.domain.lifecycle import judge
from bridge.domain.statuses import Move, StatusTransition
from bridge.domain.tracking.hearing import Hearing
from bridge.domain.tracking.identity import made_id
from bridge.domain.tracking.state import Position, StatusHeard, TrackedEntity

APPLIED = frozenset({Move.EXPECTED, Move.UNLISTED})
# How much of its history of statuses an entity keeps: late KCIs are judged by it, and none comes this late.
REMEMBERED = 40


def move(state: TrackedEntity, hearing: Hearing) -> tuple[TrackedEntity, StatusTransition | None]:
    """
    The state after the claim, and the transition to publish, of an applied move or of one that is only history.

    No claim, and a claim of the present status, is no transition.
    """
    error = next((told.update.error for told in reversed(hearing.tellings) if told.update and told.update.error), None)
    claim = hearing.claim
    if claim is None:
        return replace(state, error=error or state.error), None
    state = replace(state, statuses_heard=_heard(state.statuses_heard, claim, hearing.claimed_at))
    if claim == state.status:
        return replace(state, error=error or state.error), None
    verdict = judge(state.lifecycle, state.status, claim)
    if state.status is not None and not hearing.newer:
        verdict = Move.LATE
    transition = _transition(state, hearing, claim, verdict)
    if not transition.applied:
        return replace(state, error=error or state.error), transition
    state = replace(
        state,
        entity=replace(state.entity, status=claim),
        previous_status=state.status,
        since=hearing.when,
        transitions=state.transitions + 1,
        error=error,
    )
    return state, transition


def _transition(state: TrackedEntity, hearing: Hearing, claim: str, verdict: Move) -> StatusTransition:
    update = hearing.cause_update
    return StatusTransition(
        transition_id=made_id(state.entity.key, hearing.cause.id, claim),
        entity_type=state.entity.type,
        entity_id=state.entity.id,
        ticket_id=state.ticket_id,
        from_status=state.status,
        to_status=claim,
        move=verdict,
        applied=verdict in APPLIED,
        cause=hearing.cause,
        information=update.information if update is not None else None,
        action=update.action if update is not None else None,
        error=update.error if update is not None else None,
        resolution=(update.resolution if update is not None else None) or hearing.entity.resolution,
        observed_at=hearing.when,
    )


def _heard(known: tuple[StatusHeard, ...], claim: str, at: Position) -> tuple[StatusHeard, ...]:
    return tuple(sorted((*known, StatusHeard(status=claim, at=at)), key=lambda heard: heard.at)[-REMEMBERED:])
