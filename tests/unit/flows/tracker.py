"""A tracker in one test: the flow with fakes for its ports, its records numbered as Kafka would number them."""

from datetime import timedelta
from itertools import count
from typing import Any

from msgspec.structs import replace

from bridge.domain.correlation import conversation_id
from bridge.domain.entities import Entity, Kci
from bridge.domain.policy import TrackingPolicy
from bridge.domain.record import Record
from bridge.domain.tracking import TrackedEntity
from bridge.flows.intake import DeadLetterLimit, Intake
from bridge.flows.track_status import TrackStatus, entity_of
from bridge.ports import Arrived, Kept
from tests.builders import NOW, TICKET, an_update
from tests.fakes import FakeTable, FixedClock, RecordingTelemetry, RecordingWakes, ScriptedCodec

POLICY = TrackingPolicy(problem_silence=timedelta(hours=4), remember_ended=timedelta(days=30))


class Tracker:
    """Its table, wakes and clock outlive it: `restarted` is another process that finds what was durable."""

    def __init__(self) -> None:
        self.table: FakeTable[TrackedEntity] = FakeTable(Kept[TrackedEntity])
        self.wakes = RecordingWakes()
        self.clock = FixedClock(NOW)
        self.codec = ScriptedCodec()
        self._offsets = count()
        self.flow = self._start()

    def _start(self) -> TrackStatus:
        intake: Intake[TrackedEntity] = Intake(
            service="tracker",
            version="1.2.3",
            codec=self.codec,
            clock=self.clock,
            telemetry=RecordingTelemetry(),
            limit=DeadLetterLimit(100),
            home=lambda _topic, _key: 0,
            key_of=entity_of,
        )
        return TrackStatus(intake=intake, wakes=self.wakes, clock=self.clock, policy=POLICY)

    async def restarted(self) -> None:
        """The process ended; another one takes the partition over."""
        self.wakes.forget_all()
        self.table.open_again()
        self.flow = self._start()
        await self.flow.opened([self.table])

    async def hears(self, entity: Entity, **update: Any) -> Arrived:
        """Take a KCI about the entity."""
        kci = Kci(
            entity=entity,
            update=replace(an_update(), **update),
            conversation_id=conversation_id(TICKET),
            request_id="r",
            received_at=self.clock.now(),
        )
        return await self.takes("kcis", kci, entity.key)

    async def takes(self, topic: str, record: Record, key: str) -> Arrived:
        arrived = self.record(topic, record, key)
        await self.flow.arrived(arrived, self.table)
        return arrived

    def record(self, topic: str, record: Record, key: str) -> Arrived:
        """A record as Kafka gives it."""
        return Arrived(
            topic=topic,
            partition=0,
            offset=next(self._offsets),
            timestamp=NOW,
            key=key.encode(),
            value=self.codec.encode(topic, record),
        )

    async def passes(self, time: timedelta) -> None:
        self.clock.advance(time)
        for key, _ in self.wakes.due(self.clock.now()):
            await self.flow.woken(key, self.table)

    @property
    def topics(self) -> list[str]:
        return [record.topic for record in self.table.published]
