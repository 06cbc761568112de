"""The HTTP server itself, over real sockets of this machine."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import pytest

from bridge.adapters.asgi import LONGEST_HEAD_BYTES, AsgiServer, ListenFailed

FreePort = Callable[[], int]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def refuse(status: HTTPStatus, sentence: str) -> tuple[str, bytes]:
    return "application/json", json.dumps({"status": int(status), "sentence": sentence}).encode()


class Echo:
    """Answers with the body's length, once it may."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        self.entered.set()
        length, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            length += len(message.get("body", b""))
            more = message.get("more_body", False)
        await self.may_answer.wait()
        body = str(length).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(
    app: Any, port: int, *, head_seconds: float = 5, grace_seconds: float = 5
) -> AsyncIterator[AsgiServer]:
    server = AsgiServer(
        app,
        f"127.0.0.1:{port}",
        head_timeout=timedelta(seconds=head_seconds),
        grace=timedelta(seconds=grace_seconds),
        refuse=refuse,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def rest(reader: asyncio.StreamReader) -> str:
    """Read until the server closes."""
    return (await asyncio.wait_for(reader.read(), 10)).decode()


async def one_answer(reader: asyncio.StreamReader) -> tuple[str, str]:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
    length = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length"))
    return head, (await reader.readexactly(length)).decode()


async def test_requests_are_answered_on_one_connection_without_naming_the_server(free_port: FreePort) -> None:
    port = free_port()
    async with serving(Echo(), port), connected(port) as (reader, writer):
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc")
            head, body = await one_answer(reader)
            assert head.startswith("HTTP/1.1 200 OK")
            assert body == "3"
            assert "server:" not in head.lower()


async def test_a_head_that_never_ends_is_answered_408_and_closed(free_port: FreePort) -> None:
    port = free_port()
    async with serving(Echo(), port, head_seconds=0.2), connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost:")
        answer = await rest(reader)

    assert answer.startswith("HTTP/1.1 408 ")
    assert '"status": 408' in answer


async def test_dribbled_header_bytes_do_not_put_the_deadline_off(free_port: FreePort) -> None:
    port = free_port()
    async with serving(Echo(), port, head_seconds=0.4), connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n")
        closed = asyncio.create_task(rest(reader))
        async with asyncio.timeout(5):
            while not closed.done():
                writer.write(b"a: b\r\n")
                await asyncio.wait({closed}, timeout=0.05)

    # A byte that is written behind the close resets the connection, sometimes before the answer was read.
    assert isinstance(closed.exception(), ConnectionResetError) or "408" in closed.result()


async def test_a_silent_connection_is_closed(free_port: FreePort) -> None:
    port = free_port()
    async with serving(Echo(), port, head_seconds=0.2), connected(port) as (reader, _):
        assert "408" in await rest(reader)


async def test_the_second_head_of_a_connection_has_a_deadline_too(free_port: FreePort) -> None:
    port = free_port()
    async with serving(Echo(), port, head_seconds=0.2), connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await one_answer(reader)
        writer.write(b"GET / HT")
        assert "408" in await rest(reader)


async def test_a_slow_body_is_not_cut_by_the_deadline_of_the_head(free_port: FreePort) -> None:
    port = free_port()
    app = Echo()
    async with serving(app, port, head_seconds=0.1), connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\na")
        await app.entered.wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.4)
        writer.write(b"bc")
        assert (await one_answer(reader))[1] == "3"


