import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from bridge.adapters.webhook.auth import KeysUnavailable
from bridge.ports import Outgoing
from tests.webhook_doubles import HEADERS, LIMITS, NOON, Bench, RecordingOutbox, a_kci, as_body

BODY = as_body(a_kci())


def a_client(bench: Bench, address: str = "192.0.2.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=bench.app, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://webhook")


async def post(bench: Bench, body: Any = BODY, *, path: str = "/kcis", **changes: str | None) -> httpx.Response:
    """Post with headers changed by name (`content_type` for Content-Type), or left out where None."""
    given: dict[str, str | None] = {name.lower(): value for name, value in HEADERS.items()}
    given |= {name.replace("_", "-"): value for name, value in changes.items()}
    async with a_client(bench) as client:
        headers = {name: value for name, value in given.items() if value is not None}
        return await client.post(path, content=body, headers=headers)


def check_error(answer: httpx.Response, status: int, code: str, *, uuid: str = "delivery-1") -> str:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()
    assert set(error) == {"uuid", "code", "messages"}
    assert (error["uuid"], error["code"]) == (uuid, code)
    (sentence,) = error["messages"]
    return str(sentence)


@pytest.mark.parametrize("path", ["/kcis", "/kcis/kcis"])
async def test_a_kci_is_answered_200_without_a_body_and_is_published(path: str) -> None:
    bench = Bench()

    answer = await post(bench, path=path)

    assert (answer.status_code, answer.content) == (200, b"")
    assert [(record.topic, record.key) for record in bench.outbox.records] == [("kcis", "SERVICE_PROBLEM:4711")]
    (kci,) = bench.outbox.kcis
    assert (kci.request_id, kci.conversation_id, kci.received_at) == ("request-1", "conversation-1", NOON)


async def test_the_answer_waits_for_the_record() -> None:
    class SlowOutbox(RecordingOutbox):
        may_go = asyncio.Event()
        entered = asyncio.Event()

        async def publish(self, records: Iterable[Outgoing]) -> None:
            self.entered.set()
            await self.may_go.wait()
            await super().publish(records)

    outbox = SlowOutbox()
    bench = Bench(outbox=outbox)
    answering = asyncio.create_task(post(bench))
    await asyncio.wait_for(outbox.entered.wait(), 5)
    for _ in range(10):
        await asyncio.sleep(0)
    assert not answering.done()

    outbox.may_go.set()

    assert (await answering).status_code == 200


async def test_the_ids_of_a_request_come_back_with_every_answer() -> None:
    bench = Bench()
    for answer in (await post(bench), await post(bench, b"nonsense"), await post(bench, authorization=None)):
        assert answer.headers["x-request-id"] == "request-1"
        assert answer.headers["x-conversation-id"] == "conversation-1"


@pytest.mark.parametrize(
    ("content", "type_"),
    [
        (a_kci(entityType="PROVIDE_ORDER"), "PROVIDE_ORDER"),
        (a_kci(entityType="SERVICE_TEST", entity={"id": "12", "status": "NEVER_SEEN"}), "SERVICE_TEST"),
        (a_kci(updateType="NEW", information=7, more=[[[]]]), "SERVICE_PROBLEM"),
        (a_kci(entityType="THING"), "THING"),
    ],
)
async def test_every_kind_of_kci_passes(content: dict[str, Any], type_: str) -> None:
    bench = Bench()

    assert (await post(bench, as_body(content))).status_code == 200
    assert bench.outbox.kcis[0].entity.type == type_


