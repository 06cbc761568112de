"""What is bounded by `within` runs as under any time-out, and without one when it never waits."""

import asyncio
from datetime import timedelta

import pytest

from bridge.waiting import within

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
