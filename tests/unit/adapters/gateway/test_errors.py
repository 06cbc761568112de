"""The verdict table is complete, and what it says of each status and exception is what reaches the journey."""

import inspect
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.adapters.gateway import transport
from bridge.adapters.gateway.errors import (
    EXCEPTIONS,
    STATUSES,
    Kind,
    rule_for_exception,
    rule_for_status,
    without_answer,
)
from bridge.adapters.gateway.tables import verdict_tables
from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.entities import Entity, GatewayError, Request
from bridge.domain.outcomes import Reason
from tests.unit.adapters.gateway.hostile import A_TAKEN_POST, Connection, answer_of, ask, gateway, serving

ERROR = {"uuid": "6b3c", "code": "INVALID_REQUEST", "messages": ["no such service"]}
DOCS = Path(__file__).parents[4] / "docs" / "gateway.md"

TAKEN = {200, 201, 202}
NOT_TAKEN = {401, 403, 425, 429, *range(300, 400)}
AMBIGUOUS = {408, *range(200, 300), *range(500, 600)} - TAKEN - {501}
# Every status that the contract names for an operation (1.1, 4.2).
OF_THE_CONTRACT = (200, 201, 202, 400, 401, 403, 404, 422, 500, 501, 502, 503)


def httpx_exceptions() -> list[type[Exception]]:
    return [
        thing
        for name in httpx.__all__
        if inspect.isclass(thing := getattr(httpx, name)) and issubclass(thing, Exception)
    ]


def test_every_public_exception_of_httpx_has_a_row_of_its_own() -> None:
    assert len(httpx_exceptions()) > 20
    assert [kind.__name__ for kind in httpx_exceptions() if kind not in EXCEPTIONS] == []


def test_the_table_has_no_row_for_anything_else() -> None:
    ours = {transport.ConnectRefused, transport.NameUnknown, transport.TlsFailed, transport.Unwritable}
    assert set(EXCEPTIONS) == {*httpx_exceptions(), *ours}


def test_every_exception_that_the_transport_raises_has_a_row_of_its_own() -> None:
    raised = {kind for _, kind in (*transport.BEFORE_CONNECTING, *transport.AFTER_CONNECTING)}
    assert raised <= set(EXCEPTIONS)


def test_an_exception_class_of_tomorrow_is_judged_by_its_nearest_ancestor() -> None:
    class LaterReadError(httpx.ReadError):
        pass

    assert rule_for_exception(LaterReadError("")) is EXCEPTIONS[httpx.ReadError]


def test_an_exception_of_somebody_else_is_no_answer_of_the_gateway() -> None:
    with pytest.raises(TypeError, match="ZeroDivisionError"):
        rule_for_exception(ZeroDivisionError())


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_no_exception_is_called_not_taken_once_a_connection_was_there(kind: type[Exception]) -> None:
    assert isinstance(without_answer(EXCEPTIONS[kind], nothing_sent=False), Ambiguous)


@pytest.mark.parametrize("kind", EXCEPTIONS, ids=lambda kind: kind.__name__)
def test_what_may_have_been_sent_is_never_called_not_taken(kind: type[Exception]) -> None:
    before_sending = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
    if not issubclass(kind, (*before_sending, httpx.InvalidURL, transport.Unwritable)):
        assert isinstance(without_answer(EXCEPTIONS[kind], nothing_sent=True), Ambiguous)


@pytest.mark.parametrize("status", range(100, 600))
def test_every_status_has_its_kind(status: int) -> None:
    kind = rule_for_status(status).kind
    if status in TAKEN:
        assert kind is Kind.TAKEN
    elif status == 401:
        assert kind is Kind.NEW_TOKEN
    elif status == 503:
        assert kind is Kind.CONFIGURED
    elif status in NOT_TAKEN:
        assert kind is Kind.NOT_TAKEN
    elif status in AMBIGUOUS or status < 200:
        assert kind is Kind.AMBIGUOUS
    else:
        assert kind is Kind.REFUSED


@pytest.mark.parametrize("status", [0, 99, 600, 999])
def test_a_number_that_is_no_status_is_ambiguous(status: int) -> None:
    assert rule_for_status(status).kind is Kind.AMBIGUOUS


def test_no_row_is_hidden_by_an_earlier_one() -> None:
    for row in STATUSES:
        assert any(rule_for_status(status) is row.rule for status in range(100, 600)), row.label


TAKEN_ENTITY = Entity(
    type="SERVICE_PROBLEM",
    id="7",
    cancellation=Request(
        id=70, status="RECEIVED_BY_GATEWAY", other='{"reasonCode":"ISSUE_RESOLVED","serviceProblemId":7}'
    ),
)
GATEWAY_ERROR = GatewayError(uuid="6b3c", code="INVALID_REQUEST", messages=("no such service",))


async def answer_to(status: int, body: object, **others: Any) -> Answer:
    async def behave(connection: Connection) -> None:
        while await connection.request():
            await connection.answer(status, body)

    return await answer_of(behave, **others)


def expected(status: int, body: object) -> Answer:
    if status in TAKEN and body == A_TAKEN_POST:
        return Taken(http_status=status, entity=TAKEN_ENTITY)
    if 200 <= status < 300:
        return Ambiguous(reason=Reason.UNREADABLE_ANSWER, why="UNREADABLE_ANSWER", http_status=status)
    why = rule_for_status(status).why
    if status in NOT_TAKEN:
        return NotTaken(why=why, http_status=status, alarm=status not in (425, 429))
    if status in AMBIGUOUS:
        reason = Reason.NO_ANSWER if status == 408 else Reason.SERVER_ERROR
        return Ambiguous(reason=reason, why=why, http_status=status)
    return Refused(http_status=status, error=GATEWAY_ERROR if body == ERROR else None)


BODIES = {"none": None, "error": ERROR, "list": [1], "text": "sorry", "taken": A_TAKEN_POST}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("status", OF_THE_CONTRACT)
async def test_every_status_of_the_contract_with_each_kind_of_body(status: int, body: str) -> None:
    assert await answer_to(status, BODIES[body]) == expected(status, BODIES[body])


async def test_every_status_with_and_without_a_body_has_its_answer_over_a_real_connection() -> None:
    """In one go: a server that answers with the status that its turn has."""
    # 1xx are not final, 204 and 304 have no body by definition.
    turns = [(status, body) for status in range(200, 600) for body in (None, ERROR) if status not in (204, 304)]
    left = [turn for turn in turns for _ in range(2 if turn[0] == 401 else 1)]

    async def behave(connection: Connection) -> None:
        while await connection.request():
            await connection.answer(*left.pop(0))

    async with serving(behave) as server, gateway(server.url) as client:
        for status, body in turns:
            while left and left[0][0] == 401 and status != 401:
                left.pop(0)  # within its first seconds a token's replacement is not replaced again
            assert await ask(client) == expected(status, body), (status, body)


async def test_an_unavailable_gateway_means_what_the_settings_say() -> None:
    unknown = await answer_to(503, None)
    assert unknown == Ambiguous(reason=Reason.SERVER_ERROR, why="UNAVAILABLE", http_status=503)
    not_taken = await answer_to(503, None, unavailable_means="not_taken")
    assert not_taken == NotTaken(why="UNAVAILABLE", http_status=503)


def test_the_page_shows_the_tables_of_the_code() -> None:
    assert verdict_tables() in DOCS.read_text(encoding="utf-8"), (
        "docs/gateway.md: replace its tables by the output of `python -m bridge.adapters.gateway.tables`"
    )
