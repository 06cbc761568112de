"""
/live, /ready and /metrics of one process: whether it lives, whether it can do its work, and what it has done.

It knows nothing of what is checked: a check is a function that tells what is wrong, or None. The application is served
by the service's own event loop, so a loop that is stuck answers nothing, and the liveness probe fails by its time-out.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# What is wrong, in a sentence without secrets, or None. It may be called at any time, and does not block.
Check = Callable[[], str | None]
# The metrics as they are now: media type and text.
Metrics = Callable[[], tuple[str, bytes]]


def management_app(*, alive: Mapping[str, Check], ready: Mapping[str, Check], metrics: Metrics) -> Starlette:
    """
    The application to be served on the management address.

    `/live` answers 503 when a check of `alive` fails: restart the process. `/ready` answers 503 when one of `alive`
    or `ready` fails: send no work. Both name each check and what is wrong with it.
    """

    async def answer_live(_: Request) -> Response:
        return _verdict(alive)

    async def answer_ready(_: Request) -> Response:
        return _verdict({**alive, **ready})

    async def exposition(_: Request) -> Response:
        media_type, text = metrics()
        return Response(text, headers={"content-type": media_type})

    return Starlette(routes=[Route("/live", answer_live), Route("/ready", answer_ready), Route("/metrics", exposition)])


def still_running(task: "asyncio.Task[None]") -> Check:
    """Return a check that fails once a task that should run for ever has ended."""

    def check() -> str | None:
        return f"the task {task.get_name()!r} has ended" if task.done() else None

    return check


def refuse(_: HTTPStatus, sentence: str) -> tuple[str, bytes]:
    """Write the answer to what is not HTTP."""
    return "application/json", json.dumps({"status": "refused", "problem": sentence}).encode()


def _verdict(checks: Mapping[str, Check]) -> Response:
    problems = {name: check() for name, check in checks.items()}
    fine = not any(problems.values())
    body = {
        "status": "ok" if fine else "failing",
        "checks": {name: problem or "ok" for name, problem in problems.items()},
    }
    return Response(
        json.dumps(body),
        status_code=HTTPStatus.OK if fine else HTTPStatus.SERVICE_UNAVAILABLE,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )
