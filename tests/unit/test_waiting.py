"""What is waited for ends as under any time-out, and what never waits has none."""

import asyncio
import time
from datetime import timedelta

import pytest

from bridge.waiting import Gathering, Patience, within

LONG, SHORT = timedelta(seconds=10), timedelta(milliseconds=20)


async def test_what_never_waits_has_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once() -> str:
        return "done"

    monkeypatch.setattr(asyncio, "timeout", None)

    assert await within(SHORT, at_once()) == "done"


@pytest.mark.parametrize("rounds", [1, 3])
async def test_what_waits_is_resumed_where_it_waited(rounds: int) -> None:
    async def later() -> int:
        for _ in range(rounds):
            await asyncio.sleep(0)
            await asyncio.sleep(0.001)
        return rounds

    assert await within(LONG, later()) == rounds


async def test_what_takes_too_long_is_cancelled() -> None:
    ended: list[str] = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiter")

    with pytest.raises(TimeoutError):
        await within(SHORT, forever())
    assert ended == ["waiter"]


@pytest.mark.parametrize("pauses", [0, 1])
async def test_errors_come_through(pauses: int) -> None:
    async def failing() -> None:
        for _ in range(pauses):
            await asyncio.sleep(0)
        raise LookupError("where")

    with pytest.raises(LookupError, match="where"):
        await within(LONG, failing())


async def test_whoever_waits_can_be_cancelled() -> None:
    ended: list[bool] = []

    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    task = asyncio.create_task(within(LONG, waiting()))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


async def test_a_wait_that_fails_is_told_to_whoever_waited_for_it() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    seen: list[str] = []

    async def waiting() -> None:
        try:
            await future
        except LookupError as error:
            seen.append(str(error))

    task = asyncio.create_task(within(LONG, waiting()))
    await asyncio.sleep(0)
    future.set_exception(LookupError("gone"))
    await task

    assert seen == ["gone"]


async def test_each_future_has_its_own_end() -> None:
    loop, patience = asyncio.get_running_loop(), Patience()
    futures: list[asyncio.Future[str]] = [loop.create_future() for _ in range(4)]
    ends = (10.0, 0.02, 0.01, 0.03)
    waits = [
        asyncio.create_task(patience.wait(future, until=loop.time() + end))
        for future, end in zip(futures, ends, strict=True)
    ]
    loop.call_later(0.08, futures[0].set_result, "done")

    results = await asyncio.gather(*waits, return_exceptions=True)

    assert results[0] == "done"
    assert [type(result) for result in results[1:]] == [TimeoutError] * 3
    assert all(future.cancelled() for future in futures[1:])


async def test_a_wait_that_ended_in_time_leaves_the_next_one_its_whole_time() -> None:
    loop, patience = asyncio.get_running_loop(), Patience()
    for _ in range(3):
        future: asyncio.Future[str] = loop.create_future()
        loop.call_later(0.03, future.set_result, "done")
        assert await patience.wait(future, until=loop.time() + 0.3) == "done"


async def test_patience_passes_errors_and_cancellations_on() -> None:
    loop, patience = asyncio.get_running_loop(), Patience()
    failing: asyncio.Future[None] = loop.create_future()
    loop.call_soon(failing.set_exception, LookupError("where"))
    with pytest.raises(LookupError, match="where"):
        await patience.wait(failing, until=loop.time() + 10)

    task = asyncio.create_task(patience.wait(loop.create_future(), until=loop.time() + 10))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_comes_together_is_dealt_with_together() -> None:
    dealt: list[float] = []
    gathering = Gathering(
        lambda: dealt.append(time.monotonic()), pause=timedelta(milliseconds=40), longest=timedelta(seconds=10)
    )

    for _ in range(4):
        gathering.came()
        await asyncio.sleep(0.005)
        assert dealt == []
    last = time.monotonic()
    await asyncio.sleep(0.2)
    assert len(dealt) == 1
    assert dealt[0] - last < 0.15

    gathering.came()
    await asyncio.sleep(0.2)
    assert len(dealt) == 2


async def test_what_still_comes_keeps_nothing_waiting_for_ever() -> None:
    dealt: list[float] = []
    gathering = Gathering(
        lambda: dealt.append(time.monotonic()), pause=timedelta(seconds=10), longest=timedelta(milliseconds=30)
    )

    began = time.monotonic()
    while not dealt and time.monotonic() < began + 5:
        gathering.came()
        await asyncio.sleep(0.002)

    assert dealt[0] - began < 1
