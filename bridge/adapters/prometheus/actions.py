"""What people must do and by when, kept up to date with each write."""

from collections.abc import Callable, Iterable
from datetime import datetime

from bridge.adapters.prometheus import definitions as of
from bridge.adapters.prometheus.labels import ACTIONS, OTHER, Due
from bridge.adapters.prometheus.meters import Meters, Sample
from bridge.adapters.prometheus.moments import Earliest, Passed
from bridge.domain.tracking.state import OpenAction

HOUR = 3600.0
DAY = 24 * HOUR


class _OneAction:
    """The open actions of one type."""

    def __init__(self) -> None:
        self.members: set[str] = set()
        self.due = Earliest()
        # How many are due by now, within an hour, within a day.
        self.due_within = {0.0: Passed(), HOUR: Passed(), DAY: Passed()}

    def put(self, member: str, due_at: float | None) -> None:
        self.members.add(member)
        self._set(member, due_at)

    def drop(self, member: str) -> None:
        self.members.discard(member)
        self._set(member, None)

    def counts(self, now: float) -> dict[Due, int]:
        overdue, hour, day = (passed.count(now + ahead) for ahead, passed in self.due_within.items())
        return {
            Due.OVERDUE: overdue,
            Due.WITHIN_HOUR: hour - overdue,
            Due.WITHIN_DAY: day - hour,
            Due.LATER: len(self.due) - day,
            Due.NO_TIME: len(self.members) - len(self.due),
        }

    def _set(self, member: str, due_at: float | None) -> None:
        self.due.put(member, due_at)
        for passed in self.due_within.values():
            passed.put(member, due_at)


class ActionGauges:
    """The gauges over all open actions."""

    def __init__(self, meters: Meters, now: Callable[[], datetime]) -> None:
        """Register the metrics; `now` is the wall clock."""
        self._now = now
        self._actions = {action: _OneAction() for action in ACTIONS}
        meters.worked_out(of.ACTIONS_REQUIRED, self._counts)
        meters.worked_out(of.NEXT_DUE, self._nearest)

    def clear(self) -> None:
        """Forget every action."""
        self._actions = {action: _OneAction() for action in ACTIONS}

    def changed(self, before: Iterable[OpenAction], after: Iterable[OpenAction]) -> None:
        """The open actions of one entity changed."""
        if before is after:
            return
        still = {open_action.record.action_id for open_action in after}
        for gone in before:
            if gone.record.action_id not in still:
                self._of(gone).drop(gone.record.action_id)
        for present in after:
            due_at = present.record.due_at
            self._of(present).put(present.record.action_id, None if due_at is None else due_at.timestamp())

    def _of(self, action: OpenAction) -> _OneAction:
        return self._actions.get(action.record.action) or self._actions[OTHER]

    def _counts(self) -> list[Sample]:
        now = self._now().timestamp()
        return [
            ((action, due.value), float(count))
            for action, kept in self._actions.items()
            for due, count in kept.counts(now).items()
        ]

    def _nearest(self) -> list[Sample]:
        now = self._now().timestamp()
        nearest = {action: kept.due.earliest() for action, kept in self._actions.items()}
        return [((action,), due_at - now) for action, due_at in nearest.items() if due_at is not None]
