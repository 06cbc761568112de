"""
When an entity is to be fetched: because what was heard needs confirmation, or because nothing was heard for too long.

The tracker never fetches anything itself: it signals the ticket, whose journey makes the GET, and the answer comes back
as an observation.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from bridge.domain.entities import SERVICE_PROBLEM
from bridge.domain.policy import TrackingPolicy
from bridge.domain.signals import EntitySilent, JourneySignal
from bridge.domain.tracking.identity import made_id
from bridge.domain.tracking.state import Ask, Folded, TrackedEntity, Why

# How long missing sequence numbers may still come by themselves: deliveries that overtake each other are seconds apart.
GAP_WAIT = timedelta(seconds=10)
# How long a GET that was asked for may take to bring an observation; it doubles with each repetition.
ANSWER_WAIT = timedelta(minutes=1)
# How often a GET is asked for before it is left to the silence of a live entity.
MOST_SENT = 6
# The longest wait between two signals about the same silence.
LONGEST_WAIT = timedelta(hours=24)


def want(state: TrackedEntity, why: Why, at: datetime) -> TrackedEntity:
    """A GET is wanted at once; one that is already under way may be too old to tell."""
    return replace(state, ask=Ask(why=why, due_at=at))


def want_after_gap(state: TrackedEntity, at: datetime) -> TrackedEntity:
    """A GET is wanted soon, unless what is missing comes meanwhile."""
    due_at = at + GAP_WAIT
    ask = state.ask
    if ask is None:
        return replace(state, ask=Ask(why=Why.GAP, due_at=due_at))
    return replace(state, ask=replace(ask, due_at=min(ask.due_at, due_at)))


def gap_closed(state: TrackedEntity) -> TrackedEntity:
    """A GET that is wanted because of missing numbers is not needed any more, once none is missing."""
    if state.ask is None or state.missing or state.ask.why is not Why.GAP:
        return state
    return replace(state, ask=None)


def tell_due_ask(state: TrackedEntity, now: datetime) -> tuple[TrackedEntity, tuple[JourneySignal, ...]]:
    """Signal the GET that is wanted, if its time has come and the ticket is known; else it waits."""
    ask = state.ask
    if ask is None or state.ticket_id is None or ask.due_at > now:
        return state, ()
    sent = ask.sent + 1
    following = replace(ask, sent=sent, due_at=now + ANSWER_WAIT * (1 << ask.sent))
    ticket_id = state.ticket_id
    state = replace(state, ask=following if sent < MOST_SENT else None)
    return _signalled(state, ticket_id, ask.why, now)


def heard(state: TrackedEntity, at: datetime) -> TrackedEntity:
    """The silence, if there was one, is over."""
    return replace(state, last_heard_at=max(state.last_heard_at, at), silent_asks=0, silent_asked_at=None)


def sweep(state: TrackedEntity, now: datetime, policy: TrackingPolicy) -> Folded | None:
    """What the mere passing of time leads to; None if that is nothing yet."""
    due_at, ticket_id = wake_at(state, policy), state.ticket_id
    if due_at is None or due_at > now or ticket_id is None:
        return None
    if state.ask is not None:
        state, signals = tell_due_ask(state, now)
    else:
        state = replace(state, silent_asks=state.silent_asks + 1, silent_asked_at=now)
        state, signals = _signalled(state, ticket_id, Why.SILENCE, now)
    return Folded(state=state, signals=signals)


def wake_at(state: TrackedEntity, policy: TrackingPolicy) -> datetime | None:
    """When `sweep` next has something to do; None means not before something is heard."""
    if state.ticket_id is None:
        return None
    if state.ask is not None:
        return state.ask.due_at
    if state.ended:
        return None
    limit = policy.problem_silence if state.entity.type == SERVICE_PROBLEM else policy.test_silence
    if state.silent_asked_at is None:
        return state.last_heard_at + limit
    return state.silent_asked_at + _backed_off(limit, state.silent_asks)


def forget_at(state: TrackedEntity, policy: TrackingPolicy) -> datetime | None:
    """When an entity may leave the table: some time after its end and after the last word of it. A live one never."""
    return state.last_heard_at + policy.remember_ended if state.ended else None


def _backed_off(limit: timedelta, asks: int) -> timedelta:
    """Twice as long with each signal, up to a day; a limit longer than that stays."""
    longest = max(limit, LONGEST_WAIT)
    # Twenty doublings of a second are more than a day; an unbounded shift could overflow.
    return min(limit * (1 << min(asks, 20)), longest)


def _signalled(
    state: TrackedEntity, ticket_id: str, why: Why, now: datetime
) -> tuple[TrackedEntity, tuple[JourneySignal, ...]]:
    signal = JourneySignal(
        signal_id=made_id(state.entity.key, why, state.asked),
        ticket_id=ticket_id,
        occurred_at=now,
        signal=EntitySilent(entity_type=state.entity.type, entity_id=state.entity.id, why=why),
    )
    return replace(state, asked=state.asked + 1), (signal,)
