"""
A circuit breaker and a token bucket as arithmetic: frozen policies, replaced states, and time passed in as seconds.

Seconds are of any clock that never runs backwards, and of the same one throughout.
"""

from enum import StrEnum

from bridge.domain.answers import PERMIT_EXPIRED, Ambiguous, Answer, NotTaken
from bridge.domain.outcomes import Reason
from bridge.domain.record import Record


class BreakerPolicy(Record, frozen=True, kw_only=True):
    """After so many failures in a row it opens; after so many seconds one call may probe."""

    failures: int
    open_seconds: float


class Breaker(Record, frozen=True, kw_only=True):
    """What a breaker remembers. `opened_at` is None while it is closed; `probed_at` is when the latest probe left."""

    failures: int = 0
    opened_at: float | None = None
    probed_at: float | None = None


class Position(StrEnum):
    """Where a breaker stands, as metrics show it."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


def position(policy: BreakerPolicy, breaker: Breaker, now: float) -> Position:
    """OPEN lets nothing through, HALF_OPEN one probe, CLOSED everything."""
    if breaker.opened_at is None:
        return Position.CLOSED
    return Position.OPEN if now < breaker.opened_at + policy.open_seconds else Position.HALF_OPEN


def closed_until(policy: BreakerPolicy, breaker: Breaker, now: float) -> float | None:
    """
    When to ask again, or None if a call may pass now.

    While a probe is out, nobody else passes; a probe that was never heard of again blocks for one open period only.
    """
    match position(policy, breaker, now):
        case Position.CLOSED:
            return None
        case Position.OPEN:
            return (breaker.opened_at or 0.0) + policy.open_seconds
        case Position.HALF_OPEN:
            if breaker.probed_at is None or now >= breaker.probed_at + policy.open_seconds:
                return None
            return breaker.probed_at + policy.open_seconds


def passed(policy: BreakerPolicy, breaker: Breaker, now: float) -> Breaker:
    """A call was let through: in HALF_OPEN it is the probe."""
    if position(policy, breaker, now) is not Position.HALF_OPEN:
        return breaker
    return Breaker(failures=breaker.failures, opened_at=breaker.opened_at, probed_at=now)


def succeeded(policy: BreakerPolicy, breaker: Breaker, now: float) -> Breaker:
    """
    A call came back well: closes, or stays closed.

    While it is OPEN the good news is older than the bad, and changes nothing.
    """
    return breaker if position(policy, breaker, now) is Position.OPEN else Breaker()


def failed(policy: BreakerPolicy, breaker: Breaker, now: float) -> Breaker:
    """A call failed: one more in a row, or a failed probe, which opens anew. In OPEN it is old news."""
    match position(policy, breaker, now):
        case Position.CLOSED:
            failures = breaker.failures + 1
            return Breaker(failures=failures, opened_at=now if failures >= policy.failures else None)
        case Position.OPEN:
            return breaker
        case Position.HALF_OPEN:
            return Breaker(failures=breaker.failures + 1, opened_at=now)


def withdrawn(policy: BreakerPolicy, breaker: Breaker, now: float) -> Breaker:
    """A call that was let through was not made, or taught nothing: if it was the probe, another may go."""
    if position(policy, breaker, now) is not Position.HALF_OPEN:
        return breaker
    return Breaker(failures=breaker.failures, opened_at=breaker.opened_at)


def went_well(answer: Answer) -> bool | None:
    """
    Whether an answer says that the way to a supplier works, or is broken (not only that this command was); None: it
    says neither, since nothing was sent that could have tried the way.

    A refusal, a 429 and an unreadable 2xx come from a gateway that works; a 429 is served by its Retry-After instead.
    """
    match answer:
        case Ambiguous():
            return answer.reason is Reason.UNREADABLE_ANSWER
        case NotTaken() if answer.why in ("INVALID_REQUEST", PERMIT_EXPIRED):
            return None
        case NotTaken():
            return answer.why == "RATE_LIMITED"
        case _:
            return True


class BucketPolicy(Record, frozen=True, kw_only=True):
    """So many calls a second in the long run, and so many at once after a rest."""

    rate: float
    burst: float


class Bucket(Record, frozen=True, kw_only=True):
    """How many calls were left at a moment."""

    left: float
    at: float


def full(policy: BucketPolicy, now: float) -> Bucket:
    """A bucket that nobody has used for long."""
    return Bucket(left=policy.burst, at=now)


def take(policy: BucketPolicy, bucket: Bucket, now: float) -> tuple[Bucket, float]:
    """One call's worth: the bucket after it and 0, or the bucket as it is and the seconds until there is one."""
    left = min(policy.burst, bucket.left + max(0.0, now - bucket.at) * policy.rate)
    if left >= 1:
        return Bucket(left=left - 1, at=now), 0.0
    return Bucket(left=left, at=now), (1 - left) / policy.rate
