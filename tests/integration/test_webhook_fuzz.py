"""
Fuzzing the ingester as it runs, on a real Apache Kafka: whatever comes, no 5xx; what is answered 2xx is on `kcis`, and
what is refused after it was read is in the quarantine.
"""

import asyncio
import base64
import contextlib
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from bridge.adapters.kafka_reader import read_topic
from bridge.sandbox.kafka import EmbeddedKafka
from tests.integration.running_services import PASSWORD, USER, RunningServices
from tests.webhook_doubles import a_kci, as_body

BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
KEPT = frozenset({400, 413, 415, 422, 431})
ANSWER_SECONDS = 20.0
FUZZING = settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
# A request as it is on the wire, for what no HTTP client can be brought to send.
REQUEST = (
    b"POST /kcis HTTP/1.1\r\nHost: webhook\r\nAuthorization: " + BASIC.encode() + b"\r\nContent-Type: application/json"
    b"\r\nX-Request-ID: 1\r\nX-Conversation-ID: 1\r\nContent-Length: %d\r\n\r\n%s"
)
BODY = as_body(a_kci(id="raw"))
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]


@dataclass
class Fuzzed:
    """A running ingester, and what it answered."""

    services: RunningServices
    answered: Counter[int] = field(default_factory=Counter)
    refused_as: set[str] = field(default_factory=set)

    @property
    def address(self) -> tuple[str, int]:
        url = httpx.URL(self.services.webhook_url)
        return url.host, url.port or 80

    def keys_of(self, topic: str) -> list[str]:
        """The key of each record of a topic."""

        async def collect() -> list[str]:
            connection = {"bootstrap_servers": self.services.kafka["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"]}
            physical = f"{self.services.kafka['BRIDGE_KAFKA_TOPIC_PREFIX']}{topic}"
            found = [each.key async for each in read_topic(connection, physical, topic)]
            return [(key or b"").decode() for key in found]

        return asyncio.run(collect())


@pytest.fixture(scope="module")
def fuzzed(kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    services = RunningServices(
        kafka.bootstrap_servers,
        "fuzz",
        tmp_path_factory.mktemp("fuzz"),
        settings={"BRIDGE_WEBHOOK_AUTH_FAILURES_PER_MINUTE": "100000", "BRIDGE_WEBHOOK_READ_TIMEOUT_SECONDS": "2"},
    )
    with services.fleet:
        assert services.run("topics", "apply", "--replication-factor", "1").returncode == 0
        services.begin("ingester")
        services.wait_ready("ingester")
        yield Fuzzed(services)


@pytest.mark.parametrize("path", ["/kcis", "/kcis/kcis"])
def test_requests_made_from_the_description_are_taken_or_refused_as_it_says(fuzzed: Fuzzed, path: str) -> None:
    description = fuzzed.services.webhook_url.replace("/kcis", "/openapi.json")
    operation = schemathesis.openapi.from_url(description)[path]["POST"]

    @FUZZING
    @given(case=operation.as_strategy())
    def deliver(case: "schemathesis.Case[Any]") -> None:
        case.headers["Authorization"] = BASIC
        answer = case.call(timeout=ANSWER_SECONDS)
        fuzzed.answered[answer.status_code] += 1
        if answer.status_code in KEPT:
            fuzzed.refused_as.add(answer.json()["uuid"])
        case.validate_response(answer, checks=CHECKS)

    deliver()


@st.composite
def broken_requests(draw: st.DrawFn) -> bytes:
    """A good request in which some bytes were overwritten, put in or left out."""
    raw = bytearray(REQUEST % (len(BODY), BODY))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(raw) - 1))
        raw[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(raw)


@seed(20261105)
@FUZZING
@given(broken_requests() | st.binary(max_size=200))
@example(REQUEST % (2**70, b"{}"))
@example(REQUEST.replace(b"Content-Length: %d", b"Transfer-Encoding: chunked") % b"zz\r\n{}\r\n")
@example(REQUEST.replace(b"Content-Length: %d", b"Content-Length: 2\r\nContent-Length: 3") % b"{}")
@example(b"POST /kcis HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n")
def test_bytes_that_are_hardly_http_are_refused_or_dropped(fuzzed: Fuzzed, raw: bytes) -> None:
    status, body = exchange(fuzzed.address, raw)

    if status is None:
        return  # the ingester waited for more, or closed: nothing was said of anything
    assert 200 <= status < 500, body
    fuzzed.answered[status] += 1


def exchange(address: tuple[str, int], raw: bytes) -> tuple[int | None, bytes]:
    """Send bytes, say that no more come, and read the first answer."""
    told = b""
    with socket.create_connection(address, timeout=ANSWER_SECONDS) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            told += part
    return (int(told.split(b" ", 2)[1]), told) if told.startswith(b"HTTP/1.1 ") else (None, told)


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"id": 1}', b'{"entityType": "SERVICE_PROBLEM"}', b'{"id": "a"'])
def test_what_is_no_kci_is_refused(fuzzed: Fuzzed, body: bytes) -> None:
    headers = {
        "Authorization": BASIC,
        "Content-Type": "application/json",
        "X-Request-ID": "1",
        "X-Conversation-ID": "1",
    }
    answer = httpx.post(
        fuzzed.services.webhook_url, content=body, headers=headers, timeout=ANSWER_SECONDS, trust_env=False
    )

    assert answer.status_code in KEPT, answer.text
    fuzzed.answered[answer.status_code] += 1
    fuzzed.refused_as.add(answer.json()["uuid"])


def test_what_was_answered_is_where_the_answer_says(fuzzed: Fuzzed) -> None:
    """The last of the module: it counts what all of the above led to."""
    kcis, quarantined = fuzzed.keys_of("kcis"), fuzzed.keys_of("kci-quarantine")

    assert fuzzed.answered[200] > 20, fuzzed.answered
    assert len(fuzzed.refused_as) >= 5, fuzzed.answered
    assert len(kcis) >= fuzzed.answered[200]
    assert len(quarantined) == len(set(quarantined))
    assert set(quarantined) >= fuzzed.refused_as
    log = fuzzed.services.log("ingester")
    assert "Traceback" not in log
    assert fuzzed.services.terminate("ingester") == 0
