"""What every record goes through: handled or in the dead letters, each exactly once, with nothing lost of it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from bridge.domain.dead_letters import DeadLetter, DeadLetterReason, Header
from bridge.domain.record import Record
from bridge.flows.intake import ATTEMPTS_HEADER, DeadLetterLimit, Intake, TooManyDeadLetters
from bridge.ports import Arrived, Kept, SchemaUnavailable, TableLost, TablePartition, Undecodable, UnknownSchema
from tests.builders import NOW, PERSONAL
from tests.fakes import FakeTable, Fault, FixedClock, RecordingTelemetry, ScriptedCodec

TOPIC = "fault-tickets"
HEADERS = (Header(name="origin", value=b"\x00\xff"), Header(name="origin", value=b"again"), Header.of("none", None))


class Note(Record, frozen=True, kw_only=True):
    """A record for these tests."""

    key: str
    text: str = ""


class Desk:
    """An intake with a flow behind it that writes each note's text; `fails` makes the flow fail instead."""

    def __init__(self, *, per_minute: int = 100) -> None:
        self.table: FakeTable[str] = FakeTable(Kept[str])
        self.clock = FixedClock(NOW)
        self.codec = ScriptedCodec()
        self.telemetry = RecordingTelemetry()
        self.pauses: list[float] = []
        self.handled: list[Note] = []
        self.fails: Exception | None = None
        self.paused = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.intake: Intake[str] = Intake(
            service="dispatcher",
            version="1.2.3",
            codec=self.codec,
            clock=self.clock,
            telemetry=self.telemetry,
            limit=DeadLetterLimit(per_minute),
            home=lambda _topic, key: len(key) % 2,
            key_of=self._key_of,
            pause=self._pause,
        )

    def arrived(self, note: Note | None, *, offset: int = 7, **changes: Any) -> Arrived:
        record = Arrived(
            topic=TOPIC,
            partition=0,
            offset=offset,
            timestamp=NOW - timedelta(hours=1),
            key=note.key.encode() if note is not None else b"TT-1",
            value=self.codec.encode(TOPIC, note) if note is not None else b"?",
            headers=HEADERS,
        )
        return msgspec.structs.replace(record, **changes)

    async def takes(self, arrived: Arrived) -> bool:
        return await self.intake.take(arrived, self.table, self.decides)

    @property
    def letters(self) -> list[DeadLetter]:
        return self.table.values_of("dead-letters")

    async def decides(
        self, key: str, record: Record, kept: Kept[str], arrived: Arrived, table: TablePartition[str]
    ) -> None:
        assert isinstance(record, Note)
        if self.fails is not None:
            raise self.fails
        self.handled.append(record)
        await table.write(key, Kept(seen=kept.seen, at=kept.at, value=record.text))

    def _key_of(self, record: Record) -> str:
        assert isinstance(record, Note)
        return record.key

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.paused.set()
        await self.go_on.wait()


async def test_a_record_is_handled_and_its_offset_is_written_with_its_result() -> None:
    desk = Desk()

    assert await desk.takes(desk.arrived(Note(key="TT-1", text="hello")))

    assert desk.table.get("TT-1") == Kept(seen={TOPIC: 7}, at=NOW, value="hello")
    assert desk.telemetry.handled == [TOPIC]


async def test_a_redelivered_record_is_dropped_and_the_next_one_is_not() -> None:
    desk = Desk()
    first = desk.arrived(Note(key="TT-1"), offset=7)
    await desk.takes(first)

    assert await desk.takes(first)
    assert await desk.takes(desk.arrived(Note(key="TT-1"), offset=6))
    await desk.takes(desk.arrived(Note(key="TT-1"), offset=7, topic="journey-signals"))
    await desk.takes(desk.arrived(Note(key="TT-1"), offset=8))

    assert len(desk.handled) == 3
    kept = desk.table.get("TT-1")
    assert kept is not None
    assert kept.seen == {TOPIC: 8, "journey-signals": 7}


Break = Callable[[Desk], Arrived]


def _undecodable(desk: Desk) -> Arrived:
    desk.codec.fails(b"?", Undecodable("no framing of a known schema"))
    return desk.arrived(None)


def _unknown_schema(desk: Desk) -> Arrived:
    desk.codec.fails(b"?", UnknownSchema("schema 99 is known to nobody"))
    return desk.arrived(None)


def _unprocessable(desk: Desk) -> Arrived:
    desk.fails = ValueError(f"no such customer: {PERSONAL[0]}")
    return desk.arrived(Note(key="TT-1"))


