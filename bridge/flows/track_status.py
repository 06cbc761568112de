"""
KCIs and answers become the latest status of each entity, its transitions, what people must do, and what the journeys
are told.

Everything that decides is in `bridge.domain.tracking`; this flow writes what it says in one transaction per input.
"""

from collections.abc import Iterable
from datetime import timedelta

import structlog
from structlog.contextvars import bind_contextvars

from bridge.domain.entities import SERVICE_PROBLEM, Kci, Observation, shown_key
from bridge.domain.policy import TrackingPolicy
from bridge.domain.record import Record
from bridge.domain.statuses import StatusTransition
from bridge.domain.tracking import Folded, TrackedEntity, fold, forget_at, is_tracked, sweep, wake_at
from bridge.flows.intake import Intake, table_key
from bridge.ports import Arrived, Clock, Kept, Outgoing, TableLost, TablePartition, Wakes

log = structlog.get_logger(__name__)

Table = TablePartition[TrackedEntity]

KCIS = "kcis"
OBSERVATIONS = "observations"
TRANSITIONS = {True: "problem-transitions", False: "test-transitions"}
STATUSES = {True: "problem-status", False: "test-status"}
ACTIONS_REQUIRED = "actions-required"
JOURNEY_SIGNALS = "journey-signals"
# Key of an action whose ticket nobody knows yet: such actions are seen, in an order of their own.
NO_TICKET = ""
# How long an entity rests on which this program failed; the others go on meanwhile.
FAILED_WAIT = timedelta(minutes=1)


def entity_of(record: Record) -> str:
    """The key that a record of the tracker's source topics must have."""
    if isinstance(record, Kci | Observation):
        return record.entity.key
    raise TypeError(f"{type(record).__name__} tells of no entity")


class TrackStatus:
    """Handles records, wakes and take-overs of entities."""

    def __init__(self, *, intake: Intake[TrackedEntity], wakes: Wakes, clock: Clock, policy: TrackingPolicy) -> None:
        """Take what the flow works with."""
        self._intake = intake
        self._wakes = wakes
        self._clock = clock
        self._policy = policy

    async def arrived(self, arrived: Arrived, table: Table) -> None:
        """Settle one record of a source topic."""
        bind_contextvars(entity_key=shown_key(table_key(arrived.key)))
        if not await self._intake.take(arrived, table, self._decide):
            key = table_key(arrived.key)
            kept = table.get(key)
            if kept is not None:
                self._schedule(key, kept, table)

    async def woken(self, key: str, table: Table) -> None:
        """Ask for an entity that has been silent too long, or forget one that ended long ago."""
        bind_contextvars(entity_key=shown_key(key))
        try:
            await self._wake(key, table)
        except TableLost:
            raise
        except Exception:
            # A bug that this entity brings out must not stop the others.
            log.exception("an entity failed while it went on by itself", partition=table.number)
            self._wakes.wake(key, table.number, self._clock.now() + FAILED_WAIT)

    async def opened(self, partitions: Iterable[Table]) -> None:
        """Take partitions over: every entity that can fall silent is watched again."""
        for table in partitions:
            for key, kept in table.items():
                self._schedule(key, kept, table)

    async def _wake(self, key: str, table: Table) -> None:
        kept = table.get(key)
        if kept is None:
            return
        now = self._clock.now()
        if kept.value is None:
            await self._forget_unused(key, kept, table)
            return
        forget = forget_at(kept.value, self._policy)
        if forget is not None and now >= forget:
            status = STATUSES[kept.value.entity.type == SERVICE_PROBLEM]
            await table.write(key, None, [Outgoing(topic=status, key=key, value=None)])
            return
        swept = sweep(kept.value, now, self._policy)
        if swept is not None:
            kept = Kept(seen=kept.seen, at=now, value=swept.state)
            await table.write(key, kept, _records(swept))
        self._schedule(key, kept, table)

    async def _decide(
        self, key: str, record: Record, kept: Kept[TrackedEntity], _arrived: Arrived, table: Table
    ) -> None:
        if not isinstance(record, Kci | Observation):
            raise TypeError(f"{type(record).__name__} tells of no entity")
        if not is_tracked(record.entity.type):
            # Orders come on the same webhook (contract 4.3); `kcis` has them for whoever wants them.
            await table.write(key, kept)
            self._schedule(key, kept, table)
            return
        folded = fold(kept.value, record, self._policy)
        kept = Kept(seen=kept.seen, at=kept.at, value=folded.state)
        await table.write(key, kept, _records(folded))
        for transition in folded.transitions:
            _say(transition)
        self._schedule(key, kept, table)

    async def _forget_unused(self, key: str, kept: Kept[TrackedEntity], table: Table) -> None:
        if self._clock.now() >= kept.at + self._policy.remember_ended:
            await table.write(key, None)
        else:
            self._schedule(key, kept, table)

    def _schedule(self, key: str, kept: Kept[TrackedEntity], table: Table) -> None:
        if kept.value is None:
            times = [kept.at + self._policy.remember_ended]
        else:
            due = (wake_at(kept.value, self._policy), forget_at(kept.value, self._policy))
            times = [at for at in due if at is not None]
        if times:
            self._wakes.wake(key, table.number, min(times))


def _records(folded: Folded) -> list[Outgoing]:
    problem = folded.state.entity.type == SERVICE_PROBLEM
    key = folded.state.entity.key
    records = [Outgoing(topic=TRANSITIONS[problem], key=key, value=transition) for transition in folded.transitions]
    if folded.status is not None:
        records.append(Outgoing(topic=STATUSES[problem], key=key, value=folded.status))
    records += [
        Outgoing(topic=ACTIONS_REQUIRED, key=action.ticket_id or NO_TICKET, value=action) for action in folded.actions
    ]
    records += [Outgoing(topic=JOURNEY_SIGNALS, key=signal.ticket_id, value=signal) for signal in folded.signals]
    return records


def _say(transition: StatusTransition) -> None:
    """One line for each transition, once it is durable: what an operator follows an entity by (docs/logging.md)."""
    log.info(
        "transition",
        ticket_id=transition.ticket_id,
        from_status=transition.from_status,
        to_status=transition.to_status,
        move=transition.move.value,
        applied=transition.applied,
        source=transition.cause.source.value,
        cause=transition.cause.id,
    )
