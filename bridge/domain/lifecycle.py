"""
The lifecycles of what the gateway holds, as tables: which status may follow which, and who says so (contract 6).

Rule: the gateway is the authority. A table judges a move; it never forbids the gateway anything, and a status that no
page lists is judged like any other.
"""

from enum import StrEnum

from bridge.domain.record import Record
from bridge.domain.statuses import Move


class ProblemStatus(StrEnum):
    """The statuses of a problem that the contract lists (2.1); the gateway may send others."""

    RECEIVED_BY_GATEWAY = "RECEIVED_BY_GATEWAY"
    SENT_TO_SUPPLIER = "SENT_TO_SUPPLIER"
    FAILED_TO_SEND = "FAILED_TO_SEND"
    REJECTED = "REJECTED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    IN_PROGRESS = "IN_PROGRESS"
    PENDING = "PENDING"
    HELD = "HELD"
    NETWORK_INCIDENT = "NETWORK_INCIDENT"
    PENDING_AMENDMENT = "PENDING_AMENDMENT"
    PENDING_CANCELLATION = "PENDING_CANCELLATION"
    CANCELLED = "CANCELLED"
    RESOLVED = "RESOLVED"
    COMPLETED = "COMPLETED"


class RequestStatus(StrEnum):
    """The statuses of an amendment or a cancellation that the contract lists (2.2)."""

    RECEIVED_BY_GATEWAY = "RECEIVED_BY_GATEWAY"
    PENDING = "PENDING"
    FAILED_TO_SEND = "FAILED_TO_SEND"
    REJECTED = "REJECTED"
    COMPLETED = "COMPLETED"


class ResolutionStatus(StrEnum):
    """The statuses of a resolution that the contract lists (2.10)."""

    PENDING = "PENDING"
    REJECTED = "REJECTED"
    ACCEPTED = "ACCEPTED"


class TestStatus(StrEnum):
    """The statuses of a service test that the contract lists (2.11)."""

    __test__ = False  # pytest would take it for a test class

    RECEIVED_BY_GATEWAY = "RECEIVED_BY_GATEWAY"
    SENT_TO_SUPPLIER = "SENT_TO_SUPPLIER"
    FAILED_TO_SEND = "FAILED_TO_SEND"
    REJECTED = "REJECTED"
    IN_PROGRESS = "IN_PROGRESS"
    FAILED = "FAILED"
    COMPLETED = "COMPLETED"


class Standing(StrEnum):
    """How well founded a row of a lifecycle is."""

    # A published page states it.
    STATED = "STATED"
    # A page states it for orders; it is taken to hold here too.
    STATED_FOR_ORDERS = "STATED_FOR_ORDERS"
    # No page states it: concluded from names, lists and the supplier's side.
    INFERRED = "INFERRED"


class Row(Record, frozen=True, kw_only=True):
    """One listed move. `from_status` None is the answer to the POST, or the message that first tells of it."""

    from_status: str | None
    to_status: str
    standing: Standing
    source: str


class Lifecycle(Record, frozen=True, kw_only=True):
    """All listed moves of one kind of thing, the statuses that end it, and where the end is stated."""

    title: str
    section: str
    statuses: tuple[str, ...]
    rows: tuple[Row, ...]
    terminal: dict[str, Standing]

    def ends_in(self, status: str | None) -> bool:
        """Whether nothing may follow this status. An unknown status is live."""
        return status in self.terminal

    def lists(self, from_status: str | None, to_status: str) -> bool:
        """Whether the table has this move."""
        return any(row.from_status == from_status and row.to_status == to_status for row in self.rows)


def judge(lifecycle: Lifecycle, from_status: str | None, to_status: str) -> Move:
    """
    How a move relates to its table: EXPECTED, UNLISTED (out of a live status) or AFTER_END (out of a terminal one).

    What is first heard of may be anywhere in its life, and staying where it is is no move: both are EXPECTED.
    """
    if from_status is None or from_status == to_status:
        return Move.EXPECTED
    if lifecycle.ends_in(from_status):
        return Move.AFTER_END
    return Move.EXPECTED if lifecycle.lists(from_status, to_status) else Move.UNLISTED


