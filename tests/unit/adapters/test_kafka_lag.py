"""The lag watch goes on until it is told to end."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from bridge.adapters import kafka_lag
from bridge.adapters.kafka_lag import LagWatch


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
