"""Sums over what was measured."""

from collections.abc import Sequence

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """The percentiles of durations, in milliseconds, by nearest rank; empty for none."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {
        name: round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)
        for name, share in SHARES.items()
    } | {"worst": round(1000 * ordered[-1], 3)}


def median(values: Sequence[float]) -> float:
    """The middle value; of an even number, the mean of the two in the middle."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
