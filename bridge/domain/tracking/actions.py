"""
What a person must do about an entity, by when, and when that is settled (contract 2.7, 4.3, 4.5).

Whether an action is settled is read off what is known, by position and not by arrival: a KCI that comes late neither
revives an action that was settled after it, nor fails to settle one that was raised before it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from bridge.domain.entities import Update
from bridge.domain.lifecycle import WITH_SUPPLIER, ProblemStatus
from bridge.domain.policy import TrackingPolicy
from bridge.domain.statuses import ActionRequired, ActionState
from bridge.domain.tracking.hearing import Telling
from bridge.domain.tracking.identity import made_id
from bridge.domain.tracking.requests import is_accepted, is_answered
from bridge.domain.tracking.state import OpenAction, RequestKind, TrackedEntity

CONFIRM = "CONFIRM"
RESUBMIT = "RESUBMIT"
# A KCI that requires an action without naming one.
UNSPECIFIED = "UNSPECIFIED"
# The warning that a resolution will soon count as accepted comes as this information, 24 h before (contract 4.5).
WARNING = "ADDITIONAL"
WARNED_BEFORE = timedelta(hours=24)
# Actions beyond this are published, but not remembered: nothing withdraws them.
REMEMBERED = 50

# The status in which an entity waits for an action (contract 4.3). Others "usually" mean PENDING too, but a person who
# is asked for nothing costs less than one who is not asked, so those are not presumed.
WAITS_IN = {
    CONFIRM: ProblemStatus.RESOLVED,
    "INFORMATION_REQUIRED": ProblemStatus.PENDING,
    "REAPPOINT": ProblemStatus.PENDING,
}
# The statuses in which the supplier goes on without an answer.
PENDING_EXITS = frozenset({*WITH_SUPPLIER, ProblemStatus.RESOLVED}) - {ProblemStatus.PENDING}


def asked_for(update: Update) -> str | None:
    """The action an update asks for: any, and RESUBMIT also where it comes as information (contract 3.19)."""
    if update.action is not None and update.action.type:
        return update.action.type
    if update.information is not None and update.information.type == RESUBMIT:
        return RESUBMIT
    return UNSPECIFIED if update.update_type == "ACTION_REQUIRED" else None


def raised(state: TrackedEntity, telling: Telling, when: datetime, policy: TrackingPolicy) -> OpenAction | None:
    """The action an update asks for, unless it is settled already."""
    update = telling.update
    action = asked_for(update) if update is not None else None
    if update is None or action is None:
        return None
    resolution_id = _resolution_id(state, update) if action == CONFIRM else None
    due_at, due_because = _due(state, update, action, when, policy)
    record = ActionRequired(
        action_id=made_id(state.entity.key, update.id, action),
        ticket_id=state.ticket_id,
        entity_type=state.entity.type,
        entity_id=state.entity.id,
        action=action,
        state=ActionState.REQUIRED,
        text=update.action.text if update.action is not None else None,
        resolution_id=resolution_id,
        raised_at=when,
        due_at=due_at,
        due_because=due_because,
    )
    status = telling.status if telling.told_with_status else WAITS_IN.get(action)
    opened = OpenAction(record=record, at=telling.at, status=status)
    return None if is_settled(state, opened) else opened


def is_settled(state: TrackedEntity, action: OpenAction) -> bool:
    """Whether nobody has to act any more."""
    return state.ended or _SETTLED_BY.get(action.record.action, _pending_settled)(state, action)


def warned(action: OpenAction, telling: Telling, when: datetime) -> OpenAction:
    """A CONFIRM that this may warn of: it is due at most 24 h after the warning."""
    update = telling.update
    if update is None or update.information is None or update.information.type != WARNING:
        return action
    if action.record.action != CONFIRM or telling.at <= action.at:
        return action
    issued = _moment(update.issued_on)
    warned_at = min(issued, when) if issued is not None else when
    due_at = warned_at + WARNED_BEFORE
    if action.record.due_at is not None and action.record.due_at <= due_at:
        return action
    because = f"the gateway warned at {_said(warned_at)} that it takes the resolution as accepted 24 hours later"
    return replace(action, record=replace(action.record, due_at=due_at, due_because=because))


def settled(action: OpenAction) -> ActionRequired:
    """The record that withdraws an action; what it said of the person's task is not repeated."""
    return replace(action.record, state=ActionState.SETTLED, text=None, due_at=None, due_because=None)


