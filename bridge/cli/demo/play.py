"""The play: tickets are published, followed on the topics, and answered as the provider's ticketing system would."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from bridge.cli.demo.board import Board
from bridge.cli.demo.books import Books, differs_from_ledger, differs_from_truth
from bridge.cli.demo.cluster import Cluster
from bridge.cli.demo.crash import Crash, operator
from bridge.cli.demo.displays import Display
from bridge.cli.demo.place import Place
from bridge.cli.demo.services import Services, tail
from bridge.cli.demo.stories import Story
from bridge.cli.demo.ticketing import TicketingSystem, is_finished
from bridge.cli.demo.verdicts import differences
from bridge.cli.demo.wire import Wire, connect
from bridge.sandbox.errors import SandboxError
from bridge.sandbox.processes import Child
from bridge.services.codec import codec_for
from bridge.settings import SchemaSettings
from bridge.topics import Party, Topics

# Two topics that tell of the same thing are read a moment apart; what still differs after that is different.
SETTLE_SECONDS = 5.0
COMMAND_SECONDS = 30.0


@dataclass
class Result:
    """What came of it: the tickets, what differs (by ticket, or by what else it is about), and the crash, if any."""

    board: Board
    wrong: dict[str, list[str]] = field(default_factory=dict)
    crash: Crash | None = None

    def add(self, about: str, sentence: str) -> None:
        """Note a difference."""
        self.wrong.setdefault(about, []).append(sentence)


@dataclass(frozen=True)
class Play:
    """One run. `deadline` is on the monotonic clock: a ticket that is not at its end then has failed."""

    stories: Sequence[Story]
    place: Place
    cluster: Cluster
    topics: Topics
    services: Services
    display: Display
    deadline: float

    async def perform(self, *, crash: bool) -> Result:
        """Run it to its end or to the deadline, and hold what came of it against stories and books."""
        result = Result(Board(story.ticket_id for story in self.stories), crash=Crash() if crash else None)
        settings = self.cluster.settings
        codec = await codec_for(settings, SchemaSettings(), self.topics, Party.CLI)
        async with Books(self.place.simulator) as books, connect(settings, self.topics, codec) as wire:
            disturbance = asyncio.create_task(self._disturb(result, books))
            self.display.start()
            try:
                await self._follow(result, wire, disturbance)
                await self._compare(result, wire, books)
            finally:
                self.display.stop()
                disturbance.cancel()
                with suppress(asyncio.CancelledError):
                    await disturbance
        return result

    async def _follow(self, result: Result, wire: Wire, disturbance: asyncio.Task[None]) -> None:
        """Read, answer and show, until every ticket is at its end or the time is over."""
        ticketing = TicketingSystem(self.stories, result.board, wire.send, time.monotonic)
        while time.monotonic() < self.deadline:
            await self._hear(result.board, wire)
            await ticketing.act()
            self.services.check()
            if disturbance.done():
                disturbance.result()
            over = result.crash is None or result.crash.restarted
            if over and all(is_finished(story, result.board.views[story.ticket_id]) for story in self.stories):
                return

    async def _hear(self, board: Board, wire: Wire) -> None:
        for record in await wire.news():
            board.apply(record)
        self.display.show(board)

    async def _compare(self, result: Result, wire: Wire, books: Books) -> None:
        """Hold the board against the gateway's books until they agree, or the time to settle is over."""
        until = time.monotonic() + SETTLE_SECONDS
        while True:
            await self._hear(result.board, wire)
            found = [
                *differs_from_truth(result.board, await books.problems()),
                *differs_from_ledger(result.board, await books.calls()),
            ]
            if not found or time.monotonic() >= until:
                break
        for story in self.stories:
            for sentence in differences(story, result.board.views[story.ticket_id]):
                result.add(story.ticket_id, sentence)
        overlooked = result.crash.shortcomings(result.board) if result.crash is not None else ()
        for about, sentence in (*found, *overlooked):
            result.add(about, sentence)

    async def _disturb(self, result: Result, books: Books) -> None:
        """Let the dispatcher crash, where that is wanted, and be the operator afterwards."""
        if result.crash is None:
            return
        dispatcher = self.services.children["dispatcher"]
        self.services.may_be_down.add("dispatcher")
        await result.crash.kill_and_restart(dispatcher, books, self.display.note)
        self.services.may_be_down.discard("dispatcher")
        await result.crash.ring_the_supplier(result.board, books, self._resolve, self.display.note)

    async def _resolve(self, ticket: str, choice: str, why: str) -> None:
        """Decide as a person does, with the same command."""
        arguments = ("journeys", "resolve", ticket, choice, "--why", why, "--by", operator())
        command = Child(self.place.command("operator", *arguments))
        try:
            command.start()
            code = await asyncio.to_thread(command.wait_ended, COMMAND_SECONDS)
        finally:
            command.kill()
        if code != 0:
            raise SandboxError(f"bridge journeys resolve ended with {code}{tail(command)}")
