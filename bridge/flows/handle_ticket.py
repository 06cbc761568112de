"""
A ticket's inputs become calls to the gateway.

The intent of a call is durable before its first byte is sent, and its outcome before the input is settled. Everything
that decides is in `bridge.domain.journey`; this flow carries it out for one ticket at a time, as its lane calls it.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace
from structlog.contextvars import bind_contextvars

from bridge.domain.admission import Admission
from bridge.domain.answers import PERMIT_EXPIRED, Answer, NotTaken, Refused, Taken
from bridge.domain.breaker import went_well
from bridge.domain.commands import SAFE
from bridge.domain.journey.answers import answered, interrupted, turned_away
from bridge.domain.journey.calls import (
    Found,
    attention,
    found,
    is_forgotten,
    next_call,
    sending,
    supplier_of,
    time_passed,
    wake_at,
)
from bridge.domain.journey.decisions import decision_arrived
from bridge.domain.journey.draft import Context, Step
from bridge.domain.journey.events import event_arrived
from bridge.domain.journey.signals import signal_arrived
from bridge.domain.journey.state import Planned, TicketState, view
from bridge.domain.outcomes import GatewayOutcome, Reason, Verdict
from bridge.domain.policy import JourneyPolicy
from bridge.domain.record import Record
from bridge.domain.signals import JourneySignal, LateAnswer, OperatorDecision
from bridge.domain.tickets import FaultTicketEvent
from bridge.domain.tracking.telling import view as without_personal_data
from bridge.flows.door import Door
from bridge.flows.intake import Intake, table_key
from bridge.ports import (
    Arrived,
    Clock,
    Gateway,
    JourneyTelemetry,
    Kept,
    Outbox,
    Outgoing,
    PublishFailed,
    TableLost,
    TablePartition,
    Wakes,
)

log = structlog.get_logger(__name__)

Table = TablePartition[TicketState]

FAULT_TICKETS = "fault-tickets"
JOURNEY_SIGNALS = "journey-signals"
OPERATOR_DECISIONS = "operator-decisions"
GATEWAY_OUTCOMES = "gateway-outcomes"
OBSERVATIONS = "observations"
JOURNEYS = "journeys"

# How long a ticket rests on which this program failed; the others go on meanwhile.
FAILED_WAIT = timedelta(minutes=1)


def ticket_of(record: Record) -> str:
    """The key that a record of the dispatcher's source topics must have."""
    if isinstance(record, FaultTicketEvent | JourneySignal | OperatorDecision):
        return record.ticket_id
    raise TypeError(f"{type(record).__name__} is not an input of a journey")


@dataclass(slots=True)
class _Turn:
    """One ticket's turn: what is durable, and beside it the state as worked out so far with what it publishes."""

    key: str
    table: Table
    kept: Kept[TicketState]
    ticket: TicketState
    dirty: bool
    outgoing: list[Outgoing] = field(default_factory=list)


