"""A dispatcher in one test: the flow with fakes for its ports, its records numbered as Kafka would number them."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import count

from bridge.domain.admission import Admission, AdmissionPolicy
from bridge.domain.breaker import BreakerPolicy, BucketPolicy
from bridge.domain.journey.state import TicketState
from bridge.domain.journeys import JourneyStatus
from bridge.domain.outcomes import GatewayOutcome
from bridge.domain.policy import JourneyPolicy
from bridge.domain.record import Record
from bridge.domain.signals import JourneySignal, OperatorDecision, Signal
from bridge.domain.tickets import TicketEvent
from bridge.flows.handle_ticket import (
    FAULT_TICKETS,
    GATEWAY_OUTCOMES,
    JOURNEY_SIGNALS,
    JOURNEYS,
    OPERATOR_DECISIONS,
    HandleTicket,
    ticket_of,
)
from bridge.flows.intake import DeadLetterLimit, Intake
from bridge.ports import Arrived, Gateway, Kept
from tests.builders import NOW, TICKET, a_policy, a_signal, an_event
from tests.fakes import FakeTable, FixedClock, RecordingOutbox, RecordingTelemetry, RecordingWakes, ScriptedCodec

TOPIC_OF = {
    "FaultTicketEvent": FAULT_TICKETS,
    "JourneySignal": JOURNEY_SIGNALS,
    "OperatorDecision": OPERATOR_DECISIONS,
}
UNLIMITED = AdmissionPolicy(
    max_in_flight=1000,
    supplier_max_in_flight=1000,
    bucket=BucketPolicy(rate=1000.0, burst=1000.0),
    breaker=BreakerPolicy(failures=1000, open_seconds=30.0),
)


class Dispatcher:
    """Its table, wakes and clock outlive it: `restarted` is another process that finds what was durable."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        policy: JourneyPolicy | None = None,
        admission: AdmissionPolicy = UNLIMITED,
        dead_letters_per_minute: int = 100,
    ) -> None:
        self.gateway = gateway
        self.policy = policy or a_policy()
        self.table: FakeTable[TicketState] = FakeTable(Kept[TicketState])
        self.wakes = RecordingWakes()
        self.clock = FixedClock(NOW)
        self.outbox = RecordingOutbox()
        self.telemetry = RecordingTelemetry()
        self.codec = ScriptedCodec()
        self._admission = admission
        self._limit = DeadLetterLimit(dead_letters_per_minute)
        self._offsets = count()
        self._requests = count(1)
        self.flow = self._start()

    def _start(self) -> HandleTicket:
        return HandleTicket(
            intake=Intake(
                service="dispatcher",
                version="1.2.3",
                codec=self.codec,
                clock=self.clock,
                telemetry=self.telemetry,
                limit=self._limit,
                home=lambda _topic, _key: 0,
                key_of=ticket_of,
            ),
            gateway=self.gateway,
            admission=Admission(self._admission),
            outbox=self.outbox,
            wakes=self.wakes,
            clock=self.clock,
            telemetry=self.telemetry,
            policy=self.policy,
            new_request_id=lambda: f"request-{next(self._requests)}",
            monotonic=self.clock.seconds,
            permit_seconds=15.0,
        )

    async def restarted(self) -> None:
        """The process ended; another one takes the partition over."""
        self.wakes.forget_all()
        self.table.open_again()
        self.flow = self._start()
        await self.flow.opened([self.table])

    def record(self, record: Record, *, key: str | None = None) -> Arrived:
        """A record as Kafka gives it."""
        topic = TOPIC_OF[type(record).__name__]
        return Arrived(
            topic=topic,
            partition=0,
            offset=next(self._offsets),
            timestamp=self.clock.now(),
            key=(key if key is not None else ticket_of(record)).encode(),
            value=self.codec.encode(topic, record),
        )

    async def handles(self, record: JourneySignal | OperatorDecision | Record) -> Arrived:
        arrived = self.record(record)
        await self.flow.arrived(arrived, self.table)
        return arrived

    async def event(self, content: TicketEvent, *, ticket_id: str = TICKET, event_id: str | None = None) -> Arrived:
        return await self.handles(an_event(content, ticket_id=ticket_id, event_id=event_id))

    async def signal(self, signal: Signal, *, ticket_id: str = TICKET) -> Arrived:
        return await self.handles(a_signal(signal, ticket_id=ticket_id))

    async def passes(self, time: timedelta) -> None:
        """Let time pass, and wake who asked for it."""
        self.clock.advance(time)
        for key, _ in self.wakes.due(self.clock.now()):
            await self.flow.woken(key, self.table)

    # -- what is seen

    def state(self, ticket_id: str = TICKET) -> TicketState:
        kept = self.table.get(ticket_id)
        assert kept is not None
        assert kept.value is not None
        return kept.value

    def told(self, ticket_id: str = TICKET) -> list[tuple[str, str, str]]:
        outcomes: Iterable[GatewayOutcome] = self.table.values_of(GATEWAY_OUTCOMES)
        return [(told.command, told.verdict, told.reason) for told in outcomes if told.ticket_id == ticket_id]

    def shown(self) -> list[JourneyStatus]:
        return self.table.values_of(JOURNEYS)

    def wakes_at(self, ticket_id: str = TICKET) -> timedelta:
        """How long until the ticket is woken."""
        return self.wakes.asked[ticket_id, 0] - self.clock.now()
