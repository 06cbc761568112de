"""How connections end: a TLS connection that is closed is gone soon, and one that is gone says so to who writes."""

import asyncio
import socket
import ssl
import struct
import time
from pathlib import Path

import pytest

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


def test_who_writes_to_a_connection_that_was_reset_is_told_so_and_not_of_a_bug() -> None:
    """aiokafka takes an OSError for a connection that broke; anything else ends the task that wrote, unnoticed."""

    async def write_for_ever(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x")
            await asyncio.sleep(0)

    async def write_until_told() -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server((HOST, 0)) as server:
            server.setblocking(False)  # noqa: FBT003  # as it is named nowhere
            _, writer = await asyncio.open_connection(*server.getsockname())
            peer, _ = await loop.sock_accept(server)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            with pytest.raises(OSError, match="gone"):
                await write_for_ever(writer)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(write_until_told())
