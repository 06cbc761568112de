"""
A dispatcher that is wrong on purpose: nobody fences its table. Started only by the chaos suite's negative control.

Its transactions are as those of careful programs are, all or nothing and with a transactional id of its own process;
they only do not ask the consumer group, so a worker that lost its partitions can still write to them. It can be held as
the sound one can (`held_dispatcher.py`).
"""

import os
import sys
from pathlib import Path

from bridge.adapters.streams.transactions import GroupProducer
from bridge.services.dispatcher import main
from bridge.services.start import run_reporting
from tests.chaos.held_dispatcher import hold_calls
from tests.chaos.hold import HOLD, NAME


async def without_asking(*_: object) -> None:
    """The group is not told who commits, and cannot object."""


if __name__ == "__main__":
    setattr(GroupProducer, "_commit_offsets", without_asking)  # noqa: B010  # in this program alone
    hold_calls(Path(os.environ[HOLD]), os.environ[NAME])
    sys.exit(run_reporting(main, os.environ))
