"""
Dead letters go back to their topics, quarantined deliveries to `kcis`, and each decision about one is kept.

Rule: a replayed record and the decision that tells of it are written in one transaction, so neither is there without
the other, and a decision that was not committed was never made.
Rule: one replay at a time. Whoever begins one shuts out every earlier one, and reads what is settled after that.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from bridge.domain.dead_letters import (
    DeadLetter,
    DeadLetterChoice,
    DeadLetterDecision,
    DeadLetterReason,
    Header,
    QuarantinedKci,
)
from bridge.domain.letters import Reading, Unread, telling
from bridge.domain.record import Record
from bridge.domain.replay import Home, Replay
from bridge.flows.publish_kci import PublishKci, Receipt
from bridge.ports import Clock, Codec, Outgoing, SchemaUnavailable, Undecodable, UnknownSchema

T = TypeVar("T")

# Names of the request's headers as they are kept: in lower case.
REQUEST_ID = "x-request-id"
CONVERSATION_ID = "x-conversation-id"


class Returning(Record, frozen=True, kw_only=True):
    """A record that goes to a topic again, byte for byte."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: tuple[Header, ...]
    timestamp: datetime


class ReplayStopped(Exception):
    """
    Kafka did not take a decision, or somebody else began a replay. The text says which; all that was told before is
    done, and of the rest nothing, except perhaps the one that it names.
    """


class Ledger(Protocol):
    """Where decisions about dead letters are written, together with the record that each sends on its way."""

    async def settle(
        self, decision: DeadLetterDecision, record: Returning | Outgoing | None = None
    ) -> DeadLetterDecision:
        """
        Write a decision and, in the same transaction, the record; return the decision with the record's place.

        Raises:
            ReplayStopped: it is not known to be written; nothing more may be sent.

        """


class Decider(Record, frozen=True, kw_only=True):
    """Who decides, and why."""

    by: str
    why: str


class ReplayLetters:
    """Carries decisions about dead letters and quarantined deliveries out, and keeps them."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        clock: Clock,
        pause: Callable[[float], Awaitable[None]],
        monotonic: Callable[[], float],
    ) -> None:
        """`pause` and `monotonic` are of one clock that never runs backwards, in seconds."""
        self._ledger = ledger
        self._clock = clock
        self._pause = pause
        self._monotonic = monotonic

    async def replay(
        self, replays: Iterable[Replay], decider: Decider, *, per_second: float
    ) -> AsyncIterator[DeadLetterDecision]:
        """
        Send letters to their topics, in this order and no faster than this; each is done when it is told.

        Raises:
            ReplayStopped: as `Ledger.settle`.

        """
        async for step in self._paced(replays, per_second):
            record = Returning(
                topic=step.letter.topic,
                partition=step.partition,
                key=step.key,
                value=step.letter.value,
                headers=step.headers,
                timestamp=step.timestamp,
            )
            decision = self._decision(step.letter.dead_letter_id, DeadLetterChoice.REPLAYED, decider)
            yield await self._ledger.settle(decision, record)

    async def note(
        self, ids: Iterable[str], choice: DeadLetterChoice, decider: Decider
    ) -> AsyncIterator[DeadLetterDecision]:
        """Write decisions that send nothing: letters that are discarded, or looked into."""
        for letter_id in ids:
            yield await self._ledger.settle(self._decision(letter_id, choice, decider))

    async def publish(
        self, kcis: Iterable[tuple[str, Outgoing]], decider: Decider, *, per_second: float
    ) -> AsyncIterator[DeadLetterDecision]:
        """
        Publish what quarantined deliveries are now, each by its quarantine id, as `kci_of` made it.

        Raises:
            ReplayStopped: as `Ledger.settle`.

        """
        async for quarantine_id, kci in self._paced(kcis, per_second):
            decision = self._decision(quarantine_id, DeadLetterChoice.REPLAYED, decider)
            yield await self._ledger.settle(decision, kci)

    async def _paced(self, items: Iterable[T], per_second: float) -> AsyncIterator[T]:
        due = self._monotonic()
        for item in items:
            await self._pause(max(0.0, due - self._monotonic()))
            due = max(due, self._monotonic()) + 1 / per_second
            yield item

    def _decision(self, letter_id: str, choice: DeadLetterChoice, decider: Decider) -> DeadLetterDecision:
        return DeadLetterDecision(
            dead_letter_id=letter_id,
            decision=choice,
            decided_by=decider.by,
            why=decider.why,
            decided_at=self._clock.now(),
        )


async def read_letter(letter: DeadLetter, codec: Codec, homes: Mapping[str, Home]) -> Reading:
    """What a letter's bytes tell now, or why they still tell nothing."""
    if letter.topic not in homes:
        return Unread(reason=None, why="topics.yaml has no such topic that services read")
    if letter.value is None:
        return Unread(reason=DeadLetterReason.UNDECODABLE, why="the record is empty (a tombstone)")
    try:
        return telling(await codec.decode(letter.topic, letter.value))
    except UnknownSchema as error:
        return Unread(reason=DeadLetterReason.UNKNOWN_SCHEMA, why=str(error))
    except Undecodable as error:
        return Unread(reason=DeadLetterReason.UNDECODABLE, why=str(error))
    except SchemaUnavailable as error:
        return Unread(reason=None, why=f"it cannot be told now whether it decodes: {error}")


async def kci_of(item: QuarantinedKci, content: object) -> Outgoing:
    """
    The record that the ingester would publish today for a delivery that it once refused.

    Raises:
        Unreadable: it still is no KCI.

    """
    published = _Kept()
    receipt = Receipt(
        request_id=_text(item, REQUEST_ID),
        conversation_id=_text(item, CONVERSATION_ID),
        received_at=item.received_at,
    )
    await PublishKci(published, service=item.service, version=item.version).publish(receipt, content)
    return published.records[0]


class _Kept:
    """An outbox that only keeps what it is given, for whoever writes it in a transaction."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    async def publish(self, records: Iterable[Outgoing]) -> None:
        self.records.extend(records)


def _text(item: QuarantinedKci, name: str) -> str | None:
    values = (header.value for header in item.headers if header.name == name)
    return next((value.decode("latin-1").strip() or None for value in values), None)