@pytest.mark.parametrize(
    ("body", "changes", "status", "code", "reason", "words"),
    [
        (BODY, {"x_request_id": None}, 400, "MALFORMED_REQUEST", "MISSING_HEADERS", "X-Request-ID"),
        (BODY, {"x_conversation_id": " "}, 400, "MALFORMED_REQUEST", "MISSING_HEADERS", "X-Conversation-ID"),
        (BODY, {"content_type": None}, 415, "MALFORMED_REQUEST", "WRONG_MEDIA_TYPE", "Content-Type"),
        (BODY, {"content_type": "text/plain"}, 415, "MALFORMED_REQUEST", "WRONG_MEDIA_TYPE", "Content-Type"),
        (BODY, {"content_encoding": "gzip"}, 415, "MALFORMED_REQUEST", "WRONG_MEDIA_TYPE", "Content-Encoding"),
        (b"{", {}, 400, "MALFORMED_REQUEST", "NOT_JSON", "not JSON"),
        (b"", {}, 400, "MALFORMED_REQUEST", "NOT_JSON", "not JSON"),
        (b"[" * 9, {}, 400, "MALFORMED_REQUEST", "TOO_DEEP", "8 levels"),
        (as_body([]), {}, 422, "INVALID_REQUEST", "NOT_A_KCI", "not a JSON object"),
        (as_body(a_kci(id=...)), {}, 422, "INVALID_REQUEST", "NOT_A_KCI", "id"),
        (as_body(a_kci(entity={})), {}, 422, "INVALID_REQUEST", "NOT_A_KCI", "id"),
        (as_body(a_kci(entityType=...)), {}, 422, "INVALID_REQUEST", "NOT_A_KCI", "entityType"),
    ],
)
async def test_what_cannot_be_a_kci_is_kept_and_refused(
    body: bytes, changes: dict[str, str | None], status: int, code: str, reason: str, words: str
) -> None:
    bench = Bench()

    sentence = check_error(await post(bench, body, path="/kcis", **changes), status, code)

    assert words in sentence
    (kept,) = bench.outbox.quarantined
    assert bench.outbox.kcis == []
    assert (kept.quarantine_id, kept.body, kept.truncated) == ("delivery-1", body, False)
    assert (kept.reason.value, kept.error, kept.path) == (reason, sentence, "/kcis")
    names = {header.name for header in kept.headers}
    assert "authorization" not in names
    assert "host" in names


async def test_too_many_headers_are_refused_and_the_body_is_kept() -> None:
    bench = Bench()

    async with a_client(bench) as client:
        more = {f"X-{number}": "1" for number in range(20)}
        answer = await client.post("/kcis", content=BODY, headers=HEADERS | more)

    check_error(answer, 431, "MALFORMED_REQUEST")
    assert bench.outbox.quarantined[0].body == BODY


async def test_of_a_body_that_is_too_long_the_beginning_is_kept_and_the_rest_is_not_read() -> None:
    bench = Bench()
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1_000:
            sent += 1
            yield b"x" * 1000

    answer = await post(bench, endless())

    assert "4096 bytes" in check_error(answer, 413, "MALFORMED_REQUEST")
    assert answer.headers["connection"] == "close"
    (kept,) = bench.outbox.quarantined
    assert (kept.body, kept.truncated, kept.reason.value) == (b"x" * 4096, True, "TOO_LARGE")
    assert sent < 10


async def test_a_longest_body_is_taken() -> None:
    bench = Bench()
    body = BODY.ljust(LIMITS.max_body_bytes)

    assert (await post(bench, body)).status_code == 200


@pytest.mark.parametrize("body", [BODY, b"{"])
async def test_while_kafka_is_away_the_gateway_is_asked_to_send_again(body: bytes) -> None:
    bench = Bench()
    bench.outbox.away = True

    answer = await post(bench, body)

    check_error(answer, 503, "TENANT_FAULT")
    assert int(answer.headers["retry-after"]) >= 1
    bench.outbox.away = False
    assert (await post(bench)).status_code == 200


@pytest.mark.parametrize("error", [ValueError("Ada Lovelace"), TypeError("Ada Lovelace"), RecursionError()])
async def test_a_bug_of_ours_keeps_the_delivery(error: Exception) -> None:
    bench = Bench()
    bench.outbox.error = error

    sentence = check_error(await post(bench), 500, "TENANT_FAULT")

    assert "Ada" not in sentence
    assert bench.outbox.quarantined[0].body == BODY


async def test_without_valid_credentials_nothing_is_read() -> None:
    bench = Bench()
    read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        read = True
        yield BODY

    answer = await post(bench, body(), authorization="Basic d3Jvbmc6d3Jvbmc=")

    check_error(answer, 401, "NOT_AUTHORISED")
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert answer.headers["connection"] == "close"
    assert not read
    assert bench.outbox.records == []
    assert bench.telemetry.failures == ["WRONG"]


