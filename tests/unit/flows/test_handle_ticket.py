"""The flow of a ticket: what is durable when, what a lost partition leads to, and who waits for whom."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import pytest
from msgspec.structs import replace

from bridge.domain.admission import AdmissionPolicy
from bridge.domain.answers import Answer
from bridge.domain.breaker import BreakerPolicy, BucketPolicy
from bridge.domain.commands import SAFE, Command, FetchProblem, RaiseProblem, name_of
from bridge.domain.correlation import conversation_id
from bridge.domain.entities import Entity
from bridge.domain.journey.calls import Found
from bridge.domain.journey.state import Planned, TicketState
from bridge.domain.journeys import CommandState, Phase
from bridge.domain.outcomes import Verdict
from bridge.domain.signals import JourneySignal, LateAnswer
from bridge.flows.handle_ticket import JOURNEY_SIGNALS, OBSERVATIONS, late_answer
from bridge.ports import Kept, Outgoing, TableLost
from tests.builders import (
    PERSONAL,
    SUPPLIER,
    TICKET,
    a_change,
    a_problem,
    a_report,
    a_result,
    a_test,
    a_test_request,
    ambiguous,
    an_amendment,
    an_event,
    not_taken,
    refused,
    taken,
)
from tests.fakes import Crashed, FakeTable, Fault, FixedClock, Held, ScriptedGateway, TakenButLost
from tests.unit.flows.dispatcher import UNLIMITED, Dispatcher

TAKEN = ("RUN_TEST", "ACCEPTED", "ANSWERED")
NARROW = replace(UNLIMITED, max_in_flight=1, supplier_max_in_flight=1)


class WatchingGateway(ScriptedGateway):
    """Sees at each call what is durable at that moment."""

    def __init__(self, *script: object) -> None:
        super().__init__(*script)  # type: ignore[arg-type]  # a script
        self.dispatcher: Dispatcher | None = None
        self.seen: list[tuple[CommandState, str | None]] = []

    async def call(self, command: Command, *, supplier: str, request_id: str, conversation_id: str) -> Answer:
        assert self.dispatcher is not None
        kept = self.dispatcher.table.get(TICKET)
        head = kept.value.journey.head if kept is not None and kept.value and kept.value.journey else None
        if head is not None and name_of(command) not in SAFE:
            self.seen.append((head.state, head.request_id))
            assert head.command == command
            assert head.request_id == request_id
        return await super().call(command, supplier=supplier, request_id=request_id, conversation_id=conversation_id)


# -- what is durable when


async def test_the_intent_is_durable_before_the_call_and_the_outcome_after_it() -> None:
    gateway = WatchingGateway()
    dispatcher = gateway.dispatcher = Dispatcher(gateway)

    await dispatcher.event(a_report())

    assert gateway.seen == [(CommandState.IN_FLIGHT, "request-1")]
    assert dispatcher.told() == [TAKEN]
    assert dispatcher.state().journey is not None
    assert [seen.source for seen in dispatcher.table.values_of(OBSERVATIONS)] == ["POST"]
    assert dispatcher.table.writes == 2


async def test_outcome_and_observation_name_the_request_that_was_really_answered() -> None:
    """After a 401 that is not the one of the intent."""
    dispatcher = Dispatcher(
        ScriptedGateway(replace(taken(a_test(status="IN_PROGRESS")), request_id="repeat-after-401"))
    )

    await dispatcher.event(a_report())

    (outcome,) = dispatcher.table.values_of("gateway-outcomes")
    (observation,) = dispatcher.table.values_of(OBSERVATIONS)
    assert outcome.request_id == observation.request_id == "repeat-after-401"


async def test_a_redelivered_record_does_nothing() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    arrived = await dispatcher.event(a_report())
    writes = dispatcher.table.writes

    await dispatcher.flow.arrived(arrived, dispatcher.table)

    assert len(gateway.calls) == 1
    assert dispatcher.table.writes == writes


async def test_a_partition_that_is_lost_before_the_call_sends_nothing() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    dispatcher.table.faults.append(Fault.LOST)

    with pytest.raises(TableLost):
        await dispatcher.event(a_report())

    assert gateway.calls == []
    assert dispatcher.table.get(TICKET) is None


async def test_a_probe_whose_partition_is_lost_before_the_call_does_not_close_the_breaker() -> None:
    """The partition is another worker's, and the supplier as broken as before for the tickets that this one keeps."""
    gateway = ScriptedGateway(not_taken("CONNECT_REFUSED"))
    breaking = replace(UNLIMITED, breaker=BreakerPolicy(failures=1, open_seconds=30.0))
    dispatcher = Dispatcher(gateway, admission=breaking)
    await dispatcher.event(a_report())
    dispatcher.clock.advance(timedelta(seconds=30))
    dispatcher.table.faults.append(Fault.LOST)
    with pytest.raises(TableLost):
        await dispatcher.event(a_report(), ticket_id="TT-2")
    dispatcher.table.open_again()

    gateway.then(not_taken("CONNECT_REFUSED"))
    await dispatcher.event(a_report(), ticket_id="TT-3")
    await dispatcher.event(a_report(), ticket_id="TT-4")

    assert [call.conversation_id for call in gateway.calls] == [conversation_id(TICKET), conversation_id("TT-3")]


