"""
A dispatcher that the chaos suite can hold at a chosen point of every call: just before the intent is written, or just
behind it. Apart from that it is the product; the product has no switch for it.

CHAOS_HOLD names a file that says who is to be held and where; each call that is held is noted in the file beside it,
with its conversation and its command. Whoever is held and then stopped is a zombie whose calls stand all at one point.
"""

import asyncio
import os
import sys
from pathlib import Path

from bridge.domain.answers import Answer, NotTaken
from bridge.domain.journey.state import Planned
from bridge.flows import handle_ticket
from bridge.services.dispatcher import main
from bridge.services.start import run_reporting
from tests.chaos.hold import HOLD, NAME, Hold, Point

LOOK_SECONDS = 0.02

durably = handle_ticket.HandleTicket._write_or_tell  # noqa: SLF001  # what is to be held has no other name


def hold_calls(file: Path, name: str) -> None:
    """Make the dispatcher of this process one that can be held."""
    hold = Hold(file)

    async def at(point: Point, turn: "handle_ticket._Turn", sent: Planned) -> None:
        if hold.stands(name, point):
            journey = turn.ticket.journey
            hold.note(journey.conversation_id if journey is not None else "-", sent.name)
        while hold.stands(name, point):  # noqa: ASYNC110  # what is waited for is another process
            await asyncio.sleep(LOOK_SECONDS)

    async def held(
        self: handle_ticket.HandleTicket, turn: "handle_ticket._Turn", sent: Planned, answer: Answer
    ) -> None:
        is_intent = isinstance(answer, NotTaken) and answer.why == "NOT_SENT"
        if is_intent:
            await at(Point.BEFORE_THE_INTENT, turn, sent)
        await durably(self, turn, sent, answer)
        if is_intent:
            await at(Point.BEHIND_THE_INTENT, turn, sent)

    handle_ticket.HandleTicket._write_or_tell = held  # type: ignore[method-assign]  # noqa: SLF001  # as above


if __name__ == "__main__":
    hold_calls(Path(os.environ[HOLD]), os.environ[NAME])
    sys.exit(run_reporting(main, os.environ))
