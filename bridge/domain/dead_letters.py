"""Records that can never be processed, kept with all that is needed to mend and replay them."""

from datetime import datetime
from enum import StrEnum

from bridge.domain.record import Record


class DeadLetterReason(StrEnum):
    """Why a record can never be processed as it is."""

    # The bytes are neither framing of a known schema.
    UNDECODABLE = "UNDECODABLE"
    # The framing names a schema that nobody knows.
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"
    # The record decodes, but its key is missing or is not the ticket or entity it tells of.
    WRONG_KEY = "WRONG_KEY"
    # The key belongs to another partition: the producer's partitioner is not murmur2.
    WRONG_PARTITION = "WRONG_PARTITION"
    # The handler failed on it in a way that would fail again.
    UNPROCESSABLE = "UNPROCESSABLE"


class Header(Record, frozen=True, kw_only=True):
    """
    One Kafka header or HTTP header; names may repeat.

    Kafka has headers without a value, which are not those with an empty one: `is_null` marks them, and their `value` is
    empty, as it was before the mark existed.
    """

    name: str
    value: bytes
    is_null: bool = False

    @classmethod
    def of(cls, name: str, raw: bytes | None) -> "Header":
        """A header as Kafka's clients give it."""
        return cls(name=name, value=raw or b"", is_null=raw is None)

    @property
    def raw(self) -> bytes | None:
        """Its value as Kafka's clients take it."""
        return None if self.is_null else self.value


class DeadLetter(Record, frozen=True, kw_only=True):
    """One record of `dead-letters`; `dead_letter_id` is `topic-partition-offset` of the original, so a repeat shows."""

    dead_letter_id: str
    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]
    reason: DeadLetterReason
    error: str
    service: str
    version: str
    attempts: int
    failed_at: datetime


class QuarantineReason(StrEnum):
    """Why a webhook body cannot be a KCI."""

    NOT_JSON = "NOT_JSON"
    NOT_A_KCI = "NOT_A_KCI"
    TOO_DEEP = "TOO_DEEP"
    TOO_LARGE = "TOO_LARGE"
    WRONG_MEDIA_TYPE = "WRONG_MEDIA_TYPE"
    MISSING_HEADERS = "MISSING_HEADERS"


class QuarantinedKci(Record, frozen=True, kw_only=True):
    """
    One record of `kci-quarantine`: a webhook body that cannot be a KCI, as it came. Credentials are not among the
    headers.
    """

    quarantine_id: str
    body: bytes
    truncated: bool
    headers: tuple[Header, ...]
    path: str
    reason: QuarantineReason
    error: str
    service: str
    version: str
    received_at: datetime


class DeadLetterChoice(StrEnum):
    """What a person did with a dead letter."""

    # Its bytes were published to its topic again, as they were; of a quarantined delivery, the KCI that it now is.
    REPLAYED = "REPLAYED"
    # It was given up; the dead letter itself stays until its topic forgets it.
    DISCARDED = "DISCARDED"
    # Its content was shown to the person who asked; where it stands did not change.
    VIEWED = "VIEWED"


class DeadLetterDecision(Record, frozen=True, kw_only=True):
    """
    One record of `dead-letter-audit`: who replayed or discarded a dead letter, why, and where a replayed one went.
    """

    dead_letter_id: str
    decision: DeadLetterChoice
    decided_by: str
    why: str
    decided_at: datetime
    replay_topic: str | None = None
    replay_partition: int | None = None
    replay_offset: int | None = None
