"""The `Clock` port over the machine's clock."""

from datetime import UTC, datetime


class WallClock:
    """Tells the machine's time."""

    def now(self) -> datetime:
        """Return the current time, in UTC."""
        return datetime.now(UTC)
