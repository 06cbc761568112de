"""
The story of one message: from what was known of an entity and what was heard, to what is known now and what to publish.

Rule: a pure function. The same input after the same state gives the same output, ids included, and the same input a
second time gives none.
"""

from msgspec.structs import replace

from bridge.domain.entities import Entity, Kci, Observation, Source
from bridge.domain.policy import TrackingPolicy
from bridge.domain.signals import JourneySignal
from bridge.domain.statuses import ActionRequired, EntityStatus, Move, StatusTransition
from bridge.domain.tracking import actions, silence
from bridge.domain.tracking.hearing import Hearing, Telling, hear_answer, hear_kci, is_duplicate, opens_gap
from bridge.domain.tracking.links import link
from bridge.domain.tracking.merging import merge
from bridge.domain.tracking.moves import move
from bridge.domain.tracking.requests import requests_in, take
from bridge.domain.tracking.state import Folded, OpenAction, RequestKind, TrackedEntity, Why
from bridge.domain.tracking.telling import News, latest_status, result_of, signal

# More claims than the statuses there are, so only a gateway that invents statuses without end is not asked about each.
CLAIMS = 20


def fold(state: TrackedEntity | None, seen: Kci | Observation, policy: TrackingPolicy) -> Folded:
    """
    Take in one KCI or one answer about a tracked entity; `state` is None if nothing is known of it yet.

    Never raises, whatever the gateway wrote; times must know their offset.
    """
    when = seen.received_at if isinstance(seen, Kci) else seen.observed_at
    before = state or TrackedEntity(entity=Entity(type=seen.entity.type, id=seen.entity.id), last_heard_at=when)
    if is_duplicate(before, seen):
        return Folded(state=before, duplicate=True)
    after = silence.heard(link(before, seen), when)
    after, hearing = hear_kci(after, seen) if isinstance(seen, Kci) else hear_answer(after, seen)
    after, news = _take_requests(after, hearing)
    after, transition = move(after, hearing)
    after = replace(after, entity=merge(after.entity, hearing.entity, newer=hearing.newer))
    after, required, raised = _take_actions(after, hearing, policy)
    after = _want_fetch(before, after, hearing, transition)
    changed = _changes(before, after, hearing, _with_updates(news, raised), required)
    after, asked = silence.tell_due_ask(after, when)
    return Folded(
        state=after,
        transitions=() if transition is None else (transition,),
        status=_changed_status(before, after, hearing),
        actions=required,
        signals=(*changed, *asked),
    )


def _take_requests(state: TrackedEntity, hearing: Hearing) -> tuple[TrackedEntity, list[tuple[Telling, list[News]]]]:
    """The amendments, cancellations and resolutions that were told, and for each telling those that are news."""
    told_news = []
    for telling in hearing.tellings:
        news: list[News] = []
        for holder in (telling.entity, telling.update):
            for kind, told in requests_in(holder) if holder is not None else ():
                state, moved = take(state, kind, told, telling.at)
                if moved is None:
                    continue
                if not news or (kind in news[-1].requests and news[-1].requests[kind].id != moved.id):
                    news.append(News(requests={}))
                # An older resolution is not the one to answer, so the ticket is only ever shown the latest.
                if kind is not RequestKind.RESOLUTION:
                    news[-1] = replace(news[-1], requests={**news[-1].requests, kind: moved})
        told_news.append((telling, news))
    return state, told_news


def _take_actions(
    state: TrackedEntity, hearing: Hearing, policy: TrackingPolicy
) -> tuple[TrackedEntity, tuple[ActionRequired, ...], dict[str, str]]:
    """The actions still open, what to publish of them, and which update raised which."""
    published = {action.record.action_id: action.record for action in state.actions}
    opened = [_with_ticket(action, state.ticket_id) for action in state.actions]
    raised: dict[str, str] = {}
    for telling in hearing.tellings:
        opened = [actions.warned(action, telling, hearing.when) for action in opened]
        action = actions.raised(state, telling, hearing.when, policy)
        if action is not None and telling.update is not None:
            opened.append(action)
            raised[telling.update.id] = action.record.action
    still = [action for action in opened if not actions.is_settled(state, action)]
    over = [action for action in opened if actions.is_settled(state, action)]
    required = (
        *(actions.settled(action) for action in over),
        *(action.record for action in still if published.get(action.record.action_id) != action.record),
    )
    return replace(state, actions=tuple(still)[-actions.REMEMBERED :]), required, raised


