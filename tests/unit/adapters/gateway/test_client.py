"""Calls over real sockets: headers, the second request after a 401, limits, and what is known at the end."""

import asyncio
import gzip
import json
from collections.abc import Iterable

import pytest

from bridge.adapters.gateway import exchange
from bridge.adapters.gateway.client import second_request_id
from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.commands import AmendProblem, AnswerResolution, CancelProblem, FetchProblem, FetchTest
from bridge.domain.entities import Request, Resolution
from bridge.domain.outcomes import Reason
from tests.unit.adapters.gateway.hostile import (
    A_POST,
    A_TAKEN_POST,
    Behaviour,
    Connection,
    answer_of,
    ask,
    asked,
    gateway,
    serving,
)


def answering(*answers: tuple[int, object]) -> Behaviour:
    """One answer after the other, over all connections; the last one again and again."""
    left = list(answers)

    async def behave(connection: Connection) -> None:
        while await connection.request():
            status, body = left.pop(0) if len(left) > 1 else left[0]
            await connection.answer(status, body)

    return behave


def with_headers(status: int, **headers: str) -> Behaviour:
    async def behave(connection: Connection) -> None:
        while await connection.request():
            await connection.answer(status, None, **headers)

    return behave


async def test_a_request_carries_the_contracts_headers_and_its_body() -> None:
    async with serving(answering((201, A_TAKEN_POST))) as server, gateway(f"{server.url}/v1") as client:
        await ask(client)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/service-problem-cancellations")
    assert request.headers["authorization"] == "Bearer a-token"
    assert request.headers["x-request-id"] == "request-1"
    assert request.headers["x-conversation-id"] == "conversation-1"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    assert json.loads(request.body) == {"serviceProblemId": 7, "reasonCode": "ISSUE_RESOLVED"}


async def test_a_get_has_no_body() -> None:
    async with serving(answering((200, {"id": 7}))) as server, gateway(server.url) as client:
        await ask(client, FetchProblem(service_problem_id=7))
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("GET", "/service-problems/7", b"")
    assert "content-type" not in request.headers


async def test_a_problem_is_told_with_its_updates() -> None:
    body = {"id": 7.0, "status": "HELD", "updates": [{"id": "k1", "sequenceNumber": 2}, {"no": "id"}]}
    answer = await answer_of(answering((200, body)), FetchProblem(service_problem_id=7))
    assert isinstance(answer, Taken)
    assert (answer.entity.key, answer.entity.status) == ("SERVICE_PROBLEM:7", "HELD")
    assert [(update.id, update.sequence_number) for update in answer.updates] == [("k1", 2)]
    assert answer.entity.other == '{"updates":[{"no":"id"}]}'


async def test_the_answers_to_changes_of_a_problem_tell_of_the_problem() -> None:
    amendment = await answer_of(
        answering((201, {"id": 70, "status": "PENDING", "serviceProblemId": 7})),
        AmendProblem(service_problem_id=7, hazards="a dog"),
    )
    assert isinstance(amendment, Taken)
    assert amendment.entity.key == "SERVICE_PROBLEM:7"
    assert amendment.entity.status is None
    assert amendment.entity.amendment == Request(id=70, status="PENDING", other='{"serviceProblemId":7}')
    resolution = await answer_of(
        answering((200, {"id": 9, "status": "ACCEPTED"})),
        AnswerResolution(resolution_id=9, service_problem_id=7, status="ACCEPTED"),
    )
    assert isinstance(resolution, Taken)
    assert resolution.entity.key == "SERVICE_PROBLEM:7"
    assert resolution.entity.resolution == Resolution(id=9, status="ACCEPTED")


@pytest.mark.parametrize(
    "body",
    [
        None,
        "[]",
        "{}",
        '{"id": null}',
        '{"id": 1.5}',
        '{"id": true}',
        "{",
        "<html>",
        '{"id": 70, "serviceProblemId": 8}',
    ],
)
async def test_a_success_of_which_nobody_can_say_what_it_tells_is_ambiguous(body: str | None) -> None:
    async def behave(connection: Connection) -> None:
        await connection.request()
        content = (body or "").encode()
        await connection.send(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(content) + content)

    assert await answer_of(behave) == Ambiguous(
        reason=Reason.UNREADABLE_ANSWER, why="UNREADABLE_ANSWER", http_status=201
    )


async def test_the_answer_about_another_entity_is_ambiguous() -> None:
    answer = await answer_of(answering((200, {"id": 8})), FetchTest(service_test_id=7))
    assert isinstance(answer, Ambiguous)


