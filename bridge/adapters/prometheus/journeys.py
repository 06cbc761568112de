"""How the journeys of a worker stand, kept up to date with each write."""

from collections.abc import Callable
from datetime import datetime

from bridge.adapters.prometheus import definitions as of
from bridge.adapters.prometheus.labels import OTHER, Standing
from bridge.adapters.prometheus.meters import Meters, Sample
from bridge.adapters.prometheus.moments import Earliest
from bridge.domain.journey.calls import attention
from bridge.domain.journey.state import Journey, TicketState
from bridge.domain.journeys import CommandState
from bridge.domain.lifecycle import ProblemStatus

FIXED = frozenset({ProblemStatus.RESOLVED, ProblemStatus.COMPLETED})


class JourneyGauges:
    """The gauges over all journeys, and what a change of one of them adds to the counters."""

    def __init__(self, meters: Meters, now: Callable[[], datetime]) -> None:
        """Register the metrics; `now` is the wall clock."""
        self._now = now
        self._phases = meters.tally(of.JOURNEYS)
        self._attention = meters.tally(of.ATTENTION)
        self._faults = meters.counter(of.FAULTS)
        self._ends = meters.counter(of.ENDS)
        self._raise_seconds = meters.histogram(of.RAISE_SECONDS)()
        self._repair_seconds = meters.histogram(of.REPAIR)
        self._commands = {standing: Earliest() for standing in Standing}
        meters.worked_out(of.COMMANDS, self._count_commands)
        meters.worked_out(of.OLDEST_COMMAND, self._ages)

    def clear(self) -> None:
        """Forget every journey."""
        self._phases.clear()
        self._attention.clear()
        for commands in self._commands.values():
            commands.clear()

    def found(self, key: str, ticket: TicketState | None) -> None:
        """A take-over found a ticket; what happened to it was counted by whoever did it."""
        self._move(key, None, ticket)

    def changed(self, key: str, before: TicketState | None, after: TicketState | None) -> None:
        """A ticket was written."""
        self._move(key, before, after)
        if after is not None and after.journey is not None:
            self._count(before.journey if before is not None else None, after.journey)

    def _move(self, key: str, before: TicketState | None, after: TicketState | None) -> None:
        for tally, left, entered in (
            (self._phases, phase_of(before), phase_of(after)),
            (self._attention, attention_of(before), attention_of(after)),
        ):
            if left == entered:
                continue
            if left is not None:
                tally.add(-1, left)
            if entered is not None:
                tally.add(1, entered)
        was, is_now = standing(before), standing(after)
        if was is not None and (is_now is None or is_now[0] is not was[0]):
            self._commands[was[0]].put(key, None)
        if is_now is not None:
            self._commands[is_now[0]].put(key, is_now[1])

    def _count(self, before: Journey | None, after: Journey) -> None:
        supplier = after.supplier or OTHER
        if after.report_event_id is not None and (before is None or before.report_event_id != after.report_event_id):
            report = after.report
            self._faults(supplier, report.problem_type if report is not None else "").inc()
        if after.end is not None and (before is None or before.ended_at != after.ended_at):
            self._ends(supplier, after.end.value).inc()
        if after.problem is None or after.reported_at is None:
            return
        passed = (self._now() - after.reported_at).total_seconds()
        known = before.problem if before is not None else None
        if known is None and not after.past_problems:
            self._raise_seconds.observe(passed)
        if after.problem.status in FIXED and (known is None or known.status not in FIXED):
            self._repair_seconds(supplier).observe(passed)

    def _count_commands(self) -> list[Sample]:
        return [((standing.value,), float(len(commands))) for standing, commands in self._commands.items()]

    def _ages(self) -> list[Sample]:
        now = self._now().timestamp()
        earliest = {standing: commands.earliest() for standing, commands in self._commands.items()}
        return [
            ((standing.value,), 0.0 if since is None else max(0.0, now - since)) for standing, since in earliest.items()
        ]


def phase_of(ticket: TicketState | None) -> str | None:
    """The phase of a ticket's journey."""
    return ticket.journey.phase if ticket is not None and ticket.journey is not None else None


def attention_of(ticket: TicketState | None) -> str | None:
    """What a person must do about a ticket."""
    return attention(ticket) if ticket is not None else None


def standing(ticket: TicketState | None) -> tuple[Standing, float] | None:
    """How the command that a ticket's journey stands at is doing, and since when, as Unix time."""
    head = ticket.journey.head if ticket is not None and ticket.journey is not None else None
    if head is None or ticket is None:
        return None
    since = head.trying_since or ticket.touched_at
    match head.state:
        case CommandState.NOT_SENT:
            return (Standing.RETRYING if head.attempts else Standing.WAITING), since.timestamp()
        case CommandState.IN_FLIGHT:
            return Standing.IN_FLIGHT, since.timestamp()
        case CommandState.UNKNOWN:
            return Standing.UNKNOWN, (head.unknown_since or since).timestamp()
