"""
Whether a test allows a problem to be raised (contract 6.4).

It must be COMPLETED, not GREEN, still valid, of the same service and supplier, and its outcome code not denied.
"""

from datetime import datetime
from enum import StrEnum

from bridge.domain.entities import TestResult
from bridge.domain.policy import JourneyPolicy

# Statuses that a test never leaves (contract 6.4).
FINISHED_TESTS = frozenset({"FAILED_TO_SEND", "REJECTED", "COMPLETED", "FAILED"})
GREEN = "GREEN"


class Gate(StrEnum):
    """What a test means for the raise."""

    # The problem may be raised.
    OPEN = "OPEN"
    # The test has no end yet.
    RUNNING = "RUNNING"
    # It is finished, but its result is not known here: fetch it.
    RESULT_MISSING = "RESULT_MISSING"
    # The line is fine: no problem may be raised.
    GREEN = "GREEN"
    # Its outcome code is on the deny list.
    DENIED = "DENIED"
    # It is a test of something else.
    MISMATCH = "MISMATCH"
    # Its validity is over: another test may help.
    EXPIRED = "EXPIRED"
    # It did not run: another test may help.
    FAILED = "FAILED"


Subject = tuple[str | None, str | None]


def same_subject(seen: Subject, wanted: Subject) -> bool:
    """Whether two (service id, supplier) can be the same; a part that was not told counts as the same."""
    return all(one is None or one == other for one, other in zip(seen, wanted, strict=True))


def judge(
    status: str | None,
    result: TestResult | None,
    tested: Subject,
    wanted: Subject,
    policy: JourneyPolicy,
    now: datetime,
) -> Gate:
    """Judge a test, `tested` being what it was of and `wanted` what the ticket is about."""
    if status not in FINISHED_TESTS:
        return Gate.RUNNING
    if not same_subject(tested, wanted):
        return Gate.MISMATCH
    if status != "COMPLETED":
        return Gate.FAILED
    if result is None or result.result is None:
        return Gate.RESULT_MISSING
    return _judge_result(result, policy, now)


def _judge_result(result: TestResult, policy: JourneyPolicy, now: datetime) -> Gate:
    """A result without a validity counts as valid: the gateway has the last word when the problem is raised."""
    if result.result == GREEN:
        return Gate.GREEN
    if result.code in policy.denied_test_codes:
        return Gate.DENIED
    if result.valid_until is not None and now >= result.valid_until - policy.test_validity_margin:
        return Gate.EXPIRED
    return Gate.OPEN
