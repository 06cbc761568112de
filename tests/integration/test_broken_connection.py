"""
A connection to a broker that breaks in the moment in which it is written to.

aiokafka 0.14 keeps one task that asks for metadata. It knows a broken connection as an OSError; whatever else is raised
ends it, unnoticed, and a producer that has to send again waits for its next answer for ever.
"""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer

from bridge.sandbox.kafka import EmbeddedKafka
from bridge.services.loop import FaithfulTransport

PATIENCE_SECONDS = 3.0


class Gone:
    """A transport as uvloop has it between a reset and the turn of the loop in which its protocol is told."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        raise RuntimeError(f"unable to perform operation on {self._transport!r}; the handler is closed")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


async def test_who_asks_for_metadata_over_a_connection_that_just_broke_has_an_answer_and_asks_again(
    kafka: EmbeddedKafka,
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, retry_backoff_ms=100) as producer:
        client = producer.client
        await client.force_metadata_update()
        (connection,) = client._conns.values()  # noqa: SLF001
        writer = connection._writer  # noqa: SLF001
        writer._transport = FaithfulTransport(Gone(writer.transport))  # noqa: SLF001

        async with asyncio.timeout(PATIENCE_SECONDS):
            assert not await client.force_metadata_update()
            assert await client.force_metadata_update()
