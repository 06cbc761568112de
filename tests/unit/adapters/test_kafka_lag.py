"""The lag watch goes on until it is told to end, and tells a transaction that hangs from those that come and go."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from bridge.adapters import kafka_lag
from bridge.adapters.kafka_lag import LagWatch

PARTITION = TopicPartition("signals", 0)


class Client:
    """A client of a cluster that is away."""

    def __init__(self, **_: Any) -> None:
        self._client = self

    async def start(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Consumer(Client):
    """Ends with the cancellation of one of its own fetches, as aiokafka's does."""

    async def stop(self) -> None:
        fetch = asyncio.create_task(asyncio.sleep(1))
        fetch.cancel()
        await fetch


class Interrupted(LagWatch):
    """A watch whose looks find nobody, and whose consumers end so."""

    def __init__(self) -> None:
        super().__init__({}, group="tracker", topics=(), tell=lambda _: None, look_seconds=0.0)
        self.looks = 0
        self.went_on = asyncio.Event()

    async def _look(self, *_: Any) -> Any:
        self.looks += 1
        if self.looks <= 2:
            raise KafkaConnectionError
        self.went_on.set()
        await asyncio.Event().wait()


async def test_a_fetch_that_aiokafka_cancelled_does_not_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_lag, "AIOKafkaConsumer", Consumer)
    monkeypatch.setattr(kafka_lag, "AIOKafkaAdminClient", Client)
    watch = Interrupted()
    await watch.start()

    async with asyncio.timeout(5):
        await watch.went_on.wait()
        await watch.stop()


class Ends:
    """One partition as a client sees it, read by its group up to where committed records end."""

    def __init__(self, committed: int, written: int) -> None:
        self.committed, self.written = committed, written

    async def list_consumer_group_offsets(self, _group: str) -> dict[TopicPartition, Any]:
        return {PARTITION: SimpleNamespace(offset=self.committed)}

    def partitions_for_topic(self, _topic: str) -> set[int]:
        return {PARTITION.partition}

    async def beginning_offsets(self, _partitions: Any) -> dict[TopicPartition, int]:
        return {PARTITION: 0}

    async def end_offsets(self, _partitions: Any) -> dict[TopicPartition, int]:
        return {PARTITION: self.committed}

    @property
    def witness(self) -> Any:
        async def end_offsets(_partitions: Any) -> dict[TopicPartition, int]:
            return {PARTITION: self.written}

        return SimpleNamespace(end_offsets=end_offsets)


async def looked(watch: LagWatch, committed: int, written: int) -> tuple[int, bool]:
    """How many records the group is behind, and whether these have an age, after one more look."""
    ends = cast("Any", Ends(committed, written))
    (behind,) = await watch._look(ends, ends, ends.witness)  # noqa: SLF001  # the part under test
    return behind.records, behind.seconds > 0


async def test_only_a_transaction_that_is_the_same_at_two_looks_is_lag() -> None:
    watch = LagWatch({}, group="dispatcher", topics=["signals"], tell=lambda _: None)

    assert await looked(watch, 5, 7) == (0, False)
    assert await looked(watch, 7, 9) == (0, False), "the next one"
    assert await looked(watch, 7, 12) == (5, True), "the same one, and more behind it"
    assert await looked(watch, 12, 12) == (0, False), "it has ended"
    assert await looked(watch, 12, 13) == (0, False), "the next one"
