"""
One message as news of an entity: what of it is new, where each part stands in the entity's history, and how far to
trust it.

This is where KCIs, POST answers and GET answers become the same thing.
"""

from datetime import datetime

from msgspec.structs import replace

from bridge.domain.entities import SERVICE_TEST, Entity, Kci, Observation, Source, Update
from bridge.domain.lifecycle import judge
from bridge.domain.record import Record
from bridge.domain.statuses import Cause, Move
from bridge.domain.tracking.state import Position, TrackedEntity

# How many ids are remembered. A gateway that repeats a KCI after so many others is caught by its sequence number.
DELIVERED_IDS = 200
OBSERVATION_IDS = 50
# How many missing sequence numbers are remembered; of a wider gap the newest.
MISSING = 100


class Telling(Record, frozen=True, kw_only=True):
    """
    One thing told: an update, or the entity by itself, or both together as in a delivered KCI.

    `status` is the entity's at that point of its history; `told_with_status` is False where nobody told it.
    """

    update: Update | None
    entity: Entity | None
    at: Position
    status: str | None
    told_with_status: bool


class Hearing(Record, frozen=True, kw_only=True):
    """
    A message that is no duplicate.

    `newer` is False for what is older than something known: it may fill gaps, and change nothing. `claim` is the status
    to be judged, at `claimed_at`. `numbered` says that sequence numbers, and not only arrival, place the message.
    """

    source: Source
    seen_id: str
    when: datetime
    entity: Entity
    tellings: tuple[Telling, ...]
    claim: str | None
    claimed_at: Position
    newer: bool
    numbered: bool
    cause: Cause
    cause_update: Update | None


def is_duplicate(state: TrackedEntity, seen: Kci | Observation) -> bool:
    """Whether exactly this was heard before, however it came."""
    if isinstance(seen, Kci):
        return seen.update.id in state.delivered_ids or seen.update.id in state.fetched_ids
    return seen.observation_id in state.observation_ids


def hear_kci(state: TrackedEntity, kci: Kci) -> tuple[TrackedEntity, Hearing]:
    """A delivered KCI: newer than what is known unless its sequence number says otherwise."""
    update, last = kci.update, state.last_sequence_number
    number = update.sequence_number
    newer = number is None or last is None or number >= last
    at = Position(sequence=number if number is not None else last or 0, arrival=state.arrivals)
    hearing = Hearing(
        source=Source.KCI,
        seen_id=update.id,
        when=kci.received_at,
        entity=kci.entity,
        tellings=(Telling(update=update, entity=kci.entity, at=at, status=kci.entity.status, told_with_status=True),),
        claim=kci.entity.status,
        claimed_at=at,
        newer=newer,
        numbered=number is not None,
        cause=_cause(Source.KCI, update),
        cause_update=update,
    )
    state = replace(
        state,
        arrivals=state.arrivals + 1,
        delivered_ids=(*state.delivered_ids, update.id)[-DELIVERED_IDS:],
        last_kci_id=update.id if newer else state.last_kci_id,
        last_sequence_number=number if newer and number is not None else last,
        missing=_missing_after(state, number),
    )
    return state, hearing


