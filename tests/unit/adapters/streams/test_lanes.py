import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from bridge.adapters.streams import lanes as lanes_module
from bridge.adapters.streams.lanes import Delivery, Input, Lanes, Wake, lane_of, still_going
from bridge.ports import Arrived


class Source:
    """Stands for Faust: counts what is acknowledged, forgotten and committed, and says which generation is current."""

    def __init__(self) -> None:
        self.generation = 1
        self.acked: list[tuple[str, int, int]] = []
        self.forgotten: list[tuple[str, int, int]] = []
        self.commits = 0
        self.crashes: list[BaseException] = []

    def is_current(self, generation: int) -> bool:
        return generation == self.generation

    async def crash(self, error: BaseException) -> None:
        self.crashes.append(error)

    async def commit(self) -> None:
        self.commits += 1

    def delivery(self, key: bytes | None, offset: int, *, topic: str = "fault-tickets", partition: int = 0) -> Delivery:
        name = (topic, partition, offset)
        arrived = Arrived(
            topic=topic, partition=partition, offset=offset, timestamp=datetime.now(UTC), key=key, value=b"x"
        )
        return Delivery(
            arrived,
            self.generation,
            ack=lambda: self.acked.append(name),
            forget=lambda: self.forgotten.append(name),
        )


class Gate:
    """A handler whose inputs wait until the test lets them go."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.finished: list[str] = []
        self.most_at_once: dict[str, int] = {}
        self._doors: dict[str, asyncio.Future[bool]] = {}

    @staticmethod
    def name(item: Input) -> str:
        if isinstance(item, Wake):
            return f"wake {item.key}"
        return f"{lane_of(item.arrived.key)}{item.arrived.offset}"

    async def handle(self, item: Input) -> bool:
        name = self.name(item)
        self.running.append(name)
        self.most_at_once[name[0]] = sum(each[0] == name[0] for each in self.running)
        door = self._doors.setdefault(name, asyncio.get_running_loop().create_future())
        result = await door
        self.running.remove(name)
        self.finished.append(name)
        return result

    async def has_finished(self, name: str) -> None:
        async with asyncio.timeout(5):
            while name not in self.finished:  # noqa: ASYNC110  # a poll with a deadline: the lanes tell nobody that they are done
                await asyncio.sleep(0.01)

    def let_go(self, name: str, *, done: bool = True) -> None:
        self._doors.setdefault(name, asyncio.get_running_loop().create_future()).set_result(done)

    def fail(self, name: str) -> None:
        self._doors.setdefault(name, asyncio.get_running_loop().create_future()).set_exception(RuntimeError("a bug"))


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
async def lanes(source: Source, gate: Gate) -> AsyncIterator[Lanes]:
    running = Lanes(gate.handle, is_current=source.is_current, crash=source.crash, commit=source.commit, max_pulled=4)
    running.begin(1)
    running.start()
    yield running
    await running.stop()


async def test_one_key_runs_one_input_at_a_time_and_other_keys_run_beside_it(
    lanes: Lanes, source: Source, gate: Gate
) -> None:
    for key, offset in ((b"a", 0), (b"a", 1), (b"b", 2)):
        await lanes.submit(source.delivery(key, offset))
    await settled()

    assert gate.running == ["a0", "b2"]

    gate.let_go("a0")
    await settled()

    assert gate.running == ["b2", "a1"]


async def test_inputs_of_two_topics_with_one_key_share_a_lane(lanes: Lanes, source: Source, gate: Gate) -> None:
    await lanes.submit(source.delivery(b"a", 0))
    await lanes.submit(source.delivery(b"a", 7, topic="journey-signals"))
    await settled()

    assert gate.running == ["a0"]


async def test_records_are_acknowledged_in_offset_order_and_committed(lanes: Lanes, source: Source, gate: Gate) -> None:
    for key, offset in ((b"a", 0), (b"b", 1), (b"c", 2)):
        await lanes.submit(source.delivery(key, offset))
    gate.let_go("b1")
    gate.let_go("c2")
    await settled()

    assert source.acked == []

    gate.let_go("a0")
    await settled()

    assert [offset for _, _, offset in source.acked] == [0, 1, 2]
    assert source.commits > 0


async def test_nothing_behind_an_abandoned_record_is_ever_acknowledged(
    lanes: Lanes, source: Source, gate: Gate
) -> None:
    for key, offset in ((b"a", 0), (b"b", 1), (b"c", 2)):
        await lanes.submit(source.delivery(key, offset))
    gate.let_go("a0")
    gate.let_go("b1", done=False)
    gate.let_go("c2")
    await settled()

    assert [offset for _, _, offset in source.acked] == [0]
    assert [offset for _, _, offset in source.forgotten] == [1, 2]


async def test_at_a_rebalance_what_runs_is_finished_and_the_rest_is_abandoned(
    lanes: Lanes, source: Source, gate: Gate
) -> None:
    await lanes.submit(source.delivery(b"a", 0))
    await lanes.submit(source.delivery(b"a", 1))
    late = source.delivery(b"b", 2)
    await settled()
    source.generation = 2
    await lanes.submit(late)
    gate.let_go("a0")
    await asyncio.wait_for(lanes.drain(), 5)

    assert gate.finished == ["a0"]
    assert [offset for _, _, offset in source.acked] == [0]
    assert sorted(offset for _, _, offset in source.forgotten) == [1, 2]


async def test_the_same_offsets_can_be_settled_again_in_the_next_generation(
    lanes: Lanes, source: Source, gate: Gate
) -> None:
    await lanes.submit(source.delivery(b"a", 0))
    gate.let_go("a0", done=False)
    await settled()
    source.generation = 2
    lanes.begin(2)
    await lanes.submit(source.delivery(b"b", 0))
    gate.let_go("b0")
    await settled()

    assert source.acked == [("fault-tickets", 0, 0)]


async def test_pulling_waits_while_too_many_records_are_unsettled(lanes: Lanes, source: Source, gate: Gate) -> None:
    for offset in range(4):
        await lanes.submit(source.delivery(b"a", offset))
    fifth = asyncio.create_task(lanes.submit(source.delivery(b"b", 4)))
    await settled()

    assert not fifth.done()

    gate.let_go("a0")
    await asyncio.wait_for(fifth, 5)


async def test_a_bug_in_the_handler_ends_the_process(lanes: Lanes, source: Source, gate: Gate) -> None:
    await lanes.submit(source.delivery(b"a", 0))
    gate.fail("a0")
    await settled()

    assert [str(error) for error in source.crashes] == ["a bug"]
    assert source.acked == []


async def test_a_bug_ends_the_process_also_when_it_cannot_be_logged(
    lanes: Lanes, source: Source, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_text: str) -> None:
        raise UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed")

    monkeypatch.setattr(lanes_module.log, "exception", broken, raising=False)
    await lanes.submit(source.delivery(b"a", 0))
    gate.fail("a0")
    await settled()

    assert [str(error) for error in source.crashes] == ["a bug"]


async def test_a_wake_takes_its_place_in_the_lane_and_needs_no_acknowledgement(
    lanes: Lanes, source: Source, gate: Gate
) -> None:
    await lanes.submit(source.delivery(b"a", 0))
    await settled()
    lanes.timers.wake("a", 0, datetime.now(UTC))
    gate.let_go("a0")
    gate.let_go("wake a")
    await gate.has_finished("wake a")

    assert gate.finished == ["a0", "wake a"]
    assert [offset for _, _, offset in source.acked] == [0]


async def test_a_key_that_asks_twice_is_woken_once_at_the_earlier_time(lanes: Lanes, gate: Gate) -> None:
    now = datetime.now(UTC)
    lanes.timers.wake("a", 0, now + timedelta(hours=1))
    lanes.timers.wake("a", 0, now)
    lanes.timers.wake("a", 0, now + timedelta(milliseconds=50))
    gate.let_go("wake a")
    await gate.has_finished("wake a")
    await asyncio.sleep(0.2)

    assert gate.finished == ["wake a"]


async def test_wakes_of_an_earlier_assignment_never_come(lanes: Lanes, source: Source, gate: Gate) -> None:
    lanes.timers.wake("a", 0, datetime.now(UTC) + timedelta(milliseconds=100))
    source.generation = 2
    lanes.begin(2)
    lanes.timers.wake("b", 0, datetime.now(UTC) + timedelta(milliseconds=150))
    gate.let_go("wake b")
    await gate.has_finished("wake b")

    assert gate.finished == ["wake b"]


async def test_a_wake_comes_in_time_though_another_that_is_due_later_was_asked_for_first(
    lanes: Lanes, gate: Gate
) -> None:
    lanes.begin(1)
    lanes.timers.wake("late", 0, datetime.now(UTC) + timedelta(days=1))
    await asyncio.sleep(0.05)
    lanes.timers.wake("later", 0, datetime.now(UTC) + timedelta(days=2))
    lanes.timers.wake("soon", 0, datetime.now(UTC) + timedelta(milliseconds=20))
    gate.let_go("wake soon")

    async with asyncio.timeout(0.9):
        await gate.has_finished("wake soon")


async def test_a_wake_before_the_records_flow_waits_until_they_do(lanes: Lanes, source: Source, gate: Gate) -> None:
    lanes.begin(2)
    lanes.timers.wake("a", 0, datetime.now(UTC))
    await asyncio.sleep(0.1)

    assert gate.running == []

    source.generation = 2
    gate.let_go("wake a")
    await gate.has_finished("wake a")


def test_every_key_has_a_lane_whatever_its_bytes() -> None:
    assert lane_of(None) == ""
    assert lane_of(b"T-1") == "T-1"
    assert lane_of(b"\xff\xfe").encode("utf-8", "surrogateescape") == b"\xff\xfe"


async def test_an_input_that_never_returns_is_a_fault_though_the_other_lanes_go_on(
    lanes: Lanes, source: Source, gate: Gate
) -> None:
    await lanes.submit(source.delivery(b"a", 0))
    await asyncio.sleep(0.1)
    await lanes.submit(source.delivery(b"b", 1))
    gate.let_go("b1")
    await gate.has_finished("b1")

    assert lanes.fault(stuck_after=60) is None
    assert lanes.fault(stuck_after=0.09) == "an input has not got on for 0 s"

    gate.let_go("a0")
    await gate.has_finished("a0")
    await settled()
    assert lanes.fault(stuck_after=0) is None


async def test_an_input_that_waits_for_long_and_tells_so_is_no_fault(source: Source) -> None:
    over = asyncio.Event()

    async def slow(_: Input) -> bool:
        while not over.is_set():
            await asyncio.sleep(0.01)
            still_going()
        return True

    lanes = Lanes(slow, is_current=source.is_current, crash=source.crash, commit=source.commit, max_pulled=4)
    lanes.begin(1)
    lanes.start()
    await lanes.submit(source.delivery(b"a", 0))
    await asyncio.sleep(0.5)

    assert lanes.fault(stuck_after=0.4) is None

    over.set()
    await lanes.drain()
    await lanes.stop()


async def test_a_task_of_the_lanes_that_ended_is_a_fault(source: Source, gate: Gate) -> None:
    async def broken() -> None:
        raise RuntimeError("a bug")

    lanes = Lanes(gate.handle, is_current=source.is_current, crash=source.crash, commit=broken, max_pulled=4)
    lanes.begin(1)
    lanes.start()
    gate.let_go("a0")
    await lanes.submit(source.delivery(b"a", 0))
    await gate.has_finished("a0")
    await settled()

    assert lanes.fault(stuck_after=60) == "the task 'commits' has ended"

    await lanes.stop()


async def test_while_there_is_no_room_nobody_expects_records(lanes: Lanes, source: Source, gate: Gate) -> None:
    assert lanes.submitted_at is not None

    for offset in range(4):
        await lanes.submit(source.delivery(b"a", offset))

    assert lanes.submitted_at is None

    gate.let_go("a0")
    await gate.has_finished("a0")
    await settled()
    assert lanes.submitted_at is not None
