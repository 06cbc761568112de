"""Seeded fuzzing: whatever comes, no 5xx; what is answered 2xx is published; what is refused after reading is kept."""

import asyncio
import copy
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from bridge.adapters.avro import AvroCodec
from bridge.ports import Outgoing
from bridge.schemas import load_schemas
from bridge.topics import data_directory, load_topics
from tests.webhook_doubles import BASIC, HEADERS, Bench, RecordingOutbox, a_kci, as_body

KEPT = {400, 413, 415, 422, 431}
TOPICS = load_topics(data_directory() / "topics.yaml")
CODEC = AvroCodec(TOPICS, load_schemas(data_directory() / "schemas"))


class EncodingOutbox(RecordingOutbox):
    """Records what could be encoded as it would be for Kafka, so that a KCI that no schema fits is found here."""

    async def publish(self, records: Iterable[Outgoing]) -> None:
        for record in records:
            assert record.value is not None
            encoded = CODEC.encode(record.topic, record.value)
            assert len(encoded) < TOPICS[record.topic].max_message_bytes
            assert record.raw_key
            await super().publish([record])


BENCH = Bench(failures_per_minute=10**6, outbox=EncodingOutbox())

SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", BENCH.app)


# A parameter of pytest's own for each path: the tests that schemathesis makes share one id, and of two with one id
# pytest-xdist runs one.
@pytest.mark.parametrize("path", ["/kcis", "/kcis/kcis"])
def test_requests_made_from_the_description_keep_the_invariants(path: str) -> None:
    @given(case=SCHEMA[path]["POST"].as_strategy())
    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def deliver_case(case: "schemathesis.Case[Any]") -> None:
        case.headers["Authorization"] = BASIC
        BENCH.outbox.records.clear()

        answer = case.call()

        case.validate_response(
            answer,
            checks=[
                not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
                checks.response_headers_conformance,
            ],
        )
        check_accounted_for(BENCH, answer.status_code)

    deliver_case()


def test_the_description_has_no_other_path() -> None:
    assert list(SCHEMA) == ["/kcis", "/kcis/kcis"]


def check_accounted_for(bench: Bench, status: int) -> None:
    assert status < 500
    assert len(bench.outbox.kcis) == (1 if status == 200 else 0)
    assert len(bench.outbox.quarantined) == (1 if status in KEPT else 0)


def deliver(body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    bench = Bench(outbox=EncodingOutbox())

    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(app=bench.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://webhook") as client:
            return await client.post("/kcis", content=body, headers=headers)

    answer = asyncio.run(post())

    check_accounted_for(bench, answer.status_code)
    for kept in bench.outbox.quarantined:
        assert kept.body == body[:4096]
    if answer.status_code != 200:
        assert set(answer.json()) == {"uuid", "code", "messages"}


USUAL = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@st.composite
def mutilated_kcis(draw: st.DrawFn) -> bytes:
    """Return a KCI in which some members have become something else; written with Python's own lax JSON."""
    kci: dict[str, Any] = copy.deepcopy(a_kci(serviceProblemResolution={"id": 1, "resolutionDetails": {}}, action={}))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from([kci, *(value for value in kci.values() if isinstance(value, dict))]))
        place[draw(st.sampled_from([*place, "extra"]))] = draw(VALUES)
    return as_body(kci)


@seed(20261102)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutilated_kcis())
@example(as_body(a_kci(id="\ud800")))
@example(as_body(a_kci(entity={"id": 1e300})))
@example(as_body(a_kci(sequenceNumber=2**70)))
def test_mutilated_kcis_keep_the_invariants(body: bytes) -> None:
    deliver(body, USUAL)


@seed(20261103)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300) | VALUES.map(as_body))
def test_any_bytes_keep_the_invariants(body: bytes) -> None:
    deliver(body, USUAL)


FIELD_VALUE = st.binary(max_size=20).map(lambda value: bytes(byte for byte in value if byte not in b"\r\n\0"))


@seed(20261104)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from([name for name, _ in USUAL] + [b"Content-Encoding", b"X-Other"]), FIELD_VALUE))
def test_any_header_values_keep_the_invariants(changes: dict[bytes, bytes]) -> None:
    deliver(as_body(a_kci()), list((dict(USUAL) | changes).items()))
