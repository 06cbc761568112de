"""When what an earlier owner left is taken for something that hangs."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from bridge.adapters.streams import aftermath
from bridge.adapters.streams.aftermath import Aftermath

HERE, THERE = TopicPartition("signals", 0), TopicPartition("signals", 1)
Look = dict[TopicPartition, int] | Exception


class Scripted(Aftermath):
    """Sees one look after the other."""

    def __init__(self, *looks: Look) -> None:
        super().__init__("table", ["signals"], connection={}, transaction_timeout_seconds=0)
        self._looks: Iterator[Look] = iter(looks)

    async def _held_back(self) -> dict[TopicPartition, int]:
        look = next(self._looks)
        if isinstance(look, Exception):
            raise look
        return look


class Endings:
    """Keeps whose transactions were to be decided once more."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def end_everywhere(self, transactional_id: str) -> str:
        self.ended.append(transactional_id)
        return "given the markers that it lacked"


@pytest.mark.parametrize(
    ("looks", "ended"),
    [
        ([{}], []),
        ([{HERE: 5}, {}], []),
        ([{HERE: 5}, {HERE: 7}], []),
        ([{HERE: 5}, {THERE: 5}], []),
        ([{HERE: 5, THERE: 2}, {HERE: 9, THERE: 2}], ["former"]),
        ([KafkaConnectionError(), {HERE: 5}, {HERE: 5}], ["former"]),
        # The time begins anew: it may have been open for no longer than the coordinator was away.
        ([{HERE: 5}, KafkaConnectionError(), {HERE: 5}, {}], []),
    ],
)
async def test_what_is_open_from_the_same_offset_on_at_two_looks_hangs(
    looks: list[Look], ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aftermath, "COORDINATOR_SECONDS", 0.0)
    monkeypatch.setattr(aftermath, "SPREAD_SECONDS", 0.0)
    scripted, endings = Scripted(*looks), Endings()

    scripted.look_after(["former"], cast("Any", endings))
    await asyncio.wait_for(asyncio.gather(*scripted._looking), 5)  # noqa: SLF001  # until it has looked

    assert endings.ended == ended


async def test_a_look_that_goes_on_ends_with_the_table() -> None:
    scripted = Scripted()
    scripted.look_after(["former"], cast("Any", Endings()))

    await asyncio.wait_for(scripted.stop(), 5)

    assert not scripted._looking  # noqa: SLF001  # nothing is left behind
