"""Whose ticket an entity belongs to: told by an answer to us, by the conversation, or by the external identifier."""

from msgspec.structs import replace

from bridge.domain.correlation import ticket_of
from bridge.domain.entities import SERVICE_PROBLEM, Kci, Observation
from bridge.domain.tracking.state import LinkedBy, TrackedEntity

# A lower rank is better evidence, and replaces a link that rests on less.
_RANKS = {LinkedBy.OBSERVATION: 0, LinkedBy.CONVERSATION: 1, LinkedBy.EXTERNAL_IDENTIFIER: 2}


def link(state: TrackedEntity, seen: Kci | Observation) -> TrackedEntity:
    """The entity with its ticket, as far as this message or what is known already tells it."""
    state = replace(state, conversation_id=state.conversation_id or seen.conversation_id)
    for basis, ticket_id in _evidence(state, seen):
        if ticket_id and (state.linked_by is None or _RANKS[basis] < _RANKS[state.linked_by]):
            return replace(state, ticket_id=ticket_id, linked_by=basis)
    return state


def _evidence(state: TrackedEntity, seen: Kci | Observation) -> tuple[tuple[LinkedBy, str | None], ...]:
    external = seen.entity.external_identifier if state.entity.type == SERVICE_PROBLEM else None
    return (
        (LinkedBy.OBSERVATION, seen.ticket_id if isinstance(seen, Observation) else None),
        (LinkedBy.CONVERSATION, ticket_of(seen.conversation_id)),
        (LinkedBy.EXTERNAL_IDENTIFIER, external.strip() if external else None),
    )
