"""A TLS connection that is closed is gone soon, whatever the other side does."""

import asyncio
import ssl
import time
from pathlib import Path

from bridge.services.loop import new_loop
from tests.silent_peer import HOST, silent_peer


class Goodbye(asyncio.Protocol):
    """Tells when its connection is gone."""

    def __init__(self) -> None:
        self.gone = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(exc)


def test_a_peer_that_never_says_goodbye_holds_nobody_up(tmp_path: Path) -> None:
    async def connect_and_close(port: int, authority: str) -> float:
        client = ssl.create_default_context(cafile=authority)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Goodbye, HOST, port, ssl=client)
        started = time.monotonic()
        transport.close()
        async with asyncio.timeout(10):
            await protocol.gone
        return time.monotonic() - started

    with silent_peer(tmp_path) as (port, authority), asyncio.Runner(loop_factory=new_loop) as runner:
        took = runner.run(connect_and_close(port, authority))

    assert took < 5
