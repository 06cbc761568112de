"""
The work of the case deliver: amendments of open problems, each one POST, numbered within their ticket.

Ticket n has problem n. Both sides of every comparison are given the same numbers in the same order: our services as
Avro records of `fault-tickets`, the rivals as the JSON body that our services make of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from bridge.adapters.gateway import wire
from bridge.domain.commands import AmendProblem
from bridge.domain.tickets import FaultAmended, FaultTicketEvent

# A ticket has this many commands, so that order matters and no ticket's history grows out of proportion.
ROUNDS = 10
# As long as what people write about a fault.
NOTES = "The customer tells that the light on the terminal is out since the storm, and will be at home from noon. " * 4
# `sink.py` reads the number behind this; problemText has 10 characters at least (contract 1.5).
TEXT = "amendment "
# What stands in the notes when nobody meant the command to be sent at a certain time.
AT_ANY_TIME = 0.0


@dataclass(frozen=True)
class Numbered:
    """The command `number` (from 0) of ticket `ticket` (from 1); `at` is when it was meant to be sent, monotonic s."""

    ticket: int
    number: int
    at: float = AT_ANY_TIME

    @property
    def ticket_id(self) -> str:
        return ticket_id(self.ticket)

    @property
    def key(self) -> bytes:
        return self.ticket_id.encode()

    def event(self) -> FaultTicketEvent:
        """What the provider tells."""
        return FaultTicketEvent(
            event_id=f"{self.number}",
            ticket_id=self.ticket_id,
            occurred_at=datetime.now(UTC),
            event=FaultAmended(problem_text=self._text, notes=self._notes),
        )

    def body(self) -> bytes:
        """What the gateway is sent."""
        command = AmendProblem(service_problem_id=self.ticket, problem_text=self._text, notes=self._notes)
        content = wire.request(command).content
        assert content is not None
        return content

    @property
    def _text(self) -> str:
        return f"{TEXT}{self.number}"

    @property
    def _notes(self) -> str:
        return f"{self.at:.6f} {NOTES}"


def ticket_id(number: int) -> str:
    """The id of a ticket."""
    return f"TT-{number:07d}"


def round_robin(tickets: int, rounds: int, first: int = 0) -> Iterator[Numbered]:
    """Each ticket's next command in turn, so that a ticket's own commands are far apart."""
    for number in range(first, first + rounds):
        for ticket in range(1, tickets + 1):
            yield Numbered(ticket, number)
