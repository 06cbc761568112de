"""
What every input record goes through before its flow sees it: each ends exactly once, handled or in the dead letters.

Rule: the offset of a record and what follows from it are written in one transaction, so a redelivered record is
recognised and dropped.
Rule: only `TableLost` leaves this module as an exception that is not a bug; a record that makes a flow fail is a dead
letter, and what the flow had made durable before it failed stays: an intent may stand for a call that was made.
"""

import asyncio
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Generic, Protocol, TypeVar

import structlog

from bridge.domain.dead_letters import DeadLetter, DeadLetterReason
from bridge.domain.record import Record
from bridge.ports import (
    Arrived,
    Clock,
    Codec,
    IntakeTelemetry,
    Kept,
    Outgoing,
    SchemaUnavailable,
    TableLost,
    TablePartition,
    Undecodable,
    UnknownSchema,
)

log = structlog.get_logger(__name__)

T = TypeVar("T")

DEAD_LETTERS = "dead-letters"
# A record that comes back from the dead letters carries how often it was there.
ATTEMPTS_HEADER = "bridge-attempts"
LONGEST_COUNT = 9
SCHEMA_WAITS = (1.0, 2.0, 5.0, 10.0, 30.0)


class Unprocessable(Exception):
    """A record that decodes, but cannot be what its topic says."""

    def __init__(self, reason: DeadLetterReason, text: str) -> None:
        """Keep the reason and a sentence without personal data."""
        super().__init__(text)
        self.reason = reason


class TooManyDeadLetters(Exception):
    """
    The service stops rather than pour everything into the dead letters.

    So many in a minute mean a bad deploy, not bad records.
    """


class DeadLetterLimit:
    """Counts dead letters over the last minute."""

    def __init__(self, per_minute: int) -> None:
        """Allow so many a minute."""
        self._per_minute = per_minute
        self._times: deque[datetime] = deque()

    def count(self, now: datetime) -> None:
        """
        Count one.

        Raises:
            TooManyDeadLetters: it is one too many; it is not to be written.

        """
        while self._times and self._times[0] <= now - timedelta(minutes=1):
            self._times.popleft()
        if len(self._times) >= self._per_minute:
            raise TooManyDeadLetters(
                f"{self._per_minute} dead letters within a minute: look at the first ones with "
                "`bridge dead-letters list`, mend the cause, and start the service again; "
                "the records after them are untouched"
            )
        self._times.append(now)


class Decide(Protocol[T]):
    """A flow: what it makes of one valid record. `kept.seen` holds it already; the flow writes it with its result."""

    async def __call__(
        self, key: str, record: Record, kept: Kept[T], arrived: Arrived, table: TablePartition[T], /
    ) -> None:
        """Settle the record durably before returning."""


