"""
Any interleaving of events, messages, decisions, crashes and time, through the real flow, against a model gateway.

What must hold at every step: the gateway never takes a second raise, amendment or cancellation that nobody asked for;
commands reach it in the order of their events; an intent is durable before each call; nothing is stuck, nothing runs
hot. What must hold when everything has come to rest: every event and every command has its outcome.
"""

import asyncio
from collections import Counter, defaultdict, deque
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.domain.commands import (
    SAFE,
    AmendProblem,
    CancelProblem,
    Command,
    RaiseProblem,
    RunTest,
    name_of,
)
from bridge.domain.journey.calls import attention, next_call, wake_at
from bridge.domain.journey.following import SUPPLIER_TIMED_OUT
from bridge.domain.journey.state import Journey
from bridge.domain.journeys import CommandState, Phase
from bridge.domain.outcomes import CommandName, GatewayOutcome, Reason, Verdict
from bridge.domain.record import Record
from bridge.domain.signals import Choice, EntityChanged
from bridge.ports import Arrived, TableLost
from tests.builders import (
    NOW,
    TICKET,
    a_cancellation,
    a_decision,
    a_policy,
    a_report,
    a_result,
    a_signal,
    a_silence,
    a_test_request,
    an_amendment,
    an_answer,
    an_event,
)
from tests.fakes import Crashed, Fault
from tests.unit.domain.journey.model import Fate, ModelGateway
from tests.unit.flows.dispatcher import Dispatcher

# What befalls the calls and writes of one input: one thing, mostly at the first call or around its writes, or nothing.
Trouble = tuple[tuple[Fate, ...], tuple[Fault, ...]]
AT_A_CALL: list[Trouble] = [((fate,), ()) for fate in Fate]
# An input of a journey has four writes at most before it rests: intent and outcome, and the same of what follows.
AT_A_WRITE: list[Trouble] = [((), (*(Fault.NONE,) * before, fault)) for before in range(4) for fault in Fault]
TWICE: list[Trouble] = [((Fate.LOST, Fate.LOST), ()), ((Fate.TAKEN, Fate.LOST), ()), ((), (Fault.NONE,) * 3)]
CLEAN: list[Trouble] = [((), ())] * 12
TROUBLES = st.sampled_from([*CLEAN, *AT_A_CALL, *AT_A_WRITE, *TWICE])
NO_TROUBLE: Trouble = ((), ())
ERRORS = st.sampled_from(["GATEWAY_FAULT", SUPPLIER_TIMED_OUT])
INDEX = st.integers(0, 9)
# How far a ticket has come before anything can happen to it: most histories are about the later part of its life.
STARTS = st.sampled_from(["nothing", "reported", "tested", "raised", "raised", "open", "open", "open", "resolved"])
# More calls for one input than any journey has a reason for.
MOST_CALLS = 30


