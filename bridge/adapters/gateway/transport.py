"""
httpx over aiohttp, with exceptions that can be trusted to say whether anything was sent (docs/adr/0007).

What aiohttp raises is mapped here to httpx's exceptions by whether a connection had been handed to the request: before
that not one byte can have been sent, after it nobody knows.
"""

import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
import httpx
from aiohttp.http import HttpProcessingError

from bridge.adapters.gateway.connections import Line, Pool

# How long an idle connection is kept. A server that closes an idle connection in the moment in which a POST is written
# makes that POST's fate unknown, so ours must be the shorter one. The shortest idle time-out of a common server is
# 5 s (Node.js, uvicorn; nginx has 75 s, AWS load balancers 60 s). Measured in docs/gateway.md.
KEEP_ALIVE_SECONDS = 3.0
# The transport's own extension of a request, see httpx.Request.extensions.
PROGRESS = "progress"
# What would end a line of a head, and begin another (RFC 9110 section 5.5).
_LINE_ENDS = re.compile(rb"[\r\n\0]")
# What aiohttp raises, and of it what says that the connection broke before an answer.
MET = (aiohttp.ClientError, HttpProcessingError, OSError)
BROKEN = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, ConnectionError)


class ConnectRefused(httpx.ConnectError):
    """Nobody listens there."""


class NameUnknown(httpx.ConnectError):
    """DNS does not know the gateway's name, or did not answer."""


class TlsFailed(httpx.ConnectError):
    """The TLS handshake failed: the certificate, its name, or its authority."""


class Unwritable(httpx.LocalProtocolError):
    """A header would be more than one line."""


@dataclass
class Progress:
    """How far a request got, as the transport itself saw it; a transport that does not tell leaves both False."""

    connecting: bool = False
    connected: bool = False

    @property
    def nothing_sent(self) -> bool:
        """Whether it is certain that no byte of the request has left."""
        return self.connecting and not self.connected


class CarefulTransport(httpx.AsyncBaseTransport):
    """Connections to the gateway: no proxy or credentials from the environment, no cookies, no redirects."""

    def __init__(self, tls: ssl.SSLContext, *, connections: int) -> None:
        """Open nothing yet; the first request does, inside the running event loop."""
        self._tls = tls
        self._connections = connections
        self._pool: Pool | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """
        Send once; what failed is told as the httpx exception that is true of it.

        Only a GET is sent again, on another connection, if the one that it had been given was an idle one and broke.
        """
        progress = request.extensions.get(PROGRESS) or Progress()
        progress.connecting = True
        timeouts = _timeouts(**request.extensions["timeout"])
        as_sent = written(request)
        while True:
            try:
                line = await self._take(request.url, timeouts)
            except MET as error:
                raise faithful(error, connected=False) from error
            progress.connected = True
            try:
                head = await line.ask(as_sent, read_timeout=timeouts.sock_read)
            except BaseException as error:
                line.close()
                if isinstance(error, BROKEN) and line.is_used and request.method == "GET":
                    continue
                if isinstance(error, MET):
                    raise faithful(error, connected=True) from error
                raise
            return httpx.Response(head.status, headers=head.headers, stream=_Body(head.body, line))

    async def aclose(self) -> None:
        """Close all connections."""
        if self._pool is not None:
            await self._pool.aclose()

    async def _take(self, url: httpx.URL, timeouts: aiohttp.ClientTimeout) -> Line:
        if self._pool is None:
            self._pool = Pool(self._tls, connections=self._connections, idle_seconds=KEEP_ALIVE_SECONDS)
        return await self._pool.take(url, timeouts)


class _Body(httpx.AsyncByteStream):
    """The body, with the same mapping of exceptions."""

    def __init__(self, content: aiohttp.StreamReader, line: Line) -> None:
        self._content = content
        self._line = line

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk: bytes = await self._content.readany()
        except MET as error:
            raise faithful(error, connected=True) from error
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        self._line.release()


@lru_cache(maxsize=8)
def _timeouts(
    *, connect: float | None, read: float | None, pool: float | None, **_: float | None
) -> aiohttp.ClientTimeout:
    """Httpx's time-outs in aiohttp's form; it knows none for writing alone."""
    return aiohttp.ClientTimeout(sock_connect=connect, sock_read=read, connect=pool)


def written(request: httpx.Request) -> bytes:
    """
    The request as it is sent, with the headers that it has (RFC 9112).

    Raises:
        Unwritable: this would be another request than it says.

    """
    headers = request.headers.raw
    if _LINE_ENDS.search(b"".join([part for header in headers for part in header])):
        raise Unwritable("a header holds a line break")
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (request.method.encode(), request.url.raw_path, lines, request.content)


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
    (HttpProcessingError, httpx.RemoteProtocolError),
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
