"""
What is known after each way in which a connection can fail, on real sockets.

The question is always the same: could the gateway have taken the command? NotTaken must be certain.
"""

import asyncio
import ipaddress
import json
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.adapters.gateway.client import HttpGateway
from bridge.adapters.gateway.transport import KEEP_ALIVE_SECONDS
from bridge.domain.answers import Ambiguous, NotTaken, Refused, Taken
from bridge.domain.commands import FetchProblem
from bridge.domain.outcomes import Reason
from tests.unit.adapters.gateway.hostile import (
    A_POST,
    A_TAKEN_POST,
    Behaviour,
    Connection,
    FixedClock,
    answer_of,
    ask,
    gateway,
    serving,
    settings,
)

PATIENCE_SECONDS = 2.0
HELD_UP_SECONDS = 0.05


async def serve_well(connection: Connection) -> None:
    while await connection.request():
        await connection.answer(201, A_TAKEN_POST)


async def test_a_refused_connection_is_certainly_not_taken() -> None:
    async with gateway("http://127.0.0.1:1") as client:
        assert await ask(client) == NotTaken(why="CONNECT_REFUSED")


async def test_an_unknown_name_is_certainly_not_taken() -> None:
    async with gateway("http://gateway.invalid/v1", connect_timeout_seconds=10, total_timeout_seconds=20) as client:
        assert await ask(client) == NotTaken(why="NAME_UNKNOWN")


async def test_a_connection_that_is_never_completed_is_certainly_not_taken() -> None:
    async def no_handshake(connection: Connection) -> None:
        await connection.reader.read()

    async with serving(no_handshake) as server:
        tls_url = server.url.replace("http:", "https:")
        async with gateway(tls_url, connect_timeout_seconds=0.3) as client:
            assert await ask(client) == NotTaken(why="CONNECT_TIMEOUT")
            assert server.connections == 1


async def test_the_total_time_can_end_while_still_connecting() -> None:
    async def no_handshake(connection: Connection) -> None:
        await connection.reader.read()

    async with serving(no_handshake) as server:
        tls_url = server.url.replace("http:", "https:")
        async with gateway(tls_url, connect_timeout_seconds=5, total_timeout_seconds=0.4) as client:
            assert await ask(client) == NotTaken(why="CONNECT_TIMEOUT")


async def close_at_once(connection: Connection) -> None:
    connection.close()


async def reset_at_once(connection: Connection) -> None:
    accepted = connection.writer.get_extra_info("socket")
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.reset()


async def close_after_reading(connection: Connection) -> None:
    await connection.request()


async def reset_after_reading(connection: Connection) -> None:
    await connection.request()
    await reset_at_once(connection)


async def close_inside_the_head(connection: Connection) -> None:
    await connection.request()
    await connection.send(b"HTTP/1.1 201 Created\r\nContent-Le")


async def speak_no_http(connection: Connection) -> None:
    await connection.request()
    await connection.send(b"220 mail.example ESMTP\r\n\r\n")


async def read_half_and_close(connection: Connection) -> None:
    await connection.reader.read(20)


@pytest.mark.parametrize(
    "behaviour",
    [
        close_at_once,
        reset_at_once,
        close_after_reading,
        reset_after_reading,
        close_inside_the_head,
        speak_no_http,
        read_half_and_close,
    ],
)
async def test_a_post_that_had_a_connection_and_got_no_answer_is_ambiguous(behaviour: Behaviour) -> None:
    answer = await answer_of(behaviour)
    assert isinstance(answer, Ambiguous), answer
    assert answer.reason is Reason.NO_ANSWER
    assert answer.why in ("DISCONNECTED", "CONNECTION_LOST")


@pytest.mark.parametrize("behaviour", [close_after_reading, reset_after_reading])
async def test_a_post_is_sent_once_only_on_a_fresh_connection(behaviour: Behaviour) -> None:
    async with serving(behaviour) as server, gateway(server.url) as client:
        await ask(client)
        assert [request.method for request in server.requests] == ["POST"]


async def test_a_server_that_never_answers_is_ambiguous_after_the_read_time() -> None:
    async def never_answer(connection: Connection) -> None:
        await connection.request()
        await asyncio.Event().wait()

    assert await answer_of(never_answer, read_timeout_seconds=0.3) == Ambiguous(
        reason=Reason.NO_ANSWER, why="READ_TIMEOUT"
    )


