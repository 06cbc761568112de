"""The lag watch goes on until it is told to end."""

import asyncio

from bridge.adapters.kafka_lag import LagWatch


class Interrupted(LagWatch):
    """A watch whose connections end with the cancellation of one of their own fetches."""

    def __init__(self) -> None:
        super().__init__({}, group="tracker", topics=(), tell=lambda _: None, look_seconds=0.0)
        self.looks = 0
        self.went_on = asyncio.Event()

    async def _look_while_connected(self) -> None:
        self.looks += 1
        if self.looks <= 2:
            raise asyncio.CancelledError
        self.went_on.set()
        await asyncio.Event().wait()


async def test_a_fetch_that_aiokafka_cancelled_does_not_end_the_watch() -> None:
    watch = Interrupted()
    await watch.start()

    async with asyncio.timeout(5):
        await watch.went_on.wait()
        await watch.stop()
