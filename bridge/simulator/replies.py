"""Answering a request: bodies, the contract's Error body (1.9), and what the faults answer instead."""

import asyncio
import uuid
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from bridge.simulator.connection import Ending, NoAnswer, tenant_gone
from bridge.simulator.faults import Fault
from bridge.simulator.ledger import Entry
from bridge.simulator.weather import Forecast

_INVALID = HTTPStatus.UNPROCESSABLE_ENTITY


def success(entry: Entry, status: int, body: object) -> Response:
    """A good answer, noted in the ledger."""
    entry.status = status
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def error(entry: Entry, status: int, code: str, messages: list[str]) -> Response:
    """The contract's Error body, noted in the ledger."""
    entry.status = status
    entry.error = {"uuid": str(uuid.uuid4()), "code": code, "messages": messages}
    return Response(msgspec.json.encode(entry.error), status_code=status, media_type="application/json")


# The members of requests whose text a refusal quotes.
QUOTED = ("notes", "text", "tenantNotes")


def refusal(fault: Fault, entry: Entry, retry_after: int, body: Mapping[str, object]) -> Response:
    """What a fault answers to a request that was not accepted; a 422 quotes what it refuses."""
    entry.fault = fault.name
    if fault.status is None:
        return NoAnswer(Ending.RESET)
    if fault.code is not None:
        quoted = [f"{name}: '{body[name]}' is refused" for name in QUOTED if isinstance(body.get(name), str)]
        messages = ["Refused on purpose by the simulator", *quoted]
        return error(entry, fault.status, fault.code, messages if fault.status == _INVALID else messages[:1])
    entry.status = fault.status
    later = fault.status == HTTPStatus.TOO_MANY_REQUESTS
    return Response(status_code=fault.status, headers={"Retry-After": str(retry_after)} if later else None)


async def hidden(fault: Fault, entry: Entry, request: Request) -> Response:
    """What a fault answers instead of the good answer to a request that was accepted."""
    if fault.status is not None:
        return error(entry, fault.status, fault.code or "GATEWAY_FAULT", ["The gateway failed after accepting"])
    if fault.name == "ANSWER_NEVER":
        await tenant_gone(request)
    return NoAnswer(Ending.CLOSED)


async def bad_weather(forecast: Forecast, entry: Entry) -> Response | None:
    """Wait as long as the weather says; what cuts the connection in an outage, None otherwise."""
    if seconds := forecast.latency():
        await asyncio.sleep(seconds)
    if forecast.now.outage:
        entry.fault = "OUTAGE"
        return NoAnswer(Ending.RESET)
    return None