async def test_broken_text_in_a_success_does_not_spoil_the_rest() -> None:
    async def behave(connection: Connection) -> None:
        await connection.request()
        content = b'{"id": 70, "status": "PENDING", "text": "caf\xe9 \\ud800", "odd": NaN}'
        await connection.send(b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n" % len(content) + content)

    answer = await answer_of(behave)
    assert isinstance(answer, Taken)
    assert answer.entity.cancellation is not None
    assert answer.entity.cancellation.id == 70


async def test_a_request_that_breaks_the_contract_is_not_sent_and_calls_a_person() -> None:
    async with serving(answering((201, A_TAKEN_POST))) as server, gateway(server.url) as client:
        broken = CancelProblem(service_problem_id=7, reason_code="no")
        assert await ask(client, broken) == NotTaken(why="INVALID_REQUEST", alarm=True)
        assert server.connections == 0


class TestNewToken:
    async def test_a_401_is_followed_by_one_request_with_a_new_token_and_a_request_id_of_its_own(self) -> None:
        tokens = iter(["old", "new"])

        async def tokens_in_turn(connection: Connection) -> None:
            while await connection.request():
                await connection.answer(200, {"access_token": next(tokens), "expires_in": 3600})

        async with (
            serving(tokens_in_turn) as token_server,
            serving(answering((401, None), (201, A_TAKEN_POST))) as server,
            gateway(server.url, token_url=token_server.url) as client,
        ):
            answer = await asked(client)
        assert isinstance(answer, Taken)
        first, second = server.requests
        assert answer.request_id == second.headers["x-request-id"]
        assert first.headers["authorization"] == "Bearer old"
        assert second.headers["authorization"] == "Bearer new"
        assert first.body == second.body
        assert second.headers["x-request-id"] == second_request_id("request-1") != first.headers["x-request-id"]
        assert second.headers["x-conversation-id"] == "conversation-1"

    async def test_a_401_after_which_there_is_no_token_is_told_of_the_request_that_got_it(self) -> None:
        async def one_token(connection: Connection) -> None:
            await connection.request()
            await connection.answer(200, {"access_token": "old", "expires_in": 3600})
            await connection.request()
            await connection.answer(503, None)

        async with (
            serving(one_token) as token_server,
            serving(answering((401, None))) as server,
            gateway(server.url, token_url=token_server.url) as client,
        ):
            answer = await asked(client)
            assert isinstance(answer, NotTaken)
            assert (answer.why, answer.request_id) == ("NO_TOKEN", "request-1")

    async def test_where_no_request_was_made_none_is_named(self) -> None:
        async with (
            serving(with_headers(503)) as token_server,
            gateway("http://127.0.0.1:9", token_url=token_server.url) as client,
        ):
            answer = await asked(client)
            assert isinstance(answer, NotTaken)
            assert (answer.why, answer.request_id) == ("NO_TOKEN", None)

    async def test_a_second_401_is_final_for_the_call_and_calls_a_person(self) -> None:
        async with serving(answering((401, None))) as server, gateway(server.url) as client:
            assert await ask(client) == NotTaken(why="NOT_AUTHORISED", http_status=401, alarm=True)
            assert len(server.requests) == 2

    async def test_while_new_tokens_do_not_help_a_call_is_one_request(self) -> None:
        async with serving(answering((401, None))) as server, gateway(server.url) as client:
            await ask(client)
            assert await ask(client) == NotTaken(why="NOT_AUTHORISED", http_status=401, alarm=True)
            assert len(server.requests) == 3

    async def test_a_500_after_a_401_is_ambiguous_all_the_same(self) -> None:
        tokens = iter(["old", "new"])

        async def tokens_in_turn(connection: Connection) -> None:
            while await connection.request():
                await connection.answer(200, {"access_token": next(tokens), "expires_in": 3600})

        async with (
            serving(tokens_in_turn) as token_server,
            serving(answering((401, None), (500, None))) as server,
            gateway(server.url, token_url=token_server.url) as client,
        ):
            assert await ask(client) == Ambiguous(reason=Reason.SERVER_ERROR, why="SERVER_ERROR", http_status=500)

    async def test_without_a_token_nothing_is_sent(self) -> None:
        async with (
            serving(with_headers(503, Retry_After="7")) as token_server,
            serving(answering((201, A_TAKEN_POST))) as server,
            gateway(server.url, token_url=token_server.url) as client,
        ):
            answer = await ask(client)
            assert isinstance(answer, NotTaken)
            assert answer.why == "NO_TOKEN"
            assert answer.retry_after_seconds == pytest.approx(7, abs=0.5)
            assert server.connections == 0

    async def test_a_token_endpoint_that_hangs_leaves_the_call_not_taken(self) -> None:
        async def hang(connection: Connection) -> None:
            await connection.request()
            await asyncio.Event().wait()

        async with (
            serving(hang) as token_server,
            serving(answering((201, A_TAKEN_POST))) as server,
            gateway(
                server.url, token_url=token_server.url, read_timeout_seconds=5, total_timeout_seconds=0.6
            ) as client,
        ):
            answer = await ask(client)
            assert isinstance(answer, NotTaken)
            assert answer.why == "NO_TOKEN"
            assert server.connections == 0


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"Retry_After": "12"}, 12.0),
            ({"Retry_After": "0"}, 0.0),
            # The clock of these tests stands at 03:04:05.
            ({"Retry_After": "Fri, 02 Jan 2026 03:05:05 GMT"}, 60.0),
            # The answer's own Date goes before our clock.
            ({"Retry_After": "Fri, 02 Jan 2026 03:05:05 GMT", "Date": "Fri, 02 Jan 2026 03:05:00 GMT"}, 5.0),
            ({"Retry_After": "Thu, 01 Jan 2026 00:00:00 GMT"}, 0.0),
            ({"Retry_After": "soon"}, None),
            ({"Retry_After": "-5"}, None),
            ({"Retry_After": "1e9"}, None),
            ({}, None),
        ],
    )
    async def test_both_forms_are_understood(self, headers: dict[str, str], seconds: float | None) -> None:
        assert await answer_of(with_headers(429, **headers)) == NotTaken(
            why="RATE_LIMITED", http_status=429, retry_after_seconds=seconds
        )

    async def test_it_is_told_of_a_503_whatever_that_means(self) -> None:
        for means in ("unknown", "not_taken"):
            answer = await answer_of(with_headers(503, Retry_After="3"), unavailable_means=means)
            assert isinstance(answer, Ambiguous | NotTaken)
            assert answer.retry_after_seconds == 3.0