class HandleTicket:
    """Handles records, wakes and take-overs of tickets."""

    def __init__(  # noqa: PLR0913  # each is a port or a policy of its own; a bag of them would only hide that
        self,
        *,
        intake: Intake[TicketState],
        gateway: Gateway,
        admission: Admission,
        outbox: Outbox,
        wakes: Wakes,
        clock: Clock,
        telemetry: JourneyTelemetry,
        policy: JourneyPolicy,
        new_request_id: Callable[[], str],
        monotonic: Callable[[], float],
        permit_seconds: float,
    ) -> None:
        """
        `new_request_id` makes an X-Request-ID that was never used before. `monotonic` also counts the time in which the
        machine sleeps; an intent permits its call for `permit_seconds` of it, fewer than it takes to lose a partition.
        """
        self._intake = intake
        self._gateway = gateway
        self._door = Door(admission, wakes=wakes, clock=clock, monotonic=monotonic)
        self._outbox = outbox
        self._wakes = wakes
        self._clock = clock
        self._telemetry = telemetry
        self._policy = policy
        self._new_request_id = new_request_id
        self._monotonic = monotonic
        self._permit_seconds = permit_seconds

    async def arrived(self, arrived: Arrived, table: Table) -> None:
        """Settle one record of a source topic."""
        bind_contextvars(ticket_id=table_key(arrived.key))
        if not await self._intake.take(arrived, table, self._decide):
            self._schedule_again(table_key(arrived.key), table)

    async def woken(self, key: str, table: Table) -> None:
        """Do what is due for a ticket: a retry, a check, a repeat, a forgetting."""
        bind_contextvars(ticket_id=key)
        try:
            await self._wake(key, table)
        except TableLost:
            raise
        except Exception:
            # A bug that this ticket brings out must not stop the others; an intent that stands is found the next time.
            log.exception("a ticket failed while it went on by itself", partition=table.number)
            self._wakes.wake(key, table.number, self._clock.now() + FAILED_WAIT)

    async def opened(self, partitions: Iterable[Table]) -> None:
        """Take partitions over: what is found is told as it is, and what is due is woken."""
        self._door.forget_all()
        tickets = dict.fromkeys(Found, 0)
        for table in partitions:
            for key, kept in table.items():
                if kept.value is not None:
                    tickets[found(kept.value)] += 1
                self._schedule(key, kept, table)
        self._telemetry.taken_over(tickets)
        log.info("took tickets over", **{name.lower(): count for name, count in tickets.items()})
        if interrupted_now := tickets[Found.INTERRUPTED]:
            log.warning(
                "commands were in flight when their worker went away; their outcome is UNKNOWN", count=interrupted_now
            )

    # -- one input

    async def _decide(self, key: str, record: Record, kept: Kept[TicketState], arrived: Arrived, table: Table) -> None:
        context = self._context(f"{arrived.topic}-{arrived.partition}-{arrived.offset}")
        turn = _Turn(key, table, kept, kept.value or TicketState(ticket_id=key, touched_at=context.now), dirty=True)
        self._find_interrupted(turn)
        self._take(turn, _applied(turn.ticket, record, context))
        await self._go_on(turn)

    async def _wake(self, key: str, table: Table) -> None:
        kept = table.get(key)
        if kept is None:
            return
        if kept.value is None or is_forgotten(kept.value, self._policy, self._clock.now()):
            await self._forget(key, kept, table)
            return
        turn = _Turn(key, table, kept, kept.value, dirty=False)
        self._find_interrupted(turn)
        await self._go_on(turn)

    def _find_interrupted(self, turn: _Turn) -> None:
        """The lane runs one input at a time, so an intent that stands now is one whose worker went away."""
        head = turn.ticket.journey.head if turn.ticket.journey is not None else None
        if head is not None and found(turn.ticket) is Found.INTERRUPTED:
            self._take(turn, interrupted(turn.ticket, self._context(f"takeover:{head.request_id}")))

    @staticmethod
    def _cause(what: str, turn: _Turn) -> str:
        """The same when the turn is taken again after a crash, and another after any change that was told of."""
        head = turn.ticket.journey.head if turn.ticket.journey is not None else None
        about = f"{head.command_id}:{head.attempts}" if head is not None else turn.key
        return f"{what}:{about}:{turn.ticket.touched_at.isoformat()}"

    def _context(self, cause: str) -> Context:
        jitter = random.random()  # noqa: S311  # jitter needs no secrecy
        return Context(now=self._clock.now(), cause=cause, policy=self._policy, jitter=jitter)

    # -- calls

    async def _go_on(self, turn: _Turn) -> None:
        """Make the calls that are due; then let the ticket rest."""
        delay: timedelta | None = None
        while delay is None:
            self._take(turn, time_passed(turn.ticket, self._context(self._cause("timer", turn))))
            planned = next_call(turn.ticket, self._clock.now())
            if planned is None:
                break
            delay = await self._make(turn, planned)
        if turn.dirty:
            await self._write(turn)
        self._schedule(turn.key, turn.kept, turn.table, delay)

    async def _make(self, turn: _Turn, planned: Planned) -> timedelta | None:
        """Make a call, its intent durable before and its outcome durable after; or say when to ask again."""
        supplier = _supplier(turn, planned)
        delay = await self._door.ask(supplier, turn.key, turn.table.number)
        if delay is not None:
            given_up = turned_away(turn.ticket, planned, self._context(self._cause("door", turn)))
            if given_up.ticket is turn.ticket:
                return delay
            self._take(turn, given_up)
            return None
        ok: bool | None = None
        try:
            turn.ticket, sent = sending(turn.ticket, planned, self._new_request_id(), self._clock.now())
            asked_at = self._monotonic()
            if sent.name not in SAFE:
                await self._write_or_tell(turn, sent, NotTaken(why="NOT_SENT"))
                self._door.prepared(asked_at)
            async with self._door.slot(supplier):
                stale = sent.name not in SAFE and self._is_stale(asked_at)
                answer = NotTaken(why=PERMIT_EXPIRED) if stale else await self._call(turn, sent, supplier)
            ok = went_well(answer)
        finally:
            self._door.leave(supplier, ok=ok)
        self._take(turn, answered(turn.ticket, sent, answer, self._context(sent.request_id or sent.command_id)))
        if sent.name not in SAFE:
            await self._write_or_tell(turn, sent, answer)
        return None

    def _is_stale(self, asked_at: float) -> bool:
        """
        Whether an intent permits its call no more. A worker that slept meanwhile may have lost the ticket, and the
        command may have been decided and repeated since: what was not sent in time is never sent.
        """
        waited = self._monotonic() - asked_at
        if waited <= self._permit_seconds:
            return False
        log.warning("an intent is too old to be sent; the command is tried again", seconds=round(waited, 1))
        return True

    async def _call(self, turn: _Turn, sent: Planned, supplier: str) -> Answer:
        journey = turn.ticket.journey
        answer = await self._gateway.call(
            sent.command,
            supplier=supplier,
            request_id=sent.request_id or sent.command_id,
            conversation_id=journey.conversation_id if journey is not None else "",
        )
        if isinstance(answer, NotTaken) and answer.retry_after_seconds is not None:
            self._door.hold(supplier, answer.retry_after_seconds)
        return answer

    # -- writing

    def _take(self, turn: _Turn, step: Step) -> None:
        """Take a step's result into the turn."""
        if step.ticket is turn.ticket:
            return
        turn.ticket, turn.dirty = step.ticket, True
        for outcome in step.outcomes:
            self._telemetry.outcome_decided(outcome.command, outcome.verdict, outcome.reason)
        turn.outgoing += (Outgoing(topic=GATEWAY_OUTCOMES, key=told.ticket_id, value=told) for told in step.outcomes)
        turn.outgoing += (Outgoing(topic=OBSERVATIONS, key=seen.entity.key, value=seen) for seen in step.observations)

    async def _write(self, turn: _Turn) -> None:
        before = turn.table.get(turn.key)
        shown = None if before is None or before.value is None else view(before.value, attention(before.value))
        status = view(turn.ticket, attention(turn.ticket))
        if status is not None and (shown is None or replace(shown, updated_at=status.updated_at) != status):
            turn.outgoing.append(Outgoing(topic=JOURNEYS, key=turn.key, value=status))
        kept = Kept(seen=turn.kept.seen, at=self._clock.now(), value=turn.ticket)
        await turn.table.write(turn.key, kept, turn.outgoing)
        for record in turn.outgoing:
            if isinstance(record.value, GatewayOutcome):
                _say(record.value)
        turn.kept, turn.outgoing, turn.dirty = kept, [], False

    async def _write_or_tell(self, turn: _Turn, sent: Planned, answer: Answer) -> None:
        """Write; if the partition is lost, what is known of the call is evidence for whoever owns the ticket now."""
        try:
            await self._write(turn)
        except TableLost:
            await self._tell_new_owner(turn.key, sent, answer)
            raise

    async def _tell_new_owner(self, key: str, sent: Planned, answer: Answer) -> None:
        late = late_answer(sent, answer)
        if late is None:
            return
        signal = JourneySignal(
            signal_id=f"late:{sent.request_id}", ticket_id=key, occurred_at=self._clock.now(), signal=late
        )
        try:
            await self._outbox.publish([Outgoing(topic=JOURNEY_SIGNALS, key=key, value=signal)])
        except PublishFailed as error:
            log.warning(
                "a late answer could not be passed on; the command stays UNKNOWN",
                command_id=sent.command_id,
                error=str(error),
            )

    async def _forget(self, key: str, kept: Kept[TicketState], table: Table) -> None:
        if kept.value is None and self._clock.now() < kept.at + self._policy.remember_ended:
            self._schedule(key, kept, table)
            return
        was_shown = kept.value is not None and kept.value.journey is not None
        await table.write(key, None, [Outgoing(topic=JOURNEYS, key=key, value=None)] if was_shown else [])

    # -- waking

    def _schedule_again(self, key: str, table: Table) -> None:
        """A record of this ticket went to the dead letters; what was due before it still is."""
        kept = table.get(key)
        if kept is not None:
            self._schedule(key, kept, table)

    def _schedule(self, key: str, kept: Kept[TicketState], table: Table, delay: timedelta | None = None) -> None:
        now = self._clock.now()
        at: datetime | None
        if delay is not None:
            at = now + delay
        elif kept.value is None:
            at = kept.at + self._policy.remember_ended
        else:
            at = now if found(kept.value) is Found.INTERRUPTED else wake_at(kept.value, self._policy)
        if at is not None:
            self._wakes.wake(key, table.number, at)


