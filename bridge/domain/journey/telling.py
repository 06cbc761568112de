"""What is said of a command, and the outcome that says it. Messages never hold personal data."""

from datetime import datetime

from bridge.domain.correlation import conversation_id
from bridge.domain.entities import Entity, GatewayError, TestResult
from bridge.domain.outcomes import Basis, CommandName, GatewayOutcome, Reason, Verdict, Violation
from bridge.domain.record import Record


class Word(Record, frozen=True, kw_only=True):
    """A verdict with its reason and what it rests on; a word of the bridge's own rules unless it says otherwise."""

    verdict: Verdict
    reason: Reason
    message: str
    basis: Basis = Basis.RULE
    http_status: int | None = None
    entity: Entity | None = None
    error: GatewayError | None = None
    violations: tuple[Violation, ...] = ()
    test: TestResult | None = None


def not_sent(
    reason: Reason, message: str, *, violations: tuple[Violation, ...] = (), test: TestResult | None = None
) -> Word:
    """That nothing is sent, by the bridge's own rules."""
    return Word(verdict=Verdict.NOT_SENT, reason=reason, message=message, violations=violations, test=test)


def outcome(ticket_id: str, outcome_id: str, command: CommandName, word: Word, now: datetime) -> GatewayOutcome:
    """The record for `gateway-outcomes`; whoever tells of a planned command adds its particulars."""
    return GatewayOutcome(
        outcome_id=outcome_id,
        ticket_id=ticket_id,
        event_id=None,
        command_id=None,
        command=command,
        verdict=word.verdict,
        basis=word.basis,
        reason=word.reason,
        message=word.message,
        attempts=0,
        conversation_id=conversation_id(ticket_id),
        http_status=word.http_status,
        entity_type=word.entity.type if word.entity is not None else None,
        entity_id=word.entity.id if word.entity is not None else None,
        error=word.error,
        violations=word.violations,
        test=word.test,
        decided_at=now,
    )