def hear_answer(state: TrackedEntity, observation: Observation) -> tuple[TrackedEntity, Hearing]:
    """A POST or GET answer: its unknown updates are KCIs that were never delivered, or not yet."""
    known = {*state.delivered_ids, *state.fetched_ids}
    listed = _in_order(observation.updates)
    found = [update for update in listed if update.id not in known]
    numbers = [update.sequence_number for update in listed if update.sequence_number is not None]
    highest = max(numbers, default=None)
    newer = _is_newer(state, observation, highest)
    reached = _reached(state, highest, newer=newer)
    at = Position(sequence=reached, arrival=state.arrivals + len(found))
    claim = observation.entity.status if newer else None
    newest = listed[-1] if listed else None
    tellings = [
        _found(state, update, state.arrivals + index, claim, is_newest=update is newest)
        for index, update in enumerate(found)
    ]
    entity = Telling(update=None, entity=observation.entity, at=at, status=claim, told_with_status=True)
    hearing = Hearing(
        source=observation.source,
        seen_id=observation.observation_id,
        when=observation.observed_at,
        entity=observation.entity,
        tellings=(*tellings, entity),
        claim=claim,
        claimed_at=at,
        newer=newer,
        numbered=highest is not None,
        cause=_cause(observation.source, found[-1])
        if found
        else Cause(source=observation.source, id=observation.observation_id),
        cause_update=found[-1] if found else None,
    )
    fetched = tuple(dict.fromkeys((*state.fetched_ids, *(update.id for update in listed))))
    state = replace(
        state,
        arrivals=at.arrival + 1,
        observation_ids=(*state.observation_ids, observation.observation_id)[-OBSERVATION_IDS:],
        fetched_ids=fetched,
        delivered_ids=tuple(kci_id for kci_id in state.delivered_ids if kci_id not in set(fetched)),
        last_kci_id=found[-1].id if found and newer else state.last_kci_id,
        last_sequence_number=reached if newer and highest is not None else state.last_sequence_number,
        missing=_missing_after_answer(state, observation.source, highest),
    )
    return state, hearing


def opens_gap(before: TrackedEntity, hearing: Hearing) -> bool:
    """Whether a KCI overtook others; where counting starts is not known (contract 3.16), so a first one never does."""
    number, last = hearing.cause.sequence_number, before.last_sequence_number
    return hearing.source is Source.KCI and number is not None and last is not None and number > last + 1


def _is_newer(state: TrackedEntity, observation: Observation, highest: int | None) -> bool:
    """
    Whether an answer may move the status.

    A POST answer may be overtaken by KCIs, so it may only if nothing is known. A GET is older than what is known if its
    newest update is. Where no number tells, a GET that was answered before the present status was heard, and shows one
    that does not follow it, was overtaken on its way here.
    """
    if state.status is None:
        return True
    if observation.source is not Source.GET:
        return False
    if highest is not None and state.last_sequence_number is not None:
        return highest >= state.last_sequence_number
    claim = observation.entity.status
    overtaken = state.since is not None and observation.observed_at < state.since
    return not (overtaken and claim is not None and judge(state.lifecycle, state.status, claim) is not Move.EXPECTED)


def _reached(state: TrackedEntity, highest: int | None, *, newer: bool) -> int:
    """The sequence number up to which an answer tells the entity's history."""
    last = state.last_sequence_number
    if highest is None or (last is not None and newer and last > highest):
        return last or 0
    return highest


def _found(state: TrackedEntity, update: Update, arrival: int, claim: str | None, *, is_newest: bool) -> Telling:
    number = update.sequence_number if update.sequence_number is not None else state.last_sequence_number or 0
    at = Position(sequence=number, arrival=arrival)
    return Telling(update=update, entity=None, at=at, status=claim, told_with_status=is_newest)


def _in_order(updates: tuple[Update, ...]) -> list[Update]:
    """Each update once, by sequence number if all have one, else as the gateway listed them."""
    once = list({update.id: update for update in updates}.values())
    if any(update.sequence_number is None for update in once):
        return once
    return sorted(once, key=lambda update: update.sequence_number or 0)


def _missing_after(state: TrackedEntity, number: int | None) -> tuple[int, ...]:
    last = state.last_sequence_number
    if number is None or last is None:
        return state.missing
    if number <= last:
        return tuple(missing for missing in state.missing if missing != number)
    skipped = range(max(last + 1, number - MISSING), number)
    return (*state.missing, *skipped)[-MISSING:]


def _missing_after_answer(state: TrackedEntity, source: Source, highest: int | None) -> tuple[int, ...]:
    """
    Up to its newest update an answer tells all that there was. A GET of a test lists no updates (contract 1.7): it has
    told the status that they led to, and nothing else will bring them.
    """
    if source is Source.GET and state.entity.type == SERVICE_TEST:
        return ()
    return tuple(number for number in state.missing if highest is None or number > highest)


def _cause(source: Source, update: Update) -> Cause:
    return Cause(source=source, id=update.id, sequence_number=update.sequence_number, update_type=update.update_type)