def _confirm_settled(state: TrackedEntity, action: OpenAction) -> bool:
    """The resolution is answered, another one took its place, or the problem is no longer RESOLVED."""
    resolution_id = action.record.resolution_id
    resolutions = [known for known in state.requests if known.kind is RequestKind.RESOLUTION]
    for known in resolutions:
        if is_answered(known) and (
            known.id == resolution_id or (resolution_id is None and known.status_at > action.at)
        ):
            return True
        if resolution_id is not None and known.id != resolution_id and known.first > action.at:
            return True
    return _left(state, action, ProblemStatus.RESOLVED, lambda status: status != ProblemStatus.RESOLVED)


def _resubmit_settled(state: TrackedEntity, action: OpenAction) -> bool:
    """Something was asked anew."""
    return any(known.first > action.at for known in state.requests if known.kind is not RequestKind.RESOLUTION)


def _pending_settled(state: TrackedEntity, action: OpenAction) -> bool:
    """An amendment answered it, or the supplier went on without."""
    amended = any(
        known.kind is RequestKind.AMENDMENT and is_accepted(known) and known.first > action.at
        for known in state.requests
    )
    return amended or _left(state, action, ProblemStatus.PENDING, PENDING_EXITS.__contains__)


_SETTLED_BY: dict[str, Callable[[TrackedEntity, OpenAction], bool]] = {
    CONFIRM: _confirm_settled,
    RESUBMIT: _resubmit_settled,
}


def _left(state: TrackedEntity, action: OpenAction, held: str, is_exit: Callable[[str], bool]) -> bool:
    """Whether the entity was in the status `held` with or after the action, and in an exit from it after that."""
    start = action.at
    if action.status != held:
        later = [heard.at for heard in state.statuses_heard if heard.status == held and heard.at > action.at]
        if not later:
            return False
        start = min(later)
    return any(is_exit(heard.status) and heard.at > start for heard in state.statuses_heard)


def _resolution_id(state: TrackedEntity, update: Update) -> int | None:
    resolution = update.resolution or state.entity.resolution
    return resolution.id if resolution is not None else None


def _due(
    state: TrackedEntity, update: Update, action: str, when: datetime, policy: TrackingPolicy
) -> tuple[datetime | None, str | None]:
    if action != CONFIRM:
        if policy.action_due is None:
            return None, None
        return when + policy.action_due, f"{_length(policy.action_due)} after it was raised"
    resolution = update.resolution or state.entity.resolution
    resolved_at = _moment(resolution.resolved_date) if resolution is not None else None
    base = resolved_at or when
    source = "the supplier resolved it" if resolved_at is not None else "it was raised"
    because = (
        f"silent acceptance: the gateway takes the resolution as accepted {_length(policy.silent_acceptance)} "
        f"after {source} at {_said(base)}"
    )
    return base + policy.silent_acceptance, because


def _moment(text: str | None) -> datetime | None:
    """An ISO 8601 date-time as the gateway writes it, in UTC; None if it is none, or no time a deadline can rest on."""
    try:
        moment = datetime.fromisoformat(text or "")
        moment = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if _FIRST_YEAR <= moment.year <= _LAST_YEAR else None


_FIRST_YEAR, _LAST_YEAR = 1990, 9000


def _length(duration: timedelta) -> str:
    hours, rest = divmod(duration, timedelta(hours=1))
    if rest:
        return f"{duration.total_seconds():g} seconds"
    days, rest = divmod(duration, timedelta(days=1))
    return f"{hours} hours" if rest or days <= 1 else f"{days} days"


def _said(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