async def test_an_intent_that_may_stand_although_nothing_was_sent_is_told_to_the_new_owner() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    dispatcher.table.faults.append(Fault.LOST_AFTER)
    with pytest.raises(TableLost):
        await dispatcher.event(a_report())
    assert gateway.calls == []

    await dispatcher.restarted()
    await dispatcher.passes(timedelta(0))
    assert dispatcher.told() == [("RUN_TEST", "UNKNOWN", "INTERRUPTED")]
    (late,) = dispatcher.outbox.records
    assert isinstance(late.value, JourneySignal)
    await dispatcher.handles(late.value)

    assert dispatcher.told()[1:] == [TAKEN]
    assert len(gateway.accepted) == 1


async def test_a_partition_that_is_lost_during_the_call_passes_the_answer_on() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    dispatcher.table.faults += [Fault.NONE, Fault.LOST]

    with pytest.raises(TableLost):
        await dispatcher.event(a_report())

    (record,) = dispatcher.outbox.records
    assert (record.topic, record.key) == (JOURNEY_SIGNALS, TICKET)
    assert isinstance(record.value, JourneySignal)
    late = record.value.signal
    assert isinstance(late, LateAnswer)
    assert (late.verdict, late.request_id) == (Verdict.ACCEPTED, "request-1")

    await dispatcher.restarted()
    await dispatcher.handles(record.value)

    assert dispatcher.told() == [("RUN_TEST", "UNKNOWN", "INTERRUPTED"), ("RUN_TEST", "ACCEPTED", "FOUND")]
    assert len(gateway.calls) == 1
    ids = [outcome.outcome_id for outcome in dispatcher.table.values_of("gateway-outcomes")]
    assert len(set(ids)) == 2


async def test_a_late_answer_that_kafka_does_not_take_leaves_the_command_unknown() -> None:
    dispatcher = Dispatcher(ScriptedGateway())
    dispatcher.outbox.away = True
    dispatcher.table.faults += [Fault.NONE, Fault.LOST]

    with pytest.raises(TableLost):
        await dispatcher.event(a_report())


def test_a_late_answer_holds_no_personal_data_and_an_ambiguous_one_proves_nothing() -> None:
    entity = Entity(type="SERVICE_PROBLEM", id="1", status="ACKNOWLEDGED", other=f'{{"name":"{PERSONAL[0]}"}}')
    sent = _sent()

    late = late_answer(sent, taken(entity))

    assert late is not None
    assert late.entity is not None
    assert (late.entity.id, late.entity.status, late.entity.other) == ("1", "ACKNOWLEDGED", None)
    assert late_answer(sent, ambiguous()) is None
    refusal = late_answer(sent, refused())
    assert refusal is not None
    assert refusal.verdict is Verdict.REFUSED
    nothing = late_answer(sent, not_taken())
    assert nothing is not None
    assert nothing.verdict is Verdict.NOT_SENT


def _sent() -> Planned:
    command = FetchProblem(service_problem_id=1)
    return Planned(command_id="TT-1/1", command=command, event_id=None, request_id="request-1")


async def dies_with_its_test_in_flight(dispatcher: Dispatcher) -> None:
    dispatcher.table.faults += [Fault.NONE, Fault.CRASHED]
    with pytest.raises(Crashed):
        await dispatcher.event(a_report())


