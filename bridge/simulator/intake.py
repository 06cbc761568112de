"""Reading a request: headers, the body's syntax, what it is about. What the fields hold is checked by `limits`."""

from typing import Final

import msgspec
from starlette.requests import Request

from bridge.simulator.entities import Entity, Json, Resolution
from bridge.simulator.gateway import malformed
from bridge.simulator.memory import Memory
from bridge.simulator.operations import Operation

IDENTIFYING: Final = ("X-Request-ID", "X-Conversation-ID")
"""Required on every request, given back on every answer (contract 1.0)."""

_LARGEST_BODY: Final = 1_000_000
"""Bytes; many times what the limits of all fields allow."""

_LONGEST_ID: Final = 18
"""Digits; enough for any id, and short enough to be a 64-bit number."""

Known = Entity | Resolution | None
"""The test, problem or resolution that a request is about; None when it creates one, or when there is none."""


def check_headers(operation: Operation, request: Request) -> None:
    """Raise Refused (400) naming every required header that is missing."""
    broken = [f"Missing header {name} - it is required" for name in IDENTIFYING if not request.headers.get(name)]
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if operation.request is not None and kind != "application/json":
        broken.append("Header Content-Type must be application/json")
    if broken:
        raise malformed(*broken)


async def parsed(request: Request) -> Json:
    """The body as an object. Raises Refused (400)."""
    raw = await request.body()
    if len(raw) > _LARGEST_BODY:
        raise malformed(f"The body is larger than {_LARGEST_BODY} bytes")
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed("The body is not JSON") from error
    if not isinstance(body, dict):
        raise malformed("The body must be a JSON object")
    return body


def kci_delay(request: Request) -> float | None:
    """Seconds that X-Kci-Delay asks for, None without the header. Raises Refused (400)."""
    text = request.headers.get("X-Kci-Delay")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise malformed("Invalid header X-Kci-Delay - seconds are required, such as 0.5")
    return seconds


def about(operation: Operation, request: Request, body: Json, memory: Memory) -> Known:
    """What the request is about. Raises Refused (400) when the id in the path is no number."""
    match operation.name:
        case "amendments" | "cancellations":
            return memory.problems.get(number(body.get("serviceProblemId")))
        case "get_test":
            return memory.tests.get(_path_id(request))
        case "get_problem":
            return memory.problems.get(_path_id(request))
        case "resolutions":
            return memory.resolutions.get(_path_id(request))
        case _:
            return None


def entity_of(known: Known) -> Entity | None:
    """The test or problem itself, or the problem that a resolution belongs to."""
    return known.problem if isinstance(known, Resolution) else known


def _path_id(request: Request) -> int:
    text: str = request.path_params["id"]
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID):
        raise malformed("Invalid value for the id in the path - a number is required")
    return int(text)


def number(value: object) -> int:
    """An identifier of a body that is not checked yet; 0, which nothing has, when it is no identifier."""
    return value if isinstance(value, int) else 0


def text(value: object) -> str | None:
    """A text of a body that is not checked yet."""
    return value if isinstance(value, str) else None