async def test_an_address_that_fails_too_often_waits_even_with_the_right_password() -> None:
    bench = Bench(failures_per_minute=3)
    for _ in range(3):
        assert (await post(bench, authorization=None)).status_code == 401

    answer = await post(bench)

    check_error(answer, 429, "NOT_AUTHORISED", uuid="delivery-4")
    assert answer.headers["retry-after"] == "60"
    async with a_client(bench, "192.0.2.2") as elsewhere:
        assert (await elsewhere.post("/kcis", content=BODY, headers=HEADERS)).status_code == 200
    bench.stopwatch.seconds += 60
    assert (await post(bench)).status_code == 200


async def test_when_the_keys_cannot_be_fetched_the_gateway_is_asked_to_send_again() -> None:
    class NoKeys:
        challenge = "Bearer"

        async def check(self, authorization: str | None) -> None:
            raise KeysUnavailable

    bench = Bench(authenticator=NoKeys())

    answer = await post(bench)

    check_error(answer, 503, "TENANT_FAULT")
    assert "retry-after" in answer.headers
    assert bench.telemetry.failures == []


async def test_more_requests_than_the_most_are_asked_to_come_again() -> None:
    class StuckOutbox(RecordingOutbox):
        waiting = 0
        full = asyncio.Event()
        may_go = asyncio.Event()

        async def publish(self, records: Iterable[Outgoing]) -> None:
            self.waiting += 1
            if self.waiting == LIMITS.max_in_flight:
                self.full.set()
            await self.may_go.wait()
            await super().publish(records)

    outbox = StuckOutbox()
    bench = Bench(outbox=outbox)
    stuck = [asyncio.create_task(post(bench)) for _ in range(LIMITS.max_in_flight)]
    async with asyncio.timeout(5):
        await outbox.full.wait()

    refused = await post(bench)

    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    outbox.may_go.set()
    assert {answer.status_code for answer in await asyncio.gather(*stuck)} == {200}
    assert bench.telemetry.in_flight[-1] == 0


async def test_a_body_that_never_ends_is_answered_408_and_not_kept() -> None:
    bench = Bench(limits=msgspec.structs.replace(LIMITS, read_timeout=timedelta(milliseconds=50)))

    async def dribble() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    answer = await post(bench, dribble())

    check_error(answer, 408, "MALFORMED_REQUEST")
    assert bench.outbox.records == []


async def test_a_client_that_goes_away_is_counted_and_leaves_nothing() -> None:
    bench = Bench()
    scope = {"type": "http", "method": "POST", "path": "/kcis", "headers": raw(HEADERS), "client": ("192.0.2.1", 1)}
    messages: list[Any] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await bench.app(scope, receive, send)

    assert sent == []
    assert bench.outbox.records == []
    assert bench.telemetry.answered == [(None, "DISCONNECTED")]
    assert bench.telemetry.in_flight[-1] == 0


def raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_told_which_one_is_allowed(method: str) -> None:
    async with a_client(Bench()) as client:
        answer = await client.request(method, "/kcis", headers=HEADERS)

    check_error(answer, 405, "MALFORMED_REQUEST")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/", "/kci", "/kcis/", "/kcis/kcis/kcis", "/metrics"])
async def test_other_paths_do_not_exist(path: str) -> None:
    check_error(await post(Bench(), path=path), 404, "NOT_FOUND")


async def test_the_path_is_configurable_and_is_served_twice_over() -> None:
    bench = Bench(path="/hooks/updates")

    for path in ("/hooks/updates", "/hooks/updates/hooks/updates"):
        assert (await post(bench, path=path)).status_code == 200
    for path in ("/kcis", "/kcis/kcis", "/hooks"):
        assert (await post(bench, path=path)).status_code == 404


async def test_the_description_names_both_paths_and_every_answer() -> None:
    async with a_client(Bench()) as client:
        answer = await client.get("/openapi.json")

    document = answer.json()
    assert answer.status_code == 200
    assert set(document["paths"]) == {"/kcis", "/kcis/kcis"}
    answers = set(document["paths"]["/kcis"]["post"]["responses"])
    assert answers >= {"200", "400", "401", "408", "413", "415", "422", "429", "431", "500", "503"}


async def test_what_was_answered_is_counted_by_its_reason() -> None:
    bench = Bench()
    await post(bench)
    await post(bench, b"{")
    await post(bench, authorization=None)

    assert [json.dumps(answered) for answered in bench.telemetry.answered] == [
        '[200, "PUBLISHED"]',
        '[400, "NOT_JSON"]',
        '[401, "UNAUTHENTICATED"]',
    ]
