"""
Dead letters and quarantined deliveries as a person looks at them: where each stands, what its bytes tell, which are
wanted.

Rule: where a letter stands is worked out from the decisions about it, and is written nowhere else.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from bridge.domain.correlation import ticket_of
from bridge.domain.dead_letters import DeadLetter, DeadLetterChoice, DeadLetterDecision, DeadLetterReason
from bridge.domain.entities import Kci, Observation
from bridge.domain.record import Record
from bridge.domain.signals import EntityChanged, JourneySignal, OperatorDecision
from bridge.domain.tickets import FaultReported, FaultTicketEvent, ServiceTestRequested


class LetterState(StrEnum):
    """Where a dead letter, or a quarantined delivery, stands."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class Telling(Record, frozen=True, kw_only=True):
    """What a record that decodes tells of itself: its kind, the key that it must have, its ticket and its supplier."""

    kind: str
    key: bytes
    ticket_id: str | None
    supplier: str | None


class Unread(Record, frozen=True, kw_only=True):
    """A record that does not decode, and why; `reason` is None when that cannot be told at the moment."""

    reason: DeadLetterReason | None
    why: str


Reading = Telling | Unread


class Wanted(Record, frozen=True, kw_only=True):
    """Which letters a person asks for; a condition that is empty or None holds for all."""

    topics: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    since: datetime | None = None
    until: datetime | None = None
    ids: frozenset[str] = frozenset()
    ticket: str | None = None
    supplier: str | None = None
    state: LetterState | None = None

    @property
    def needs_reading(self) -> bool:
        """Whether the letters' own content must be decoded to decide."""
        return self.ticket is not None or self.supplier is not None

    def fits(self, letter_id: str, *, topic: str, reason: str, at: datetime, state: LetterState) -> bool:
        """Whether what stands outside the content is as wanted; `until` itself is no longer within."""
        return (
            (not self.ids or letter_id in self.ids)
            and (not self.topics or topic in self.topics)
            and (not self.reasons or reason in self.reasons)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
            and self.state in (None, state)
        )

    def fits_content(self, letter: DeadLetter, reading: Reading) -> bool:
        """
        Whether a letter tells of the ticket and the supplier that are wanted.

        Of a record that does not decode only the key is known, which on some topics is the ticket.
        """
        if isinstance(reading, Unread):
            return self.supplier is None and (self.ticket is None or letter.key == self.ticket.encode())
        return self.ticket in (None, reading.ticket_id) and self.supplier in (None, reading.supplier)


def telling(record: Record) -> Telling:
    """
    What a record of any source topic tells of itself.

    Raises:
        TypeError: it is of no topic whose records become dead letters.

    """
    kind = type(record).__name__
    match record:
        case FaultTicketEvent():
            supplier = record.event.supplier if isinstance(record.event, FaultReported | ServiceTestRequested) else None
            ticket = record.ticket_id
        case JourneySignal():
            supplier = record.signal.entity.supplier if isinstance(record.signal, EntityChanged) else None
            ticket = record.ticket_id
        case OperatorDecision():
            ticket, supplier = record.ticket_id, None
        case Observation():
            ticket, supplier = record.ticket_id, record.entity.supplier
            return Telling(kind=kind, key=record.entity.key.encode(), ticket_id=ticket, supplier=supplier)
        case Kci():
            found = ticket_of(record.conversation_id) or record.entity.external_identifier
            supplier = record.entity.supplier or record.update.supplier
            return Telling(kind=kind, key=record.entity.key.encode(), ticket_id=found, supplier=supplier)
        case _:
            raise TypeError(f"{kind} is no record of a topic that services read")
    return Telling(kind=kind, key=ticket.encode(), ticket_id=ticket, supplier=supplier)


def once_each(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    """The letters without repeats, each as it first was and where it first stood."""
    found: dict[str, DeadLetter] = {}
    for letter in letters:
        found.setdefault(letter.dead_letter_id, letter)
    return list(found.values())


def last_words(decisions: Iterable[DeadLetterDecision]) -> dict[str, DeadLetterDecision]:
    """The last decision about each id that changed where it stands; looking at content changes nothing."""
    return {
        decision.dead_letter_id: decision
        for decision in decisions
        if decision.decision in (DeadLetterChoice.REPLAYED, DeadLetterChoice.DISCARDED)
    }


def state_of(letter_id: str, words: Mapping[str, DeadLetterDecision]) -> LetterState:
    """Where a letter stands after these decisions."""
    word = words.get(letter_id)
    if word is None:
        return LetterState.OPEN
    return LetterState.REPLAYED if word.decision is DeadLetterChoice.REPLAYED else LetterState.DISCARDED


def readable(raw: bytes | None, longest: int = 80) -> str:
    """Bytes as one line for a terminal: text where they are printable text, escapes where not, cut when long."""
    if raw is None:
        return "none"
    text = raw[: longest * 4].decode("utf-8", "backslashreplace")
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown if len(shown) <= longest and len(raw) <= longest * 4 else f"{shown[:longest]}…"
