"""Slots for calls: the limits hold, the order is kept, and one supplier does not hold up another."""

import asyncio
from datetime import timedelta

import pytest

from bridge.flows.slots import Slots
from tests.builders import NOW
from tests.fakes import FixedClock


def some_slots(most: int = 2, most_each: int = 1) -> tuple[Slots, FixedClock]:
    clock = FixedClock(NOW)
    return Slots(most, most_each, clock.seconds), clock


class Call:
    """A call that lasts until it is told to end."""

    def __init__(self, slots: Slots, supplier: str) -> None:
        self.over = asyncio.Event()
        self.under_way = False
        self._slots = slots
        self._supplier = supplier
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with self._slots.slot(self._supplier):
            self.under_way = True
            await self.over.wait()
        self.under_way = False


async def calls(slots: Slots, *suppliers: str) -> list[Call]:
    made = [Call(slots, supplier) for supplier in suppliers]
    await settle()
    return made


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def end(*ended: Call) -> None:
    for call in ended:
        call.over.set()
    await settle()


async def test_who_waits_goes_in_order_and_another_supplier_passes_by() -> None:
    slots, _ = some_slots()
    first, second, third, other = await calls(slots, "A", "A", "A", "B")

    assert [call.under_way for call in (first, second, third, other)] == [True, False, False, True]
    await end(first)
    assert [call.under_way for call in (second, third)] == [True, False]
    await end(second, third, other)


async def test_the_limit_over_all_holds() -> None:
    slots, _ = some_slots(most=2, most_each=9)
    made = await calls(slots, "A", "B", "C", "D")

    assert [call.under_way for call in made] == [True, True, False, False]
    await end(made[1])
    assert [call.under_way for call in made] == [True, False, True, False]
    await end(*made)


async def test_who_gives_up_while_waiting_takes_no_slot_with_him() -> None:
    slots, _ = some_slots(most=1)
    first, second, third = await calls(slots, "A", "A", "A")
    second.task.cancel()
    await settle()
    await end(first)

    assert third.under_way
    await end(third)


async def test_who_gives_up_in_the_moment_of_his_turn_passes_it_on() -> None:
    slots, _ = some_slots(most=1)
    first, second, third = await calls(slots, "A", "A", "A")
    first.over.set()
    await asyncio.sleep(0)  # the first gives its slot away
    second.task.cancel()
    await settle()

    assert third.under_way
    await end(third)


async def test_so_many_are_prepared_ahead_as_the_times_of_preparing_and_calling_ask_for() -> None:
    slots, clock = some_slots()
    assert slots.ahead == 0
    for _ in range(100):
        slots.prepared(0.01)
        async with slots.slot("A"):
            clock.advance(timedelta(seconds=0.02))

    assert slots.ahead == pytest.approx(0.5)
    for _ in range(200):
        slots.prepared(0.5)
    assert slots.ahead == 1
