"""The operations of the Tenant API, one row each (contract 1.1); read by the router and by the OpenAPI document."""

from dataclasses import dataclass
from typing import Final

from bridge.simulator import answers, limits
from bridge.simulator.limits import Shape


@dataclass(frozen=True)
class Operation:
    """One row: where it is, what goes in, what comes out, and which refusals the contract lists."""

    name: str
    method: str
    path: str
    summary: str
    answer: Shape
    success: int
    refusals: tuple[int, ...]
    request: Shape | None = None


_WRITES: Final = (400, 401, 403, 422, 500, 503)
_READS: Final = (400, 401, 403, 404, 422, 500, 503)

TABLE: Final = (
    Operation(
        "tests", "POST", "/service-tests", "Test an active service.", answers.TEST, 201, _WRITES, limits.TEST_REQUEST
    ),
    Operation(
        "get_test", "GET", "/service-tests/{id}", "A test, with its result.", answers.TEST_WITH_RESULT, 200, _READS
    ),
    Operation(
        "problems",
        "POST",
        "/service-problems",
        "Raise a problem.",
        answers.PROBLEM,
        201,
        _WRITES,
        limits.PROBLEM_REQUEST,
    ),
    Operation(
        "get_problem", "GET", "/service-problems/{id}", "A problem, with its KCIs.", answers.PROBLEM, 200, _READS
    ),
    Operation(
        "amendments",
        "POST",
        "/service-problem-amendments",
        "Amend a problem.",
        answers.AMENDMENT,
        201,
        _WRITES,
        limits.AMENDMENT_REQUEST,
    ),
    Operation(
        "cancellations",
        "POST",
        "/service-problem-cancellations",
        "Cancel a problem.",
        answers.CANCELLATION,
        201,
        _WRITES,
        limits.CANCELLATION_REQUEST,
    ),
    Operation(
        "resolutions",
        "PATCH",
        "/service-problem-resolutions/{id}",
        "Accept or reject a resolution.",
        answers.RESOLUTION,
        200,
        _WRITES,
        limits.RESOLUTION_ANSWER,
    ),
)

TOKEN_PATH: Final = "/auth/tenant/access-token"  # noqa: S105 - a path
