"""A TCP proxy between two parts of the bridge that can be cut, stalled and slowed while they talk."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Sequence
from itertools import count
from typing import Any

CHUNK = 65_536
STEP_SECONDS = 10.0


class Link:
    """
    Listens on a port of 127.0.0.1 and passes connections on to its targets in turn, skipping those that refuse.

    `cut` refuses new connections and resets the present ones, `stall` lets nothing through and keeps them open,
    `slow` delays each piece in both directions; `mend` ends all three. Every method may be called from any thread.
    """

    def __init__(self, name: str, port: int, targets: Sequence[int]) -> None:
        self.name = name
        self.port = port
        self._targets = tuple(targets)
        self._turn = count()
        self._delay = 0.0
        self._flowing = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"link-{port}", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._run(self._mend())

    def stop(self) -> None:
        self._run(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def disturb(self, how: str, seconds: float = 0.0) -> None:
        """One of the three, by its name; `seconds` is how slow."""
        match how:
            case "cut":
                self.cut()
            case "stall":
                self.stall()
            case "slow":
                self.slow(seconds)
            case _:
                raise ValueError(how)

    def cut(self) -> None:
        self._run(self._cut())

    def stall(self) -> None:
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def slow(self, seconds: float) -> None:
        self._delay = seconds

    def mend(self) -> None:
        self._delay = 0.0
        self._run(self._mend())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(STEP_SECONDS)

    async def _mend(self) -> None:
        self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(self._turn)
        for offset in range(len(self._targets)):
            target = self._targets[(first + offset) % len(self._targets)]
            with contextlib.suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
                break
        else:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes; an end or an error of one side ends the other, reset as a lost connection is."""
        try:
            while piece := await reader.read(CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._flowing.wait()
                writer.write(piece)
                await writer.drain()
            writer.close()
        except OSError:
            writer.transport.abort()
