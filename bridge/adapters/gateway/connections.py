"""
Connections to the gateway: aiohttp's pool, TLS and parser, without its session (docs/adr/0007).

A request is written at one moment, in one piece: until then not one byte of it has left. aiohttp's session builds
requests and answers of its own beside httpx's, which is half of what a call costs. This is the one place that speaks
with aiohttp's protocol itself, which is why its version is bounded.
"""

import asyncio
import select
import ssl
from functools import lru_cache
from typing import NamedTuple
from weakref import WeakKeyDictionary

import aiohttp
import httpx
from aiohttp import StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

_FIRST_FINAL_STATUS = 200
_SWITCHING_PROTOCOLS = 101


class Head(NamedTuple):
    """The head of an answer, and its body that is still to be read."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: StreamReader


class Pool:
    """The connections, each used by one request at a time. To be made inside the running event loop."""

    def __init__(self, tls: ssl.SSLContext, *, connections: int, idle_seconds: float) -> None:
        """Open nothing yet; `connections` is the most there are, `idle_seconds` how long an idle one is kept."""
        self._connector = aiohttp.TCPConnector(ssl=tls, limit=connections, keepalive_timeout=idle_seconds)
        # Each connection that a request was given, with what tells whether there is anything to be read from it.
        self._used: WeakKeyDictionary[ResponseHandler, select.poll] = WeakKeyDictionary()
        self._destination = lru_cache(maxsize=8)(_destination)

    async def take(self, url: httpx.URL, timeouts: aiohttp.ClientTimeout) -> "Line":
        """
        An idle connection that is still open, or a new one; the caller closes or releases it.

        Raises:
            aiohttp.ClientError, OSError: there is none, and nothing was sent.

        """
        to = self._destination(url.scheme, url.netloc)
        while True:
            connection = await self._connector.connect(to, [], timeouts)
            protocol = connection.protocol
            if protocol is None or protocol.transport is None or protocol.transport.is_closing():
                connection.close()
                raise aiohttp.ClientConnectionError("closed as soon as it was there")
            readable = self._used.get(protocol)
            if readable is None:
                self._used[protocol] = _reads_of(protocol.transport)
                return Line(connection, protocol, protocol.transport, is_used=False)
            # What there is to be read from an idle connection can only be its end. The event loop would notice it too,
            # but only in its next turn, and a request must not be written before.
            if not readable.poll(0):
                return Line(connection, protocol, protocol.transport, is_used=True)
            connection.close()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connector.close()


class Line:
    """A connection that one request has for itself; `is_used` tells whether another had it before."""

    def __init__(
        self,
        connection: Connection,
        protocol: ResponseHandler,
        transport: asyncio.Transport,
        *,
        is_used: bool,
    ) -> None:
        """Take a connection that is open, and its parts."""
        self._connection = connection
        self._protocol = protocol
        self._transport = transport
        self.is_used = is_used

    async def ask(self, request: bytes, *, read_timeout: float | None) -> Head:
        """
        Write the request, and wait for the head of its answer; `read_timeout` is in seconds, for each piece of it.

        Raises:
            aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError: there is no answer; it may have been sent.

        """
        self._protocol.set_response_params(read_until_eof=True, auto_decompress=False, read_timeout=read_timeout)
        self._transport.write(request)
        self._protocol.start_timeout()
        while True:
            message, body = await self._protocol.read()
            if message.code >= _FIRST_FINAL_STATUS or message.code == _SWITCHING_PROTOCOLS:
                break
        return Head(message.code, message.raw_headers, body)

    def release(self) -> None:
        """Give it back to the others; one with an answer that was not read to its end is closed instead."""
        self._connection.release()

    def close(self) -> None:
        """End it."""
        self._connection.close()


def _reads_of(transport: asyncio.BaseTransport) -> select.poll:
    """What tells whether there is anything to be read from an open transport."""
    readable = select.poll()
    readable.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return readable


def _destination(scheme: str, host_and_port: bytes) -> aiohttp.ClientRequest:
    """What aiohttp's pool knows a destination by: a request to it, of which nothing is ever sent."""
    return aiohttp.ClientRequest(
        "GET", URL(f"{scheme}://{host_and_port.decode('ascii')}"), loop=asyncio.get_running_loop()
    )
