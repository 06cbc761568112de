"""A TLS connection that is closed is gone soon, whatever the other side does."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bridge.services.loop import new_loop
from tests.certificates import Authority

HOST = "127.0.0.1"


class Goodbye(asyncio.Protocol):
    """Tells when its connection is gone."""

    def __init__(self) -> None:
        self.gone = asyncio.get_running_loop().create_future()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set_result(exc)


def test_a_peer_that_never_says_goodbye_holds_nobody_up(free_port: Callable[[], int], tmp_path: Path) -> None:
    authority, port, done = Authority("authority", tmp_path), free_port(), threading.Event()
    certificate, key = authority.sign("peer", HOST)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)

    def shake_hands_and_fall_silent(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with server.wrap_socket(connection, server_side=True):
            done.wait(20)

    async def connect_and_close() -> float:
        client = ssl.create_default_context(cafile=authority.file)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Goodbye, HOST, port, ssl=client)
        started = time.monotonic()
        transport.close()
        async with asyncio.timeout(10):
            await protocol.gone
        return time.monotonic() - started

    with socket.create_server((HOST, port)) as listener:
        silent = threading.Thread(target=shake_hands_and_fall_silent, args=(listener,))
        silent.start()
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                took = runner.run(connect_and_close())
        finally:
            done.set()
            silent.join()

    assert took < 5