def found(*, not_sent: int = 0, interrupted: int = 0, unknown: int = 0, done: int = 0) -> dict[Found, int]:
    return {Found.NOT_SENT: not_sent, Found.INTERRUPTED: interrupted, Found.UNKNOWN: unknown, Found.DONE: done}


async def test_a_take_over_tells_what_it_finds_apart_and_once() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    await dies_with_its_test_in_flight(dispatcher)
    await dispatcher.restarted()
    await dispatcher.passes(timedelta(0))
    await dispatcher.restarted()
    gateway.then(not_taken())
    await dispatcher.event(a_report(), ticket_id="TT-2")
    await dispatcher.event(a_report(), ticket_id="TT-3")
    await dispatcher.restarted()

    assert dispatcher.telemetry.take_overs == [
        found(interrupted=1),
        found(unknown=1),
        found(unknown=1, not_sent=1, done=1),
    ]


async def test_a_take_over_tells_at_once_that_a_command_is_unknown() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    await dies_with_its_test_in_flight(dispatcher)

    await dispatcher.restarted()
    await dispatcher.passes(timedelta(0))

    assert dispatcher.telemetry.take_overs == [found(interrupted=1)]
    assert dispatcher.told() == [("RUN_TEST", "UNKNOWN", "INTERRUPTED")]
    assert len(gateway.calls) == 1


async def test_a_crash_before_the_intent_was_durable_sends_once_when_the_record_comes_again() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    arrived = dispatcher.record(an_event(a_report()))
    dispatcher.table.faults.append(Fault.CRASHED)
    with pytest.raises(Crashed):
        await dispatcher.flow.arrived(arrived, dispatcher.table)

    await dispatcher.restarted()
    await dispatcher.flow.arrived(arrived, dispatcher.table)

    assert len(gateway.calls) == 1
    assert dispatcher.told() == [TAKEN]
    assert dispatcher.telemetry.take_overs == [found()]


async def test_a_crash_after_the_outcome_was_durable_repeats_nothing() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    arrived = dispatcher.record(an_event(a_report()))
    dispatcher.table.faults += [Fault.NONE, Fault.CRASHED_AFTER]
    with pytest.raises(Crashed):
        await dispatcher.flow.arrived(arrived, dispatcher.table)

    await dispatcher.restarted()
    await dispatcher.flow.arrived(arrived, dispatcher.table)
    await dispatcher.passes(timedelta(0))

    assert len(gateway.calls) == 1
    assert dispatcher.told() == [TAKEN]


class SleepyTable(FakeTable[TicketState]):
    """Its worker is stopped while it waits for its first write, and may have lost the partition when it goes on."""

    def __init__(self, clock: FixedClock, *, slept: timedelta, loses: bool) -> None:
        super().__init__(Kept[TicketState])
        self._clock, self._slept, self._loses = clock, slept, loses

    async def write(self, key: str, kept: Kept[TicketState] | None, outgoing: Iterable[Outgoing] = ()) -> None:
        await super().write(key, kept, outgoing)
        if self.writes == 1:
            self._clock.advance(self._slept)
            if self._loses:
                self.faults.append(Fault.LOST)


def sleepy(gateway: ScriptedGateway, *, seconds: int, loses: bool) -> Dispatcher:
    dispatcher = Dispatcher(gateway)
    dispatcher.table = SleepyTable(dispatcher.clock, slept=timedelta(seconds=seconds), loses=loses)
    return dispatcher


async def test_an_intent_permits_its_call_as_long_as_nobody_else_can_own_the_ticket() -> None:
    gateway = ScriptedGateway()
    dispatcher = sleepy(gateway, seconds=15, loses=False)

    await dispatcher.event(a_report())

    assert len(gateway.calls) == 1
    assert dispatcher.told() == [TAKEN]


async def test_an_intent_that_became_too_old_is_not_sent_but_written_anew() -> None:
    gateway = ScriptedGateway()
    dispatcher = sleepy(gateway, seconds=16, loses=False)

    await dispatcher.event(a_report())
    assert gateway.calls == []
    await dispatcher.passes(dispatcher.wakes_at())

    assert [call.request_id for call in gateway.calls] == ["request-2"]
    assert dispatcher.told() == [TAKEN]


