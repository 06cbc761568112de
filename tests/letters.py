"""Dead letters for tests: a good ticket event that stands in the way of nothing unless the test says otherwise."""

from datetime import timedelta
from typing import Any

from bridge.domain.dead_letters import (
    DeadLetter,
    DeadLetterChoice,
    DeadLetterDecision,
    DeadLetterReason,
    Header,
    QuarantinedKci,
    QuarantineReason,
)
from tests.builders import NOW, TICKET

TOPIC = "fault-tickets"


def a_letter(offset: int = 7, **changes: Any) -> DeadLetter:
    """A letter of `fault-tickets`; its id comes from its place unless it is given."""
    fields: dict[str, Any] = {
        "topic": TOPIC,
        "partition": 3,
        "timestamp": NOW - timedelta(hours=1) + timedelta(seconds=offset),
        "key": TICKET.encode(),
        "value": b"bytes of a record",
        "headers": (Header(name="origin", value=b"\x00\xff"),),
        "reason": DeadLetterReason.UNPROCESSABLE,
        "error": "ValueError at decide:7",
        "service": "dispatcher",
        "version": "1.2.3",
        "attempts": 1,
        "failed_at": NOW,
        **changes,
    }
    letter_id = f"{fields['topic']}-{fields['partition']}-{offset}"
    return DeadLetter(**{"dead_letter_id": letter_id, "offset": offset, **fields})


def a_decision(letter_id: str, choice: DeadLetterChoice, **changes: Any) -> DeadLetterDecision:
    fields: dict[str, Any] = {"decided_by": "j.whitlock", "why": "schema registered", "decided_at": NOW, **changes}
    return DeadLetterDecision(dead_letter_id=letter_id, decision=choice, **fields)


def a_quarantined(body: bytes, **changes: Any) -> QuarantinedKci:
    fields: dict[str, Any] = {
        "quarantine_id": "q-1",
        "truncated": False,
        "headers": (
            Header(name="content-type", value=b"application/json"),
            Header(name="x-request-id", value=b"request-1"),
            Header(name="x-conversation-id", value=b"conversation-1"),
        ),
        "path": "/kcis",
        "reason": QuarantineReason.NOT_A_KCI,
        "error": "the KCI has no entity, which it tells of",
        "service": "ingester",
        "version": "1.2.3",
        "received_at": NOW,
        **changes,
    }
    return QuarantinedKci(body=body, **fields)