# What "the previous status" of a problem can be (contract 6, legend): a supplier has it and the fault is not fixed.
WITH_SUPPLIER = (
    ProblemStatus.ACKNOWLEDGED,
    ProblemStatus.IN_PROGRESS,
    ProblemStatus.PENDING,
    ProblemStatus.HELD,
    ProblemStatus.NETWORK_INCIDENT,
)


def _rows(froms: str | None, tos: str, standing: Standing, source: str) -> tuple[Row, ...]:
    """One row for each pair of the named statuses; `froms` None is the beginning."""
    return tuple(
        Row(from_status=from_status, to_status=to_status, standing=standing, source=source)
        for from_status in ([None] if froms is None else froms.split())
        for to_status in tos.split()
    )


_S, _O, _I = Standing.STATED, Standing.STATED_FOR_ORDERS, Standing.INFERRED
_PREVIOUS = " ".join(WITH_SUPPLIER)

PROBLEM = Lifecycle(
    title="Service problem",
    section="6.1",
    statuses=tuple(ProblemStatus),
    rows=(
        *_rows(None, "RECEIVED_BY_GATEWAY", _S, "problemstate"),
        *_rows("RECEIVED_BY_GATEWAY", "SENT_TO_SUPPLIER", _S, "problemstate"),
        *_rows("RECEIVED_BY_GATEWAY", "FAILED_TO_SEND", _S, "problemstate, problemkcis"),
        *_rows("SENT_TO_SUPPLIER", "FAILED_TO_SEND", _I, "the error code SUPPLIER_TIMED_OUT exists"),
        *_rows("SENT_TO_SUPPLIER", "ACKNOWLEDGED", _S, "problemstate"),
        *_rows("SENT_TO_SUPPLIER", "REJECTED", _S, 'problemstate: "prior to acknowledgement"'),
        *_rows("SENT_TO_SUPPLIER", "IN_PROGRESS", _S, "supplier API: a supplier may commit at once"),
        *_rows(
            "RECEIVED_BY_GATEWAY",
            "ACKNOWLEDGED IN_PROGRESS REJECTED",
            _I,
            "a supplier that answers synchronously, or a KCI that was skipped",
        ),
        *_rows("ACKNOWLEDGED", "IN_PROGRESS", _S, "problemkciflows"),
        *_rows("ACKNOWLEDGED", "PENDING HELD NETWORK_INCIDENT RESOLVED", _I, "as from IN_PROGRESS"),
        *_rows("IN_PROGRESS", "PENDING", _S, "problemkciflows"),
        *_rows("PENDING", "IN_PROGRESS ACKNOWLEDGED", _S, 'problemkciflows: "return to the previous state"'),
        *_rows("IN_PROGRESS", "HELD", _S, "problemstate; DELAY leads to HELD"),
        *_rows("HELD", "IN_PROGRESS", _S, "RESUMED leads to IN_PROGRESS"),
        *_rows("PENDING", "HELD", _I, "both wait"),
        *_rows("HELD", "PENDING", _I, "both wait"),
        *_rows("IN_PROGRESS HELD PENDING", "NETWORK_INCIDENT", _I, "listed, nowhere described"),
        *_rows("NETWORK_INCIDENT", "IN_PROGRESS HELD PENDING RESOLVED", _I, "listed, nowhere described"),
        *_rows("ACKNOWLEDGED IN_PROGRESS PENDING", "PENDING_AMENDMENT", _O, "orderamendment"),
        *_rows("HELD NETWORK_INCIDENT", "PENDING_AMENDMENT", _I, "as from IN_PROGRESS"),
        *_rows("PENDING_AMENDMENT", "PENDING_AMENDMENT", _O, "orderamendment: several amendments at once are allowed"),
        *_rows("PENDING_AMENDMENT", _PREVIOUS, _I, "returns to the previous status, or to IN_PROGRESS"),
        *_rows("ACKNOWLEDGED IN_PROGRESS PENDING", "PENDING_CANCELLATION", _O, "orders"),
        *_rows("HELD NETWORK_INCIDENT PENDING_AMENDMENT", "PENDING_CANCELLATION", _I, "as from IN_PROGRESS"),
        *_rows("PENDING_CANCELLATION", "CANCELLED", _S, "information CANCELLED leads to CANCELLED"),
        *_rows("PENDING_CANCELLATION", _PREVIOUS, _I, "the cancellation was refused"),
        *_rows("PENDING_CANCELLATION", "RESOLVED", _I, "fixed before it was cancelled"),
        *_rows(
            f"RECEIVED_BY_GATEWAY SENT_TO_SUPPLIER {_PREVIOUS} PENDING_AMENDMENT RESOLVED",
            "CANCELLED",
            _O,
            "glossary: the supplier ends it; tenantinformationalkci: the effect of TERMINATED",
        ),
        *_rows("IN_PROGRESS", "RESOLVED", _S, "problemkciflows"),
        *_rows("HELD PENDING PENDING_AMENDMENT", "RESOLVED", _I, "fixed while it waited"),
        *_rows("RESOLVED", "COMPLETED", _S, "accepted, or by itself after a period"),
        *_rows("RESOLVED", "IN_PROGRESS", _S, "the resolution was rejected"),
        *_rows("IN_PROGRESS", "COMPLETED", _I, "the KCI of RESOLVED was lost or skipped"),
    ),
    terminal={"FAILED_TO_SEND": _S, "REJECTED": _S, "COMPLETED": _S, "CANCELLED": _O},
)

