"""
httpx over aiohttp, with exceptions that can be trusted to say whether anything was sent (docs/adr/0007).

aiohttp's connections cost a sixth to an eighth of httpx's own under concurrency. What aiohttp raises is mapped here to
httpx's exceptions by whether a connection had been handed to the request: before that not one byte can have been sent,
after it nobody knows.

aiohttp itself repeats a request on a stale connection only if its method is idempotent; POST and PATCH are not.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import aiohttp
import httpx
from aiohttp.connector import Connection

# How long an idle connection is kept. A server that closes an idle connection in the moment in which a POST is written
# makes that POST's fate unknown, so ours must be the shorter one. The shortest idle time-out of a common server is
# 5 s (Node.js, uvicorn; nginx has 75 s, AWS load balancers 60 s). Measured in docs/gateway.md.
KEEP_ALIVE_SECONDS = 3.0
# The transport's own extension of a request, see httpx.Request.extensions.
PROGRESS = "progress"


class ConnectRefused(httpx.ConnectError):
    """Nobody listens there."""


class NameUnknown(httpx.ConnectError):
    """DNS does not know the gateway's name, or did not answer."""


class TlsFailed(httpx.ConnectError):
    """The TLS handshake failed: the certificate, its name, or its authority."""


@dataclass
class Progress:
    """How far a request got, as the transport itself saw it; a transport that does not tell leaves both False."""

    connecting: bool = False
    connected: bool = False

    @property
    def nothing_sent(self) -> bool:
        """Whether it is certain that no byte of the request has left."""
        return self.connecting and not self.connected


_current: ContextVar[Progress | None] = ContextVar("progress", default=None)


class CarefulTransport(httpx.AsyncBaseTransport):
    """Connections to the gateway: no proxy or credentials from the environment, no cookies, no redirects."""

    def __init__(self, tls: ssl.SSLContext, *, connections: int) -> None:
        """Open nothing yet; the first request does, inside the running event loop."""
        self._tls = tls
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send once; what failed is told as the httpx exception that is true of it."""
        progress = request.extensions.get(PROGRESS) or Progress()
        progress.connecting = True
        before = _current.set(progress)
        await _see_closed_connections()
        try:
            response = await self._ask(request)
        except (aiohttp.ClientError, OSError) as error:
            raise faithful(error, connected=progress.connected) from error
        finally:
            _current.reset(before)
        return httpx.Response(response.status, headers=response.raw_headers, stream=_Body(response))

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, request: httpx.Request) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=_Connector(ssl=self._tls, limit=self._connections, keepalive_timeout=KEEP_ALIVE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            )
        return await self._session.request(
            request.method,
            str(request.url),
            headers=[(name.decode(), value.decode()) for name, value in request.headers.raw],
            data=request.content or None,
            allow_redirects=False,
            timeout=_timeouts(**request.extensions["timeout"]),
        )


class _Body(httpx.AsyncByteStream):
    """The body, with the same mapping of exceptions."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk: bytes = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise faithful(error, connected=True) from error
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        # A connection with a body that was not read to its end is closed; any other goes back to the others.
        self._response.release()


class _Connector(aiohttp.TCPConnector):
    """Notices when a request is given its connection: until then not one byte of it can have left."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's own signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        progress = _current.get()
        if progress is not None:
            progress.connected = True
        return connection


@lru_cache(maxsize=8)
def _timeouts(
    *, connect: float | None, read: float | None, pool: float | None, **_: float | None
) -> aiohttp.ClientTimeout:
    """Httpx's time-outs in aiohttp's form; it knows none for writing alone."""
    return aiohttp.ClientTimeout(sock_connect=connect, sock_read=read, connect=pool)


def faithful(cause: Exception, *, connected: bool) -> httpx.HTTPError:
    """The httpx exception for what aiohttp met; `connected` is whether the request had been given a connection."""
    table = AFTER_CONNECTING if connected else BEFORE_CONNECTING
    if isinstance(cause, aiohttp.ClientConnectorError) and not connected and isinstance(cause.os_error, OSError):
        if isinstance(cause.os_error, ConnectionRefusedError):
            return ConnectRefused(type(cause).__name__)
        if isinstance(cause.os_error, ssl.SSLError):
            return TlsFailed(type(cause).__name__)
    for kind, means in table:
        if isinstance(cause, kind):
            return means(type(cause).__name__)
    return httpx.ReadError(type(cause).__name__) if connected else httpx.ConnectError(type(cause).__name__)


# The first row that fits. Texts of aiohttp's exceptions are not passed on: they may quote what was received.
BEFORE_CONNECTING: tuple[tuple[type[BaseException], type[httpx.TransportError]], ...] = (
    (aiohttp.ClientConnectorDNSError, NameUnknown),
    (aiohttp.ClientConnectorCertificateError, TlsFailed),
    (aiohttp.ClientSSLError, TlsFailed),
    (aiohttp.ServerFingerprintMismatch, TlsFailed),
    (ssl.SSLError, TlsFailed),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.InvalidURL, httpx.UnsupportedProtocol),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (TimeoutError, httpx.ConnectTimeout),
)
AFTER_CONNECTING: tuple[tuple[type[BaseException], type[httpx.TransportError]], ...] = (
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientPayloadError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (TimeoutError, httpx.ReadTimeout),
)


def tls_context(ca_file: str | None, cert_file: str | None, key_file: str | None) -> ssl.SSLContext:
    """
    Verification of certificate and host name is always on; without `ca_file` the system's authorities count.

    Raises:
        OSError, ssl.SSLError: a file cannot be read, or is not what its setting says.

    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    return context


async def _see_closed_connections() -> None:
    """
    Let the event loop notice which idle connections the server has closed, before one of them is chosen.

    The loop polls its sockets once a turn and runs what came of it in the next: hence two.
    """
    await asyncio.sleep(0)
    await asyncio.sleep(0)
