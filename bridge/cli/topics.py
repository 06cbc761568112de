"""`bridge topics`: the topics of a cluster compared with topics.yaml, and made to match."""

import os
from typing import Annotated

import typer

from bridge.adapters.kafka_admin import (
    AddPartitions,
    Change,
    ChangeFailed,
    KafkaAdmin,
    Obstacle,
    check_topics,
    plan,
)
from bridge.adapters.kafka_connection import connection_options
from bridge.cli.acls import access_commands
from bridge.cli.asyncapi import asyncapi_page
from bridge.cli.cluster import on_cluster
from bridge.cli.screen import FOUND, UNUSABLE, OutputOption, fail, show_table
from bridge.cli.topics_page import topics_page
from bridge.schemas import SchemasError, load_schemas
from bridge.settings import KafkaSettings, SettingsError, read
from bridge.topics import Party, Topics, TopicsError, data_directory, load_topics, physical_name

REPLICATION_HELP = "Replicas of each topic; default: as topics.yaml says. A cluster of one broker needs 1."
PREFIX_HELP = "Put before each name on the cluster."

app = typer.Typer(
    name="topics", help="The topics of a cluster compared with topics.yaml, and made to match.", no_args_is_help=True
)

ReplicationFactor = Annotated[int | None, typer.Option(min=1, help=REPLICATION_HELP)]
TopicPrefix = Annotated[str, typer.Option(envvar="BRIDGE_KAFKA_TOPIC_PREFIX", help=PREFIX_HELP)]


@app.command("plan")
def show_plan(replication_factor: ReplicationFactor = None, output: OutputOption = None) -> None:
    """Show what `apply` would do. Exit code 1: there are changes, or the cluster does not say."""
    topics, settings = _topics(), _kafka()
    changes = on_cluster(lambda: _planned(settings, topics, replication_factor))
    show_table(("topic", "change"), [(change.name, str(change)) for change in changes], output)
    if changes:
        raise typer.Exit(FOUND)


@app.command("apply")
def apply_plan(
    replication_factor: ReplicationFactor = None,
    *,
    allow_losing_order: Annotated[
        bool,
        typer.Option(
            "--allow-losing-order",
            help="Add partitions too. Keys move to other partitions: a key's order is lost, and a table no longer finds"
            " its state. Stop the services first and let them finish what is there.",
        ),
    ] = False,
) -> None:
    """
    Create what is missing and adjust what can be adjusted; nothing is deleted. Exit code 1: something is left to
    do.
    """
    topics, settings = _topics(), _kafka()
    left = on_cluster(lambda: _apply(settings, topics, replication_factor, allow_losing_order=allow_losing_order))
    if left:
        fail("\n".join(left))


@app.command("check")
def check_cluster(
    service: Annotated[Party | None, typer.Option(help="Only what this one needs to start.")] = None,
) -> None:
    """
    Check what each service checks before it starts. Exit code 1: a topic is missing or has another partition count.
    """
    topics, settings = _topics(), _kafka()
    parties = tuple(Party) if service is None else (service,)
    on_cluster(lambda: check_topics(connection_options(settings), topics, parties, settings.topic_prefix))


@app.command("list")
def list_topics(topic_prefix: TopicPrefix = "", output: OutputOption = None) -> None:
    """List every topic of topics.yaml. Needs no cluster."""
    topics = _topics()
    show_table(
        ("topic", "key", "schema", "partitions", "cleanup", "producers", "consumers", "personal data"),
        [
            (
                physical_name(topic_prefix, topic.name),
                topic.key,
                topic.record_name,
                str(topics.partitions_of(topic)),
                topic.cleanup.value if topic.retention_days is None else f"after {topic.retention_days} days",
                ", ".join(topic.producers),
                ", ".join(topic.consumers),
                "yes" if topic.personal_data else "no",
            )
            for topic in topics.topics
        ],
        output,
    )


@app.command("docs")
def print_docs() -> None:
    """Print docs/topics.md. Needs no cluster."""
    typer.echo(topics_page(_topics()), nl=False)


@app.command("asyncapi")
def print_asyncapi() -> None:
    """Print docs/asyncapi.yaml, an AsyncAPI 3 document of the topics and their records. Needs no cluster."""
    try:
        schemas = load_schemas(data_directory() / "schemas")
    except SchemasError as error:
        fail(str(error))
    typer.echo(asyncapi_page(_topics(), schemas), nl=False)


@app.command("acls")
def print_acls(
    topic_prefix: TopicPrefix = "",
    principal: Annotated[
        str, typer.Option(help="Kafka's name for the user of each service; {party} stands for the service.")
    ] = "User:{party}",
    command_config: Annotated[
        str | None, typer.Option(help="Properties file that tells kafka-acls how to connect to a secured cluster.")
    ] = None,
) -> None:
    """Print the kafka-acls commands that give each service its topics, group and transactions, and no more."""
    for command in access_commands(_topics(), topic_prefix, principal, command_config):
        typer.echo(command)


async def _planned(settings: KafkaSettings, topics: Topics, replication_factor: int | None) -> tuple[Change, ...]:
    async with KafkaAdmin(connection_options(settings)) as admin:
        return await _plan(admin, settings.topic_prefix, topics, replication_factor)


async def _plan(admin: KafkaAdmin, prefix: str, topics: Topics, replication_factor: int | None) -> tuple[Change, ...]:
    cluster = await admin.describe(physical_name(prefix, topic.name) for topic in topics.topics)
    return plan(cluster, topics, prefix, replication_factor or topics.defaults.replication_factor)


async def _apply(
    settings: KafkaSettings, topics: Topics, replication_factor: int | None, *, allow_losing_order: bool
) -> list[str]:
    """Carry out what may be carried out, printing each change; return what is left, a sentence each."""
    left: list[str] = []
    async with KafkaAdmin(connection_options(settings)) as admin:
        for change in await _plan(admin, settings.topic_prefix, topics, replication_factor):
            if isinstance(change, Obstacle):
                left.append(f"topic {change.name} {change}")
            elif isinstance(change, AddPartitions) and not allow_losing_order:
                left.append(f"topic {change.name}: {change}; not done without --allow-losing-order")
            else:
                try:
                    await admin.apply(change)
                    typer.echo(f"{change.name}\t{change}")
                except ChangeFailed as error:
                    left.append(str(error))
    return left


def _topics() -> Topics:
    try:
        return load_topics(data_directory() / "topics.yaml")
    except TopicsError as error:
        fail(str(error))


def _kafka() -> KafkaSettings:
    try:
        return read(os.environ, "KAFKA").kafka
    except SettingsError as error:
        fail(str(error), UNUSABLE)
