"""
The roles that flows need from the outside world. Each has one real adapter and, in `tests/`, one fake that passes the
same suite.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from bridge.domain.answers import Answer
from bridge.domain.commands import Command
from bridge.domain.dead_letters import Header
from bridge.domain.journey.calls import Found
from bridge.domain.outcomes import CommandName, Reason, Verdict
from bridge.domain.record import Record

T = TypeVar("T")


class Undecodable(Exception):
    """These bytes are not a record of their topic; trying again will not help."""


class UnknownSchema(Undecodable):
    """The framing names a schema that neither this build nor the registry knows."""


class SchemaUnavailable(Exception):
    """The registry did not answer, so nobody can say yet what these bytes are; try again later."""


class TableLost(Exception):
    """
    The worker does not own the partition any more, or could not find out whether a write happened.

    Nobody may act on its state.
    """


class PublishFailed(Exception):
    """Kafka did not take a record in time; it may or may not be there."""


class Outgoing(Record, frozen=True, kw_only=True):
    """
    A record to be published: the logical topic, the key as text, the value (None: a tombstone), and its headers.

    A key that is not UTF-8 is text with surrogate escapes, and None is a record without a key: both only where a record
    keeps the key of another.
    """

    topic: str
    key: str | None
    value: Record | None
    headers: tuple[Header, ...] = ()

    @property
    def raw_key(self) -> bytes | None:
        """The key as Kafka has it."""
        return None if self.key is None else self.key.encode("utf-8", "surrogateescape")


class Codec(Protocol):
    """Turns records into bytes and back, by topic."""

    def encode(self, topic: str, record: Record) -> bytes:
        """
        Frame a record for its topic. Does not block. A record that does not fit its schema is a bug: TypeError or
        ValueError.
        """

    async def decode(self, topic: str, data: bytes) -> Record:
        """
        Read a record of a topic, written with this or any other known version of its schema.

        Raises:
            Undecodable: these bytes never will be a record of this topic.
            UnknownSchema: as above, because of the schema they name.
            SchemaUnavailable: ask again later.

        """


class Gateway(Protocol):
    """The supplier gateway. The only port that changes anything outside Kafka."""

    async def call(self, command: Command, *, supplier: str, request_id: str, conversation_id: str) -> Answer:
        """
        Ask once, and say what is known. Never raises for anything the network or the gateway does, and never sends
        twice
        (except once more after a 401, with a new token, since a 401 is certainly not taken). Bounded by the total
        time-out.
        """


class Outbox(Protocol):
    """Publishes records outside any table's transaction."""

    async def publish(self, records: Iterable[Outgoing]) -> None:
        """
        Return after all in-sync replicas have every record.

        Raises:
            PublishFailed: Kafka did not confirm in time.

        """


class Clock(Protocol):
    """Tells the time; a test tells its own."""

    def now(self) -> datetime:
        """The current time, in UTC."""


class IntakeTelemetry(Protocol):
    """What the intake of records tells those who watch."""

    def record_handled(self, topic: str, seconds: float) -> None:
        """An input record was settled."""

    def record_dead_lettered(self, topic: str, reason: str) -> None:
        """An input record went to the dead letters."""


class JourneyTelemetry(Protocol):
    """What the journeys tell those who watch."""

    def outcome_decided(self, command: CommandName, verdict: Verdict, reason: Reason) -> None:
        """An outcome was published."""

    def taken_over(self, tickets: Mapping[Found, int]) -> None:
        """A take-over found so many tickets, by what is known of the command that each stands at."""


class Arrived(Record, frozen=True, kw_only=True):
    """A record as Kafka gave it, under its topic's logical name."""

    topic: str
    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...] = ()


class Kept(Record, Generic[T], frozen=True, kw_only=True, omit_defaults=True):
    """
    What a table keeps for one key: the value, and the last offset handled of each source topic.

    A record at or before its topic's offset was redelivered; since both are written in one transaction, it changes
    nothing.
    `at` is when it was last written. `trace` belongs to the tracing, which alone reads and writes it.
    """

    seen: dict[str, int]
    at: datetime
    value: T | None = None
    trace: str | None = None


class TablePartition(Protocol[T]):
    """One partition of a table, owned by this worker and by no other."""

    @property
    def number(self) -> int:
        """Which partition this is."""

    def get(self, key: str) -> Kept[T] | None:
        """The value of a key, as of the last committed write. Does not block."""

    def items(self) -> Iterable[tuple[str, Kept[T]]]:
        """Every key of the partition."""

    async def write(self, key: str, kept: Kept[T] | None, outgoing: Iterable[Outgoing] = ()) -> None:
        """
        Write a value (None: a tombstone) and publish records, all or nothing; return after the broker committed.

        Raises:
            TableLost: nothing may be assumed about this write, and nobody may act on the partition any more.

        """


class Wakes(Protocol):
    """Brings a key back to its lane without a record: what is due is decided then."""

    def wake(self, key: str, partition: int, at: datetime) -> None:
        """
        Have the key woken at this time, or at an earlier one asked for already. A wake may come late or in vain,
        never early by more than a second.
        """


# What settles a record of a source topic, and what does what is due for a key.
Handle = Callable[[Arrived, TablePartition[T]], Awaitable[None]]
Woken = Callable[[str, TablePartition[T]], Awaitable[None]]
# An ASGI application: scope, receive and send.
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


class Tracing(Protocol):
    """
    Makes spans of what passes between the ports, and carries their contexts from record to record (docs/tracing.md).

    Each method takes what does the work and gives what stands in for it. A service that does not trace is given back
    the same object, so that nothing stands in the way of its work.
    """

    @property
    def ids(self) -> Callable[[], Mapping[str, str]] | None:
        """What tells the log the ids of the current span; None when there never is one."""

    def handling(self, handle: Handle[T]) -> Handle[T]:
        """Trace each record."""

    def waking(self, woken: Woken[T]) -> Woken[T]:
        """Trace what wakes lead to."""

    def gateway(
        self, gateway: Gateway, *, server: tuple[str, int], route: Callable[[Command], tuple[str, str]]
    ) -> Gateway:
        """Trace each call. `server` is the gateway's host and port, `route` a command's method and path template."""

    def outbox(self, outbox: Outbox) -> Outbox:
        """Trace each record that is published."""

    def webhook(self, webhook: Asgi, *, path: str) -> Asgi:
        """Trace each request; `path` is where KCIs are posted."""

    async def stop(self) -> None:
        """Let go of what is not sent yet, after a short time for it to be sent."""


class TracingTelemetry(Protocol):
    """What the tracing tells those who watch. It is told from a thread of its own too, and must not block."""

    def spans_exported(self, count: int) -> None:
        """The collector took them."""

    def spans_dropped(self, count: int, why: str) -> None:
        """They are lost: `QUEUE_FULL` or `NOT_TAKEN`."""