async def test_a_server_that_never_answers_is_ambiguous_after_the_total_time() -> None:
    async def never_answer(connection: Connection) -> None:
        await connection.request()
        await asyncio.Event().wait()

    answer = await answer_of(never_answer, read_timeout_seconds=5, total_timeout_seconds=0.4)
    assert answer == Ambiguous(reason=Reason.NO_ANSWER, why="TOTAL_TIMEOUT")


async def test_a_server_that_drips_is_cut_off_by_the_total_time_and_its_status_counts() -> None:
    async def drip(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await connection.send(b" ")
            await asyncio.sleep(0.05)

    answer = await answer_of(drip, read_timeout_seconds=1, total_timeout_seconds=0.5)
    assert answer == Ambiguous(reason=Reason.UNREADABLE_ANSWER, why="UNREADABLE_ANSWER", http_status=201)


async def test_a_success_that_breaks_inside_its_body_is_ambiguous() -> None:
    async def half(connection: Connection) -> None:
        await connection.request()
        await connection.send(b'HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n{"id": 70, ')
        await reset_at_once(connection)

    answer = await answer_of(half)
    assert isinstance(answer, Ambiguous)
    assert answer.reason in (Reason.UNREADABLE_ANSWER, Reason.NO_ANSWER)


async def test_a_refusal_that_breaks_inside_its_body_is_still_a_refusal() -> None:
    async def half(connection: Connection) -> None:
        await connection.request()
        await connection.send(b'HTTP/1.1 422 No\r\nContent-Length: 1000\r\n\r\n{"uuid": ')

    assert await answer_of(half) == Refused(http_status=422)


async def test_what_a_server_says_ahead_of_its_answer_is_not_its_answer() -> None:
    async def hint(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        await connection.answer(201, A_TAKEN_POST)

    assert isinstance(await answer_of(hint), Taken)


async def test_a_header_that_would_be_two_lines_is_not_sent_and_calls_a_person() -> None:
    async with serving(serve_well) as server, gateway(server.url) as client:
        answer = await client.call(
            A_POST, supplier="ACME", request_id="request-1\r\nContent-Length: 0", conversation_id="conversation-1"
        )
        assert isinstance(answer, NotTaken)
        assert (answer.why, answer.alarm) == ("UNWRITABLE", True)
        assert server.connections == 0


@contextmanager
def one_answer_a_connection(may_close: threading.Event, closed: threading.Event) -> Iterator[str]:
    """The URL of a server in a thread of its own that answers once on each of two connections, and closes it."""
    body = json.dumps(A_TAKEN_POST).encode()

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                may_close.wait(PATIENCE_SECONDS)
            closed.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_SECONDS)
        server = threading.Thread(target=serve)
        server.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.join()


class TestKeptConnections:
    async def test_requests_reuse_a_connection(self) -> None:
        async with serving(serve_well) as server, gateway(server.url) as client:
            for _ in range(3):
                assert isinstance(await ask(client), Taken)
            assert server.connections == 1

    async def test_a_connection_that_the_server_closed_before_is_not_used_again(self) -> None:
        closed = asyncio.Event()

        async def serve_one(connection: Connection) -> None:
            await connection.request()
            await connection.answer(201, A_TAKEN_POST)
            connection.close()
            closed.set()

        async with serving(serve_one) as server, gateway(server.url) as client:
            assert isinstance(await ask(client), Taken)
            await closed.wait()
            assert isinstance(await ask(client), Taken)
            assert len(server.requests) == 2

    async def test_a_post_on_a_connection_that_the_server_closes_in_that_moment_is_ambiguous_and_sent_once(
        self,
    ) -> None:
        async def serve_one_and_drop_the_next(connection: Connection) -> None:
            await connection.request()
            await connection.answer(201, A_TAKEN_POST)
            await connection.reader.read(1)  # the next request arrives, unread, as the connection closes

        async with serving(serve_one_and_drop_the_next) as server, gateway(server.url) as client:
            assert isinstance(await ask(client), Taken)
            answer = await ask(client)
            assert isinstance(answer, Ambiguous)
            assert server.connections == 1

    async def test_a_get_in_the_same_moment_is_repeated_on_a_new_connection(self) -> None:
        async def serve_one(connection: Connection) -> None:
            await connection.request()
            await connection.answer(200, {"id": 7, "status": "HELD"})
            await connection.reader.read(1)

        async with serving(serve_one) as server, gateway(server.url) as client:
            for _ in range(2):
                answer = await ask(client, FetchProblem(service_problem_id=7))
                assert isinstance(answer, Taken)
            assert server.connections == 2

    async def test_a_connection_whose_end_the_event_loop_has_not_seen_yet_is_not_used_again(self) -> None:
        may_close, closed = threading.Event(), threading.Event()
        with one_answer_a_connection(may_close, closed) as url:
            async with gateway(url) as client:
                assert isinstance(await ask(client), Taken)
                may_close.set()
                closed.wait()  # holds the event loop up, which so gets no turn to notice
                assert isinstance(await ask(client), Taken)

    async def test_an_answer_that_comes_together_with_the_end_of_its_connection_is_taken(self) -> None:
        may_close, closed = threading.Event(), threading.Event()
        may_close.set()
        with one_answer_a_connection(may_close, closed) as url:
            async with gateway(url) as client:
                for _ in range(2):
                    closed.clear()
                    asked = asyncio.create_task(ask(client))
                    while not closed.is_set():
                        await asyncio.sleep(0)
                        closed.wait(HELD_UP_SECONDS)  # the loop gets its next turn when all of it has come
                    assert isinstance(await asked, Taken)

    def test_ours_are_given_up_before_any_common_server_gives_up_its_own(self) -> None:
        shortest_of_common_servers = 5.0
        assert shortest_of_common_servers - KEEP_ALIVE_SECONDS >= 1.0


class Authority:
    """A certificate authority, made for one test, and what it signs."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._signed(name, self._key.public_key(), authority=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def sign(self, name: str) -> tuple[Path, Path]:
        """Certificate and key files for 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(name, key.public_key(), authority=False)
        cert_file, key_file = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return cert_file, key_file

    def server(self, name: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.sign(name))
        return context

    def _signed(self, name: str, key: ec.EllipticCurvePublicKey, *, authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(hours=1))
        builder = builder.not_valid_after(now + timedelta(hours=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if name != "other-host":
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(self._key, hashes.SHA256())


class TestTls:
    async def test_a_trusted_certificate_is_taken(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path, "authority")
        async with (
            serving(serve_well, tls=authority.server("gateway")) as server,
            gateway(server.url, ca_file=authority.file) as client,
        ):
            assert isinstance(await ask(client), Taken)

    async def test_an_untrusted_certificate_is_certainly_not_taken_and_calls_a_person(self, tmp_path: Path) -> None:
        authority, trusted = Authority(tmp_path, "authority"), Authority(tmp_path, "trusted")
        async with serving(serve_well, tls=authority.server("gateway")) as server:
            async with gateway(server.url, ca_file=trusted.file) as client:
                assert await ask(client) == NotTaken(why="TLS_FAILED", alarm=True)
            assert server.requests == []

    async def test_a_certificate_of_another_host_is_certainly_not_taken(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path, "authority")
        async with serving(serve_well, tls=authority.server("other-host")) as server:
            async with gateway(server.url, ca_file=authority.file) as client:
                assert await ask(client) == NotTaken(why="TLS_FAILED", alarm=True)
            assert server.requests == []

    async def test_a_client_certificate_is_shown_to_a_gateway_that_asks_for_one(self, tmp_path: Path) -> None:
        authority = Authority(tmp_path, "authority")
        cert_file, key_file = authority.sign("bridge")
        tls = authority.server("gateway")
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(authority.file)
        async with serving(serve_well, tls=tls) as server:
            files: dict[str, Any] = {"client_cert_file": cert_file, "client_key_file": key_file}
            async with gateway(server.url, ca_file=authority.file, **files) as client:
                assert isinstance(await ask(client), Taken)

    async def test_a_missing_client_certificate_shows_at_the_token_so_no_command_is_left_unknown(
        self, tmp_path: Path
    ) -> None:
        # With TLS 1.3 a server rejects a client's certificate only after the client has begun to send.
        authority = Authority(tmp_path, "authority")
        tls = authority.server("gateway")
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(authority.file)
        async with serving(serve_well, tls=tls) as server:
            client = HttpGateway(settings(server.url, ca_file=authority.file), FixedClock())
            answer = await ask(client)
            await client.aclose()
            assert isinstance(answer, NotTaken)
            assert answer.why == "NO_TOKEN"
            assert server.requests == []
