"""A write that cannot be shown, though it was committed, must not leave those behind it without an answer."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from bridge.adapters.streams.commits import Commits, Write
from bridge.adapters.streams.transactions import GroupProducer, Membership
from bridge.ports import TableLost

PATIENCE_SECONDS = 2.0


class CommitsEverything:
    async def commit(self, *_: Any) -> Mapping[int, int]:
        return {0: 1}


def cannot_be_shown(_: Mapping[int, int]) -> None:
    raise KeyError("a bug")


async def test_after_a_write_that_cannot_be_shown_every_other_is_told_that_the_table_is_lost() -> None:
    commits = Commits(cast("GroupProducer", CommitsEverything()), cast("Membership", None), "journeys")
    shown: list[Mapping[int, int]] = []

    async with asyncio.timeout(PATIENCE_SECONDS):
        await commits.write(Write([], shown.append))
        with pytest.raises(TableLost, match="a bug"):
            await commits.write(Write([], cannot_be_shown))
        with pytest.raises(TableLost, match="a bug"):
            await commits.write(Write([], shown.append))
        await commits.close()

    assert shown == [{0: 1}]