def _with_ticket(action: OpenAction, ticket_id: str | None) -> OpenAction:
    return replace(action, record=replace(action.record, ticket_id=ticket_id))


def _want_fetch(
    before: TrackedEntity, state: TrackedEntity, hearing: Hearing, transition: StatusTransition | None
) -> TrackedEntity:
    """What has to be confirmed by a GET, and what a GET confirmed."""
    verdict = transition.move if transition is not None else None
    if hearing.source is Source.GET:
        state = _answered(state, hearing)
    if not hearing.newer:
        return silence.gap_closed(state)
    if opens_gap(before, hearing) and state.awaited:
        state = silence.want_after_gap(state, hearing.when)
    if hearing.source is Source.KCI and hearing.claim is None and not state.ended:
        state = silence.want(state, Why.NO_STATUS, hearing.when)
    # A GET with sequence numbers is itself the confirmation; one without may be older than it looks.
    if verdict is Move.UNLISTED and not (hearing.source is Source.GET and hearing.numbered):
        state = silence.want(state, Why.UNLISTED, hearing.when)
    if verdict is Move.AFTER_END and hearing.claim is not None:
        state = _claimed_after_end(state, hearing, hearing.claim)
    return state


def _answered(state: TrackedEntity, hearing: Hearing) -> TrackedEntity:
    """A GET answers the question it was asked for, unless it is older than what raised the question."""
    ask = state.ask
    confirms = hearing.newer or (hearing.entity.status == state.status and ask is not None and ask.why is not Why.GAP)
    return replace(state, ask=None) if confirms else state


def _claimed_after_end(state: TrackedEntity, hearing: Hearing, claim: str) -> TrackedEntity:
    """Each claim is checked once: a gateway that repeats it, by KCI or by GET, is not asked again."""
    if claim in state.claims or len(state.claims) >= CLAIMS:
        return state
    state = replace(state, claims=(*state.claims, claim))
    return state if hearing.source is Source.GET else silence.want(state, Why.AFTER_END, hearing.when)


def _with_updates(news: list[tuple[Telling, list[News]]], raised: dict[str, str]) -> list[News]:
    """All news in order: an update's error and action go with the requests it told of, or alone."""
    all_news = []
    for telling, told in news:
        update = telling.update
        action = raised.get(update.id) if update is not None else None
        error = update.error if update is not None else None
        is_news = action is not None or error is not None
        items = told or ([News(requests={})] if is_news else [])
        all_news += [replace(item, action=action, error=error) for item in items]
    return all_news


def _changes(
    before: TrackedEntity,
    state: TrackedEntity,
    hearing: Hearing,
    news: list[News],
    required: tuple[ActionRequired, ...],
) -> list[JourneySignal]:
    """The signals of what changed, each with the entity as it now stands; one at least if anything did."""
    moved = before.status != state.status
    linked = before.ticket_id != state.ticket_id and before.arrivals > 0
    if linked:
        news = [News(requests={}, error=state.error), *news]
    elif not news and (moved or required or result_of(before.entity) != result_of(state.entity)):
        news = [News(requests={})]
    # Whoever hears of a new status hears of the error behind it at the same time: FAILED_TO_SEND is judged by it.
    error, previous = (state.error, before.status) if moved else (None, None)
    signals = (
        signal(
            state,
            replace(item, error=item.error or error),
            hearing.when,
            previous,
            hearing.source,
            hearing.seen_id,
            index,
        )
        for index, item in enumerate(news)
    )
    return [told for told in signals if told is not None]


def _changed_status(before: TrackedEntity, state: TrackedEntity, hearing: Hearing) -> EntityStatus | None:
    """The latest status, if anything but the time of the last word is different in it."""
    now = latest_status(state, hearing.when)
    return now if now != latest_status(before, hearing.when) else None
