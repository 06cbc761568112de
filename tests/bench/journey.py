"""
The case journey: mixed fault tickets from the report to the end of their journeys, through all services.

The simulator is the gateway. Nobody has to answer: resolutions are accepted by policy, and what the provider amends or
cancels it tells in the same breath as the fault. All reports are there at once; the work ends with the last journey.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.domain.journeys import JourneyStatus, Phase
from bridge.domain.tickets import FaultTicketEvent, TicketEvent
from tests.bench import gauge
from tests.bench.figures import percentiles
from tests.bench.plan import Bench, Json, Planned
from tests.bench.rig import BenchServices, publish, stopped_afterwards
from tests.bench.seed import PARTITIONS
from tests.builders import a_cancellation, a_report, an_amendment
from tests.integration.topic_watch import CODEC

TICKETS = 5000
# For each second that a side is to last; a short run takes fewer tickets.
TICKETS_A_SECOND = 84
WARM_UP_TICKETS = 100
SEED = 11
# Scenarios of the simulator and how many of a hundred tickets have each: most are repaired.
MIX = {
    "HAPPY_PATH": 66,
    "HELD_AND_RESUMED": 8,
    "STRAIGHT_TO_WORK": 6,
    "NETWORK_INCIDENT": 5,
    "TEST_FAILED": 5,
    "PROBLEM_FAILED_ONCE": 4,
    "PROBLEM_REJECTED": 3,
    "SUPPLIER_CANCELS": 3,
}
AMENDED, CANCELLED = 0.08, 0.02
SUPPLIERS = ("NORTHMOOR", "HARBOUR_NET", "WESTDALE", "OPENWORLD", "SOUTHFIBRE")
SERVICES = ("dispatcher", "ingester", "tracker")
SETTINGS = {
    "BRIDGE_DISPATCHER_ACCEPT_RESOLUTION_CODES": "*",
    "BRIDGE_GATEWAY_SUPPLIER_MAX_IN_FLIGHT": "100",
}
SIMULATOR = {"SIMULATOR_KCI_DELAY": "0.1", "SIMULATOR_WEBHOOK_CONNECTIONS": "64"}
STUCK_SECONDS = 60.0


def measure(bench: Bench) -> Json:
    """So many tickets, after a few for the warm-up."""
    kafka, tickets = bench.kafka, min(TICKETS, int(bench.seconds * TICKETS_A_SECOND))
    services = BenchServices(kafka, bench.logs, settings=SETTINGS, simulator=SIMULATOR)
    with stopped_afterwards(services):
        services.make_topics()
        for service in ("simulator", *SERVICES):
            services.begin(service)
        for service in SERVICES:
            services.wait_ready(service)
        asyncio.run(_all_ended(services, "W", WARM_UP_TICKETS))
        pids = {
            **{service: services.pids(service) for service in (*SERVICES, "simulator")},
            "broker": [kafka.pid(1)],
        }
        begin = gauge.read(pids)
        ended = asyncio.run(_all_ended(services, "T", tickets))
        end = gauge.read(pids)
        kcis = len(services.gateway.kcis())
        requests = len(services.gateway.entries())
        rss = {service: sum(map(gauge.peak_rss_mib, pids[service])) for service in SERVICES}
        letters = asyncio.run(_count(services, "dead-letters"))
    ours = sum(end.since(begin, service) for service in SERVICES)
    done = len(ended.after)
    return {
        "tickets": tickets,
        "ended": done,
        "ends": dict(ended.ends),
        "seconds": round(end.at - begin.at, 2),
        "rate": round(done / (end.at - begin.at), 1),
        "cpu_seconds": {name: round(end.since(begin, name), 2) for name in pids},
        "journeys_per_cpu_second": round(done / ours, 1) if ours else None,
        "kcis_per_ticket": round(kcis / (tickets + WARM_UP_TICKETS), 2),
        "requests_per_ticket": round(requests / (tickets + WARM_UP_TICKETS), 2),
        "over_after_ms": percentiles(list(ended.after.values())),
        "rss_mib": rss,
        "lost": tickets - done,
        "dead_letters": letters,
    }


class Ended:
    """The journeys that came to their end, and how long after their report."""

    def __init__(self) -> None:
        self.after: dict[str, float] = {}
        self.ends: Counter[str] = Counter()


async def _all_ended(services: BenchServices, name: str, tickets: int) -> Ended:
    """Report faults, and return when every journey is over, or nothing moves any more."""
    ended = Ended()
    consumer = await _reader(services, "journeys")
    try:
        await publish(services.bootstrap_servers, f"{services.prefix}fault-tickets", _reports(name, tickets))
        started = moved = time.monotonic()
        while len(ended.after) < tickets and time.monotonic() < moved + STUCK_SECONDS:
            found = await consumer.getmany(timeout_ms=200)
            for message in (message for messages in found.values() for message in messages):
                moved = time.monotonic()
                if message.value is None:
                    continue
                journey = await CODEC.decode("journeys", message.value)
                assert isinstance(journey, JourneyStatus)
                if journey.phase is Phase.ENDED and journey.ticket_id not in ended.after:
                    ended.after[journey.ticket_id] = moved - started
                    ended.ends[str(journey.end)] += 1
    finally:
        await consumer.stop()
    return ended


def _reports(name: str, tickets: int) -> Iterator[tuple[bytes, bytes]]:
    chance = random.Random(SEED)  # noqa: S311  # the same tickets each time
    for number in range(tickets):
        ticket_id = f"{name}-{number:05d}"
        plan = chance.choices(list(MIX), list(MIX.values()))[0]
        report = a_report(service_id=f"SIM-{plan}-{name}{number:05d}", supplier=chance.choice(SUPPLIERS))
        contents: list[TicketEvent] = [report]
        luck = chance.random()
        if luck < AMENDED:
            contents.append(an_amendment())
        elif luck < AMENDED + CANCELLED:
            contents.append(a_cancellation())
        for index, content in enumerate(contents):
            event = FaultTicketEvent(
                event_id=f"{index}", ticket_id=ticket_id, occurred_at=datetime.now(UTC), event=content
            )
            yield ticket_id.encode(), CODEC.encode("fault-tickets", event)


async def _reader(services: BenchServices, topic: str) -> AIOKafkaConsumer:
    """Reads a topic from here on."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=services.bootstrap_servers, isolation_level="read_committed", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign([TopicPartition(services.prefix + topic, number) for number in range(PARTITIONS)])
    await consumer.seek_to_end()
    return consumer


async def _count(services: BenchServices, topic: str) -> int:
    """How many records a topic has."""
    consumer = await _reader(services, topic)
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        return sum(ends.values())
    finally:
        await consumer.stop()


RUNS = (Planned("mixed tickets", "bridge", measure),)