async def test_a_worker_that_slept_and_lost_its_ticket_sends_nothing_and_says_so() -> None:
    gateway = ScriptedGateway()
    dispatcher = sleepy(gateway, seconds=16, loses=True)

    with pytest.raises(TableLost):
        await dispatcher.event(a_report())

    assert gateway.calls == []
    (told,) = [record.value for record in dispatcher.outbox.records]
    assert isinstance(told, JourneySignal)
    assert isinstance(told.signal, LateAnswer)
    assert (told.signal.verdict, told.signal.request_id) == (Verdict.NOT_SENT, "request-1")


async def test_what_was_due_is_woken_after_a_take_over() -> None:
    gateway = ScriptedGateway(not_taken())
    dispatcher = Dispatcher(gateway)
    await dispatcher.event(a_report())

    await dispatcher.restarted()
    await dispatcher.passes(dispatcher.wakes_at())

    assert len(gateway.calls) == 2
    assert dispatcher.told() == [TAKEN]


# -- bugs


class BrokenGateway(ScriptedGateway):
    """Breaks its promise never to raise, at one of its calls."""

    def __init__(self, *script: Answer, breaks_at: int) -> None:
        super().__init__(*script)
        self._breaks_at = breaks_at

    async def call(self, command: Command, *, supplier: str, request_id: str, conversation_id: str) -> Answer:
        answer = await super().call(command, supplier=supplier, request_id=request_id, conversation_id=conversation_id)
        if len(self.calls) == self._breaks_at:
            raise RuntimeError(f"the customer {PERSONAL[0]}")
        return answer


async def test_a_bug_after_the_intent_keeps_it_so_that_nothing_is_sent_twice() -> None:
    gateway = BrokenGateway(breaks_at=1)
    dispatcher = Dispatcher(gateway)

    await dispatcher.event(a_report())

    assert [letter.reason for letter in dispatcher.table.values_of("dead-letters")] == ["UNPROCESSABLE"]
    await dispatcher.passes(timedelta(0))
    assert dispatcher.told() == [("RUN_TEST", "UNKNOWN", "INTERRUPTED")]
    assert len(gateway.calls) == 1


async def test_a_bug_while_a_ticket_goes_on_by_itself_does_not_stop_the_others() -> None:
    dispatcher = Dispatcher(BrokenGateway(not_taken(), breaks_at=2))
    await dispatcher.event(a_report())

    await dispatcher.passes(timedelta(seconds=1))
    assert dispatcher.wakes_at() == timedelta(minutes=1)
    await dispatcher.passes(timedelta(minutes=1))

    assert dispatcher.told() == [("RUN_TEST", "UNKNOWN", "INTERRUPTED")]


# -- who waits for whom


async def test_a_busy_supplier_lets_tickets_wait_and_calls_them_in_their_order() -> None:
    held = Held(asyncio.Event(), asyncio.Event())
    gateway = ScriptedGateway(held)
    dispatcher = Dispatcher(gateway, admission=NARROW)
    first = asyncio.create_task(dispatcher.event(a_report(), ticket_id="TT-1"))
    await held.arrived.wait()
    for ticket_id in ("TT-2", "TT-3"):
        await dispatcher.event(a_report(), ticket_id=ticket_id)
        assert dispatcher.told(ticket_id) == []
        assert dispatcher.wakes_at(ticket_id) > timedelta(0)

    held.release.set()
    await first
    assert dispatcher.wakes_at("TT-2") == timedelta(0)
    assert dispatcher.wakes_at("TT-3") > timedelta(0)
    await dispatcher.passes(timedelta(0))
    assert dispatcher.wakes_at("TT-3") == timedelta(0)
    await dispatcher.passes(timedelta(0))

    assert [call.conversation_id for call in gateway.calls] == sorted({call.conversation_id for call in gateway.calls})
    assert dispatcher.told("TT-3") == [TAKEN]


