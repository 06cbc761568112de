"""
The reference operation, `json.loads` of a fixed document: by what it costs, machines and moments can be compared.

A virtual machine's speed moves within an hour, and says nothing of it in its load.
"""

import json
import time
from collections.abc import Callable

from tests.bench.figures import median

TIMES = 500
LOOKS = 21
# 36 members in three levels, about 1.2 kB: what a KCI looks like.
DOCUMENT = json.dumps(
    {
        "id": 12345678,
        "entityType": "SERVICE_PROBLEM",
        "notes": [
            {"author": f"author {number}", "text": "It rains, and the line is down. " * 3} for number in range(6)
        ],
        "entity": {f"member{number}": {"value": f"value {number}", "number": number} for number in range(10)},
    }
)


def cpu_of(step: Callable[[], object], times: int) -> float:
    """CPU seconds of one of so many operations."""
    started = time.process_time()
    for _ in range(times):
        step()
    return (time.process_time() - started) / times


def reference_seconds() -> float:
    """CPU seconds of one reference operation."""
    return cpu_of(lambda: json.loads(DOCUMENT), TIMES)


def reference_us() -> float:
    """The same in microseconds, the median of many looks, for the circumstances of a run."""
    return round(1e6 * median([reference_seconds() for _ in range(LOOKS)]), 3)
