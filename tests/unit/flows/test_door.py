"""The door: who waits has the next turn and nobody slips in between, and a turn that cannot be used goes on."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from bridge.domain.admission import Admission, AdmissionPolicy
from bridge.domain.breaker import BreakerPolicy, BucketPolicy
from bridge.flows.door import Door
from tests.builders import NOW
from tests.fakes import FixedClock, RecordingWakes
from tests.unit.flows.dispatcher import UNLIMITED

ONE_AT_ONCE = replace(UNLIMITED, supplier_max_in_flight=1)
Asking = asyncio.Task[timedelta | None]


class Outside:
    """Those who come to a door."""

    def __init__(self, policy: AdmissionPolicy) -> None:
        clock = FixedClock(NOW)
        self.admission = Admission(policy)
        self.wakes = RecordingWakes()
        self.door = Door(self.admission, wakes=self.wakes, clock=clock, monotonic=clock.seconds)

    async def waiting(self, *keys: str, supplier: str = "A") -> list[Asking]:
        """They ask, and nobody of them is let in at once."""
        asking = [asyncio.create_task(self.door.ask(supplier, key, 0)) for key in keys]
        await settle()
        assert not [each for each in asking if each.done()]
        return asking


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_nobody_who_comes_when_a_call_ends_is_before_those_who_wait() -> None:
    outside = Outside(ONE_AT_ONCE)
    assert await outside.door.ask("A", "TT-1", 0) is None
    second, third = await outside.waiting("TT-2", "TT-3")

    outside.door.leave("A", ok=True)
    late = asyncio.create_task(outside.door.ask("A", "TT-4", 0))
    await settle()

    assert second.result() is None
    assert not third.done()
    assert not late.done()
    for next_one in (third, late):
        outside.door.leave("A", ok=True)
        assert await next_one is None


async def test_a_turn_of_one_that_was_stopped_meanwhile_is_the_next_ones() -> None:
    outside = Outside(ONE_AT_ONCE)
    assert await outside.door.ask("A", "TT-1", 0) is None
    second, third = await outside.waiting("TT-2", "TT-3")

    outside.door.leave("A", ok=True)
    second.cancel()

    assert await third is None
    with pytest.raises(asyncio.CancelledError):
        await second
    assert outside.admission.in_flight("A") == 1


async def test_all_who_wait_learn_at_once_that_the_breaker_opened() -> None:
    outside = Outside(replace(ONE_AT_ONCE, breaker=BreakerPolicy(failures=1, open_seconds=30.0)))
    assert await outside.door.ask("A", "TT-1", 0) is None
    asking = await outside.waiting("TT-2", "TT-3")

    outside.door.leave("A", ok=False)

    for each in asking:
        delay = await each
        assert delay is not None
        assert timedelta(seconds=30) <= delay < timedelta(seconds=31)


async def test_one_who_waits_learns_when_the_rate_allows_the_next_call() -> None:
    outside = Outside(replace(ONE_AT_ONCE, bucket=BucketPolicy(rate=0.5, burst=1.0)))
    assert await outside.door.ask("A", "TT-1", 0) is None
    (second,) = await outside.waiting("TT-2")

    outside.door.leave("A", ok=True)

    delay = await second
    assert delay is not None
    assert timedelta(seconds=2) <= delay < timedelta(seconds=3)


async def test_another_suppliers_turn_comes_when_nobody_waits_for_the_same() -> None:
    outside = Outside(replace(UNLIMITED, max_in_flight=1))
    assert await outside.door.ask("A", "TT-1", 0) is None
    (other,) = await outside.waiting("TT-2", supplier="B")

    outside.door.leave("A", ok=True)

    assert await other is None


async def test_who_waits_when_partitions_are_assigned_anew_comes_again() -> None:
    outside = Outside(ONE_AT_ONCE)
    assert await outside.door.ask("A", "TT-1", 0) is None
    (second,) = await outside.waiting("TT-2")

    outside.door.forget_all()

    assert await second == timedelta(seconds=1)
    outside.door.leave("A", ok=True)
    assert outside.wakes.asked == {}
