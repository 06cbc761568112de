"""The one shared token: how it is asked for, when it is replaced, and what a failure costs."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from bridge.adapters.gateway.auth import ASSUMED_SECONDS, NoToken, TokenSource
from bridge.adapters.gateway.direct import DirectClient
from tests.unit.adapters.gateway.hostile import settings


class Endpoint:
    """A token endpoint in memory. `answers` are given in turn, the last one again and again."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.requests: list[httpx.Request] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._answers = list(answers)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        await self.gate.wait()
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


class Time:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def a_token(value: str, expires_in: object = 3600, **others: object) -> httpx.Response:
    return httpx.Response(200, json={"access_token": value, "expires_in": expires_in, "token_type": "Bearer"} | others)


@asynccontextmanager
async def source(endpoint: Endpoint, time: Time, **others: Any) -> AsyncIterator[TokenSource]:
    made = TokenSource(
        DirectClient(httpx.MockTransport(endpoint)),
        "https://gateway.example/token",
        settings("https://gateway.example", **others),
        monotonic=time,
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
    )
    yield made
    await made.aclose()


async def until_asked(endpoint: Endpoint, times: int) -> None:
    async with asyncio.timeout(5):
        while len(endpoint.requests) < times:  # noqa: ASYNC110 - a few turns of the loop
            await asyncio.sleep(0)


class TestAsking:
    async def test_with_basic_the_credentials_are_in_the_header_only(self) -> None:
        endpoint = Endpoint(a_token("t"))
        async with source(endpoint, Time(), client_id="a:b c", client_secret="p+q/é", scope="tenant.all") as tokens:
            await tokens.token()
        (request,) = endpoint.requests
        assert parse_qs(request.content.decode()) == {"grant_type": ["client_credentials"], "scope": ["tenant.all"]}
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        scheme, _, pair = request.headers["authorization"].partition(" ")
        assert scheme == "Basic"
        assert base64.b64decode(pair) == b"a%3Ab+c:p%2Bq%2F%C3%A9"

    async def test_with_form_they_are_in_the_body_only(self) -> None:
        endpoint = Endpoint(a_token("t"))
        async with source(endpoint, Time(), client_auth="form") as tokens:
            await tokens.token()
        (request,) = endpoint.requests
        assert parse_qs(request.content.decode()) == {
            "grant_type": ["client_credentials"],
            "client_id": ["tenant"],
            "client_secret": ["tenant-secret"],
        }
        assert "authorization" not in request.headers


class TestSharing:
    async def test_a_hundred_callers_share_one_request(self) -> None:
        endpoint = Endpoint(a_token("t"))
        async with source(endpoint, Time()) as tokens:
            assert await asyncio.gather(*(tokens.token() for _ in range(100))) == ["t"] * 100
            assert await tokens.token() == "t"
        assert len(endpoint.requests) == 1

    async def test_a_caller_that_gives_up_does_not_take_the_request_from_the_others(self) -> None:
        endpoint = Endpoint(a_token("t"))
        endpoint.gate.clear()
        async with source(endpoint, Time()) as tokens:
            impatient, patient = asyncio.create_task(tokens.token()), asyncio.create_task(tokens.token())
            await until_asked(endpoint, 1)
            impatient.cancel()
            endpoint.gate.set()
            assert await patient == "t"
        assert len(endpoint.requests) == 1

    async def test_a_hundred_callers_of_a_failing_endpoint_are_one_request(self) -> None:
        endpoint = Endpoint(httpx.Response(503))
        async with source(endpoint, Time()) as tokens:
            results = await asyncio.gather(*(tokens.token() for _ in range(100)), return_exceptions=True)
            assert {type(result) for result in results} == {NoToken}
        assert len(endpoint.requests) == 1


class TestReplacing:
    @pytest.mark.parametrize(("lives", "fresh_until"), [(3600, 3540), (100, 80), (10, 8)])
    async def test_a_token_is_replaced_before_its_end_while_callers_go_on_with_it(
        self, lives: int, fresh_until: int
    ) -> None:
        endpoint, time = Endpoint(a_token("first", lives), a_token("second", lives)), Time()
        async with source(endpoint, time) as tokens:
            await tokens.token()
            time.seconds += fresh_until - 1
            assert await tokens.token() == "first"
            assert len(endpoint.requests) == 1
            time.seconds += 1
            endpoint.gate.clear()
            assert [await tokens.token() for _ in range(3)] == ["first"] * 3
            await until_asked(endpoint, 2)
            endpoint.gate.set()
            async with asyncio.timeout(5):
                while await tokens.token() != "second":  # noqa: ASYNC110 - a few turns of the loop
                    await asyncio.sleep(0)
            assert len(endpoint.requests) == 2

    async def test_an_outage_of_the_endpoint_is_not_felt_while_the_token_lives(self) -> None:
        endpoint, time = Endpoint(a_token("first", 100), httpx.Response(503)), Time()
        async with source(endpoint, time) as tokens:
            await tokens.token()
            time.seconds += 85
            assert await tokens.token() == "first"
            await until_asked(endpoint, 2)
            for _ in range(20):
                assert await tokens.token() == "first"
            assert len(endpoint.requests) == 2, "not asked again during the pause"

    async def test_a_token_about_to_end_is_not_used(self) -> None:
        endpoint, time = Endpoint(a_token("first", 100), a_token("second", 100)), Time()
        async with source(endpoint, time) as tokens:
            await tokens.token()
            time.seconds += 96
            assert await tokens.token() == "second"

    @pytest.mark.parametrize("expires_in", [None, "soon", -1, 0, [], float("inf"), "Infinity"])
    async def test_a_life_that_makes_no_sense_is_taken_as_short(self, expires_in: object) -> None:
        body = json.dumps({"access_token": "t", "expires_in": expires_in})
        endpoint, time = Endpoint(httpx.Response(200, text=body), a_token("second")), Time()
        async with source(endpoint, time) as tokens:
            await tokens.token()
            time.seconds += ASSUMED_SECONDS
            assert await tokens.token() == "second"


