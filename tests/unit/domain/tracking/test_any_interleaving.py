"""
Any interleaving of the supplier's moves, messages, answers, time and crashes, through the real flow, against a model
gateway that knows the truth.

What must hold at every step: each transition once, all of them one chain; the latest status is what they lead to; what
belongs together is written together; nothing that was settled is settled again; a live entity is watched. What must
hold once each GET that was asked for is answered: the status is the truth.
"""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bridge.domain.correlation import conversation_id
from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Entity, Kci, Observation, Source, Update
from bridge.domain.lifecycle import LIFECYCLES, PROBLEM, TEST, judge
from bridge.domain.record import Record
from bridge.domain.signals import EntitySilent, JourneySignal
from bridge.domain.statuses import EntityStatus, Move, StatusTransition
from bridge.domain.tracking import TrackedEntity, wake_at
from bridge.ports import Arrived, TableLost
from tests.builders import TICKET
from tests.fakes import Crashed, Fault
from tests.unit.flows.tracker import POLICY, Tracker

TABLES = {SERVICE_PROBLEM: PROBLEM, SERVICE_TEST: TEST}
assert all(table in LIFECYCLES for table in TABLES.values())
# What befalls the write of one input.
TROUBLES = st.sampled_from([Fault.NONE] * 6 + list(Fault))
INDEX = st.integers(0, 9)
# More wakes at one moment than there can be reasons for.
MOST_WAKES = 50


