"""
The gateway's side of the webhook as load: KCIs, delivered over connections that stay open.

    python -m tests.bench.deliveries PORT RATE SECONDS CONNECTIONS PROBLEMS FIRST_PROBLEM [BOOTSTRAP_SERVERS TOPIC]

RATE 0: each connection sends its next KCI as soon as the last one is answered, which finds what can be held. Any other
rate is an open model: each KCI has its moment, whether earlier ones are answered or not, and its latency counts from
that moment. With a topic, the transitions on it are read, and the time from the 2xx to the transition is told as well.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.domain.statuses import StatusTransition
from bridge.services.loop import new_loop
from tests.bench.figures import percentiles
from tests.bench.seed import PARTITIONS
from tests.integration.topic_watch import CODEC
from tests.webhook_doubles import BASIC, a_kci

MARK = "@@"
STATUSES = ("IN_PROGRESS", "HELD")
NOTES = "The engineer could not reach the pole behind the bakery; access was asked for with the landlord, who is away. "
# How long after the last KCI its answer and its transition are waited for.
PATIENCE_SECONDS = 10.0
HEAD_END = b"\r\n\r\n"


def _template() -> tuple[str, ...]:
    """A KCI of 1.2 kB, cut where each has its own id, number, problem and status."""
    kci = a_kci(
        id=f"{MARK}id{MARK}",
        sequenceNumber=0,
        entity={
            "id": 0,
            "status": f"{MARK}status{MARK}",
            "externalIdentifier": "TICKET-9",
            "serviceId": "FIB-30021877",
            "supplierReference": "NMF-5520931",
            "problemType": "OUTAGE",
            "problemText": "No light on the terminal",
            "notes": NOTES * 5,
        },
        information={"type": "DELAY", "code": "WAYLEAVE_ISSUE", "text": NOTES},
    )
    text = json.dumps(kci)
    text = text.replace('"sequenceNumber": 0', f'"sequenceNumber": {MARK}number{MARK}')
    text = text.replace('"entity": {"id": 0', f'"entity": {{"id": {MARK}problem{MARK}')
    return tuple(text.split(MARK))


PARTS = _template()


def request(number: int, problems: int, first: int) -> bytes:
    """The delivery of KCI `number`; each problem's are numbered, and change its status each time."""
    nth, problem = divmod(number, problems)
    values = {
        "id": kci_id(number, first),
        "number": str(nth + 1),
        "problem": str(first + problem),
        "status": STATUSES[nth % len(STATUSES)],
    }
    body = "".join(values.get(part, part) for part in PARTS).encode()
    head = (
        f"POST /kcis HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {BASIC}\r\nContent-Type: application/json\r\n"
        f"X-Request-ID: request-{number}\r\nX-Conversation-ID: bench\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def kci_id(number: int, first: int) -> str:
    """The id of a KCI: no two loads of other problems have one in common."""
    return f"{first:08d}-0000-4000-8000-{number:012d}"


@dataclass
class Told:
    """What came of the deliveries."""

    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    answered_at: dict[str, float] = field(default_factory=dict)
    reactions: list[float] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One delivery at a time."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, number: int, meant_at: float) -> None:
        self._number, self._meant_at = number, meant_at
        self._transport.write(request(number, self._load.problems, self._load.first))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(HEAD_END)
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + len(HEAD_END) + length:
            return
        self._buffer = b""
        self._load.answered(self, self._number, self._meant_at, int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost += 1


class Load:
    """The schedule, and the connections that are free."""

    def __init__(self, rate: float, seconds: float, problems: int, first: int) -> None:
        self.problems = problems
        self.first = first
        self.told = Told()
        self.lost = 0
        self._rate = rate
        self._seconds = seconds
        self._free: deque[Connection] = deque()
        self._due: deque[tuple[int, float]] = deque()
        self._sent = 0
        self._open = 0
        self._until = 0.0

    async def run(self, port: int, connections: int) -> float:
        """Deliver for the time; how long it took until the last answer."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", port)
            self._free.append(connection)
        started = time.monotonic()
        self._until = started + self._seconds
        if self._rate:
            await self._keep_to_schedule(started)
        else:
            for _ in range(connections):
                self._next(time.monotonic())
            await asyncio.sleep(self._seconds)
        patience = time.monotonic() + PATIENCE_SECONDS
        while (self._open or self._due) and time.monotonic() < patience:  # noqa: ASYNC110  # a look now and then is enough
            await asyncio.sleep(0.01)
        return time.monotonic() - started

    async def _keep_to_schedule(self, started: float) -> None:
        for number in range(int(self._rate * self._seconds)):
            at = started + number / self._rate
            if (wait := at - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            elif number % 100 == 0:
                await asyncio.sleep(0)
            self._next(at)

    def _next(self, meant_at: float) -> None:
        self._due.append((self._sent, meant_at))
        self._sent += 1
        self._send_due()

    def _send_due(self) -> None:
        while self._due and self._free:
            self._open += 1
            self._free.popleft().send(*self._due.popleft())

    def answered(self, connection: Connection, number: int, meant_at: float, status: int) -> None:
        """One is answered; the next one may go."""
        now = time.monotonic()
        self._open -= 1
        self.told.statuses[status] += 1
        self.told.latencies.append(now - meant_at)
        self.told.answered_at[kci_id(number, self.first)] = now
        self._free.append(connection)
        if not self._rate and now < self._until:
            self._next(now)
        else:
            self._send_due()


async def read_transitions(bootstrap_servers: str, topic: str, load: Load, ready: asyncio.Event) -> None:
    """Note when each transition can be read; for ever."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
    await consumer.seek_to_end()
    ready.set()
    while True:
        found = await consumer.getmany(timeout_ms=100)
        now = time.monotonic()
        for message in (message for messages in found.values() for message in messages):
            assert message.value is not None
            transition = await CODEC.decode("problem-transitions", message.value)
            assert isinstance(transition, StatusTransition)
            # A transition may be there before its KCI's answer: then nobody waited for it.
            load.told.reactions.append(max(0.0, now - load.told.answered_at.get(transition.cause.id, now)))


async def main(arguments: list[str]) -> None:
    """Deliver, and print one JSON object."""
    port, rate, seconds, connections, problems, first = (float(each) for each in arguments[:6])
    load = Load(rate, seconds, int(problems), int(first))
    reader, ready = None, asyncio.Event()
    if arguments[6:]:
        reader = asyncio.create_task(read_transitions(arguments[6], arguments[7], load, ready))
        await ready.wait()
    lasted = await load.run(int(port), int(connections))
    answered = sum(load.told.statuses.values())
    patience = time.monotonic() + PATIENCE_SECONDS
    while reader is not None and len(load.told.reactions) < answered and time.monotonic() < patience:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    told = {
        "answered": answered,
        "accepted": sum(count for status, count in load.told.statuses.items() if status < 300),
        "statuses": {str(status): count for status, count in load.told.statuses.items()},
        "broken_connections": load.lost,
        "rate": round(answered / lasted, 1),
        "latency_ms": percentiles(load.told.latencies),
        "transitions": len(load.told.reactions),
        "reaction_ms": percentiles(load.told.reactions),
    }
    print(json.dumps(told), flush=True)  # noqa: T201  # what was asked for


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main(sys.argv[1:]))
