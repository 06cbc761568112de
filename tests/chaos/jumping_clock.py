"""
A service whose wall clock jumps, as a machine's does when its time is set. Started only by the chaos suite.

The file that CHAOS_CLOCK names says how many seconds its clock is ahead. Its monotonic clock, and what libraries take
from the system's clock, go right.
"""

import os
import sys
from datetime import datetime, timedelta, tzinfo
from importlib import import_module
from pathlib import Path

from bridge.services.start import run_reporting

SHOWN = Path(os.environ["CHAOS_CLOCK"])
# Every module of the bridge that asks for the time of day while a service runs.
MODULES = ("bridge.adapters.clock", "bridge.adapters.streams.lanes", "bridge.adapters.streams.app")


class JumpingDatetime:
    """Takes the place of `datetime` in those modules: it tells the time that the file says."""

    @staticmethod
    def now(tz: tzinfo) -> datetime:
        return datetime.now(tz) + timedelta(seconds=float(SHOWN.read_text() or 0))

    @staticmethod
    def fromtimestamp(timestamp: float, tz: tzinfo) -> datetime:
        return datetime.fromtimestamp(timestamp, tz)


if __name__ == "__main__":
    for module in MODULES:
        setattr(import_module(module), "datetime", JumpingDatetime)  # noqa: B010  # mypy follows no such assignment
    sys.exit(run_reporting(import_module(f"bridge.services.{sys.argv[1]}").main, os.environ))
