"""
A gateway that only counts: it answers POST /service-problem-amendments after a delay, and GET /service-problems/{id}
and the token endpoint at once, as the contract says. It costs little, so the machine is left to what is measured.

    python -m tests.bench.sink PORT DELAY_SECONDS

Delays vary evenly by half around DELAY_SECONDS. GET /counts tells what was seen so far, GET /latencies adds
percentiles, DELETE /latencies begins them anew. Bodies are those of `commands.py`; what is not is counted as `strange`.
"""

import asyncio
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import msgspec
import uvloop

from tests.bench.commands import TEXT
from tests.bench.figures import percentiles

PROBLEM = b"/service-problems/"
HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"
CHUNKED = b"transfer-encoding: chunked"
LAST_CHUNK = b"0\r\n\r\n"
SEED = 7
NUMBERS_PER_KEY = 1 << 20
SPREAD = 0.5


class Amendment(msgspec.Struct):
    """The members of a body that are looked at."""

    serviceProblemId: int  # noqa: N815  # the contract's name
    problemText: str  # noqa: N815  # the same
    notes: str


@dataclass
class Counts:
    """
    What was seen; times are monotonic seconds.

    `violations` are commands that came after a later one of their ticket, `overlaps` those that came while another of
    their ticket was not answered, `duplicates` those that had come before; `gaps` are those that never came although a
    later one of their ticket did.
    """

    received: int = 0
    answered: int = 0
    unique: int = 0
    violations: int = 0
    overlaps: int = 0
    duplicates: int = 0
    strange: int = 0
    gaps: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    connections: int = 0
    first: float | None = None
    last: float | None = None
    now: float = 0.0


@dataclass
class Ledger:
    """Everything the sink knows."""

    counts: Counts = field(default_factory=Counts)
    latest: dict[int, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    open: dict[int, int] = field(default_factory=dict)
    expected: int = 0
    arrived_after: list[float] = field(default_factory=list)
    answered_after: list[float] = field(default_factory=list)

    def arrive(self, body: bytes, now: float) -> tuple[int, float]:
        """Count a command; its ticket, and when it was meant to be sent (0 if at any time)."""
        counts = self.counts
        counts.received += 1
        counts.in_flight += 1
        counts.most_in_flight = max(counts.most_in_flight, counts.in_flight)
        counts.first = counts.first or now
        try:
            amendment = _decode(body)
            key, number = amendment.serviceProblemId, int(amendment.problemText.removeprefix(TEXT))
            meant_at = float(amendment.notes.split(" ", 1)[0])
        except (msgspec.MsgspecError, ValueError):
            counts.strange += 1
            return 0, 0.0
        place = key * NUMBERS_PER_KEY + number
        if place in self.seen:
            counts.duplicates += 1
        else:
            self.seen.add(place)
            counts.unique += 1
        latest = self.latest.get(key, -1)
        if number < latest:
            counts.violations += 1
        else:
            self.expected += number - latest
            self.latest[key] = number
        busy = self.open.get(key, 0)
        if busy:
            counts.overlaps += 1
        self.open[key] = busy + 1
        if meant_at:
            self.arrived_after.append(now - meant_at)
        return key, meant_at

    def leave(self, key: int, meant_at: float) -> None:
        """A command is answered."""
        now = time.monotonic()
        counts = self.counts
        counts.answered += 1
        counts.in_flight -= 1
        counts.last = now
        if key:
            self.open[key] -= 1
        if meant_at:
            self.answered_after.append(now - meant_at)

    @property
    def gaps(self) -> int:
        """How many commands never came although a later one of their ticket did."""
        return self.expected - self.counts.unique

    def forget_latencies(self) -> None:
        """What was measured so far was the warm-up."""
        self.arrived_after.clear()
        self.answered_after.clear()

    def told(self, *, latencies: bool) -> bytes:
        """The counts as JSON."""
        self.counts.now = time.monotonic()
        self.counts.gaps = self.gaps
        told = msgspec.to_builtins(self.counts)
        if latencies:
            told["arrived_after"] = percentiles(self.arrived_after)
            told["answered_after"] = percentiles(self.answered_after)
        return msgspec.json.encode(told)


_decode = msgspec.json.Decoder(Amendment).decode
TOKEN = b'{"access_token":"bench","token_type":"Bearer","expires_in":3600}'


class Connection(asyncio.Protocol):
    """One connection; requests on it come one after the other."""

    def __init__(self, ledger: Ledger, delay: Callable[[], float]) -> None:
        self._ledger = ledger
        self._delay = delay
        self._buffer = b""
        self._transport: asyncio.Transport
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ledger.counts.connections += 1

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer and (request := take(self._buffer)) is not None:
            head, body, self._buffer = request
            self._requested(head, body)

    def _requested(self, head: bytes, body: bytes) -> None:
        target = head[: head.find(b"\r\n")]
        if target.startswith(b"DELETE"):
            self._ledger.forget_latencies()
            self._answer(b"200 OK", b"{}")
        elif PROBLEM in target:
            self._answer(b"200 OK", b'{"id":%b,"status":"IN_PROGRESS"}' % target.split(PROBLEM)[1].split(b" ")[0])
        elif target.startswith(b"GET"):
            self._answer(b"200 OK", self._ledger.told(latencies=b"/latencies" in target))
        elif b"/access-token" in target:
            self._answer(b"200 OK", TOKEN)
        else:
            key, meant_at = self._ledger.arrive(body, time.monotonic())
            delay = self._delay()
            if delay:
                self._loop.call_later(delay, self._amended, key, meant_at)
            else:
                self._amended(key, meant_at)

    def _amended(self, key: int, meant_at: float) -> None:
        self._ledger.leave(key, meant_at)
        answer = b'{"id":%d,"status":"RECEIVED_BY_GATEWAY","serviceProblemId":%d}' % (self._ledger.counts.answered, key)
        self._answer(b"201 Created", answer)

    def _answer(self, status: bytes, body: bytes) -> None:
        if not self._transport.is_closing():
            head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
            self._transport.write(head + body)


def take(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """The head and body of the first request, and what follows it; None while it is not whole."""
    end = data.find(HEAD_END)
    if end < 0:
        return None
    head = data[:end]
    start = end + len(HEAD_END)
    lower = head.lower()
    if CHUNKED in lower:
        last = data.find(LAST_CHUNK, start)
        if last < 0:
            return None
        return head, _unchunked(data[start:last]), data[last + len(LAST_CHUNK) :]
    at = lower.find(LENGTH)
    length = int(lower[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    if len(data) < start + length:
        return None
    return head, data[start : start + length], data[start + length :]


def _unchunked(chunks: bytes) -> bytes:
    body = b""
    while chunks:
        line, _, rest = chunks.partition(b"\r\n")
        size = int(line, 16)
        body, chunks = body + rest[:size], rest[size + 2 :]
    return body


async def serve(port: int, delay_seconds: float) -> None:
    """Serve until killed."""
    ledger, chance = Ledger(), random.Random(SEED)  # noqa: S311  # nothing depends on its being unpredictable

    def delay() -> float:
        return delay_seconds * chance.uniform(1 - SPREAD, 1 + SPREAD) if delay_seconds else 0.0

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(ledger, delay), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), float(sys.argv[2])))
