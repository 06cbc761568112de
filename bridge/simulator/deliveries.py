"""
Delivery of KCIs: a lane for each entity, in order, each KCI tried again until a 2xx or until the attempts are used up.

Rule: order within an entity is broken only on purpose (KCI_SHUFFLED); KCIs of different entities overtake each other.
"""

import asyncio
import time
import uuid
from collections import deque
from http import HTTPStatus
from typing import Final

import msgspec

from bridge.simulator.chance import shuffled
from bridge.simulator.entities import Entity, now, stamp
from bridge.simulator.kcis import Kci
from bridge.simulator.ledger import Delivery
from bridge.simulator.settings import Settings
from bridge.simulator.weather import Forecast
from bridge.simulator.webhook import TenantWebhook

_TICK: Final = 0.05  # how often the weather is asked whether KCIs are held
_SUCCESS: Final = range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES)


class Deliveries:
    """Takes KCIs (`submit`) and brings them to the tenant in tasks of its own."""

    def __init__(self, settings: Settings, webhook: TenantWebhook, forecast: Forecast) -> None:
        self._settings = settings
        self._webhook = webhook
        self._forecast = forecast
        self._lanes: dict[int, deque[Kci]] = {}
        self._kept_back: dict[int, list[Kci]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(settings.webhook_connections)
        self._open = asyncio.Event()
        self._gatekeeper: asyncio.Task[None] | None = None

    async def started(self) -> None:
        """Open the way to the tenant."""
        await self._webhook.opened()
        self._gatekeeper = asyncio.create_task(self._watch_the_weather())

    async def stopped(self) -> None:
        """Stop every delivery; what is under way is cut off."""
        if self._gatekeeper is not None:
            self._gatekeeper.cancel()
            await asyncio.gather(self._gatekeeper, return_exceptions=True)
        await self.clear()
        await self._webhook.closed()

    async def clear(self) -> None:
        """Drop every KCI that is not delivered yet."""
        self._lanes.clear()
        self._kept_back.clear()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def submit(self, kci: Kci) -> None:
        """Take a KCI for delivery, or lose it or keep it back when a fault says so."""
        entity = kci.entity
        if self._is_lost(kci):
            self._lose(kci)
            return
        group = entity.plan.upset("KCI_SHUFFLED", entity.operation)
        if not group:
            self._enqueue(entity, [kci])
            return
        kept = self._kept_back.setdefault(entity.id, [])
        kept.append(kci)
        kci.entry.fault = "KCI_SHUFFLED"
        if len(kept) >= group:
            self.release(entity)

    def release(self, entity: Entity) -> None:
        """Deliver what was kept back of an entity, out of order; nothing happens when nothing was."""
        kept = self._kept_back.pop(entity.id, [])
        self._enqueue(entity, shuffled(kept, self._settings.seed, entity.id, entity.sequence))

    def _is_lost(self, kci: Kci) -> bool:
        entity = kci.entity
        every = entity.plan.upset("KCI_LOST", entity.operation)
        planned = bool(every) and entity.sequence % every == 0
        return planned or self._forecast.upset("KCI_LOST", entity.operation, entity.service_id)

    def _lose(self, kci: Kci) -> None:
        """Never deliver it. Every second one lost claims to be delivered, because a gateway can be wrong about that."""
        lost = kci.entity.lost = kci.entity.lost + 1
        kci.entry.fate = "LOST"
        kci.entry.fault = "KCI_LOST"
        kci.entity.settled += 1
        if lost % 2 == 0:
            kci.delivered()

    def _enqueue(self, entity: Entity, kcis: list[Kci]) -> None:
        if not kcis or not self._settings.webhook_url:
            entity.settled += len(kcis)
            return
        lane = self._lanes.get(entity.id)
        if lane is not None:
            lane.extend(kcis)
            return
        lane = self._lanes[entity.id] = deque(kcis)
        task = asyncio.create_task(self._empty(entity.id, lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _empty(self, entity_id: int, lane: deque[Kci]) -> None:
        while lane:
            await self._bring(lane.popleft())
        self._lanes.pop(entity_id, None)

    async def _bring(self, kci: Kci) -> None:
        """Deliver one KCI, with its copies, or give up on it; it stays PENDING then."""
        copies = self._copies(kci)
        for attempt in range(self._settings.delivery_attempts):
            if await self._attempt(kci):
                kci.entry.fate = "DELIVERED"
                kci.delivered()
                kci.entity.settled += 1
                for _ in range(copies):
                    await self._attempt(kci)
                return
            longest = self._settings.delivery_longest_pause
            await asyncio.sleep(min(longest, self._settings.delivery_first_pause * 2 ** min(attempt, 30)))
        kci.entry.fate = "GAVE_UP"
        kci.entity.settled += 1

    def _copies(self, kci: Kci) -> int:
        entity = kci.entity
        planned = entity.plan.upset("KCI_DOUBLED", entity.operation)
        copies = planned or int(self._forecast.upset("KCI_DOUBLED", entity.operation, entity.service_id))
        if copies:
            kci.entry.fault = "KCI_DOUBLED"
        return copies

    async def _attempt(self, kci: Kci) -> bool:
        """Send it once; whether the tenant answered 2xx."""
        await self._open.wait()
        async with self._room:
            moment = stamp(now())
            delivery = Delivery(at=moment, monotonic=time.monotonic(), request_id=str(uuid.uuid4()))
            kci.entry.deliveries.append(delivery)
            body = msgspec.json.encode({**kci.body, "deliveredOn": moment})
            delivery.answer = await self._webhook.post(body, delivery.request_id, kci.entity.conversation_id)
            delivery.seconds = time.monotonic() - delivery.monotonic
        return delivery.answer in _SUCCESS

    async def _watch_the_weather(self) -> None:
        while True:
            self.heed_the_weather()
            await asyncio.sleep(_TICK)

    def heed_the_weather(self) -> None:
        """Hold deliveries back, or let them go, as the weather says now."""
        if self._forecast.now.kcis_held:
            self._open.clear()
        else:
            self._open.set()