@pytest.mark.parametrize(
    "head",
    [
        b"not http at all\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET / HTTP/2.0\r\nhost: x\r\n\r\n",
        b"CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused_in_our_own_shape(free_port: FreePort, head: bytes) -> None:
    port = free_port()
    async with serving(Echo(), port), connected(port) as (reader, writer):
        writer.write(head)
        answer = await rest(reader)

    assert answer.startswith("HTTP/1.1 400 ")
    assert '"status": 400' in answer


async def test_a_request_of_http_1_0_needs_no_host_and_ends_its_connection(free_port: FreePort) -> None:
    port = free_port()
    async with serving(Echo(), port), connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.0\r\ncontent-length: 3\r\n\r\nabc")
        assert (await rest(reader)).endswith("\r\n\r\n3")


@pytest.mark.parametrize("cut", [0, 60, 98, 99, 101])
async def test_a_request_that_offers_another_protocol_is_answered_in_this_one(free_port: FreePort, cut: int) -> None:
    """Java's HttpClient offers HTTP/2 with the first request of a connection, its body included."""
    port = free_port()
    fields = b"host: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\ncontent-length: 3"
    offer = b"POST / HTTP/1.1\r\n" + fields + b"\r\n\r\nabc"
    async with serving(Echo(), port), connected(port) as (reader, writer):
        writer.write(offer[:cut])
        await asyncio.sleep(0.01)
        writer.write(offer[cut:] + b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nabcd")
        assert [(await one_answer(reader))[1] for _ in range(2)] == ["3", "4"]


async def test_what_follows_a_request_and_is_not_http_ends_the_connection_after_its_answer(free_port: FreePort) -> None:
    port = free_port()
    app = Echo()
    app.may_answer.clear()
    async with serving(app, port), connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabcnot http at all\r\n\r\n")
        await app.entered.wait()
        app.may_answer.set()
        answer = await rest(reader)

    assert answer.startswith("HTTP/1.1 200 ")
    assert answer.endswith("\r\n\r\n3")


async def test_requests_that_come_at_once_are_answered_in_turn(free_port: FreePort) -> None:
    port = free_port()
    async with serving(Echo(), port), connected(port) as (reader, writer):
        writer.write(
            b"".join(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (n, b"a" * n) for n in (1, 2, 3))
        )
        assert [(await one_answer(reader))[1] for _ in range(3)] == ["1", "2", "3"]


async def test_empty_lines_between_requests_do_not_keep_a_connection(free_port: FreePort) -> None:
    port = free_port()
    async with serving(Echo(), port, head_seconds=0.2), connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await one_answer(reader)
        writer.write(b"\r\n")
        assert "408" in await rest(reader)


@pytest.mark.parametrize("pieces", [1, 40])
async def test_a_head_that_is_too_long_is_refused_in_one_piece_or_in_many(free_port: FreePort, pieces: int) -> None:
    port = free_port()
    head = b"GET / HTTP/1.1\r\nhost: x\r\na: " + b"b" * LONGEST_HEAD_BYTES + b"\r\n\r\n"
    size = len(head) // pieces + 1
    async with serving(Echo(), port), connected(port) as (reader, writer):
        for start in range(0, len(head), size):
            writer.write(head[start : start + size])
            await writer.drain()
        assert (await rest(reader)).startswith("HTTP/1.1 431 ")


async def test_a_long_body_is_not_taken_for_a_head(free_port: FreePort) -> None:
    port = free_port()
    body = b"b" * (LONGEST_HEAD_BYTES * 3)
    async with serving(Echo(), port), connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        assert (await one_answer(reader))[1] == str(len(body))


async def test_stopping_answers_what_is_in_flight_and_takes_no_more(free_port: FreePort) -> None:
    port = free_port()
    app = Echo()
    app.may_answer.clear()
    async with serving(app, port) as server, connected(port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await app.entered.wait()
        stopping = asyncio.create_task(server.stop())
        await refuses_connections(port)
        assert not stopping.done()
        app.may_answer.set()

        assert (await rest(reader)).startswith("HTTP/1.1 200 OK")
        await asyncio.wait_for(stopping, 5)


async def refuses_connections(port: int) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                return
            writer.close()


async def test_stopping_does_not_wait_longer_than_the_grace(free_port: FreePort) -> None:
    port = free_port()
    app = Echo()
    app.may_answer.clear()
    async with serving(app, port, grace_seconds=1) as server, connected(port) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await app.entered.wait()

        await asyncio.wait_for(server.stop(), 5)


async def test_a_port_that_is_taken_is_named(free_port: FreePort) -> None:
    port = free_port()
    async with serving(Echo(), port):
        with pytest.raises(ListenFailed, match=f"127.0.0.1:{port}"):
            async with serving(Echo(), port):
                pass


@pytest.mark.parametrize("listen", ["8080", "127.0.0.1:", "nowhere.invalid:80", "127.0.0.1:http"])
async def test_an_address_that_is_none_is_refused(listen: str) -> None:
    server = AsgiServer(Echo(), listen, head_timeout=timedelta(seconds=1), grace=timedelta(seconds=1), refuse=refuse)

    with pytest.raises(ListenFailed, match=r"0\.0\.0\.0:8080"):
        await server.start()