async def test_a_ticket_that_was_called_and_found_the_door_taken_again_keeps_its_turn() -> None:
    first, second = (Held(asyncio.Event(), asyncio.Event()) for _ in range(2))
    gateway = ScriptedGateway(first, second)
    dispatcher = Dispatcher(gateway, admission=NARROW)
    tasks = [asyncio.create_task(dispatcher.event(a_report(), ticket_id="TT-1"))]
    await first.arrived.wait()
    for ticket_id in ("TT-2", "TT-3"):
        await dispatcher.event(a_report(), ticket_id=ticket_id)
    first.release.set()
    await tasks[0]
    tasks.append(asyncio.create_task(dispatcher.event(a_report(), ticket_id="TT-4")))
    await second.arrived.wait()

    await dispatcher.passes(timedelta(0))
    assert dispatcher.told("TT-2") == []
    second.release.set()
    await tasks[1]
    assert dispatcher.wakes_at("TT-2") == timedelta(0)
    await dispatcher.passes(timedelta(0))

    assert dispatcher.told("TT-2") == [TAKEN]
    assert dispatcher.told("TT-3") == []


async def test_a_turn_that_comes_soon_is_waited_for_without_going_to_rest() -> None:
    held = Held(asyncio.Event(), asyncio.Event())
    dispatcher = Dispatcher(ScriptedGateway(held), admission=NARROW)
    first = asyncio.create_task(dispatcher.event(a_report(), ticket_id="TT-1"))
    await held.arrived.wait()
    second = asyncio.create_task(dispatcher.event(a_report(), ticket_id="TT-2"))
    await asyncio.sleep(0.01)
    assert dispatcher.table.get("TT-2") is None

    held.release.set()
    await asyncio.gather(first, second)

    assert dispatcher.told("TT-2") == [TAKEN]


async def test_a_free_place_for_all_suppliers_is_given_to_whoever_waits() -> None:
    held = Held(asyncio.Event(), asyncio.Event())
    dispatcher = Dispatcher(ScriptedGateway(held), admission=replace(UNLIMITED, max_in_flight=1))
    first = asyncio.create_task(dispatcher.event(a_report(), ticket_id="TT-1"))
    await held.arrived.wait()
    await dispatcher.event(a_report(supplier="ANOTHER"), ticket_id="TT-2")

    held.release.set()
    await first

    assert dispatcher.wakes_at("TT-2") == timedelta(0)


async def test_an_open_breaker_postpones_its_suppliers_calls_and_no_others() -> None:
    admission = replace(UNLIMITED, breaker=BreakerPolicy(failures=1, open_seconds=30.0))
    gateway = ScriptedGateway(not_taken())
    dispatcher = Dispatcher(gateway, admission=admission)
    await dispatcher.event(a_report(), ticket_id="TT-1")

    await dispatcher.event(a_report(), ticket_id="TT-2")
    await dispatcher.event(a_report(supplier="ANOTHER"), ticket_id="TT-3")

    assert [call.supplier for call in gateway.calls] == [SUPPLIER, "ANOTHER"]
    assert dispatcher.told("TT-3") == [TAKEN]
    assert timedelta(seconds=29) < dispatcher.wakes_at("TT-2") < timedelta(seconds=31)
    await dispatcher.passes(timedelta(seconds=31))
    await dispatcher.passes(timedelta(seconds=31))
    assert dispatcher.told("TT-1") == dispatcher.told("TT-2") == [TAKEN]


async def test_a_supplier_that_is_closed_for_too_long_fails_its_commands() -> None:
    admission = AdmissionPolicy(
        max_in_flight=9,
        supplier_max_in_flight=9,
        bucket=BucketPolicy(rate=9.0, burst=9.0),
        breaker=BreakerPolicy(failures=1, open_seconds=1e9),
    )
    gateway = ScriptedGateway(not_taken())
    dispatcher = Dispatcher(gateway, admission=admission)
    await dispatcher.event(a_report(), ticket_id="TT-1")
    await dispatcher.event(a_report(), ticket_id="TT-2")

    dispatcher.clock.advance(timedelta(hours=4))
    await dispatcher.flow.woken("TT-2", dispatcher.table)

    assert dispatcher.told("TT-2") == [
        ("RUN_TEST", "FAILED", "GAVE_UP"),
        ("RAISE_PROBLEM", "NOT_SENT", "TEST_NOT_PASSED"),
    ]
    assert len(gateway.calls) == 1


async def test_a_retry_after_holds_the_whole_supplier() -> None:
    gateway = ScriptedGateway(not_taken("RATE_LIMITED", http_status=429, retry_after_seconds=20.0))
    dispatcher = Dispatcher(gateway)
    await dispatcher.event(a_report(), ticket_id="TT-1")

    await dispatcher.event(a_report(), ticket_id="TT-2")

    assert len(gateway.calls) == 1
    assert timedelta(seconds=20) <= dispatcher.wakes_at("TT-2") < timedelta(seconds=21)


