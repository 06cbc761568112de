"""`bridge journeys`: where each ticket stands, and a person's word on commands whose outcome is UNKNOWN."""

import json
import os
import uuid
from datetime import UTC, datetime
from typing import Annotated

import typer
from aiokafka import AIOKafkaProducer
from msgspec.structs import replace

from bridge.adapters.avro import to_json
from bridge.adapters.kafka_connection import connection_options
from bridge.adapters.kafka_reader import read_topic
from bridge.cli.cluster import on_cluster
from bridge.cli.letter_options import By
from bridge.cli.screen import UNUSABLE, Output, OutputOption, fail, show_json, show_table
from bridge.domain.entities import GatewayError
from bridge.domain.journeys import CommandState, JourneyStatus, PendingCommand
from bridge.domain.letters import readable
from bridge.domain.outcomes import GatewayOutcome
from bridge.domain.signals import Choice, OperatorDecision
from bridge.flows.handle_ticket import GATEWAY_OUTCOMES, JOURNEYS, OPERATOR_DECISIONS
from bridge.ports import Codec
from bridge.services.codec import codec_for
from bridge.settings import Settings, read
from bridge.topics import Party, data_directory, load_topics, physical_name

app = typer.Typer(
    name="journeys", help="Where each ticket stands, and what a person decides about it.", no_args_is_help=True
)

Ticket = Annotated[str, typer.Argument(help="The ticket id.")]


@app.command("list")
def show_all(
    *,
    attention: Annotated[bool, typer.Option("--attention", help="Only those that need a person.")] = False,
    output: OutputOption = None,
) -> None:
    """List all journeys."""
    found = on_cluster(_journeys, "reading journeys")
    rows = [
        (
            status.ticket_id,
            status.phase.value if status.end is None else f"{status.phase} {status.end}",
            _entity(status.test_id, status.test_result or status.test_status),
            _entity(status.problem_id, status.problem_status),
            "" if status.pending is None else f"{status.pending.command} {status.pending.state}",
            status.attention or "",
        )
        for status in found.values()
        if not attention or status.attention is not None
    ]
    show_table(("ticket", "phase", "test", "problem", "pending", "attention"), sorted(rows), output)


@app.command("show")
def show(ticket: Ticket, output: OutputOption = None) -> None:
    """Show one journey, and every outcome that was published for it."""
    status, outcomes = on_cluster(lambda: _story(ticket), f"reading the story of {ticket}")
    if status is None and not outcomes:
        fail(f"nothing is known of ticket {ticket}; `bridge journeys list` shows all")
    if output is Output.JSON:
        show_json(
            {
                "journey": None if status is None else json.loads(to_json(status)),
                "outcomes": [json.loads(to_json(_without_texts(outcome))) for outcome in outcomes],
            }
        )
        return
    if status is not None:
        typer.echo(to_json(status))
    for outcome in outcomes:
        verdict = f"{outcome.command} {outcome.verdict} {outcome.reason}"
        typer.echo(f"{outcome.decided_at:%Y-%m-%d %H:%M:%S} {verdict}: {outcome.message}{_error(outcome.error)}")


@app.command("resolve")
def resolve(
    ticket: Ticket,
    by: By,
    *,
    accepted: Annotated[
        str | None, typer.Option(help="The gateway took it; this is the number it gave (0 where it gives none).")
    ] = None,
    not_accepted: Annotated[
        bool, typer.Option("--not-accepted", help="The gateway did not take it; do not send it again.")
    ] = False,
    retry: Annotated[bool, typer.Option("--retry", help="The gateway did not take it; send it again.")] = False,
    why: Annotated[str, typer.Option(help="How you know; kept with the decision.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Publish the decision even if nothing seems UNKNOWN.")] = False,
) -> None:
    """
    Decide about the command of a ticket whose outcome is UNKNOWN. The decision is published to `operator-decisions`.
    """
    choices = [
        choice
        for choice, given in (
            (Choice.ACCEPTED, accepted is not None),
            (Choice.NOT_ACCEPTED, not_accepted),
            (Choice.RETRY, retry),
        )
        if given
    ]
    if len(choices) != 1:
        fail("say exactly one of --accepted ID, --not-accepted and --retry", UNUSABLE)
    if not why:
        fail("say --why: the decision is kept, and whoever reads it later needs the reason", UNUSABLE)
    on_cluster(lambda: _decide(ticket, choices[0], accepted, why, by, force=force))


