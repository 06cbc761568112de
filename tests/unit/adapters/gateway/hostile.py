"""Servers on real sockets that misbehave as scripted, and a gateway client pointed at them."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from bridge.adapters.gateway.client import HttpGateway
from bridge.domain.answers import Answer
from bridge.domain.commands import CancelProblem, Command
from bridge.sandbox.ports import free_port
from bridge.settings import GatewaySettings

A_POST = CancelProblem(service_problem_id=7, reason_code="ISSUE_RESOLVED")
A_TAKEN_POST = {"id": 70, "status": "RECEIVED_BY_GATEWAY", "serviceProblemId": 7, "reasonCode": "ISSUE_RESOLVED"}
TOKEN = "a-token"
ATTEMPTS = 10

Behaviour = Callable[["Connection"], Awaitable[None]]


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Connection:
    """One accepted connection, from the server's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    server: "Server"

    async def request(self) -> Request | None:
        """The next request on this connection, whole, or None if the client closed it."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        request = Request(method, path, headers, body)
        self.server.requests.append(request)
        return request

    async def answer(self, status: int, body: object = None, **headers: str) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Anything", f"Content-Length: {len(content)}", "Content-Type: application/json"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.transport.abort()


@dataclass
class Server:
    url: str
    requests: list[Request] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def serving(behaviour: Behaviour, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """A server for which every accepted connection behaves as told; it is gone afterwards."""
    server = Server("")
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            await behaviour(Connection(reader, writer, server))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(handle(reader, writer))
        handlers.add(task)
        task.add_done_callback(handlers.discard)

    listener = await _listen(accepted, tls)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listener.close()
        for task in tuple(handlers):
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)


async def _listen(accepted: Any, tls: ssl.SSLContext | None) -> asyncio.Server:
    """Listen on a port that is not soon used again: a late request to the server before must not come here."""
    for _ in range(ATTEMPTS):
        try:
            return await asyncio.start_server(accepted, "127.0.0.1", free_port(), ssl=tls)
        except OSError:
            continue  # another program was faster
    raise OSError(f"none of {ATTEMPTS} free ports could be listened at")


async def give_tokens(connection: Connection) -> None:
    """A well-behaved token endpoint: another token each time."""
    while await connection.request():
        number = len(connection.server.requests)
        token = TOKEN if number == 1 else f"{TOKEN}-{number}"
        await connection.answer(200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})


def settings(base_url: str, token_url: str | None = None, **others: Any) -> GatewaySettings:
    return GatewaySettings.model_validate(
        {
            "base_url": base_url,
            "token_url": token_url,
            "client_id": "tenant",
            "client_secret": "tenant-secret",
            "connect_timeout_seconds": 1,
            "read_timeout_seconds": 1,
            "total_timeout_seconds": 3,
            **others,
        }
    )


@asynccontextmanager
async def gateway(base_url: str, token_url: str | None = None, **others: Any) -> AsyncIterator[HttpGateway]:
    """A client of that base URL; unless told otherwise, its tokens come from a server that behaves."""
    async with serving(give_tokens) as tokens:
        client = HttpGateway(settings(base_url, token_url or f"{tokens.url}/token", **others), FixedClock())
        try:
            yield client
        finally:
            await client.aclose()


async def ask(client: HttpGateway, command: Command = A_POST) -> Answer:
    """What the client says of a call; which request it tells of has tests of its own."""
    return replace(await asked(client, command), request_id=None)


async def asked(client: HttpGateway, command: Command = A_POST) -> Answer:
    """The same, whole."""
    return await client.call(command, supplier="ACME", request_id="request-1", conversation_id="conversation-1")


async def answer_of(behaviour: Behaviour, command: Command = A_POST, **others: Any) -> Answer:
    """What the client says of a call to a server that behaves like this."""
    async with serving(behaviour) as server, gateway(server.url, **others) as client:
        return await ask(client, command)
