"""Letters go back as they were, each with the decision that tells of it, and no faster than allowed."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bridge.domain.dead_letters import DeadLetter, DeadLetterChoice, DeadLetterDecision, DeadLetterReason, Header
from bridge.domain.entities import Kci
from bridge.domain.letters import Telling, Unread
from bridge.domain.reading import Unreadable
from bridge.domain.replay import Home, Replay
from bridge.flows.replay import Decider, ReplayLetters, ReplayStopped, Returning, kci_of, read_letter
from bridge.ports import Outgoing, SchemaUnavailable, Undecodable, UnknownSchema
from tests.builders import NOW, TICKET, a_report, an_event
from tests.fakes import FixedClock, ScriptedCodec
from tests.letters import TOPIC, a_letter, a_quarantined

ASKS = Decider(by="j.whitlock", why="schema registered")
HOMES = {TOPIC: Home(partition_of=lambda key: len(key) % 6, retention=None)}


class MemoryLedger:
    """Keeps what is settled, each record with its decision; after `takes`, Kafka takes nothing more."""

    def __init__(self, takes: int = 100) -> None:
        self.settled: list[tuple[DeadLetterDecision, Returning | Outgoing | None]] = []
        self._takes = takes

    async def settle(
        self, decision: DeadLetterDecision, record: Returning | Outgoing | None = None
    ) -> DeadLetterDecision:
        if len(self.settled) == self._takes:
            raise ReplayStopped("Kafka is away")
        if record is not None:
            decision = replace(decision, replay_topic=record.topic, replay_partition=1, replay_offset=77)
        self.settled.append((decision, record))
        return decision


class Desk:
    """The flow over a ledger in memory, and a clock that only its own pauses move."""

    def __init__(self, takes: int = 100) -> None:
        self.ledger = MemoryLedger(takes)
        self.clock = FixedClock(NOW)
        self.flow = ReplayLetters(ledger=self.ledger, clock=self.clock, pause=self._pause, monotonic=self.clock.seconds)

    async def _pause(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


def a_replay(letter: DeadLetter) -> Replay:
    return Replay(
        letter=letter,
        key=TICKET.encode(),
        partition=1,
        headers=(*letter.headers, Header(name="bridge-attempts", value=b"1")),
        timestamp=letter.timestamp,
    )


async def test_a_letter_is_sent_as_planned_with_its_own_bytes_and_a_decision_that_says_where_it_went() -> None:
    desk, step = Desk(), a_replay(a_letter())

    done = [each async for each in desk.flow.replay([step], ASKS, per_second=10)]

    ((decision, record),) = desk.ledger.settled
    assert done == [decision]
    assert decision == DeadLetterDecision(
        dead_letter_id="fault-tickets-3-7",
        decision=DeadLetterChoice.REPLAYED,
        decided_by="j.whitlock",
        why="schema registered",
        decided_at=NOW,
        replay_topic=TOPIC,
        replay_partition=1,
        replay_offset=77,
    )
    assert record == Returning(
        topic=TOPIC,
        partition=1,
        key=step.key,
        value=step.letter.value,
        headers=step.headers,
        timestamp=step.timestamp,
    )


async def test_letters_go_in_their_order_no_faster_than_allowed() -> None:
    desk = Desk()
    steps = [a_replay(a_letter(offset)) for offset in (9, 8, 7)]

    ids = [done.dead_letter_id async for done in desk.flow.replay(steps, ASKS, per_second=4)]

    assert ids == [step.letter.dead_letter_id for step in steps]
    times = [decision.decided_at - NOW for decision, _ in desk.ledger.settled]
    assert times == [timedelta(seconds=0), timedelta(seconds=0.25), timedelta(seconds=0.5)]


async def test_nothing_more_is_sent_once_kafka_did_not_take_one() -> None:
    desk = Desk(takes=1)
    going = desk.flow.replay([a_replay(a_letter(number)) for number in (1, 2, 3)], ASKS, per_second=100)

    done = [(await anext(going)).dead_letter_id]
    with pytest.raises(ReplayStopped):
        await anext(going)

    assert done == ["fault-tickets-3-1"]
    assert len(desk.ledger.settled) == 1


@pytest.mark.parametrize("choice", [DeadLetterChoice.DISCARDED, DeadLetterChoice.VIEWED])
async def test_a_decision_that_sends_nothing_is_kept_alone(choice: DeadLetterChoice) -> None:
    desk = Desk()

    done = [each async for each in desk.flow.note(["a", "b"], choice, ASKS)]

    assert [(each.dead_letter_id, each.decision, each.replay_topic) for each in done] == [
        ("a", choice, None),
        ("b", choice, None),
    ]
    assert [record for _, record in desk.ledger.settled] == [None, None]


async def test_a_letter_is_read_as_its_service_would_read_it() -> None:
    codec = ScriptedCodec()
    good = a_letter(value=codec.encode(TOPIC, an_event(a_report())))
    codec.fails(b"garbage", Undecodable("neither framing"))
    codec.fails(b"foreign", UnknownSchema("schema id 7"))
    codec.fails(b"later", SchemaUnavailable("no answer"))

    read = [
        await read_letter(letter, codec, HOMES)
        for letter in (good, *(a_letter(value=value) for value in (b"garbage", b"foreign", b"later", None)))
    ]

    assert read[0] == Telling(kind="FaultTicketEvent", key=TICKET.encode(), ticket_id=TICKET, supplier="OPENWORLD")
    assert [each.reason if isinstance(each, Unread) else each for each in read[1:]] == [
        DeadLetterReason.UNDECODABLE,
        DeadLetterReason.UNKNOWN_SCHEMA,
        None,
        DeadLetterReason.UNDECODABLE,
    ]
    assert isinstance(await read_letter(a_letter(topic="of-old"), codec, HOMES), Unread)


KCI = {"id": 1, "entityType": "SERVICE_PROBLEM", "entity": {"id": 900, "status": "ACKNOWLEDGED"}}


async def test_a_delivery_that_is_a_kci_now_becomes_the_record_that_the_ingester_would_have_published() -> None:
    desk, item = Desk(), a_quarantined(b"{}")
    kci = await kci_of(item, KCI)

    done = [each async for each in desk.flow.publish([(item.quarantine_id, kci)], ASKS, per_second=10)]

    assert (kci.topic, kci.key) == ("kcis", "SERVICE_PROBLEM:900")
    assert isinstance(kci.value, Kci)
    assert (kci.value.request_id, kci.value.conversation_id) == ("request-1", "conversation-1")
    assert kci.value.received_at == item.received_at
    assert [(each.dead_letter_id, each.decision, each.replay_topic) for each in done] == [
        ("q-1", DeadLetterChoice.REPLAYED, "kcis")
    ]
    assert desk.ledger.settled[0][1] == kci


@pytest.mark.parametrize("content", [[], {"id": 1}, {**KCI, "entity": {}}])
async def test_a_delivery_that_is_still_no_kci_becomes_nothing(content: object) -> None:
    with pytest.raises(Unreadable):
        await kci_of(a_quarantined(b"{}"), content)
