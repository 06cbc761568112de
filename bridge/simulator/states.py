"""
The lifecycles that the stub suppliers walk, as tables (contract section 6).

Rule 1: a move that is not in its table is a mistake in a scenario, and `check` refuses it.
Rule 2: everything here is data; what a move announces is a scenario's matter.
"""

from typing import Final

Moves = dict[str, frozenset[str]]

WORKED_ON: Final = frozenset({"ACKNOWLEDGED", "IN_PROGRESS", "PENDING", "HELD", "NETWORK_INCIDENT"})
"""The states to which a problem returns after an amendment or a refused cancellation ("previous" in the contract)."""


def _row(*targets: str) -> frozenset[str]:
    return frozenset(targets)


PROBLEM_MOVES: Final[Moves] = {  # 6.1; CANCELLED from every live state: the supplier may end it
    "RECEIVED_BY_GATEWAY": _row(
        "SENT_TO_SUPPLIER", "FAILED_TO_SEND", "ACKNOWLEDGED", "IN_PROGRESS", "REJECTED", "CANCELLED"
    ),
    "SENT_TO_SUPPLIER": _row("FAILED_TO_SEND", "ACKNOWLEDGED", "REJECTED", "IN_PROGRESS", "CANCELLED"),
    "ACKNOWLEDGED": _row(
        "IN_PROGRESS",
        "PENDING",
        "HELD",
        "NETWORK_INCIDENT",
        "RESOLVED",
        "PENDING_AMENDMENT",
        "PENDING_CANCELLATION",
        "CANCELLED",
    ),
    "IN_PROGRESS": _row(
        "PENDING",
        "HELD",
        "NETWORK_INCIDENT",
        "PENDING_AMENDMENT",
        "PENDING_CANCELLATION",
        "RESOLVED",
        "COMPLETED",
        "CANCELLED",
    ),
    "PENDING": _row(
        "IN_PROGRESS",
        "ACKNOWLEDGED",
        "HELD",
        "NETWORK_INCIDENT",
        "PENDING_AMENDMENT",
        "PENDING_CANCELLATION",
        "RESOLVED",
        "CANCELLED",
    ),
    "HELD": _row(
        "IN_PROGRESS",
        "PENDING",
        "NETWORK_INCIDENT",
        "PENDING_AMENDMENT",
        "PENDING_CANCELLATION",
        "RESOLVED",
        "CANCELLED",
    ),
    "NETWORK_INCIDENT": _row(
        "IN_PROGRESS", "HELD", "PENDING", "PENDING_AMENDMENT", "PENDING_CANCELLATION", "RESOLVED", "CANCELLED"
    ),
    "PENDING_AMENDMENT": WORKED_ON | _row("PENDING_AMENDMENT", "PENDING_CANCELLATION", "RESOLVED", "CANCELLED"),
    "PENDING_CANCELLATION": WORKED_ON | _row("RESOLVED", "CANCELLED"),
    "RESOLVED": _row("COMPLETED", "IN_PROGRESS", "CANCELLED"),
    "FAILED_TO_SEND": _row(),
    "REJECTED": _row(),
    "COMPLETED": _row(),
    "CANCELLED": _row(),
}

REQUEST_MOVES: Final[Moves] = {  # 6.2, amendments and cancellations
    "RECEIVED_BY_GATEWAY": _row("PENDING", "FAILED_TO_SEND", "COMPLETED", "REJECTED"),
    "PENDING": _row("COMPLETED", "REJECTED", "FAILED_TO_SEND"),
    "FAILED_TO_SEND": _row(),
    "REJECTED": _row(),
    "COMPLETED": _row(),
}

RESOLUTION_MOVES: Final[Moves] = {  # 6.3
    "PENDING": _row("ACCEPTED", "REJECTED"),
    "ACCEPTED": _row(),
    "REJECTED": _row(),
}

TEST_MOVES: Final[Moves] = {  # 6.4
    "RECEIVED_BY_GATEWAY": _row("SENT_TO_SUPPLIER", "FAILED_TO_SEND", "IN_PROGRESS", "REJECTED"),
    "SENT_TO_SUPPLIER": _row("IN_PROGRESS", "REJECTED", "FAILED", "FAILED_TO_SEND", "COMPLETED"),
    "IN_PROGRESS": _row("COMPLETED", "FAILED"),
    "FAILED_TO_SEND": _row(),
    "REJECTED": _row(),
    "COMPLETED": _row(),
    "FAILED": _row(),
}

AMENDABLE: Final = WORKED_ON | {"PENDING_AMENDMENT"}
"""Problem states in which an amendment is accepted (6.1; contract 3.24)."""

CANCELLABLE: Final = WORKED_ON | {"PENDING_AMENDMENT"}
"""Problem states in which a cancellation is accepted (6.1; contract 3.24)."""


class IllegalMove(Exception):
    """A scenario asked for a move that the lifecycle does not have; the entity did not move."""


def check(moves: Moves, start: str, target: str) -> None:
    """Pass when `moves` has the move; a state may always be announced again (same status, other fields)."""
    if target != start and target not in moves[start]:
        raise IllegalMove(f"the lifecycle has no move {start} -> {target}; mend the scenario or the table in states.py")


def is_final(moves: Moves, state: str) -> bool:
    """Whether nothing follows `state`."""
    return not moves[state]
