"""The `Clock` port over the machine's clock."""

import time
from datetime import UTC, datetime


class WallClock:
    """Tells the machine's time."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        return datetime.now(UTC)


def uptime() -> float:
    """Seconds of a clock that never runs backwards, and goes on while the machine is suspended (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
