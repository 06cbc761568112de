"""What a watched flow tells: what was committed, and nothing else."""

from typing import Any

import pytest

from bridge.domain.journey.state import TicketState
from bridge.ports import Kept, Outgoing, TableLost, TablePartition
from bridge.services.watched import WatchedFlow, WatchedPartition
from tests.builders import NOW
from tests.fakes import FakeTable, Fault

STATE = Kept(seen={}, at=NOW, value=TicketState(ticket_id="a", touched_at=NOW))
TOLD = Outgoing(topic="journeys", key="a", value=None)


class Told:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def taking_over(self) -> None:
        self.heard.append(("taking over",))

    def found(self, key: str, value: Any) -> None:
        self.heard.append(("found", key, value))

    def took_over(self, partitions: int) -> None:
        self.heard.append(("took over", partitions))

    def written(self, key: str, before: Any, after: Any, outgoing: Any) -> None:
        self.heard.append(("written", key, before, after, tuple(outgoing)))


class LookingFlow:
    """A flow that looks once at all that it takes over."""

    async def arrived(self, _arrived: Any, table: TablePartition[TicketState]) -> None:
        await table.write("a", STATE, [TOLD])

    async def woken(self, key: str, table: TablePartition[TicketState]) -> None:
        await table.write(key, None)

    async def opened(self, partitions: Any) -> None:
        for table in partitions:
            list(table.items())


async def test_a_write_is_told_with_what_was_there_before_it() -> None:
    told, table = Told(), FakeTable[TicketState](Kept[TicketState])
    flow = WatchedFlow(LookingFlow(), told)
    await flow.arrived(None, table)  # type: ignore[arg-type]  # this flow looks at no record
    await flow.woken("a", table)

    assert told.heard == [("written", "a", None, STATE, (TOLD,)), ("written", "a", STATE, None, ())]
    assert table.published == [TOLD]


async def test_a_write_that_was_not_committed_is_not_told() -> None:
    told, table = Told(), FakeTable[TicketState](Kept[TicketState])
    table.faults.append(Fault.LOST)
    with pytest.raises(TableLost):
        await WatchedPartition(table, told).write("a", STATE)

    assert told.heard == []


async def test_a_take_over_tells_of_everything_that_its_partitions_hold() -> None:
    told, table = Told(), FakeTable[TicketState](Kept[TicketState])
    await table.write("a", STATE)
    await WatchedFlow(LookingFlow(), told).opened([table, FakeTable(Kept[TicketState], number=1)])

    assert told.heard == [("taking over",), ("found", "a", STATE), ("took over", 2)]


async def test_a_fault_in_the_telling_changes_nothing() -> None:
    class Broken(Told):
        def found(self, key: str, value: Any) -> None:
            raise RuntimeError("a bug")

        def written(self, key: str, before: Any, after: Any, outgoing: Any) -> None:
            raise RuntimeError("a bug")

    table = FakeTable[TicketState](Kept[TicketState])
    watched = WatchedPartition(table, Broken())
    await watched.write("a", STATE, [TOLD])

    assert list(watched.items()) == [("a", STATE)]
    assert table.published == [TOLD]