class AnyHistory(RuleBasedStateMachine):
    """One ticket, and everything that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.events: list[str] = []
        self.numbers: dict[str, int] = {}
        self.repeats: Counter[str] = Counter()
        self.raises_allowed = 1
        self.names_given = 0

    def teardown(self) -> None:
        try:
            if hasattr(self, "dispatcher"):
                self.run_until(self.dispatcher.clock.now() + timedelta(minutes=20))
                self.nothing_is_taken_twice_unasked()
                self.nothing_is_stuck()
                self.come_to_rest()
                self.nothing_is_taken_twice_unasked()
        finally:
            self.loop.close()

    @initialize(
        reraise=st.booleans(),
        accept=st.booleans(),
        own_test=st.booleans(),
        start=STARTS,
        trouble=TROUBLES,
    )
    def begin(self, start: str, trouble: Trouble, *, reraise: bool, accept: bool, own_test: bool) -> None:
        self.policy = a_policy(
            reraise_unknown=reraise,
            accept_resolution_codes=frozenset({"*"} if accept else ()),
            max_queued=6,
            unknown_raise_wait=timedelta(minutes=5),
            retry_for=timedelta(hours=1),
        )
        self.gateway = ModelGateway(self.watch)
        self.dispatcher = Dispatcher(self.gateway, policy=self.policy)
        self.own_test = own_test
        self.inbox: deque[Arrived] = deque()
        # What workers that lost the partition told of their calls, and is still under way.
        self.late: deque[Record] = deque()
        if start == "nothing":
            return
        self.event(a_report(), NO_TROUBLE)
        if start == "reported":
            return
        self.happens("SERVICE_TEST", "COMPLETED", trouble if start in ("tested", "raised") else NO_TROUBLE)
        if start in ("open", "resolved"):
            self.happens("SERVICE_PROBLEM", "ACKNOWLEDGED", trouble)
        if start == "resolved":
            self.happens("SERVICE_PROBLEM", "RESOLVED", trouble)

    def happens(self, entity_type: str, status: str, trouble: Trouble) -> None:
        """Let the first entity of a type come to a status, and its message arrive."""
        keys = [key for key in self.gateway.live() if key.startswith(entity_type)]
        if keys:
            self.gateway.come_to(keys[0], status, a_result(since=self.dispatcher.clock.now()))
            self.take(a_signal(self.gateway.kcis.pop()), trouble)

    # -- what the world sees

    def journey(self) -> Journey | None:
        kept = self.dispatcher.table.get(TICKET)
        return kept.value.journey if kept is not None and kept.value is not None else None

    def outcomes(self) -> list[GatewayOutcome]:
        return self.dispatcher.table.values_of("gateway-outcomes")

    def watch(self, command: Command, request_id: str) -> None:
        """Called by the gateway before each call: its intent must be durable, and it must be allowed."""
        if name_of(command) in SAFE:
            return
        journey = self.journey()
        assert journey is not None
        head = journey.head
        assert head is not None
        assert (head.state, head.request_id, head.command) == (CommandState.IN_FLIGHT, request_id, command)
        if isinstance(command, RaiseProblem):
            failed = [key for key, error in self.gateway.errors.items() if error == SUPPLIER_TIMED_OUT]
            assert not failed, "raised anew although the supplier timed out"

    # -- how inputs are handled: what is not settled comes again

    def take(self, record: Record, trouble: Trouble = NO_TROUBLE) -> None:
        self.inbox.append(self.dispatcher.record(record))
        self.work(trouble)

    def work(self, trouble: Trouble) -> None:
        self.gateway.fates.extend(trouble[0])
        self.dispatcher.table.faults.extend(trouble[1])
        while self.inbox:
            arrived = self.inbox[0]
            if self.survives(self.dispatcher.flow.arrived(arrived, self.dispatcher.table)):
                self.inbox.popleft()
        self.gateway.fates.clear()
        self.dispatcher.table.faults.clear()
        self.run_until(self.dispatcher.clock.now())

    def survives(self, work: Any) -> bool:
        before = self.gateway.calls
        try:
            self.loop.run_until_complete(work)
        except (Crashed, TableLost):
            self.restart()
            return False
        finally:
            assert self.gateway.calls - before < MOST_CALLS, "hot"
        return True

    def restart(self) -> None:
        """Another worker takes over; what the lost one told of its call comes when it comes."""
        self.late.extend(record.value for record in self.dispatcher.outbox.records if record.value is not None)
        self.dispatcher.outbox.records.clear()
        self.loop.run_until_complete(self.dispatcher.restarted())

    # -- what can happen

    def event(self, content: Any, trouble: Trouble) -> None:
        event_id = f"event-{len(self.events)}"
        self.events.append(event_id)
        self.take(an_event(content, event_id=event_id), trouble)

    @rule(trouble=TROUBLES)
    def a_fault_is_reported(self, trouble: Trouble) -> None:
        tests = [entity.id for entity in self.gateway.entities.values() if entity.type == "SERVICE_TEST"]
        number = int(tests[0]) if self.own_test and tests else None
        self.event(a_report(service_test_id=number), trouble)

    @rule(trouble=TROUBLES)
    def the_fault_is_amended(self, trouble: Trouble) -> None:
        self.event(an_amendment(notes=f"change {len(self.events)}"), trouble)

    @precondition(lambda self: self.journey() is not None and self.journey().phase is not Phase.TESTING)
    @rule(trouble=TROUBLES)
    def the_fault_is_cancelled(self, trouble: Trouble) -> None:
        self.event(a_cancellation(text=f"change {len(self.events)}"), trouble)

    @rule(trouble=TROUBLES, rejected=st.booleans())
    def a_resolution_is_answered(self, trouble: Trouble, *, rejected: bool) -> None:
        answer = "REJECTED" if rejected else "ACCEPTED"
        self.event(an_answer(answer, notes=f"change {len(self.events)}"), trouble)

    @rule(trouble=TROUBLES, other=st.booleans())
    def a_test_is_asked_for(self, trouble: Trouble, *, other: bool) -> None:
        service = {"service_id": "SVC-2"} if other else {}
        self.event(a_test_request(**service), trouble)

    @rule(index=INDEX)
    def an_event_is_sent_twice_or_is_invalid(self, index: int) -> None:
        if index < len(self.events):
            self.take(an_event(an_amendment(), event_id=self.events[index]))
        else:
            self.event(an_amendment(problem_text="short"), NO_TROUBLE)

    @precondition(lambda self: self.gateway.live())
    @rule(
        index=INDEX,
        choice=INDEX,
        found=st.sampled_from(["RED", "RED", "AMBER", "GREEN", None]),
        error=ERRORS,
        minutes=st.sampled_from([3, 120, 120]),
        hears=st.booleans(),
        trouble=TROUBLES,
    )
    def an_entity_moves(
        self,
        index: int,
        choice: int,
        found: str | None,
        error: str,
        minutes: int,
        trouble: Trouble,
        *,
        hears: bool,
    ) -> None:
        live = self.gateway.live()
        since = self.dispatcher.clock.now()
        result = a_result(found, valid_for=timedelta(minutes=minutes), since=since) if found is not None else None
        self.gateway.move(live[index % len(live)], choice, result, error)
        if hears:
            self.take(a_signal(self.gateway.kcis.pop()), trouble)

    @precondition(lambda self: self.gateway.kcis)
    @rule(index=INDEX, times=st.integers(0, 2), trouble=TROUBLES)
    def a_kci_comes_late_twice_or_never(self, index: int, times: int, trouble: Trouble) -> None:
        kci = self.gateway.kcis.pop(index % len(self.gateway.kcis))
        for _ in range(times):
            self.take(a_signal(kci), trouble)

    @precondition(lambda self: self.gateway.entities)
    @rule(index=INDEX, trouble=TROUBLES)
    def an_entity_is_silent(self, index: int, trouble: Trouble) -> None:
        entities = list(self.gateway.entities.values())
        self.take(a_signal(a_silence(entities[index % len(entities)])), trouble)

    @precondition(lambda self: self.unknown() is not None)
    @rule(choice=st.sampled_from(Choice), index=INDEX, trouble=TROUBLES)
    def a_person_decides(self, choice: Choice, index: int, trouble: Trouble) -> None:
        unknown = self.unknown()
        assert unknown is not None
        entities = [entity.id for entity in self.gateway.entities.values()]
        entity_id = (*entities, "99")[index % (len(entities) + 1)]
        if choice is Choice.RETRY:
            self.repeats[unknown.command_id] += 1
            self.raises_allowed += unknown.name is CommandName.RAISE_PROBLEM
        elif unknown.name is CommandName.RAISE_PROBLEM:
            # A person who is wrong about a raise may make the journey go another way; what it allows then is counted.
            self.raises_allowed += 1
        self.take(a_decision(choice, entity_id=entity_id, command_id=unknown.command_id), trouble)

    def unknown(self) -> Any:
        journey = self.journey()
        head = journey.head if journey is not None else None
        return head if head is not None and head.state is CommandState.UNKNOWN else None

    @rule(seconds=st.sampled_from([0, 1, 15, 130, 600, 3700]), trouble=TROUBLES)
    def time_passes(self, seconds: int, trouble: Trouble) -> None:
        self.gateway.fates.extend(trouble[0])
        self.dispatcher.table.faults.extend(trouble[1])
        until = self.dispatcher.clock.now() + timedelta(seconds=seconds)
        self.run_until(until)
        self.work(NO_TROUBLE)

    def run_until(self, until: Any) -> None:
        """Let time pass in the steps in which the wakes come; each minute has a bounded number of calls."""
        clock, wakes = self.dispatcher.clock, self.dispatcher.wakes
        minutes: dict[int, int] = defaultdict(int)
        while True:
            at = min(wakes.asked.values(), default=until)
            clock.advance(max(timedelta(0), min(at, until) - clock.now()))
            if at > until:
                return
            before = self.gateway.calls
            for key, _ in wakes.due(clock.now()):
                self.survives(self.dispatcher.flow.woken(key, self.dispatcher.table))
            minute = int((clock.now() - NOW).total_seconds() // 60)
            minutes[minute] += 1 + self.gateway.calls - before
            assert minutes[minute] < 60, "hot"
            if clock.now() >= until and not any(at <= until for at in wakes.asked.values()):
                return

    @rule(trouble=TROUBLES)
    def the_worker_is_replaced(self, trouble: Trouble) -> None:
        """The new one may end while it takes over."""
        self.restart()
        self.work(trouble)

    @precondition(lambda self: self.late)
    @rule(index=INDEX, times=st.sampled_from([0, 1, 1, 1, 2]), trouble=TROUBLES)
    def a_late_answer_comes(self, index: int, times: int, trouble: Trouble) -> None:
        """At once, or long after others dealt with the command; twice, or never."""
        late = self.late[index % len(self.late)]
        self.late.remove(late)
        for _ in range(times):
            self.take(late, trouble)

    # -- what must hold

    @invariant()
    def nothing_is_taken_twice_unasked(self) -> None:
        if not hasattr(self, "dispatcher"):
            return
        changes = Counter(
            (type(command), command.notes if isinstance(command, AmendProblem) else command.text)
            for command in self.gateway.accepted
            if isinstance(command, AmendProblem | CancelProblem)
        )
        retried = sum(self.repeats.values())
        assert sum(count - 1 for count in changes.values()) <= retried
        failed = len(self.gateway.errors)
        raises = sum(isinstance(command, RaiseProblem) for command in self.gateway.accepted)
        by_policy = 2 * self.raises_allowed if self.policy.reraise_unknown else 0
        assert raises <= self.raises_allowed + by_policy + failed, "a second raise that nobody asked for"
        tests = sum(isinstance(command, RunTest) for command in self.gateway.accepted)
        assert tests <= (len(self.events) + failed + retried + 2) * self.policy.max_tests * 3

    @invariant()
    def commands_reach_the_gateway_in_the_order_of_their_events(self) -> None:
        if not hasattr(self, "dispatcher") or self.repeats:
            return
        texts = [
            command.notes if isinstance(command, AmendProblem) else command.text
            for command in self.gateway.accepted
            if isinstance(command, AmendProblem | CancelProblem)
        ]
        numbers = [int(text.removeprefix("change ")) for text in texts if text]
        assert numbers == sorted(numbers)

    @invariant()
    def nothing_is_stuck(self) -> None:
        if not hasattr(self, "dispatcher"):
            return
        kept = self.dispatcher.table.get(TICKET)
        if kept is None or kept.value is None or kept.value.journey is None:
            return
        journey = kept.value.journey
        due = wake_at(kept.value, self.policy)
        head = journey.head
        if journey.fetches or (head is not None and head.state is CommandState.NOT_SENT):
            assert due is not None
        if head is not None and head.state is CommandState.UNKNOWN and head.not_before is None:
            assert attention(kept.value) == "RESOLVE_UNKNOWN"
        if journey.phase is Phase.TESTING and not journey.queue:
            assert journey.fetches, "a test whose result nobody will fetch"
        assert journey.phase is not Phase.RAISING or journey.queue, "a raise that nobody will send"
        if due is not None:
            soon = self.dispatcher.clock.now() + timedelta(minutes=1, seconds=5)
            asked = self.dispatcher.wakes.asked.get((TICKET, 0))
            assert asked is not None, "something is due and nobody wakes the ticket"
            assert asked <= max(due, soon)
        if head is not None and head.state is CommandState.IN_FLIGHT:
            asked = self.dispatcher.wakes.asked.get((TICKET, 0))
            assert asked is not None, "an intent stands, nothing runs, and nobody wakes the ticket"
            assert asked <= self.dispatcher.clock.now()

    # -- the end

    def come_to_rest(self) -> None:
        """The gateway answers, every message comes, people decide truthfully: then every command has its last word."""
        while self.late:
            self.take(self.late.popleft())
        for _ in range(60):
            for key in self.gateway.live():
                self.gateway.move(key, 0, a_result(since=self.dispatcher.clock.now()), "GATEWAY_FAULT")
            self.gateway.kcis.clear()
            for entity in list(self.gateway.entities.values()):
                self.take(a_signal(EntityChanged(entity=entity)))
            self.run_until(self.dispatcher.clock.now() + timedelta(minutes=10))
            unknown = self.unknown()
            if unknown is not None:
                self.take(a_decision(Choice.NOT_ACCEPTED, command_id=unknown.command_id))
            if not self.gateway.live() and not self.is_busy():
                break
        journey = self.journey()
        if journey is not None:
            assert not journey.queue
            assert not journey.waiting
            assert next_call(self.dispatcher.state(), self.dispatcher.clock.now()) is None
        self.every_event_and_command_has_its_outcome()

    def is_busy(self) -> bool:
        journey = self.journey()
        return journey is not None and bool(journey.queue or journey.fetches or journey.alone_tests)

    def every_event_and_command_has_its_outcome(self) -> None:
        outcomes = self.outcomes()
        ids = [outcome.outcome_id for outcome in outcomes]
        assert len(ids) == len(set(ids))
        missing = set(self.events) - {outcome.event_id for outcome in outcomes}
        assert not missing, f"events without an outcome: {missing}"
        last: Counter[str] = Counter()
        for outcome in outcomes:
            unsettled = outcome.verdict is Verdict.UNKNOWN and outcome.reason is not Reason.JOURNEY_ENDED
            if outcome.command_id is not None and not unsettled and outcome.reason is not Reason.TEST_FINISHED:
                last[outcome.command_id] += 1
        told = {outcome.command_id for outcome in outcomes if outcome.command_id is not None}
        assert {command_id: last[command_id] for command_id in told if last[command_id] != 1} == {}


AnyHistory.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None, derandomize=True)
TestAnyHistory = AnyHistory.TestCase
