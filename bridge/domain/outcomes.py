"""What is known of a command, and how the ticketing system is told."""

from datetime import datetime
from enum import StrEnum

from bridge.domain.entities import GatewayError, TestResult
from bridge.domain.record import Record


class CommandName(StrEnum):
    """The things that can be asked of the gateway."""

    RUN_TEST = "RUN_TEST"
    RAISE_PROBLEM = "RAISE_PROBLEM"
    AMEND_PROBLEM = "AMEND_PROBLEM"
    CANCEL_PROBLEM = "CANCEL_PROBLEM"
    ANSWER_RESOLUTION = "ANSWER_RESOLUTION"
    FETCH_TEST = "FETCH_TEST"
    FETCH_PROBLEM = "FETCH_PROBLEM"


class Verdict(StrEnum):
    """What is known of a command."""

    # The gateway took it.
    ACCEPTED = "ACCEPTED"
    # The gateway answered that it will never take it.
    REFUSED = "REFUSED"
    # It may have been taken: nothing is repeated until evidence or a person tells.
    UNKNOWN = "UNKNOWN"
    # It never reached the gateway, and it will not be sent.
    NOT_SENT = "NOT_SENT"
    # It certainly was not taken, and the time for trying is over.
    FAILED = "FAILED"


class Basis(StrEnum):
    """What a verdict rests on."""

    # The gateway's own answer to the command, or the lack of one.
    ANSWER = "ANSWER"
    # A KCI or a GET showed it later.
    EVIDENCE = "EVIDENCE"
    # A person decided it.
    OPERATOR = "OPERATOR"
    # The bridge's own rules: nothing was sent.
    RULE = "RULE"


class Reason(StrEnum):
    """Why a verdict is what it is; a closed set, so that it can be counted and translated."""

    # ACCEPTED
    ANSWERED = "ANSWERED"
    FOUND = "FOUND"
    DECIDED = "DECIDED"
    TEST_FINISHED = "TEST_FINISHED"
    # REFUSED
    REFUSED_BY_GATEWAY = "REFUSED_BY_GATEWAY"
    # UNKNOWN
    NO_ANSWER = "NO_ANSWER"
    SERVER_ERROR = "SERVER_ERROR"
    UNREADABLE_ANSWER = "UNREADABLE_ANSWER"
    INTERRUPTED = "INTERRUPTED"
    # NOT_SENT: the event cannot be used
    INVALID = "INVALID"
    UNKNOWN_TICKET = "UNKNOWN_TICKET"
    DUPLICATE_EVENT = "DUPLICATE_EVENT"
    ALREADY_REPORTED = "ALREADY_REPORTED"
    AFTER_END = "AFTER_END"
    NOT_ALLOWED_IN_STATUS = "NOT_ALLOWED_IN_STATUS"
    NO_PENDING_RESOLUTION = "NO_PENDING_RESOLUTION"
    TOO_MANY_PENDING = "TOO_MANY_PENDING"
    NOTHING_TO_DECIDE = "NOTHING_TO_DECIDE"
    # NOT_SENT: the rules of the journey
    FOLDED_INTO_RAISE = "FOLDED_INTO_RAISE"
    CANCELLED_BEFORE_RAISE = "CANCELLED_BEFORE_RAISE"
    JOURNEY_ENDED = "JOURNEY_ENDED"
    TEST_GREEN = "TEST_GREEN"
    TEST_DENIED = "TEST_DENIED"
    TEST_MISMATCH = "TEST_MISMATCH"
    TEST_NOT_PASSED = "TEST_NOT_PASSED"
    # FAILED
    GAVE_UP = "GAVE_UP"


class Violation(Record, frozen=True, kw_only=True):
    """
    A value that breaks the contract: the field's path, the limit, and the value's class (its length or kind), never
    the value.

    The value itself may be personal data, and this record is shown on screens.
    """

    field: str
    limit: str
    value_class: str


class GatewayOutcome(Record, frozen=True, kw_only=True):
    """
    One record of `gateway-outcomes`: a verdict about a command, or about a ticket event that led to none.

    A command that was UNKNOWN gets a second record when evidence or a person settles it; `command_id` ties the two.
    """

    outcome_id: str
    ticket_id: str
    event_id: str | None
    command_id: str | None
    command: CommandName
    verdict: Verdict
    basis: Basis
    reason: Reason
    message: str
    attempts: int
    conversation_id: str
    request_id: str | None = None
    http_status: int | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    error: GatewayError | None = None
    violations: tuple[Violation, ...] = ()
    test: TestResult | None = None
    decided_at: datetime