class Intake(Generic[T]):
    """Decodes records, drops redelivered ones, and writes those that can never be processed to the dead letters."""

    def __init__(  # noqa: PLR0913  # each is a port or a fact of the service; a bag of them would only hide that
        self,
        *,
        service: str,
        version: str,
        codec: Codec,
        clock: Clock,
        telemetry: IntakeTelemetry,
        limit: DeadLetterLimit,
        home: Callable[[str, bytes], int],
        key_of: Callable[[Record], str],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`home(topic, key)` is the partition that a key belongs to; `key_of(record)` the key that it must have."""
        self._service = service
        self._version = version
        self._codec = codec
        self._clock = clock
        self._telemetry = telemetry
        self._limit = limit
        self._home = home
        self._key_of = key_of
        self._pause = pause

    async def take(self, arrived: Arrived, table: TablePartition[T], decide: Decide[T]) -> bool:
        """
        Settle one record; False if it is in the dead letters now.

        Raises:
            TableLost: nothing is settled; the record comes again.
            TooManyDeadLetters: nothing is settled, and the service must stop.

        """
        started = self._clock.now()
        key = table_key(arrived.key)
        before = table.get(key)
        if before is not None and arrived.offset <= before.seen.get(arrived.topic, -1):
            return True
        seen = {**(before.seen if before is not None else {}), arrived.topic: arrived.offset}
        kept = Kept(seen=seen, at=started, value=before.value if before is not None else None)
        handled = False
        try:
            record = await self._decoded(arrived)
            await decide(key, record, kept, arrived, table)
            handled = True
        except TableLost:
            raise
        except Unprocessable as error:
            await self._bury(arrived, key, table, error.reason, str(error))
        except Exception as error:
            # A bug that this record brings out is kept with the record, so neither is lost.
            log.exception(
                "record cannot be processed", topic=arrived.topic, partition=arrived.partition, offset=arrived.offset
            )
            await self._bury(arrived, key, table, DeadLetterReason.UNPROCESSABLE, where(error))
        self._telemetry.record_handled(arrived.topic, (self._clock.now() - started).total_seconds())
        return handled

    async def _decoded(self, arrived: Arrived) -> Record:
        if arrived.key is None:
            raise Unprocessable(DeadLetterReason.WRONG_KEY, "the record has no key; without one its order is not known")
        home = self._home(arrived.topic, arrived.key)
        if home != arrived.partition:
            raise Unprocessable(
                DeadLetterReason.WRONG_PARTITION,
                f"the key belongs to partition {home}, but the record is in {arrived.partition}: "
                "let its producer partition as Kafka's own clients do (librdkafka: partitioner=murmur2_random)",
            )
        if arrived.value is None:
            raise Unprocessable(
                DeadLetterReason.UNDECODABLE, "the record is empty (a tombstone), which this topic does not have"
            )
        record = await self._read(arrived.topic, arrived.value)
        if self._key_of(record).encode() != arrived.key:
            raise Unprocessable(DeadLetterReason.WRONG_KEY, "the key is not the one that the record's own fields give")
        return record

    async def _read(self, topic: str, value: bytes) -> Record:
        """Decode; while the registry is away, only this key's lane waits."""
        for wait in chain(SCHEMA_WAITS, repeat(SCHEMA_WAITS[-1])):
            try:
                return await self._codec.decode(topic, value)
            except SchemaUnavailable as error:
                log.warning("schema registry unavailable", topic=topic, error=str(error), wait_seconds=wait)
                await self._pause(wait)
            except UnknownSchema as error:
                raise Unprocessable(DeadLetterReason.UNKNOWN_SCHEMA, str(error)) from error
            except Undecodable as error:
                raise Unprocessable(DeadLetterReason.UNDECODABLE, str(error)) from error
        raise AssertionError("the waits never end")

    async def _bury(
        self, arrived: Arrived, key: str, table: TablePartition[T], reason: DeadLetterReason, text: str
    ) -> None:
        now = self._clock.now()
        durable = table.get(key)
        seen = {**(durable.seen if durable is not None else {}), arrived.topic: arrived.offset}
        kept = Kept(seen=seen, at=now, value=durable.value if durable is not None else None)
        self._limit.count(now)
        letter = DeadLetter(
            dead_letter_id=f"{arrived.topic}-{arrived.partition}-{arrived.offset}",
            topic=arrived.topic,
            partition=arrived.partition,
            offset=arrived.offset,
            timestamp=arrived.timestamp,
            key=arrived.key,
            value=arrived.value,
            headers=arrived.headers,
            reason=reason,
            error=text,
            service=self._service,
            version=self._version,
            attempts=_attempts(arrived) + 1,
            failed_at=now,
        )
        log.warning("dead letter", id=letter.dead_letter_id, reason=reason.value, error=text)
        # The original's key, so that the letters of one key stay in their order for whoever reads them.
        own_key = None if arrived.key is None else key
        await table.write(key, kept, [Outgoing(topic=DEAD_LETTERS, key=own_key, value=letter)])
        self._telemetry.record_dead_lettered(arrived.topic, reason.value)


def table_key(key: bytes | None) -> str:
    """The key of a record in its table; bytes that are not UTF-8 keep one of their own."""
    return "" if key is None else key.decode("utf-8", "surrogateescape")


def _attempts(arrived: Arrived) -> int:
    values = [header.value for header in arrived.headers if header.name == ATTEMPTS_HEADER]
    # A count that long was never ours; it is nobody's to bring the service down with.
    return int(values[-1]) if values and values[-1].isdigit() and len(values[-1]) <= LONGEST_COUNT else 0


def where(error: Exception) -> str:
    """The kind of error and where it happened, but not its text, which may hold what the record holds."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
