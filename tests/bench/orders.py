"""
The provider's side as load: amendments on `fault-tickets` in an open model, each at its moment.

    python -m tests.bench.orders BOOTSTRAP_SERVERS TOPIC_PREFIX TICKETS RATE SECONDS FIRST_NUMBER [outcomes]

Each command carries its moment, so the sink tells how long after it the call arrived and was answered. With `outcomes`,
the time until its outcome can be read on `gateway-outcomes` is told as well.
"""

import asyncio
import contextlib
import json
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bridge.domain.outcomes import GatewayOutcome
from bridge.services.loop import new_loop
from tests.bench.commands import Numbered
from tests.bench.figures import percentiles
from tests.bench.seed import PARTITIONS
from tests.integration.topic_watch import CODEC

PATIENCE_SECONDS = 10.0

Place = tuple[str, str | None]


async def offer(bootstrap_servers: str, prefix: str, schedule: "Schedule") -> None:
    """Publish each command at its moment; what comes late is published at once, and its moment stays."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all")
    await producer.start()
    started = time.monotonic()
    try:
        for index in range(schedule.commands):
            at = started + index / schedule.rate
            if (wait := at - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            command = schedule.command(index, at)
            schedule.meant_at[command.ticket_id, command.event().event_id] = at
            await producer.send(f"{prefix}fault-tickets", CODEC.encode("fault-tickets", command.event()), command.key)
        await producer.flush()
    finally:
        await producer.stop()


class Schedule:
    """Which command at which moment: tickets in turn."""

    def __init__(self, tickets: int, rate: float, seconds: float, first: int) -> None:
        self.rate = rate
        self.commands = int(rate * seconds)
        self.meant_at: dict[Place, float] = {}
        self._tickets = tickets
        self._first = first

    def command(self, index: int, at: float) -> Numbered:
        number, ticket = divmod(index, self._tickets)
        return Numbered(ticket + 1, self._first + number, at)


async def read_outcomes(bootstrap_servers: str, prefix: str, schedule: Schedule, after: list[float]) -> None:
    """Note how long after its moment each outcome can be read; for ever."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=20,
    )
    await consumer.start()
    consumer.assign([TopicPartition(f"{prefix}gateway-outcomes", number) for number in range(PARTITIONS)])
    await consumer.seek_to_end()
    while True:
        found = await consumer.getmany(timeout_ms=100)
        now = time.monotonic()
        for message in (message for messages in found.values() for message in messages):
            assert message.value is not None
            outcome = await CODEC.decode("gateway-outcomes", message.value)
            assert isinstance(outcome, GatewayOutcome)
            meant_at = schedule.meant_at.get((outcome.ticket_id, outcome.event_id))
            if meant_at is not None:
                after.append(now - meant_at)


async def main(arguments: list[str]) -> None:
    """Offer, and print one JSON object."""
    servers, prefix = arguments[:2]
    tickets, rate, seconds, first = (float(each) for each in arguments[2:6])
    schedule, after = Schedule(int(tickets), rate, seconds, int(first)), list[float]()
    reader = None
    if arguments[6:]:
        reader = asyncio.create_task(read_outcomes(servers, prefix, schedule, after))
        await asyncio.sleep(1)
    await offer(servers, prefix, schedule)
    if reader is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(after) < schedule.commands:  # noqa: ASYNC110  # a look now and then is enough
                    await asyncio.sleep(0.05)
    print(json.dumps({"commands": schedule.commands, "outcomes": len(after), "outcome_after": percentiles(after)}))  # noqa: T201  # what was asked for


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main(sys.argv[1:]))
