"""
A dispatcher that is wrong on purpose: it calls the gateway without a durable intent. Started only by the chaos suite's
negative control.
"""

import os
import sys

from bridge.domain.answers import Answer, NotTaken
from bridge.domain.journey.state import Planned
from bridge.flows import handle_ticket
from bridge.services.dispatcher import main
from bridge.services.start import run_reporting

durably = handle_ticket.HandleTicket._write_or_tell  # noqa: SLF001  # what is to be broken has no other name


async def without_the_intent(
    self: handle_ticket.HandleTicket, turn: "handle_ticket._Turn", sent: Planned, answer: Answer
) -> None:
    """Write outcomes, but not the intents before them."""
    if isinstance(answer, NotTaken) and answer.why == "NOT_SENT":
        return
    await durably(self, turn, sent, answer)


if __name__ == "__main__":
    handle_ticket.HandleTicket._write_or_tell = without_the_intent  # type: ignore[method-assign]  # noqa: SLF001  # as above
    sys.exit(run_reporting(main, os.environ))
