"""
The gateway's own books, read after the fact: what the simulator says of its problems, and what it was really asked.

Nothing that the demo does while tickets are under way is decided by these, except where a person rings the supplier.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import BaseModel

from bridge.cli.demo.board import Board, TicketView
from bridge.domain.outcomes import CommandName, Verdict

# The operations that change something at the gateway, by the simulator's names for them.
OPERATIONS = {
    CommandName.RUN_TEST: "tests",
    CommandName.RAISE_PROBLEM: "problems",
    CommandName.AMEND_PROBLEM: "amendments",
    CommandName.CANCEL_PROBLEM: "cancellations",
    CommandName.ANSWER_RESOLUTION: "resolutions",
}
COMMANDS = {operation: command for command, operation in OPERATIONS.items()}


class Call(BaseModel):
    """One request in the ledger."""

    seq: int
    operation: str
    conversation_id: str | None
    accepted: bool
    finished: float | None
    status: int | None
    fault: str | None

    @property
    def under_way(self) -> bool:
        """Whether it was not answered yet."""
        return self.finished is None


class TrueProblem(BaseModel):
    """A problem as the gateway has it."""

    id: int
    status: str
    external_identifier: str | None


class Books:
    """A connection to the simulator's ledger, truth and control; open as long as the context is."""

    def __init__(self, address: str) -> None:
        self._client = httpx.AsyncClient(base_url=f"http://{address}", timeout=10)

    async def calls(self, **fields: str) -> list[Call]:
        """The requests that were made, in order of arrival; a field narrows them."""
        answer = await self._client.get("/ledger", params=fields)
        return [Call.model_validate(entry) for entry in answer.raise_for_status().json()["entries"]]

    async def problems(self) -> list[TrueProblem]:
        """Every problem as it stands."""
        answer = await self._client.get("/truth")
        return [TrueProblem.model_validate(problem) for problem in answer.raise_for_status().json()["problems"]]

    async def set_weather(self, weather: Mapping[str, Any]) -> None:
        """Disturb everybody, or nobody (`{}`)."""
        answer = await self._client.put("/control/faults", json=dict(weather))
        answer.raise_for_status()

    async def __aenter__(self) -> Self:
        """Connect."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._client.aclose()


def differs_from_truth(board: Board, problems: Iterable[TrueProblem]) -> Iterator[tuple[str, str]]:
    """Where `problem-status` is not what the gateway has: the ticket (or the problem) and a sentence."""
    true = {str(problem.id): problem for problem in problems}
    for problem_id, problem in true.items():
        ticket = problem.external_identifier or f"problem {problem_id}"
        told = board.problem_status.get(problem_id)
        if told is None:
            yield ticket, f"problem {problem_id} is {problem.status} at the gateway, and not in problem-status"
        elif told.status != problem.status:
            yield ticket, f"problem {problem_id} is {told.status} in problem-status and {problem.status} at the gateway"
    for problem_id, told in board.problem_status.items():
        if problem_id not in true:
            yield told.ticket_id or f"problem {problem_id}", f"problem {problem_id} is unknown at the gateway"
    for owner, count in Counter(problem.external_identifier for problem in true.values()).items():
        if count > 1:
            yield owner or "no ticket", f"the gateway has {count} problems of it"


def differs_from_ledger(board: Board, calls: Iterable[Call]) -> Iterator[tuple[str, str]]:
    """Where the gateway accepted a command twice, or one that was told otherwise: the ticket and a sentence."""
    accepted = Counter((call.conversation_id, COMMANDS.get(call.operation)) for call in calls if call.accepted)
    for view in board.views.values():
        for command, operation in OPERATIONS.items():
            at_gateway, told = accepted[view.conversation_id, command], told_accepted(view, command)
            if at_gateway == told or (at_gateway > told and _may_repeat(view, command)):
                continue
            yield (
                view.ticket_id,
                f"the gateway accepted {at_gateway} {operation}, and {told} {command} were told ACCEPTED",
            )


def told_accepted(view: TicketView, command: CommandName) -> int:
    """How many commands of this kind were told to be ACCEPTED."""
    told = (outcome for outcome in view.outcomes if outcome.command is command)
    return len({outcome.command_id for outcome in told if outcome.verdict is Verdict.ACCEPTED})


def _may_repeat(view: TicketView, command: CommandName) -> bool:
    """A test whose fate is UNKNOWN may be run again after a wait: it changes nothing, and costs little."""
    unknown = any(outcome.verdict is Verdict.UNKNOWN for outcome in view.outcomes if outcome.command is command)
    return command is CommandName.RUN_TEST and unknown
