"""
A dispatcher that takes tickets over for longer than its session, as one does that has millions of them. Started only by
`test_long_take_over.py`.
"""

import os
import sys
import time
from collections.abc import Iterable

from bridge.flows.handle_ticket import HandleTicket, Table
from bridge.services.dispatcher import main
from bridge.services.start import run_reporting

LASTS_SECONDS = 10.0
at_once = HandleTicket.opened


async def at_length(self: HandleTicket, partitions: Iterable[Table]) -> None:
    """As it is, and much later; nothing else has a turn meanwhile, as when millions of tickets are looked at."""
    time.sleep(LASTS_SECONDS)  # noqa: ASYNC251  # as the docstring says
    await at_once(self, partitions)


if __name__ == "__main__":
    HandleTicket.opened = at_length  # type: ignore[method-assign]  # in this program alone
    sys.exit(run_reporting(main, os.environ))
