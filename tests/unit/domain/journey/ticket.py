"""One ticket's story told input by input; what must hold at every step is checked at every step."""

from datetime import datetime, timedelta
from itertools import count

from msgspec import json
from msgspec.structs import replace

from bridge.domain.answers import Answer
from bridge.domain.commands import SAFE, Command
from bridge.domain.entities import Entity, GatewayError, Observation
from bridge.domain.journey.answers import answered, interrupted, turned_away
from bridge.domain.journey.calls import attention, next_call, sending, time_passed, wake_at
from bridge.domain.journey.decisions import decision_arrived
from bridge.domain.journey.draft import Context, Step
from bridge.domain.journey.events import event_arrived
from bridge.domain.journey.phases import MOVES
from bridge.domain.journey.signals import signal_arrived
from bridge.domain.journey.state import Journey, Planned, TicketState
from bridge.domain.journeys import CommandState
from bridge.domain.outcomes import CommandName, GatewayOutcome, Reason, Verdict
from bridge.domain.policy import JourneyPolicy
from bridge.domain.signals import Choice, Signal
from bridge.domain.tickets import TicketEvent
from bridge.ports import Kept
from tests.builders import (
    NOW,
    PERSONAL,
    TICKET,
    a_change,
    a_decision,
    a_policy,
    a_problem,
    a_report,
    a_result,
    a_signal,
    a_silence,
    a_test,
    an_event,
    an_update,
    taken,
)

Told = tuple[CommandName, Verdict, Reason]
LISTED_MOVES = {(move.from_phase, move.to_phase) for move in MOVES}
_numbers = count(1)


