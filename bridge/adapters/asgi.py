"""
An ASGI application served inside the running event loop: no signal handlers, no access log, no server header, and no
client that can hold a connection for ever.

Rule: a request's head must be complete within `head_timeout` of its first byte (of the connection, for the first one);
what the body may take is the application's to bound.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# Longer heads are refused; Apache's and nginx's usual limits are of this size.
LONGEST_HEAD_BYTES = 32_768
VERSIONS = ("1.1", "1.0")
# An idle connection is closed after this; longer than a usual load balancer's pause between two requests is not needed.
KEEP_ALIVE_SECONDS = 15

# How a request that is not even HTTP is answered: status and sentence in, media type and body out.
Refuse = Callable[[HTTPStatus, str], tuple[str, bytes]]


class ListenFailed(OSError):
    """The address cannot be listened on; the text names it."""


class AsgiServer:
    """One listener: `start` returns when it accepts connections, `stop` when the requests in flight are answered."""

    def __init__(self, app: ASGIApp, listen: str, *, head_timeout: timedelta, grace: timedelta, refuse: Refuse) -> None:
        """Take `host:port`, and how long `stop` waits for requests in flight before it cancels them."""
        self._listen = listen
        protocol: Any = partial(PunctualHttp, head_seconds=head_timeout.total_seconds(), refuse=refuse)
        self._server = _QuietServer(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # The application gets the peer's own address, and decides itself which proxies it believes.
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(grace.total_seconds())),
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """
        Listen.

        Raises:
            ListenFailed: the port is taken, or the address is not this machine's.

        """
        listener = _bound(self._listen)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name=f"serve {self._listen}")
        started = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self._task, started}, return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            started.cancel()
            await self._task

    async def stop(self) -> None:
        """Stop accepting, answer what is in flight within the grace, and close; harmless when not started."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task

    def fault(self) -> str | None:
        """Tell that it serves no more, though nobody stopped it; or None."""
        ended = self._task is not None and self._task.done() and not self._server.should_exit
        return f"{self._listen} is no longer served" if ended else None


class _QuietServer(uvicorn.Server):
    """Leaves signals to the process that it is a part of, and tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()


class PunctualHttp(HttpToolsProtocol):
    """
    uvicorn's protocol over llhttp with a deadline for each head (against slow-loris), a longest head, and refusals of
    our own shape (docs/adr/0012).
    """

    def __init__(self, *args: Any, head_seconds: float, refuse: Refuse, **kwargs: Any) -> None:
        """Take uvicorn's arguments as they are."""
        super().__init__(*args, **kwargs)
        self._head_seconds = head_seconds
        self._refuse = refuse
        self._head_deadline: asyncio.TimerHandle | None = None
        self._in_head = False
        # So much of a head has come that is not complete yet.
        self._head_bytes = 0
        # Nothing that still comes is looked at; the connection ends with the answer that is under way, if one is.
        self._is_over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Start the first deadline: a client that connects and says nothing is not kept."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._is_over = True
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Start a deadline with a head's first byte, and end it with its last; refuse a head that is too long."""
        self._unset_keepalive_if_required()
        while data and not self._is_over:
            room = LONGEST_HEAD_BYTES - self._head_bytes
            self._feed(data[:room])
            data = data[room:]
        if self._is_over or not self._is_awaiting_head():
            self._disarm()
        elif self._head_deadline is None:
            self._arm()

    def _feed(self, data: bytes) -> None:
        """Parse; of an incomplete head no more is ever fed than it may have."""
        was_awaiting_head = self._is_awaiting_head()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._feed(self._without_upgrade() + data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._end_with(HTTPStatus.BAD_REQUEST, "the request is not valid HTTP/1.1")
            return
        if not self._in_head:
            self._head_bytes = 0
        elif was_awaiting_head:
            self._head_bytes += len(data)
            if self._head_bytes >= LONGEST_HEAD_BYTES:
                sentence = f"the request's head is longer than {LONGEST_HEAD_BYTES} bytes"
                self._end_with(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, sentence)

    def _without_upgrade(self) -> bytes:
        """
        The head that asks for another protocol, as if it did not: there is none, so it is answered as any other
        (RFC 9110, 7.8). llhttp would take what follows such a head for the other protocol, which a body is not.
        """
        start = f"{self.scope['method']} {self.url.decode('latin-1')} HTTP/{self.parser.get_http_version()}"
        self.parser = httptools.HttpRequestParser(self)
        lines = [start.encode("latin-1")]
        lines += [b"%s: %s" % field for field in self.headers if field[0] != b"upgrade"]
        return b"\r\n".join((*lines, b"", b""))

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Refuse a version that is not ours, and a head without the one Host of HTTP/1.1 (RFC 9112, 3.2)."""
        self._in_head = False
        version, method = self.parser.get_http_version(), self.parser.get_method()
        hosts = [name for name, _ in self.headers].count(b"host")
        if version not in VERSIONS or method == b"CONNECT" or (hosts != 1 and (hosts or version != "1.0")):
            # The parser turns any error of its callbacks into one of its own.
            raise ValueError
        if self.parser.should_upgrade():
            self.scope["method"] = method.decode("ascii")
        else:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """A request is complete, unless it is about to be parsed again (`_without_upgrade`)."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _is_awaiting_head(self) -> bool:
        return self._in_head or self._unanswered() is None

    def _unanswered(self) -> RequestResponseCycle | None:
        """The latest request that was handed on, until it is answered."""
        cycle: RequestResponseCycle | None = self.cycle  # None before the first, whatever uvicorn declares
        return None if cycle is None or cycle.response_complete else cycle

    def _arm(self) -> None:
        self._head_deadline = self.loop.call_later(self._head_seconds, self._head_late)

    def _disarm(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _head_late(self) -> None:
        self._head_deadline = None
        self._end_with(
            HTTPStatus.REQUEST_TIMEOUT, f"the request's head was not complete within {self._head_seconds:g} s"
        )

    def _end_with(self, status: HTTPStatus, sentence: str) -> None:
        """Refuse what came, unless what came before it is still to be answered, and take no more."""
        self._is_over = True
        cycle = self._unanswered()
        if cycle is not None and (self.pipeline or not cycle.more_body):
            cycle.keep_alive = False
            return
        if cycle is not None:
            # The request was handed on, and its body turns out not to be HTTP.
            cycle.disconnected = True
            cycle.message_event.set()
        if not self.transport.is_closing() and not (cycle is not None and cycle.response_started):
            self.transport.write(self._refusal(status, sentence))
        self.transport.close()

    def _refusal(self, status: HTTPStatus, sentence: str) -> bytes:
        media_type, body = self._refuse(status, sentence)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: {media_type}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body


def _bound(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]") or "no.host.invalid"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, ValueError) as error:
        raise ListenFailed(f"cannot listen on {listen!r}: give a host and a port, such as 0.0.0.0:8080") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise ListenFailed(
            f"cannot listen on {listen}: {error.strerror}; choose another address or free this one"
        ) from error
    return listener
