"""Each way in which the token endpoint gives no token is told in a sentence of its own, from a real connection."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.adapters.clock import WallClock
from bridge.adapters.gateway.probe import TokenAnswer, ask_for_token
from bridge.settings import GatewaySettings
from tests.certificates import Authority

HOST = "127.0.0.1"
SECRET = "tenant-secret-4711"


@asynccontextmanager
async def answering(answer: str, port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    """Serve one and the same answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # What is no HTTP is answered as servers do, at once.
            if (await reader.read(4)) == b"POST":
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                await reader.readexactly(next(int(line[15:]) for line in lines if line.startswith(b"content-length")))
            writer.write(answer.replace("\n", "\r\n").encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, HOST, port, ssl=tls)
    async with server:
        yield


def http(status: str, body: str = "") -> str:
    return f"HTTP/1.1 {status}\nContent-Type: application/json\nContent-Length: {len(body)}\n\n{body}"


def asked(url: str, **more: object) -> GatewaySettings:
    values = {"base_url": url, "client_id": "tenant", "client_secret": SECRET, "connect_timeout_seconds": 2, **more}
    return GatewaySettings.model_validate(values)


async def told(url: str, **more: object) -> TokenAnswer:
    answer = await ask_for_token(asked(url, **more), WallClock())
    assert SECRET not in answer.said
    return answer


@pytest.mark.parametrize(
    ("answer", "words", "ours"),
    [
        (http("401 Unauthorized", '{"error": "invalid_client"}'), "refuses the credentials (401)", True),
        (http("400 Bad Request", '{"error": "invalid_scope"}'), "refuses the request for a token (400)", True),
        (http("403 Forbidden"), "allow-list", False),
        (http("404 Not Found"), "has nothing there (404)", True),
        (http("503 Service Unavailable"), "is out of order (503)", False),
        (http("200 OK", "<html>"), "something that is no token", True),
        (http("200 OK", '{"access_token": "abc", "token_type": "mac"}'), "another kind than Bearer", True),
    ],
)
async def test_an_answer_without_a_token_is_told(
    answer: str, words: str, free_port: Callable[[], int], *, ours: bool
) -> None:
    port = free_port()
    async with answering(answer, port):
        found = await told(f"http://{HOST}:{port}/v1")

    assert words in found.said
    assert (found.fine, found.ours) == (False, ours)
    assert f"http://{HOST}:{port}/v1/auth/tenant/access-token" in found.said


async def test_a_token_is_not_shown(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with answering(http("200 OK", '{"access_token": "abc-token", "expires_in": 3600}'), port):
        found = await told(f"http://{HOST}:{port}/v1")

    assert found.fine
    assert "abc-token" not in found.said


async def test_a_port_where_nobody_listens_and_a_name_that_nobody_has_are_told_apart(
    free_port: Callable[[], int],
) -> None:
    refused = await told(f"http://{HOST}:{free_port()}/v1")
    unknown = await told("http://gateway.invalid/v1")

    assert "nothing listens there" in refused.said
    assert "DNS does not know" in unknown.said


async def test_a_server_that_says_nothing_is_told(free_port: Callable[[], int]) -> None:
    port = free_port()
    async with answering("", port):
        found = await told(f"http://{HOST}:{port}/v1", read_timeout_seconds=1)

    assert not found.fine
    assert "BRIDGE_GATEWAY_" in found.said


def server_tls(certificate: Path, key: Path, clients: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context


@pytest.mark.parametrize(
    ("case", "words", "ours"),
    [
        ("another authority", "not to be trusted", True),
        ("another name", "for another name", True),
        ("expired", "has expired", False),
        ("no client certificate", "asks for a client certificate", False),
        ("plain", "speaks no TLS on this port", True),
    ],
)
async def test_what_is_wrong_with_tls_is_told(
    case: str, words: str, tmp_path: Path, free_port: Callable[[], int], *, ours: bool
) -> None:
    authority = Authority("authority", tmp_path)
    stranger = Authority("stranger", tmp_path)
    signer = stranger if case == "another authority" else authority
    address = "127.0.0.2" if case == "another name" else HOST
    files = signer.sign("gateway", address, until=timedelta(minutes=-1 if case == "expired" else 60))
    clients = authority.file if case == "no client certificate" else None
    tls = None if case == "plain" else server_tls(*files, clients)
    port = free_port()

    async with answering(http("200 OK", '{"access_token": "abc"}'), port, tls):
        found = await told(f"https://{HOST}:{port}/v1", ca_file=authority.file)

    assert words in found.said
    assert (found.fine, found.ours) == (False, ours)


async def test_a_file_that_is_not_there_is_told_with_its_variable(tmp_path: Path) -> None:
    found = await told("https://gateway.invalid/v1", ca_file=tmp_path / "nothing.pem")

    assert found.ours
    assert "BRIDGE_GATEWAY_CA_FILE" in found.said
