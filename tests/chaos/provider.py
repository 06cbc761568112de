"""
The provider of a chaos run: a seeded stream of fault tickets, and the people behind it who amend, cancel and answer.

It sees only what any provider sees, the public topics; so a lost transition or a stuck journey leaves it waiting.
"""

import asyncio
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from bridge.domain.journeys import JourneyStatus, Phase
from bridge.domain.record import Record
from bridge.domain.signals import Choice, OperatorDecision
from bridge.domain.statuses import EntityStatus
from bridge.domain.tickets import FaultTicketEvent, TicketEvent
from tests.builders import a_cancellation, a_report, an_amendment, an_answer
from tests.integration.topic_watch import CODEC, TOPICS

FAULT_TICKETS = "fault-tickets"
DECISIONS = "operator-decisions"
INPUTS = (FAULT_TICKETS, "journey-signals", DECISIONS, "kcis", "observations")
SHOWN = ("journeys", "problem-status", "test-status")
SUPPLIERS = ("NORTHMOOR", "HARBOUR_NET", "WESTDALE", "OPENWORLD", "SOUTHFIBRE")
# Scenarios of the simulator and how many of a hundred tickets have each.
MIX = {
    "HAPPY_PATH": 36,
    "HELD_AND_RESUMED": 5,
    "STRAIGHT_TO_WORK": 5,
    "TEST_GREEN": 5,
    "TEST_FAILED": 5,
    "TEST_SLOW": 3,
    "TEST_ALWAYS_FAILED": 2,
    "PROBLEM_REJECTED": 4,
    "PROBLEM_FAILED_ONCE": 5,
    "PROBLEM_TIMED_OUT": 2,
    "SUPPLIER_CANCELS": 4,
    "RESOLUTION_REJECTED_THEN_FIXED": 4,
    "NETWORK_INCIDENT": 4,
    "AMENDMENT_ACCEPTED": 6,
    "CANCELLATION_ACCEPTED": 6,
    "INFORMATION_REQUIRED": 4,
}
# What a person sends once the problem has this status, by scenario.
LATER: dict[str, tuple[str, Callable[[], TicketEvent]]] = {
    "AMENDMENT_ACCEPTED": ("IN_PROGRESS", an_amendment),
    "CANCELLATION_ACCEPTED": ("IN_PROGRESS", a_cancellation),
    "INFORMATION_REQUIRED": ("PENDING", an_amendment),
}
# Of a hundred tickets on the happy path, so many are amended, or cancelled, in the same breath as they are reported.
AMENDED_AT_ONCE, CANCELLED_AT_ONCE = 12, 4
FIRST_REJECTED = "RESOLUTION_REJECTED_THEN_FIXED"
POLL_SECONDS = 0.2
STEP_SECONDS = 20.0


@dataclass
class Ticket:
    """One ticket: its scenario, the events that were sent for it, and what people did about it."""

    id: str
    scenario: str
    events: list[str] = field(default_factory=list)
    sent_later: bool = False
    answers: int = 0
    attention: str | None = None


