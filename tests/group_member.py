"""A real member of a real consumer group, for tests and measurements that write a table without a whole service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer

from bridge.adapters.streams.transactions import Membership

JOIN_SECONDS = 30


class Member:
    """A consumer that takes part in a group, and says as what. `stop` makes it leave."""

    def __init__(self, bootstrap_servers: str, group: str, topic: str) -> None:
        self._group = group
        self._topic = topic
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=group,
            enable_auto_commit=False,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=200,
        )

    async def join(self) -> Membership:
        """Take part."""
        self._consumer.subscribe([self._topic])
        await self._consumer.start()
        return await self.assigned()

    async def assigned(self, *, after: int = 0) -> Membership:
        """The membership in the first generation behind `after`."""
        coordinator: Any = self._consumer._coordinator  # noqa: SLF001  # it is told nowhere else
        async with asyncio.timeout(JOIN_SECONDS):
            while coordinator.generation <= after or not self._consumer.assignment():
                await self._consumer.getmany(timeout_ms=50)
        return Membership(self._group, coordinator.generation, coordinator.member_id)

    async def stop(self) -> None:
        """Leave."""
        await self._consumer.stop()


@asynccontextmanager
async def member_of(bootstrap_servers: str, group: str, topic: str) -> AsyncIterator[Membership]:
    """Be the only member of a group for a while."""
    member = Member(bootstrap_servers, group, topic)
    try:
        yield await member.join()
    finally:
        await member.stop()
