"""Everything that a chaos run left behind: every committed record of every topic, and what the simulator knows."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from confluent_kafka import Consumer, TopicPartition

from bridge.adapters.gateway.client import second_request_id
from bridge.adapters.streams.restore import OWNER_KEY
from bridge.domain.journey.state import TicketState
from bridge.domain.journeys import CommandState
from bridge.domain.outcomes import CommandName
from bridge.domain.record import Record
from bridge.domain.tracking import TrackedEntity
from bridge.ports import Kept, Undecodable
from tests.integration.simulated_gateway import SimulatedGateway
from tests.integration.topic_watch import CODEC, TOPICS

TABLES = {"dispatcher-journeys": Kept[TicketState], "tracker-entities": Kept[TrackedEntity]}
READ_SECONDS = 120.0
QUIET_SECONDS = 2.0


@dataclass(frozen=True)
class Row:
    """One committed record; `value` is None for a tombstone and for what cannot be decoded."""

    topic: str
    partition: int
    offset: int
    at: float
    key: bytes | None
    raw: bytes | None
    value: Any


@dataclass(frozen=True)
class Intent:
    """The durable permission to send one request, as the table has it."""

    ticket_id: str
    command_id: str
    command: CommandName
    request_id: str
    at: float

    @property
    def number(self) -> int:
        """The command's place in its ticket's order."""
        return int(self.command_id.rpartition("/")[2])


@dataclass(frozen=True)
class History:
    """What is left of a run."""

    topics: dict[str, list[Row]]
    requests: list[dict[str, Any]]
    kcis: list[dict[str, Any]]
    problems: list[dict[str, Any]]
    tests: list[dict[str, Any]]

    def values(self, topic: str) -> list[Record]:
        """The decoded values of a topic."""
        return [row.value for row in self.topics[topic] if row.value is not None]

    def intents(self) -> dict[str, Intent]:
        """
        Every intent that was ever durable, by its request id, and by the id under which the same request is sent once
        more after a 401.
        """
        found: dict[str, Intent] = {}
        for row in self.topics["dispatcher-journeys"]:
            kept: Kept[TicketState] | None = row.value
            journey = kept.value.journey if kept is not None and kept.value is not None else None
            head = journey.head if journey is not None else None
            if kept is None or kept.value is None or head is None or head.state is not CommandState.IN_FLIGHT:
                continue
            if head.request_id is not None and head.request_id not in found:
                found[head.request_id] = Intent(
                    kept.value.ticket_id, head.command_id, head.name, head.request_id, row.at
                )
                found[second_request_id(head.request_id)] = found[head.request_id]
        return found


def read_history(servers: str, prefix: str, gateway: SimulatedGateway) -> History:
    """
    Read every topic from its beginning to its end as of now, committed records only. The gateway is asked first, so
    that whatever it knows has had its time to be on the topics.
    """
    requests, kcis, problems, tests = gateway.entries(), gateway.kcis(), gateway.problems(), gateway.tests()
    topics = {topic.name: TOPICS.partitions_of(topic) for topic in TOPICS.topics}
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"{prefix}chaos-history",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "log_level": 2,
            "enable.partition.eof": True,
        }
    )
    places = [TopicPartition(prefix + name, number, 0) for name, count in topics.items() for number in range(count)]
    consumer.assign(places)
    ended: set[tuple[str, int]] = set()
    raw: list[Any] = []
    deadline = time.monotonic() + READ_SECONDS
    while len(ended) < len(places):
        assert time.monotonic() < deadline, "the topics cannot be read to their ends"
        for message in consumer.consume(2000, 1.0):
            if message.error() is None:
                raw.append(message)
            else:
                ended.add((str(message.topic()), int(message.partition() or 0)))
    consumer.close()
    rows: dict[str, list[Row]] = {name: [] for name in topics}
    for row in asyncio.run(_decoded(raw, prefix)):
        rows[row.topic].append(row)
    return History(
        topics=rows,
        requests=requests,
        kcis=kcis,
        problems=problems,
        tests=tests,
    )


async def _decoded(messages: list[Any], prefix: str) -> list[Row]:
    decoders = {name: msgspec.json.Decoder(kept) for name, kept in TABLES.items()}
    rows = []
    for message in messages:
        topic = message.topic().removeprefix(prefix)
        raw, value = message.value(), None
        if topic in TABLES and message.key() == OWNER_KEY:
            # It tells who owns a partition, and settles nothing.
            continue
        if raw is not None and topic in decoders:
            value = decoders[topic].decode(raw)
        elif raw is not None:
            try:
                value = await CODEC.decode(topic, raw)
            except Undecodable:
                value = None
        rows.append(
            Row(topic, message.partition(), message.offset(), message.timestamp()[1] / 1000, message.key(), raw, value)
        )
    return rows


def seconds_of(moment: str | datetime) -> float:
    """A time as seconds of the wall clock."""
    return (datetime.fromisoformat(moment) if isinstance(moment, str) else moment).timestamp()