REQUEST = Lifecycle(
    title="Amendment and cancellation",
    section="6.2",
    statuses=tuple(RequestStatus),
    rows=(
        *_rows(None, "RECEIVED_BY_GATEWAY", _I, 'the order of the enum, and "has been received"'),
        *_rows("RECEIVED_BY_GATEWAY", "PENDING", _I, "the supplier answered 202 (stated on the supplier's side)"),
        *_rows("RECEIVED_BY_GATEWAY", "FAILED_TO_SEND", _O, "the error KCI covers amendment and cancellation"),
        *_rows(
            "RECEIVED_BY_GATEWAY",
            "COMPLETED REJECTED",
            _I,
            "the supplier answered 201 or 422 (stated on the supplier's side)",
        ),
        *_rows("PENDING", "COMPLETED REJECTED", _S, '"confirmed or rejected later by a KCI"'),
        *_rows("PENDING", "FAILED_TO_SEND", _I, "weak"),
    ),
    terminal={"FAILED_TO_SEND": _I, "REJECTED": _I, "COMPLETED": _I},
)

RESOLUTION = Lifecycle(
    title="Resolution",
    section="6.3",
    statuses=tuple(ResolutionStatus),
    rows=(
        *_rows(None, "PENDING", _I, "a KCI with the action CONFIRM, the problem being RESOLVED"),
        *_rows("PENDING", "ACCEPTED", _S, "the tenant's PATCH, or the end of the time for it"),
        *_rows("PENDING", "REJECTED", _S, "the tenant's PATCH"),
    ),
    terminal={"ACCEPTED": _I, "REJECTED": _I},
)

TEST = Lifecycle(
    title="Service test",
    section="6.4",
    statuses=tuple(TestStatus),
    rows=(
        *_rows(None, "RECEIVED_BY_GATEWAY", _S, "serviceteststate"),
        *_rows("RECEIVED_BY_GATEWAY", "SENT_TO_SUPPLIER FAILED_TO_SEND", _S, "serviceteststate"),
        *_rows("SENT_TO_SUPPLIER", "IN_PROGRESS REJECTED", _S, 'serviceteststate: "1 of 2 types"'),
        *_rows("IN_PROGRESS", "COMPLETED", _S, "serviceteststate"),
        *_rows("IN_PROGRESS", "FAILED", _I, "listed, not on the state page"),
        *_rows("SENT_TO_SUPPLIER", "FAILED FAILED_TO_SEND COMPLETED", _I, "a KCI that was skipped"),
        *_rows("RECEIVED_BY_GATEWAY", "IN_PROGRESS REJECTED", _I, "a KCI that was skipped"),
    ),
    terminal={"FAILED_TO_SEND": _S, "REJECTED": _S, "COMPLETED": _I, "FAILED": _I},
)

LIFECYCLES = (PROBLEM, REQUEST, RESOLUTION, TEST)