class Ticket:
    """
    A ticket in the hands of the journey machine alone: the test plays the provider, the tracker, the gateway, a person.

    `told` are the outcomes as (command, verdict, reason); `calls` the commands and GETs in the order of their sending.
    """

    def __init__(self, policy: JourneyPolicy | None = None) -> None:
        self.policy = policy or a_policy()
        self.now: datetime = NOW
        self.state = TicketState(ticket_id=TICKET, touched_at=NOW)
        self.outcomes: list[GatewayOutcome] = []
        self.observations: list[Observation] = []
        self.calls: list[Command] = []
        self._under_way: Planned | None = None

    # -- what the test does

    def event(self, content: TicketEvent, *, event_id: str | None = None) -> Step:
        event = an_event(content, event_id=event_id)
        return self._take(event_arrived(self.state, event, self._context()))

    def signal(self, signal: Signal) -> Step:
        return self._take(signal_arrived(self.state, a_signal(signal), self._context()))

    def hears(self, entity: Entity, *, error: str | None = None, action: str | None = None) -> Step:
        return self.signal(a_change(entity, error=error, action=action))

    def fails_to_send(self, entity: Entity, error: str) -> Step:
        """The gateway could not send this problem, and its GET shows no other error than the message did."""
        failed = replace(entity, status="FAILED_TO_SEND")
        self.hears(failed, error=error)
        self.sends()
        return self.gets(taken(failed, an_update(error=GatewayError(code=error)), http_status=200))

    def silence_of(self, entity: Entity) -> Step:
        return self.signal(a_silence(entity))

    def decides(self, choice: Choice, *, entity_id: str | None = None, command_id: str | None = None) -> Step:
        decision = a_decision(choice, entity_id=entity_id, command_id=command_id)
        return self._take(decision_arrived(self.state, decision, self._context()))

    def sends(self) -> Planned:
        """Begin the call that is due."""
        planned = next_call(self.state, self.now)
        assert planned is not None, f"no call is due; next at {self.wakes_at}"
        self.state, sent = sending(self.state, planned, f"request-{next(_numbers)}", self.now)
        self.calls.append(sent.command)
        self._under_way = sent
        self._check()
        return sent

    def gets(self, answer: Answer) -> Step:
        """End the call that is under way."""
        sent = self._under_way
        assert sent is not None, "no call is under way"
        self._under_way = None
        return self._take(answered(self.state, sent, answer, self._context()))

    def calls_and_gets(self, answer: Answer) -> Planned:
        sent = self.sends()
        self.gets(answer)
        return sent

    def is_taken_over(self) -> Step:
        self._under_way = None
        return self._take(interrupted(self.state, self._context()))

    def is_turned_away(self) -> Step:
        planned = next_call(self.state, self.now)
        assert planned is not None
        return self._take(turned_away(self.state, planned, self._context()))

    def waits(self, wait: timedelta) -> Step:
        self.now += wait
        return self._take(time_passed(self.state, self._context()))

    def waits_until_woken(self) -> Step:
        at = self.wakes_at
        assert at is not None, "nothing is due, ever"
        return self.waits(max(at - self.now, timedelta(0)))

    # -- what the test sees

    @property
    def journey(self) -> Journey:
        assert self.state.journey is not None
        return self.state.journey

    @property
    def head(self) -> Planned:
        assert self.journey.head is not None, "the queue is empty"
        return self.journey.head

    @property
    def due(self) -> CommandName | None:
        planned = next_call(self.state, self.now)
        return planned.name if planned is not None else None

    @property
    def told(self) -> list[Told]:
        return [(outcome.command, outcome.verdict, outcome.reason) for outcome in self.outcomes]

    @property
    def last(self) -> GatewayOutcome:
        return self.outcomes[-1]

    @property
    def attention(self) -> str | None:
        return attention(self.state)

    @property
    def wakes_at(self) -> datetime | None:
        return wake_at(self.state, self.policy)

    def told_of(self, event_id: str) -> list[Told]:
        return [told for told, outcome in zip(self.told, self.outcomes, strict=True) if outcome.event_id == event_id]

    # -- at every step

    def _context(self) -> Context:
        return Context(now=self.now, cause=f"input-{next(_numbers)}", policy=self.policy, jitter=1.0)

    def _take(self, step: Step) -> Step:
        before, after = self.state.journey, step.ticket.journey
        move = (before.phase if before else None, after.phase if after else None)
        assert move[0] is move[1] or move in LISTED_MOVES, f"no table lists {move}"
        self.state = step.ticket
        self.outcomes += step.outcomes
        self.observations += step.observations
        for outcome in step.outcomes:
            text = json.encode(outcome).decode()
            assert not any(word in text for word in PERSONAL), f"personal data in {text}"
        self._check()
        return step

    def _check(self) -> None:
        kept = Kept(seen={"fault-tickets": 1}, at=self.now, value=self.state)
        assert json.decode(json.encode(kept), type=Kept[TicketState]) == kept
        ids = [outcome.outcome_id for outcome in self.outcomes]
        assert len(ids) == len(set(ids)), "two outcomes have one id"
        journey = self.state.journey
        if journey is None:
            return
        busy = [planned for planned in journey.queue[1:] if planned.may_be_taken]
        assert not busy, "only the head of the queue is ever sent"
        if journey.end is not None:
            durable = json.encode(kept).decode()
            assert not any(word in durable for word in PERSONAL), "personal data outlived the journey"
        head = journey.head
        if head is not None and head.state is CommandState.NOT_SENT:
            assert self.wakes_at is not None, "a command waits, and nothing wakes its ticket"
        in_flight = [fetch for fetch in journey.fetches if fetch.state is CommandState.IN_FLIGHT]
        assert len(in_flight) <= (self._under_way is not None and self._under_way.name in SAFE)


# -- tickets that have come so far


def reported(policy: JourneyPolicy | None = None, **changes: object) -> Ticket:
    """A fault was reported; its test is to be sent."""
    ticket = Ticket(policy)
    ticket.event(a_report(**changes), event_id="report")
    return ticket


def in_test(policy: JourneyPolicy | None = None) -> Ticket:
    """The gateway took the test."""
    ticket = reported(policy)
    ticket.calls_and_gets(taken(a_test(status="RECEIVED_BY_GATEWAY")))
    return ticket


def passed(policy: JourneyPolicy | None = None) -> Ticket:
    """The test allows the raise; it is to be sent."""
    ticket = in_test(policy)
    ticket.hears(a_test(result=a_result()))
    return ticket


def raised(policy: JourneyPolicy | None = None) -> Ticket:
    """The gateway took the raise."""
    ticket = passed(policy)
    ticket.calls_and_gets(taken(a_problem(status="RECEIVED_BY_GATEWAY")))
    return ticket


def opened(policy: JourneyPolicy | None = None) -> Ticket:
    """The supplier acknowledged the problem."""
    ticket = raised(policy)
    ticket.hears(a_problem(status="ACKNOWLEDGED"))
    return ticket
