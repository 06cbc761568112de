"""When a command that was certainly not taken is sent again."""

from datetime import timedelta

from bridge.domain.policy import JourneyPolicy

# Beyond this many doublings every wait is the longest one; it keeps the arithmetic small.
_MOST_DOUBLINGS = 40


def backoff(policy: JourneyPolicy, attempts: int, jitter: float, retry_after_seconds: float | None = None) -> timedelta:
    """
    The wait after so many attempts (1 or more): exponential with full jitter, at most `retry_longest`.

    `jitter` is a random number in 0..1. A Retry-After comes first and the jittered wait on top of it, so that all
    who were told the same moment do not come back in the same moment.
    """
    doublings = min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    first, longest = policy.retry_first.total_seconds(), policy.retry_longest.total_seconds()
    wait = min(longest, first * 2.0**doublings) * min(max(jitter, 0.0), 1.0)
    return timedelta(seconds=max(retry_after_seconds or 0.0, 0.0) + wait)
