"""
An ASGI application served inside the running event loop: no signal handlers, no access log, no server header, and no
client that can hold a connection for ever.

Rule: a request's head must be complete within `head_timeout` of its first byte (of the connection, for the first one);
what the body may take is the application's to bound.
"""

import asyncio
import contextlib
import re
import socket
from collections.abc import Callable, Generator
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

# Longer heads are refused; Apache's and nginx's usual limits are of this size.
LONGEST_HEAD_BYTES = 32_768
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
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
        protocol: Any = partial(PunctualH11, head_seconds=head_timeout.total_seconds(), refuse=refuse)
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
                h11_max_incomplete_event_size=LONGEST_HEAD_BYTES,
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


class PunctualH11(H11Protocol):
    """The h11 protocol of uvicorn with a deadline for each head (against slow-loris) and refusals of our own shape."""

    def __init__(self, *args: Any, head_seconds: float, refuse: Refuse, **kwargs: Any) -> None:
        """Take uvicorn's arguments as they are."""
        super().__init__(*args, **kwargs)
        self._head_seconds = head_seconds
        self._refuse = refuse
        self._head_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Start the first deadline: a client that connects and says nothing is not kept."""
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadline."""
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Start a deadline with a head's first byte, and end it with its last; refuse a head that is too long."""
        if self.conn.their_state is h11.IDLE and self._is_too_long(data):
            sentence = f"the request's head is longer than {LONGEST_HEAD_BYTES} bytes"
            self._answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, sentence)
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            if self._head_deadline is None:
                self._arm()
        else:
            self._disarm()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's sentence; ours is of another shape
        """Answer bytes that are not HTTP, unless an answer is already under way."""
        self._answer(HTTPStatus.BAD_REQUEST, "the request is not valid HTTP/1.1")

    def _is_too_long(self, data: bytes) -> bool:
        # h11 bounds only a head that comes in pieces; one that comes in a single read it would take at any length.
        so_far = self.conn.trailing_data[0] + data
        end = _END_OF_HEAD.search(so_far)
        return (end.start() if end else len(so_far)) > LONGEST_HEAD_BYTES

    def _arm(self) -> None:
        self._head_deadline = self.loop.call_later(self._head_seconds, self._head_late)

    def _disarm(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None

    def _head_late(self) -> None:
        self._head_deadline = None
        if not self.transport.is_closing():
            self._answer(
                HTTPStatus.REQUEST_TIMEOUT, f"the request's head was not complete within {self._head_seconds:g} s"
            )

    def _answer(self, status: HTTPStatus, sentence: str) -> None:
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            media_type, body = self._refuse(status, sentence)
            headers = [("content-type", media_type), ("content-length", str(len(body))), ("connection", "close")]
            for event in (
                h11.Response(status_code=status, headers=headers, reason=status.phrase),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


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