async def test_a_test_alone_of_another_supplier_is_asked_under_that_supplier() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    await dispatcher.event(a_report())

    await dispatcher.event(a_test_request(supplier="ANOTHER"))

    assert [call.supplier for call in gateway.calls] == [SUPPLIER, "ANOTHER"]


# -- what the outside sees


async def test_the_journey_is_shown_when_it_changed_and_only_then() -> None:
    dispatcher = Dispatcher(ScriptedGateway())
    await dispatcher.event(a_report())
    test = a_test("1", "IN_PROGRESS")
    await dispatcher.signal(a_change(test))
    shown = len(dispatcher.shown())

    dispatcher.clock.advance(timedelta(seconds=5))
    await dispatcher.signal(a_change(test))
    assert len(dispatcher.shown()) == shown
    await dispatcher.signal(a_change(a_test("1", "COMPLETED", result=a_result("GREEN"))))

    assert len(dispatcher.shown()) == shown + 1
    assert (dispatcher.shown()[-1].phase, dispatcher.shown()[-1].end) == (Phase.ENDED, "TEST_GREEN")


async def test_a_whole_journey_is_made_of_one_conversation() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    await dispatcher.event(a_report())
    await dispatcher.signal(a_change(a_test("1", result=a_result())))
    await dispatcher.signal(a_change(a_problem("2")))
    await dispatcher.event(an_amendment())
    await dispatcher.signal(a_change(a_problem("2", "COMPLETED")))

    assert len({call.conversation_id for call in gateway.calls}) == 1
    assert len({call.request_id for call in gateway.calls}) == 3
    assert [name_of(command) for command in gateway.accepted] == ["RUN_TEST", "RAISE_PROBLEM", "AMEND_PROBLEM"]
    assert dispatcher.shown()[-1].end == "COMPLETED"
    assert dispatcher.telemetry.outcomes == [
        (outcome.command, outcome.verdict, outcome.reason) for outcome in dispatcher.table.values_of("gateway-outcomes")
    ]


async def test_an_answer_that_got_lost_is_unknown_and_the_message_settles_it() -> None:
    gateway = ScriptedGateway()
    dispatcher = Dispatcher(gateway)
    await dispatcher.event(a_report())
    gateway.then(TakenButLost())
    await dispatcher.signal(a_change(a_test("1", result=a_result())))

    await dispatcher.passes(timedelta(days=1))
    await dispatcher.signal(a_change(a_problem("2")))

    assert dispatcher.told()[1:] == [("RAISE_PROBLEM", "UNKNOWN", "NO_ANSWER"), ("RAISE_PROBLEM", "ACCEPTED", "FOUND")]
    assert sum(isinstance(command, RaiseProblem) for command in gateway.accepted) == 1


async def test_an_ended_ticket_leaves_the_table_and_the_shown_journeys_after_thirty_days() -> None:
    dispatcher = Dispatcher(ScriptedGateway())
    await dispatcher.event(a_report())
    await dispatcher.signal(a_change(a_test("1", result=a_result("GREEN"))))

    await dispatcher.passes(timedelta(days=30))

    assert dispatcher.table.get(TICKET) is None
    assert dispatcher.shown()[-1] is None


async def test_a_ticket_that_only_met_dead_letters_leaves_the_table_too() -> None:
    dispatcher = Dispatcher(ScriptedGateway())
    arrived = dispatcher.record(an_event(a_report()), key="TT-9")
    await dispatcher.flow.arrived(arrived, dispatcher.table)
    assert dispatcher.table.get("TT-9") is not None

    await dispatcher.passes(timedelta(days=29))
    assert dispatcher.table.get("TT-9") is not None
    await dispatcher.passes(timedelta(days=2))

    assert dispatcher.table.get("TT-9") is None
    assert dispatcher.shown() == []


async def test_a_wake_for_a_ticket_that_is_gone_does_nothing() -> None:
    dispatcher = Dispatcher(ScriptedGateway())

    await dispatcher.flow.woken("TT-404", dispatcher.table)

    assert dispatcher.table.writes == 0