@pytest.mark.parametrize(
    ("broken", "reason", "text"),
    [
        (_undecodable, DeadLetterReason.UNDECODABLE, "no framing"),
        (lambda desk: desk.arrived(None, value=None), DeadLetterReason.UNDECODABLE, "tombstone"),
        (_unknown_schema, DeadLetterReason.UNKNOWN_SCHEMA, "schema 99"),
        (lambda desk: desk.arrived(Note(key="TT-1"), key=None), DeadLetterReason.WRONG_KEY, "no key"),
        (lambda desk: desk.arrived(Note(key="TT-1"), key=b"TT-2"), DeadLetterReason.WRONG_KEY, "not the one"),
        (lambda desk: desk.arrived(Note(key="TT-1"), key=b"\xff\xfe"), DeadLetterReason.WRONG_KEY, "not the one"),
        (lambda desk: desk.arrived(Note(key="TT-10")), DeadLetterReason.WRONG_PARTITION, "murmur2"),
        (_unprocessable, DeadLetterReason.UNPROCESSABLE, "ValueError at decides"),
    ],
)
async def test_a_record_that_can_never_be_processed_is_kept_as_it_came(
    broken: Break, reason: DeadLetterReason, text: str
) -> None:
    desk = Desk()
    arrived = broken(desk)

    assert not await desk.takes(arrived)

    (letter,) = desk.letters
    assert letter.reason is reason
    assert text in letter.error
    assert (letter.dead_letter_id, letter.topic, letter.partition, letter.offset) == (f"{TOPIC}-0-7", TOPIC, 0, 7)
    assert (letter.key, letter.value, letter.headers) == (arrived.key, arrived.value, HEADERS)
    (record,) = [each for each in desk.table.published if each.topic == "dead-letters"]
    assert record.raw_key == arrived.key
    assert (letter.timestamp, letter.failed_at) == (arrived.timestamp, NOW)
    assert (letter.service, letter.version, letter.attempts) == ("dispatcher", "1.2.3", 1)
    assert desk.telemetry.dead_lettered == [(TOPIC, reason.value)]
    assert await desk.takes(arrived), "a redelivery finds it settled"
    assert len(desk.letters) == 1


async def test_a_record_that_was_in_the_dead_letters_before_counts_its_attempts() -> None:
    desk = Desk()
    desk.fails = ValueError()
    again = (*HEADERS, Header(name=ATTEMPTS_HEADER, value=b"2"))

    await desk.takes(desk.arrived(Note(key="TT-1"), headers=again))
    await desk.takes(
        desk.arrived(Note(key="TT-1"), offset=8, headers=(Header(name=ATTEMPTS_HEADER, value=b"nonsense"),))
    )

    assert [letter.attempts for letter in desk.letters] == [3, 1]


async def test_a_bug_in_a_flow_shows_no_personal_data_in_the_dead_letter_or_in_the_fields_of_the_log() -> None:
    desk = Desk()
    desk.fails = KeyError(PERSONAL[0])

    with capture_logs() as logs:
        await desk.takes(desk.arrived(Note(key="TT-1", text=PERSONAL[1])))

    (letter,) = desk.letters
    assert not [word for word in PERSONAL if word in letter.error]
    shown = [{name: value for name, value in line.items() if name != "exc_info"} for line in logs]
    assert not [word for word in PERSONAL if word in str(shown)]
    assert {line["event"] for line in shown} == {"record cannot be processed", "dead letter"}


async def test_what_a_flow_made_durable_before_it_failed_stays() -> None:
    desk = Desk()
    arrived = desk.arrived(Note(key="TT-1", text="intent"))

    async def fails_late(
        key: str, record: Record, kept: Kept[str], arrived: Arrived, table: TablePartition[str]
    ) -> None:
        await desk.decides(key, record, kept, arrived, table)
        raise ValueError("too late")

    assert not await desk.intake.take(arrived, desk.table, fails_late)

    kept = desk.table.get("TT-1")
    assert kept is not None
    assert kept.value == "intent"
    assert len(desk.letters) == 1


async def test_a_lost_partition_is_no_reason_for_a_dead_letter() -> None:
    desk = Desk()
    desk.table.faults.append(Fault.LOST)

    with pytest.raises(TableLost):
        await desk.takes(desk.arrived(Note(key="TT-1")))

    assert desk.letters == []


async def test_the_service_stops_before_it_pours_everything_into_the_dead_letters() -> None:
    desk = Desk(per_minute=2)
    desk.codec.fails(b"?", Undecodable("broken"))
    for offset in (1, 2):
        await desk.takes(desk.arrived(None, offset=offset))

    with pytest.raises(TooManyDeadLetters, match="2 dead letters within a minute"):
        await desk.takes(desk.arrived(None, offset=3))

    assert len(desk.letters) == 2
    kept = desk.table.get("TT-1")
    assert kept is not None
    assert kept.seen == {TOPIC: 2}


async def test_the_limit_of_dead_letters_is_for_a_minute() -> None:
    desk = Desk(per_minute=2)
    desk.codec.fails(b"?", Undecodable("broken"))
    for offset in range(6):
        await desk.takes(desk.arrived(None, offset=offset))
        desk.clock.advance(timedelta(seconds=30))

    assert len(desk.letters) == 6


async def test_a_registry_that_is_away_holds_up_its_own_lane_and_no_other() -> None:
    desk = Desk()
    held = desk.arrived(Note(key="TT-1", text="first"))
    assert held.value is not None
    desk.codec.fails(held.value, *(SchemaUnavailable("away") for _ in range(7)))
    desk.go_on.clear()
    waiting = asyncio.create_task(desk.takes(held))
    await desk.paused.wait()

    await desk.takes(desk.arrived(Note(key="TT-3", text="other")))
    assert [note.text for note in desk.handled] == ["other"]
    desk.go_on.set()

    assert await waiting
    assert [note.text for note in desk.handled] == ["other", "first"]
    assert desk.pauses == [1.0, 2.0, 5.0, 10.0, 30.0, 30.0, 30.0]
    assert desk.letters == []
