"""
The dispatcher dies with calls under way, and is started again: what it did not know then, and how that was settled.

To have calls of both kinds under way for certain, the gateway first takes raises and gives no answer, and then is so
slow that it has not taken others yet.
"""

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bridge.cli.demo.board import Board, TicketView
from bridge.cli.demo.books import COMMANDS, OPERATIONS, Books, Call, told_accepted
from bridge.domain.correlation import ticket_of
from bridge.domain.journeys import PendingCommand
from bridge.domain.outcomes import CommandName, GatewayOutcome, Reason, Verdict
from bridge.sandbox.processes import Child

RAISES = OPERATIONS[CommandName.RAISE_PROBLEM]
SILENT: Mapping[str, Any] = {"rules": [{"fault": "ANSWER_NEVER", "operations": [RAISES]}]}
SLOW: Mapping[str, Any] = {"latency_seconds": 10}
FAIR: Mapping[str, Any] = {}
POLL_SECONDS = 0.1
# How many raises are to be taken without an answer, and how many are to be on their way.
TAKEN_WANTED = 2
NOT_TAKEN_WANTED = 1
READY_SECONDS = 60.0
# How long evidence may take to come by itself before the supplier is rung.
RING_AFTER_SECONDS = 2.0

Note = Callable[[str], None]
Resolve = Callable[[str, str, str], Awaitable[None]]


@dataclass
class Crash:
    """What happened: the calls that were under way, and the commands about which the supplier was rung."""

    killed_during: list[Call] = field(default_factory=list)
    restarted: bool = False
    rung_for: set[str] = field(default_factory=set)

    async def kill_and_restart(self, dispatcher: Child, books: Books, note: Note) -> None:
        """Wait for the first problem, upset the gateway, kill while calls are under way, start again."""
        await _until(books, lambda calls: any(call.accepted for call in calls))
        await books.set_weather(SILENT)
        await _until(books, lambda calls: sum(call.under_way and call.accepted for call in calls) >= TAKEN_WANTED)
        await books.set_weather(SLOW)
        await _until(
            books, lambda calls: sum(call.under_way and not call.accepted for call in calls) >= NOT_TAKEN_WANTED
        )
        self.killed_during = [call for call in await books.calls() if call.under_way and call.operation in COMMANDS]
        await asyncio.to_thread(dispatcher.kill)
        note(f"kill -9 {dispatcher.pid}, the dispatcher, with calls under way: {_listed(self.killed_during)}")
        await books.set_weather(FAIR)
        dispatcher.start()
        note(f"started again, as process {dispatcher.pid}; it gets the partitions once the dead one is missed")
        await asyncio.to_thread(dispatcher.wait_ready, READY_SECONDS)
        note("the dispatcher has its partitions and looks at what it finds")
        self.restarted = True

    async def ring_the_supplier(self, board: Board, books: Books, resolve: Resolve, note: Note) -> None:
        """
        Be the operator, as long as it is needed: a person is asked about a command, rings the supplier, and decides.

        Where the supplier has it, its KCIs are the evidence, and the person waits for them.
        """
        asked_since: dict[str, float] = {}
        clock = asyncio.get_running_loop().time
        while True:
            for view in board.views.values():
                pending = view.journey.pending if view.journey is not None else None
                if view.attention != "RESOLVE_UNKNOWN" or pending is None or pending.command_id in self.rung_for:
                    asked_since.pop(view.ticket_id, None)
                elif clock() - asked_since.setdefault(view.ticket_id, clock()) >= RING_AFTER_SECONDS:
                    await self._ring(view, pending, books, resolve, note)
            await asyncio.sleep(POLL_SECONDS)

    async def _ring(
        self, view: TicketView, pending: PendingCommand, books: Books, resolve: Resolve, note: Note
    ) -> None:
        calls = await books.calls(operation=OPERATIONS[pending.command], conversation_id=view.conversation_id)
        if any(call.under_way for call in calls):
            return
        taken = sum(call.accepted for call in calls) > told_accepted(view, pending.command)
        if taken and pending.command is CommandName.RAISE_PROBLEM:
            return
        self.rung_for.add(pending.command_id)
        choice = "--accepted=0" if taken else "--retry"
        found = "they have it" if taken else "they never got it"
        note(f"{view.ticket_id}: nobody knows whether {pending.command} was taken; rang the supplier: {found}")
        note(f"$ bridge journeys resolve {view.ticket_id} {choice} --why 'rang the supplier: {found}'")
        await resolve(view.ticket_id, choice, f"rang the supplier: {found}")

    def shortcomings(self, board: Board) -> Iterator[tuple[str, str]]:
        """Where the crash did not do what it is for: a ticket, and a sentence on its call that nobody told UNKNOWN."""
        if not self.restarted:
            yield "crash", "the time was over before the dispatcher was killed and back"
        for call in self.killed_during:
            ticket, command = ticket_of(call.conversation_id) or "no ticket", COMMANDS[call.operation]
            view = board.views.get(ticket)
            told = [] if view is None else [outcome for outcome in interrupted(view) if outcome.command is command]
            if not told:
                yield ticket, f"its {command} was under way when the dispatcher was killed, and was not told UNKNOWN"


def interrupted(view: TicketView) -> list[GatewayOutcome]:
    """The outcomes that tell of a call whose worker went away."""
    return [
        outcome
        for outcome in view.outcomes
        if outcome.verdict is Verdict.UNKNOWN and outcome.reason is Reason.INTERRUPTED
    ]


def findings(board: Board) -> Iterator[tuple[GatewayOutcome, GatewayOutcome | None]]:
    """Every command that was interrupted, and the outcome that settled it."""
    for view in board.views.values():
        for unknown in interrupted(view):
            later = view.outcomes[view.outcomes.index(unknown) + 1 :]
            of_it = (each for each in later if each.command_id == unknown.command_id)
            yield unknown, next((each for each in of_it if each.verdict is not Verdict.UNKNOWN), None)


def operator() -> str:
    """The name under which the demo decides."""
    return f"{getpass.getuser()} (demo)"


async def _until(books: Books, holds: Callable[[list[Call]], bool]) -> None:
    """Look at the raises in the ledger until it holds."""
    while not holds(await books.calls(operation=RAISES)):  # noqa: ASYNC110 - another process is waited for
        await asyncio.sleep(POLL_SECONDS)


def _listed(calls: list[Call]) -> str:
    """Such as `2 RAISE_PROBLEM that the gateway has taken, 1 RUN_TEST that it has not`."""
    kinds = [(COMMANDS[call.operation].value, call.accepted) for call in calls]
    return ", ".join(
        f"{kinds.count((name, taken))} {name} that the gateway has{'' if taken else ' not'} taken"
        for name, taken in dict.fromkeys(kinds)
    )