def _applied(ticket: TicketState, record: Record, context: Context) -> Step:
    match record:
        case FaultTicketEvent():
            return event_arrived(ticket, record, context)
        case JourneySignal():
            return signal_arrived(ticket, record, context)
        case OperatorDecision():
            return decision_arrived(ticket, record, context)
        case _:
            raise TypeError(f"{type(record).__name__} is not an input of a journey")


def _say(outcome: GatewayOutcome) -> None:
    """One line for each outcome, once it is durable: what an operator follows a ticket by (docs/logging.md)."""
    entity = None if outcome.entity_id is None else f"{outcome.entity_type}:{outcome.entity_id}"
    log.info(
        "outcome",
        command=outcome.command.value,
        verdict=outcome.verdict.value,
        reason=outcome.reason.value,
        command_id=outcome.command_id,
        event_id=outcome.event_id,
        request_id=outcome.request_id,
        entity_key=entity,
        http_status=outcome.http_status,
    )


def _supplier(turn: _Turn, planned: Planned) -> str:
    return supplier_of(turn.ticket.journey, planned) if turn.ticket.journey is not None else ""


def late_answer(sent: Planned, answer: Answer) -> LateAnswer | None:
    """An answer as evidence for another worker; None when it proves nothing."""
    known = LateAnswer(
        command_id=sent.command_id,
        command=sent.name,
        verdict=Verdict.NOT_SENT,
        reason=Reason.GAVE_UP,
        request_id=sent.request_id,
        answered_request_id=answer.request_id,
    )
    match answer:
        case Taken(http_status=status, entity=entity):
            shown = without_personal_data(entity, {})
            return replace(known, verdict=Verdict.ACCEPTED, reason=Reason.ANSWERED, http_status=status, entity=shown)
        case Refused(http_status=status, error=error):
            return replace(
                known, verdict=Verdict.REFUSED, reason=Reason.REFUSED_BY_GATEWAY, http_status=status, error=error
            )
        case NotTaken(http_status=not_taken_status):
            return replace(known, http_status=not_taken_status)
        case _:
            return None
