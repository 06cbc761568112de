"""The journey as the outside may see it: no personal data, one record per ticket (compacted)."""

from datetime import datetime
from enum import StrEnum

from bridge.domain.outcomes import CommandName
from bridge.domain.record import Record


class Phase(StrEnum):
    """Where a journey is."""

    # A test is to be run, or its result is awaited.
    TESTING = "TESTING"
    # The test passed the gate; the problem is to be raised.
    RAISING = "RAISING"
    # The problem exists on the gateway and is followed.
    OPEN = "OPEN"
    # Nothing more will happen.
    ENDED = "ENDED"


class End(StrEnum):
    """How a journey ended."""

    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    CANCELLED_BEFORE_RAISE = "CANCELLED_BEFORE_RAISE"
    TESTED = "TESTED"
    TEST_GREEN = "TEST_GREEN"
    TEST_DENIED = "TEST_DENIED"
    TEST_MISMATCH = "TEST_MISMATCH"
    TEST_NOT_PASSED = "TEST_NOT_PASSED"
    INVALID = "INVALID"
    REFUSED = "REFUSED"
    REJECTED = "REJECTED"
    FAILED_TO_SEND = "FAILED_TO_SEND"
    FAILED = "FAILED"


class CommandState(StrEnum):
    """What is durable about a journey's current command."""

    # Decided, and certainly not sent yet (or certainly not taken).
    NOT_SENT = "NOT_SENT"
    # The intent is durable; it is being sent.
    IN_FLIGHT = "IN_FLIGHT"
    # It may have been taken.
    UNKNOWN = "UNKNOWN"


class PendingCommand(Record, frozen=True, kw_only=True):
    """The command a journey stands at."""

    command_id: str
    command: CommandName
    state: CommandState
    attempts: int
    not_before: datetime | None = None
    why: str | None = None


class JourneyStatus(Record, frozen=True, kw_only=True):
    """One record of `journeys`."""

    ticket_id: str
    phase: Phase
    end: End | None
    conversation_id: str
    service_id: str | None
    supplier: str | None
    test_id: str | None
    test_status: str | None
    test_result: str | None
    problem_id: str | None
    problem_status: str | None
    pending: PendingCommand | None
    queued: int
    attention: str | None
    updated_at: datetime