class Provider:
    """Feeds tickets, reacts to journeys, and decides about UNKNOWN commands when told how."""

    def __init__(
        self,
        servers: str,
        prefix: str,
        rng: random.Random,
        *,
        faults_of: Callable[[str], str],
        mix: Mapping[str, int] = MIX,
    ) -> None:
        """`faults_of(scenario)` is what stands behind the scenario in a service id, such as +KCI_LOST."""
        self.tickets: dict[str, Ticket] = {}
        self.journeys: dict[str, JourneyStatus] = {}
        self.statuses: dict[str, str] = {}
        self.inputs: dict[tuple[str, int], int] = {}
        self.decided: Counter[Choice] = Counter()
        self.retried: set[str] = set()
        self.changed = time.monotonic()
        # How far the clock of whoever published the latest journey is ahead of ours, in seconds.
        self.clock_ahead = 0.0
        self._mix = mix
        self._prefix = prefix
        self._servers = servers
        self._rng = rng
        self._faults_of = faults_of
        self._lock = threading.Lock()
        self._drawing = threading.Lock()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "message.timeout.ms": 600_000,
                "linger.ms": 2,
                "log_level": 2,
            }
        )
        self._reader = threading.Thread(target=self._follow, name="provider", daemon=True)

    def start(self) -> None:
        self._reader.start()

    def stop(self) -> None:
        self._stopping.set()
        self._reader.join(STEP_SECONDS)

    # -- feeding

    def report(self) -> Ticket:
        """Tell of a new fault, now and then with an amendment or a cancellation right behind it."""
        with self._drawing:
            scenario = self._rng.choices(list(self._mix), list(self._mix.values()))[0]
            supplier, chance = self._rng.choice(SUPPLIERS), self._rng.randrange(100)
            number = len(self.tickets) + 1
            ticket = Ticket(f"T-{number:06d}", scenario)
            with self._lock:
                self.tickets[ticket.id] = ticket
        service_id = f"SIM-{scenario}{self._faults_of(scenario)}-{number}"
        assert len(service_id) <= 50, service_id
        self._tell(ticket, a_report(service_id=service_id, supplier=supplier))
        if scenario == "HAPPY_PATH" and chance < AMENDED_AT_ONCE:
            self._tell(ticket, an_amendment())
        elif scenario == "HAPPY_PATH" and chance < AMENDED_AT_ONCE + CANCELLED_AT_ONCE:
            self._tell(ticket, a_cancellation())
        return ticket

    def _tell(self, ticket: Ticket, content: TicketEvent) -> None:
        event = FaultTicketEvent(
            event_id=f"{ticket.id}/{len(ticket.events) + 1}",
            ticket_id=ticket.id,
            occurred_at=datetime.now(UTC),
            event=content,
        )
        ticket.events.append(event.event_id)
        self.send(FAULT_TICKETS, ticket.id.encode(), CODEC.encode(FAULT_TICKETS, event))

    def send(self, topic: str, key: bytes | None, value: bytes | None, *, partition: int = -1) -> None:
        """Write one record, whatever it is."""

        def delivered(error: object, _: object) -> None:
            if error is not None:
                self._failure = KafkaException(error)

        self._producer.produce(self._prefix + topic, value, key, partition, on_delivery=delivered)
        self._producer.poll(0)

    def flushed(self) -> bool:
        """Whether Kafka has everything that was sent."""
        self._producer.poll(0)
        if self._failure is not None:
            raise self._failure
        return len(self._producer) == 0

    def decide(self, journey: JourneyStatus, choice: Choice, entity_id: str | None) -> None:
        """Say what became of an UNKNOWN command, as an operator does."""
        pending = journey.pending
        assert pending is not None
        decision = OperatorDecision(
            decision_id=str(uuid.uuid4()),
            ticket_id=journey.ticket_id,
            command_id=pending.command_id,
            choice=choice,
            entity_id=entity_id,
            decided_by="chaos",
            why="the simulator's ledger says so",
            decided_at=datetime.now(UTC),
        )
        self.decided[choice] += 1
        if choice is Choice.RETRY:
            self.retried.add(pending.command_id)
        self.send(DECISIONS, journey.ticket_id.encode(), CODEC.encode(DECISIONS, decision))

    # -- following

    def unsettled(self) -> list[str]:
        """The tickets that are neither at their end nor waiting for a person's word on an UNKNOWN command."""
        with self._lock:
            return [
                ticket
                for ticket in self.tickets
                if (journey := self.journeys.get(ticket)) is None
                or not (journey.phase is Phase.ENDED or journey.attention == "RESOLVE_UNKNOWN")
            ]

    def waits(self) -> str:
        """What has not come to its end yet, in a sentence, or nothing."""
        waiting = [] if self.flushed() else [f"{len(self._producer)} records are not at Kafka yet"]
        if unsettled := self.unsettled():
            first = self.journeys.get(unsettled[0])
            waiting.append(f"{len(unsettled)} tickets are not settled, such as {unsettled[0]}: {first}")
        return "; ".join(waiting)

    def in_doubt(self) -> list[JourneyStatus]:
        """The journeys that wait for a person's word."""
        with self._lock:
            return [journey for journey in self.journeys.values() if journey.attention == "RESOLVE_UNKNOWN"]

    def lag(self, groups: dict[str, tuple[str, ...]]) -> Counter[str]:
        """How many records of their sources the groups have not committed; what follows was read before."""
        behind: Counter[str] = Counter()
        for group, topics in groups.items():
            consumer = Consumer({"bootstrap.servers": self._servers, "group.id": self._prefix + group, "log_level": 2})
            with self._lock:
                last = {place: offset for place, offset in self.inputs.items() if place[0] in topics}
            asked = [TopicPartition(self._prefix + topic, number) for topic, number in last]
            try:
                committed = consumer.committed(asked, timeout=STEP_SECONDS) if asked else []
            finally:
                consumer.close()
            for place in committed:
                offset = last[place.topic.removeprefix(self._prefix), place.partition]
                behind[place.topic] += max(0, offset + 1 - max(place.offset, 0))
        return +behind

    def _follow(self) -> None:
        loop = asyncio.new_event_loop()
        consumer = Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": f"{self._prefix}chaos-provider",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "log_level": 2,
            }
        )
        topics = (*INPUTS, *SHOWN)
        consumer.assign(
            [
                TopicPartition(self._prefix + topic, number, 0)
                for topic in topics
                for number in range(TOPICS.partitions_of(TOPICS[topic]))
            ]
        )
        try:
            while not self._stopping.is_set():
                for message in consumer.consume(500, POLL_SECONDS):
                    if message.error() is not None:
                        continue
                    topic = str(message.topic()).removeprefix(self._prefix)
                    value = message.value()
                    if topic in INPUTS:
                        with self._lock:
                            self.inputs[topic, int(message.partition() or 0)] = int(message.offset() or 0)
                    elif value is not None:
                        self._heard(loop.run_until_complete(CODEC.decode(topic, value)))
                    self.changed = time.monotonic()
                self._producer.poll(0)
        except BaseException as error:
            self._failure = error
            raise
        finally:
            consumer.close()
            loop.close()

    def _heard(self, record: Record) -> None:
        if isinstance(record, EntityStatus):
            with self._lock:
                self.statuses[record.entity.key] = record.status
        elif isinstance(record, JourneyStatus):
            self.clock_ahead = (record.updated_at - datetime.now(UTC)).total_seconds()
            with self._lock:
                self.journeys[record.ticket_id] = record
                ticket = self.tickets.get(record.ticket_id)
            if ticket is not None and record.phase is Phase.OPEN:
                self._react(ticket, record)

    def _react(self, ticket: Ticket, journey: JourneyStatus) -> None:
        before, ticket.attention = ticket.attention, journey.attention
        if journey.attention == "ANSWER_RESOLUTION" and before != "ANSWER_RESOLUTION":
            reject = ticket.scenario == FIRST_REJECTED and ticket.answers == 0
            ticket.answers += 1
            self._tell(ticket, an_answer("REJECTED" if reject else "ACCEPTED"))
        status, content = LATER.get(ticket.scenario, (None, an_amendment))
        if status is not None and journey.problem_status == status and not ticket.sent_later:
            ticket.sent_later = True
            self._tell(ticket, content())