def _without_texts(outcome: GatewayOutcome) -> GatewayOutcome:
    """An outcome without what the gateway wrote in its own words, which may hold personal data."""
    error = None if outcome.error is None else replace(outcome.error, messages=())
    test = None if outcome.test is None else replace(outcome.test, other=None)
    return replace(outcome, error=error, test=test)


def _error(error: GatewayError | None) -> str:
    """What to quote at the gateway's service desk; its messages may hold personal data, and stay on the topic."""
    if error is None:
        return ""
    shown = [readable(word.encode()) for word in (error.code, error.uuid) if word is not None]
    return f" ({', '.join(shown)}; {len(error.messages)} messages on {GATEWAY_OUTCOMES})"


def _entity(number: str | None, status: str | None) -> str:
    return "" if number is None else f"{number} {status or ''}".strip()


async def _setup() -> tuple[Settings, Codec]:
    settings = read(os.environ, "KAFKA", "SCHEMA")
    topics = load_topics(data_directory() / "topics.yaml")
    return settings, await codec_for(settings.kafka, settings.schema, topics, Party.CLI)


async def _journeys() -> dict[str, JourneyStatus]:
    settings, codec = await _setup()
    found: dict[str, JourneyStatus] = {}
    topic = physical_name(settings.kafka.topic_prefix, JOURNEYS)
    async for arrived in read_topic(connection_options(settings.kafka), topic, JOURNEYS):
        key = (arrived.key or b"").decode("utf-8", "replace")
        record = None if arrived.value is None else await codec.decode(JOURNEYS, arrived.value)
        if isinstance(record, JourneyStatus):
            found[key] = record
        else:
            found.pop(key, None)
    return found


async def _story(ticket: str) -> tuple[JourneyStatus | None, list[GatewayOutcome]]:
    settings, codec = await _setup()
    outcomes: list[GatewayOutcome] = []
    topic = physical_name(settings.kafka.topic_prefix, GATEWAY_OUTCOMES)
    async for arrived in read_topic(connection_options(settings.kafka), topic, GATEWAY_OUTCOMES):
        if arrived.key == ticket.encode() and arrived.value is not None:
            record = await codec.decode(GATEWAY_OUTCOMES, arrived.value)
            if isinstance(record, GatewayOutcome):
                outcomes.append(record)
    return (await _journeys()).get(ticket), outcomes


async def _decide(ticket: str, choice: Choice, accepted: str | None, why: str, by: str, *, force: bool) -> None:
    status = (await _journeys()).get(ticket)
    unknown = unknown_command(status)
    if unknown is None and not force:
        fail(
            f"ticket {ticket} has no command whose outcome is UNKNOWN; `bridge journeys show {ticket}` tells its story"
        )
    settings, codec = await _setup()
    decision = OperatorDecision(
        decision_id=str(uuid.uuid4()),
        ticket_id=ticket,
        command_id=unknown.command_id if unknown is not None else None,
        choice=choice,
        entity_id=accepted if accepted != "0" else None,
        decided_by=by,
        why=why,
        decided_at=datetime.now(UTC),
    )
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **connection_options(settings.kafka))
    await producer.start()
    try:
        topic = physical_name(settings.kafka.topic_prefix, OPERATOR_DECISIONS)
        await producer.send_and_wait(topic, codec.encode(OPERATOR_DECISIONS, decision), ticket.encode())
    finally:
        await producer.stop()
    what = f"{unknown.command} {unknown.command_id}" if unknown is not None else f"ticket {ticket}"
    typer.echo(f"{what}: {choice} is on {topic}; `bridge journeys show {ticket}` tells what came of it.")


def unknown_command(status: JourneyStatus | None) -> PendingCommand | None:
    """The command that waits for a person's word."""
    pending = status.pending if status is not None else None
    return pending if pending is not None and pending.state is CommandState.UNKNOWN else None