class AnyInterleaving(RuleBasedStateMachine):
    """One test or problem, and everything that can happen to what is told of it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.tracker = Tracker()
        # The truth: each status with the KCI that tells of it, in order.
        self.truth: list[tuple[str, Update]] = []
        self.undelivered: list[int] = []
        self.settled: list[Arrived] = []
        # How many of the GETs that were asked for have been answered.
        self.answered = 0
        self.observations = 0

    def teardown(self) -> None:
        try:
            if self.truth:
                self.come_to_rest()
        finally:
            self.loop.close()

    @initialize(entity_type=st.sampled_from([SERVICE_PROBLEM, SERVICE_TEST]), numbered=st.booleans(), trouble=TROUBLES)
    def begin(self, entity_type: str, trouble: Fault, *, numbered: bool) -> None:
        self.type, self.numbered = entity_type, numbered
        # The answer to the POST has no KCI (contract: RECEIVED_BY_GATEWAY is told by the answer alone).
        self.truth.append(("RECEIVED_BY_GATEWAY", Update(id="kci-0", sequence_number=1 if numbered else None)))
        self.observe(Source.POST, 0, trouble)

    # -- what the world sees

    def state(self) -> TrackedEntity | None:
        kept = self.tracker.table.get(f"{self.type}:1")
        return kept.value if kept is not None else None

    def published(self, kind: type[Record]) -> list[Any]:
        return [record.value for record in self.tracker.table.published if isinstance(record.value, kind)]

    def asked(self) -> list[JourneySignal]:
        """The GETs that were asked for."""
        return [signal for signal in self.published(JourneySignal) if isinstance(signal.signal, EntitySilent)]

    # -- how inputs are handled: what is not settled comes again

    def take(self, topic: str, record: Record, trouble: Fault) -> None:
        arrived = self.tracker.record(topic, record, f"{self.type}:1")
        self.tracker.table.faults.append(trouble)
        while not self.survives(self.tracker.flow.arrived(arrived, self.tracker.table)):
            pass
        self.settled.append(arrived)
        self.tracker.table.faults.clear()

    def survives(self, work: Coroutine[Any, Any, None]) -> bool:
        try:
            self.loop.run_until_complete(work)
        except (Crashed, TableLost):
            self.loop.run_until_complete(self.tracker.restarted())
            return False
        return True

    def observe(self, source: Source, index: int, trouble: Fault) -> None:
        """What the gateway answers, as things stood after the KCI of this index; a test's GET shows no updates."""
        self.observations += 1
        status, _ = self.truth[index]
        shows = source is Source.GET and self.type == SERVICE_PROBLEM
        self.take(
            "observations",
            Observation(
                observation_id=f"observation-{self.observations}",
                ticket_id=TICKET,
                source=source,
                entity=Entity(type=self.type, id="1", status=status),
                updates=tuple(update for _, update in self.truth[1 : index + 1]) if shows else (),
                conversation_id=conversation_id(TICKET),
                request_id="request",
                observed_at=self.tracker.clock.now(),
            ),
            trouble,
        )

    # -- what can happen

    @rule(choice=INDEX, hears=st.booleans(), trouble=TROUBLES)
    def the_entity_moves(self, choice: int, trouble: Fault, *, hears: bool) -> None:
        status = self.truth[-1][0]
        following = [row.to_status for row in TABLES[self.type].rows if row.from_status == status]
        if not following:
            return
        number = len(self.truth)
        update = Update(id=f"kci-{number}", sequence_number=number + 1 if self.numbered else None)
        self.truth.append((following[choice % len(following)], update))
        self.undelivered.append(number)
        if hears:
            self.a_kci_comes(-1, 1, trouble)

    @precondition(lambda self: self.undelivered)
    @rule(index=INDEX, times=st.integers(0, 3), trouble=TROUBLES)
    def a_kci_comes(self, index: int, times: int, trouble: Fault) -> None:
        """In any order, several times, or never."""
        number = self.undelivered.pop(index if index < 0 else index % len(self.undelivered))
        status, update = self.truth[number]
        for _ in range(times):
            self.tracker.clock.advance(timedelta(seconds=1))
            self.take(
                "kcis",
                Kci(
                    entity=Entity(type=self.type, id="1", status=status),
                    update=update,
                    conversation_id=conversation_id(TICKET),
                    request_id=None,
                    received_at=self.tracker.clock.now(),
                ),
                trouble,
            )

    @rule(back=INDEX, trouble=TROUBLES)
    def an_answer_comes(self, back: int, trouble: Fault) -> None:
        """Of now, or one that was long under way."""
        self.observe(Source.GET, max(0, len(self.truth) - 1 - back), trouble)
        self.answered = len(self.asked())

    @precondition(lambda self: self.settled)
    @rule(index=st.integers(0, 99))
    def a_settled_record_comes_again(self, index: int) -> None:
        """Its offset was not committed when the worker ended: nothing of it is written or told again."""
        before = (self.tracker.table.writes, len(self.tracker.table.published))
        arrived = self.settled[index % len(self.settled)]
        self.loop.run_until_complete(self.tracker.flow.arrived(arrived, self.tracker.table))
        assert (self.tracker.table.writes, len(self.tracker.table.published)) == before

    @rule(minutes=st.sampled_from([0, 1, 15, 300, 2000]), trouble=TROUBLES)
    def time_passes(self, minutes: int, trouble: Fault) -> None:
        self.tracker.table.faults.append(trouble)
        self.run_until(timedelta(minutes=minutes))
        self.tracker.table.faults.clear()

    def run_until(self, time: timedelta) -> None:
        """Let time pass in the steps in which the wakes come."""
        clock, wakes = self.tracker.clock, self.tracker.wakes
        until = clock.now() + time
        for _ in range(MOST_WAKES):
            at = min(wakes.asked.values(), default=until)
            clock.advance(max(timedelta(0), min(at, until) - clock.now()))
            if at > until or not wakes.asked:
                return
            for key, _partition in wakes.due(clock.now()):
                self.survives(self.tracker.flow.woken(key, self.tracker.table))
        raise AssertionError("hot")

    @rule()
    def the_worker_is_replaced(self) -> None:
        self.loop.run_until_complete(self.tracker.restarted())

    # -- what must hold

    @invariant()
    def each_transition_is_told_once_and_all_are_one_chain(self) -> None:
        moves: list[StatusTransition] = self.published(StatusTransition)
        ids = [move.transition_id for move in moves]
        assert len(ids) == len(set(ids))
        status = None
        for move in moves:
            assert move.from_status == status
            assert move.move in (judge(TABLES[move.entity_type], move.from_status, move.to_status), Move.LATE)
            assert move.applied == (move.move in (Move.EXPECTED, Move.UNLISTED))
            status = move.to_status if move.applied else status
        state = self.state()
        assert (state.status if state is not None else None) == status
        latest: list[EntityStatus] = self.published(EntityStatus)
        assert (latest[-1].status if latest else None) == status
        assert (latest[-1].transitions if latest else 0) == sum(move.applied for move in moves)

    @invariant()
    def each_signal_is_told_once(self) -> None:
        ids = [signal.signal_id for signal in self.published(JourneySignal)]
        assert len(ids) == len(set(ids))

    @invariant()
    def what_is_due_has_its_wake(self) -> None:
        state = self.state()
        due = wake_at(state, POLICY) if state is not None else None
        if due is not None:
            asked = self.tracker.wakes.asked.get((f"{self.type}:1", 0))
            assert asked is not None, "something is due and nobody wakes the entity"
            assert asked <= max(due, self.tracker.clock.now())

    # -- the end

    def come_to_rest(self) -> None:
        """Every message that is still under way is lost; each GET that is asked for is answered with the truth."""
        self.undelivered.clear()
        for _ in range(40):
            if self.state_is_true() and self.answered == len(self.asked()):
                break
            self.run_until(timedelta(hours=25))
            if self.answered < len(self.asked()):
                self.answered = len(self.asked())
                self.observe(Source.GET, len(self.truth) - 1, Fault.NONE)
        assert self.state_is_true(), f"{self.state()} is not {self.truth[-1][0]}"
        self.each_transition_is_told_once_and_all_are_one_chain()
        self.each_signal_is_told_once()

    def state_is_true(self) -> bool:
        state = self.state()
        return state is not None and state.status == self.truth[-1][0]


AnyInterleaving.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None, derandomize=True)
TestAnyInterleaving = AnyInterleaving.TestCase
