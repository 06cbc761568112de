"""
Writes open journeys into the dispatcher's table, as the dispatcher itself would have left them.

    python -m tests.bench.seed BOOTSTRAP_SERVERS TOPIC_PREFIX TICKETS

The states are worked out by the domain and written by the product's own table, so they are what a restart finds.
"""

import asyncio
import sys
import uuid
from datetime import UTC, datetime

from msgspec.structs import replace

from bridge.adapters.streams.app import StreamService
from bridge.adapters.streams.table import FencedPartition, FencedTable, TableSpec
from bridge.domain.answers import Taken
from bridge.domain.correlation import conversation_id
from bridge.domain.entities import SERVICE_PROBLEM, Entity
from bridge.domain.journey.answers import answered
from bridge.domain.journey.calls import next_call, sending
from bridge.domain.journey.draft import Context
from bridge.domain.journey.events import event_arrived
from bridge.domain.journey.signals import signal_arrived
from bridge.domain.journey.state import TicketState
from bridge.domain.policy import DEFAULT_PROBLEM_TYPES, JourneyPolicy
from bridge.domain.record import Record
from bridge.domain.signals import EntityChanged, JourneySignal
from bridge.domain.tickets import FaultTicketEvent
from bridge.ports import Kept
from bridge.services.loop import new_loop
from bridge.topics import data_directory, load_topics
from tests.bench.commands import ticket_id
from tests.builders import a_report
from tests.group_member import member_of

TABLE = "dispatcher-journeys"
TOPICS = load_topics(data_directory() / "topics.yaml")
PARTITIONS = TOPICS.partitions_of(TOPICS[TABLE])
POLICY = JourneyPolicy(problem_types=DEFAULT_PROBLEM_TYPES)
AT_ONCE = 2000


def table_spec(bootstrap_servers: str, prefix: str) -> TableSpec:
    """The dispatcher's table of the bridge with this prefix; it publishes nothing beside its values."""

    def encode(topic: str, record: Record) -> bytes:
        raise ValueError(f"a seed publishes nothing, and not {type(record).__name__} on {topic}")

    return TableSpec(
        topic=prefix + TABLE,
        written=[prefix + TABLE],
        transactional_id_prefix=f"{prefix}seed-",
        kept=Kept[TicketState],
        encode=encode,
        physical=lambda name: prefix + name,
        connection={"bootstrap_servers": bootstrap_servers.split(",")},
        transaction_timeout_seconds=20.0,
        max_record_bytes=2_097_152,
    )


def open_journey(number: int) -> TicketState:
    """Ticket n, whose problem n was raised, and is in progress."""
    now = datetime.now(UTC)
    context = Context(now=now, cause="seed", policy=POLICY)
    ticket = TicketState(ticket_id=ticket_id(number), touched_at=now)
    report = a_report(service_id=f"SVC-{number:07d}", service_test_id=number)
    event = FaultTicketEvent(event_id="report", ticket_id=ticket.ticket_id, occurred_at=now, event=report)
    ticket = event_arrived(ticket, event, context).ticket
    planned = next_call(ticket, now)
    assert planned is not None, "a report that brings its test leads to a raise"
    ticket, sent = sending(ticket, planned, str(uuid.uuid4()), now)
    problem = Entity(type=SERVICE_PROBLEM, id=str(number), status="RECEIVED_BY_GATEWAY")
    ticket = answered(ticket, sent, Taken(http_status=201, entity=problem), context).ticket
    changed = EntityChanged(entity=replace(problem, status="IN_PROGRESS"))
    signal = JourneySignal(signal_id="seed", ticket_id=ticket.ticket_id, occurred_at=now, signal=changed)
    return signal_arrived(ticket, signal, context).ticket


def numbered(template: TicketState, number: int) -> TicketState:
    """The same journey under another number; much cheaper than living it."""
    journey = template.journey
    assert journey is not None
    assert journey.problem is not None
    assert journey.report is not None
    service_id = f"SVC-{number:07d}"
    name = ticket_id(number)
    return replace(
        template,
        ticket_id=name,
        journey=replace(
            journey,
            conversation_id=conversation_id(name),
            report=replace(journey.report, service_id=service_id, service_test_id=number),
            service_id=service_id,
            problem=replace(journey.problem, id=str(number)),
        ),
    )


async def seed(bootstrap_servers: str, prefix: str, tickets: int) -> None:
    """Write the tickets 1 to `tickets`."""
    table = FencedTable(table_spec(bootstrap_servers, prefix))
    template = open_journey(1)
    async with member_of(bootstrap_servers, f"{prefix}seed", prefix + TABLE) as membership:
        partitions = {each.number: each for each in await table.open(range(PARTITIONS), membership)}
        for first in range(1, tickets + 1, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, tickets + 1))
            await asyncio.gather(*(_write(partitions, numbered(template, number)) for number in numbers))
        await table.stop()


async def _write(partitions: dict[int, FencedPartition], ticket: TicketState) -> None:
    home = StreamService.home(ticket.ticket_id.encode(), PARTITIONS)
    kept = Kept(seen={}, at=ticket.touched_at, value=ticket)
    await partitions[home].write(ticket.ticket_id, kept)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(seed(sys.argv[1], sys.argv[2], int(sys.argv[3])))