class TestSize:
    async def test_a_body_that_is_too_long_is_not_read_to_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exchange, "LONGEST_BODY_BYTES", 1000)
        assert isinstance(await answer_of(answering((201, {**A_TAKEN_POST, "x": "y" * 2000}))), Ambiguous)
        assert await answer_of(answering((422, {"uuid": "u", "x": "y" * 2000}))) == Refused(http_status=422)

    async def test_the_limit_counts_what_a_compressed_body_unfolds_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(exchange, "LONGEST_BODY_BYTES", 100_000)

        async def bomb(connection: Connection) -> None:
            await connection.request()
            content = gzip.compress(json.dumps({**A_TAKEN_POST, "x": "y" * 5_000_000}).encode())
            head = b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
            await connection.send(head % len(content) + content)

        assert isinstance(await answer_of(bomb), Ambiguous)


async def test_a_redirect_is_not_followed() -> None:
    async with serving(answering((201, A_TAKEN_POST))) as elsewhere:
        answer = await answer_of(with_headers(307, Location=f"{elsewhere.url}/"))
        assert answer == NotTaken(why="REDIRECTED", http_status=307, alarm=True)
        assert elsewhere.connections == 0


async def test_proxies_and_credentials_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert isinstance(await answer_of(answering((201, A_TAKEN_POST))), Taken)


async def test_a_cookie_of_an_answer_is_not_sent_back() -> None:
    async def behave(connection: Connection) -> None:
        while await connection.request():
            await connection.answer(201, A_TAKEN_POST, Set_Cookie="session=1; Path=/")

    async with serving(behave) as server, gateway(server.url) as client:
        await ask(client)
        await ask(client)
    assert [request.headers.get("cookie") for request in server.requests] == [None, None]


async def test_calls_in_flight_at_once_each_get_their_own_answer() -> None:
    async def behave(connection: Connection) -> None:
        while request := await connection.request():
            number = json.loads(request.body)["serviceProblemId"]
            await asyncio.sleep(0.01 * (number % 5))
            await connection.answer(201, {"id": number + 1000, "serviceProblemId": number})

    async with serving(behave) as server, gateway(server.url, max_in_flight=10) as client:
        calls = (ask(client, CancelProblem(service_problem_id=n, reason_code="OTHER")) for n in range(1, 51))
        answers: Iterable[Answer] = await asyncio.gather(*calls)
        assert [(a.entity.id, a.entity.cancellation) for a in answers if isinstance(a, Taken)] == [
            (str(n), Request(id=n + 1000, other=f'{{"serviceProblemId":{n}}}')) for n in range(1, 51)
        ]
        assert server.connections <= 12


async def test_a_call_that_is_cancelled_ends_as_cancelled() -> None:
    arrived = asyncio.Event()

    async def hang(connection: Connection) -> None:
        await connection.request()
        arrived.set()
        await asyncio.Event().wait()

    async with serving(hang) as server, gateway(server.url) as client:
        call = asyncio.create_task(ask(client, A_POST))
        await asyncio.wait_for(arrived.wait(), 5)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
