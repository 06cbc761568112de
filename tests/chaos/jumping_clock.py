"""
A service whose whole wall clock jumps, as a machine's does when its time is set. Started only by the chaos suite.

The file that CHAOS_CLOCK names says how many seconds the process is ahead of the machine. time-machine moves whatever
tells the time of day in the process (`time.time`, `datetime.now`, and so on), for the bridge and for every library that
imported it; the monotonic clock goes on, as it does when a real clock is set. Compiled parts that ask the C library are
not reached, so the suite has aiokafka do without its own. The product has no switch for it.
"""

import os
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

import time_machine

from bridge.services.start import run_reporting

LOOK_SECONDS = 0.05


class JumpingClock:
    """The wall clock of this process, ahead of the machine's by what a file says."""

    def __init__(self, shown: Path) -> None:
        """Take the process's clock over; it is right until `follow` has looked at the file."""
        self._shown = shown
        self._ahead = 0.0
        self._clock = time_machine.travel(time.time(), tick=True).start()

    def look(self) -> None:
        """Jump if the file says something new; it may be empty while it is being written."""
        text = self._shown.read_text()
        if text and float(text) != self._ahead:
            self._ahead = float(text)
            self._clock.move_to(time_machine.escape_hatch.time.time() + self._ahead)

    def follow(self) -> None:
        """Look again and again, for ever."""
        while True:
            self.look()
            time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    clock = JumpingClock(Path(os.environ["CHAOS_CLOCK"]))
    clock.look()
    threading.Thread(target=clock.follow, name="clock", daemon=True).start()
    sys.exit(run_reporting(import_module(f"bridge.services.{sys.argv[1]}").main, os.environ))