class TestRejecting:
    async def test_a_rejected_token_is_replaced_once_for_all_who_had_it(self) -> None:
        endpoint = Endpoint(a_token("first"), a_token("second"), a_token("third"))
        async with source(endpoint, Time()) as tokens:
            held = [await tokens.token() for _ in range(50)]

            async def replaced(value: str) -> str:
                tokens.reject(value)
                return await tokens.token()

            assert await asyncio.gather(*(replaced(value) for value in held)) == ["second"] * 50
        assert len(endpoint.requests) == 2

    async def test_a_replacement_that_is_rejected_as_well_is_kept_for_a_moment(self) -> None:
        endpoint, time = Endpoint(a_token("first"), a_token("second"), a_token("third")), Time()
        async with source(endpoint, time) as tokens:
            tokens.reject(await tokens.token())
            second = await tokens.token()
            tokens.reject(second)
            assert await tokens.token() == second
            time.seconds += 6
            tokens.reject(second)
            assert await tokens.token() == "third"


class TestFailing:
    @pytest.mark.parametrize(
        ("answer", "why", "alarm"),
        [
            (httpx.Response(400, json={"code": "NOT_AUTHORISED"}), "TOKEN_ENDPOINT_400", True),
            (httpx.Response(401), "TOKEN_ENDPOINT_401", True),
            (httpx.Response(403), "TOKEN_ENDPOINT_403", True),
            (httpx.Response(429), "TOKEN_ENDPOINT_429", False),
            (httpx.Response(500), "TOKEN_ENDPOINT_500", False),
            (httpx.Response(302, headers={"Location": "/login"}), "TOKEN_ENDPOINT_302", False),
            (httpx.Response(200, text="<html>"), "TOKEN_UNREADABLE", True),
            (httpx.Response(200, json=["t"]), "TOKEN_UNREADABLE", True),
            (httpx.Response(200, json={"access_token": ""}), "TOKEN_UNREADABLE", True),
            (httpx.Response(200, json={"access_token": 7}), "TOKEN_UNREADABLE", True),
            (httpx.Response(200, json={"access_token": "a\r\nX-Evil: 1"}), "TOKEN_UNREADABLE", True),
            (a_token("t", token_type="mac"), "TOKEN_NOT_BEARER", True),
            (httpx.ConnectTimeout("late"), "CONNECT_TIMEOUT", False),
            (httpx.ReadError("broken"), "CONNECTION_LOST", False),
        ],
    )
    async def test_each_failure_has_its_word(
        self, answer: httpx.Response | Exception, why: str, *, alarm: bool
    ) -> None:
        async with source(Endpoint(answer), Time()) as tokens:
            with pytest.raises(NoToken) as caught:
                await tokens.token()
        assert (caught.value.why, caught.value.alarm) == (why, alarm)

    async def test_pauses_grow_and_end_with_the_first_success(self) -> None:
        endpoint, time = Endpoint(httpx.Response(503)), Time()
        async with source(endpoint, time) as tokens:
            pauses = []
            for _ in range(8):
                with pytest.raises(NoToken) as caught:
                    await tokens.token()
                pauses.append(caught.value.retry_after_seconds)
                time.seconds += caught.value.retry_after_seconds or 0
        assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]

    async def test_within_the_pause_callers_are_told_at_once(self) -> None:
        endpoint, time = Endpoint(httpx.Response(503), a_token("t")), Time()
        async with source(endpoint, time) as tokens:
            with pytest.raises(NoToken):
                await tokens.token()
            time.seconds += 0.5
            with pytest.raises(NoToken) as caught:
                await tokens.token()
            assert caught.value.retry_after_seconds == 0.5
            assert len(endpoint.requests) == 1
            time.seconds += 0.5
            assert await tokens.token() == "t"

    async def test_the_endpoints_retry_after_is_kept_within_reason(self) -> None:
        endpoint, time = Endpoint(httpx.Response(503, headers={"Retry-After": "100000"})), Time()
        async with source(endpoint, time) as tokens:
            with pytest.raises(NoToken) as caught:
                await tokens.token()
        assert caught.value.retry_after_seconds == 30.0

    async def test_an_endpoint_that_never_answers_ends_with_the_total_time(self) -> None:
        endpoint = Endpoint(a_token("t"))
        endpoint.gate.clear()
        async with source(endpoint, Time(), total_timeout_seconds=0.1) as tokens:
            with pytest.raises(NoToken, match="TOTAL_TIMEOUT"):
                await tokens.token()

    async def test_neither_the_error_nor_the_log_holds_a_secret(self, capsys: pytest.CaptureFixture[str]) -> None:
        endpoint = Endpoint(httpx.Response(401, text="tenant-secret is wrong"))
        async with source(endpoint, Time()) as tokens:
            with pytest.raises(NoToken) as caught:
                await tokens.token()
        printed = capsys.readouterr()
        assert "no access token" in printed.out + printed.err
        assert "tenant-secret" not in printed.out + printed.err + repr(caught.value)
