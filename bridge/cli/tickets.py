"""`bridge tickets`: ticket events from JSON onto `fault-tickets`, so that anyone can drive the bridge."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from aiokafka import AIOKafkaProducer

from bridge.adapters.avro import NotThatRecord, from_json
from bridge.adapters.kafka_connection import connection_options
from bridge.cli.cluster import on_cluster
from bridge.cli.screen import fail
from bridge.domain.tickets import FaultTicketEvent
from bridge.flows.handle_ticket import FAULT_TICKETS
from bridge.services.codec import codec_for
from bridge.settings import read
from bridge.topics import Party, data_directory, load_topics, physical_name

app = typer.Typer(name="tickets", help="Ticket events, from JSON.", no_args_is_help=True)


@app.callback()
def tickets() -> None:
    """Ticket events, from JSON."""


@app.command("send")
def send(
    file: Annotated[str, typer.Argument(help="A JSON array of events, or one event a line; `-` reads standard input.")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check that every event can be read.")] = False,
) -> None:
    """
    Publish ticket events, in the order of the file. Nothing is sent unless every event can be read.

    Whether an event keeps the contract's limits is checked by the dispatcher, which tells all violations in `gateway-
    outcomes`.
    """
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        events = read_events(text)
    except NotThatRecord as error:
        fail(f"{file}: {error}")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{file}: cannot be read as UTF-8 text: {error}")
    if dry_run:
        typer.echo(f"{len(events)} events can be read.")
        return
    on_cluster(lambda: _send(events))


def read_events(text: str) -> list[FaultTicketEvent]:
    """
    Read events from a JSON array or from JSON lines.

    Raises:
        NotThatRecord: with every event that cannot be read, by its place in the file.

    """
    events, problems = [], []
    for place, piece in _pieces(text):
        try:
            events.append(from_json(FaultTicketEvent, piece))
        except NotThatRecord as error:
            problems.append(f"{place}: {error}")
    if problems:
        raise NotThatRecord("\n".join(problems))
    return events


def _pieces(text: str) -> list[tuple[str, str]]:
    """Each event's JSON with its place in the text."""
    if not text.lstrip().startswith("["):
        return [(f"line {number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    try:
        return [(f"event {number}", json.dumps(item)) for number, item in enumerate(json.loads(text), 1)]
    except ValueError as error:
        raise NotThatRecord(f"not JSON: {error}") from None


async def _send(events: list[FaultTicketEvent]) -> None:
    settings = read(os.environ, "KAFKA", "SCHEMA")
    topics = load_topics(data_directory() / "topics.yaml")
    codec = await codec_for(settings.kafka, settings.schema, topics, Party.CLI)
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **connection_options(settings.kafka))
    await producer.start()
    try:
        topic = physical_name(settings.kafka.topic_prefix, FAULT_TICKETS)
        sent = [
            await producer.send(topic, codec.encode(FAULT_TICKETS, event), event.ticket_id.encode()) for event in events
        ]
        for event, future in zip(events, sent, strict=True):
            record = await future
            kind = type(event.event).__name__
            typer.echo(
                f"{event.ticket_id} {kind} -> {record.topic} partition {record.partition} offset {record.offset}"
            )
    finally:
        await producer.stop()
