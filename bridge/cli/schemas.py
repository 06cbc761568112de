"""`bridge schemas`: the Avro schemas, here and in a registry."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from bridge.adapters.avro import fingerprint_of
from bridge.adapters.registry import RegistryRefused, SchemaRegistry, registry_client, schema_text, subject_of
from bridge.cli.screen import fail, show_table
from bridge.compatibility import breaks
from bridge.ports import SchemaUnavailable
from bridge.schemas import Schemas, SchemasError, load_schemas
from bridge.settings import SchemaSettings, SettingsError, read
from bridge.topics import Topic, Topics, TopicsError, data_directory, load_topics

app = typer.Typer(name="schemas", help="The Avro schemas, here and in a registry.", no_args_is_help=True)

TopicPrefix = Annotated[
    str, typer.Option(envvar="BRIDGE_KAFKA_TOPIC_PREFIX", help="Put before each topic's name in its subject.")
]


@app.command("list")
def list_schemas() -> None:
    """List the schemas of topics: fingerprint, published versions, topics."""
    topics, schemas = _data()
    show_table(
        ("schema", "fingerprint", "published as", "topics"),
        [
            (
                name,
                fingerprint_of(schemas.current.self_contained(name)),
                ", ".join(str(number) for number in sorted(schemas.previous) if _is_in(schemas, number, name)),
                ", ".join(topic.name for topic in topics.topics if topic.record_name == name),
            )
            for name in _names(topics)
        ],
    )


@app.command("print")
def print_schema(
    name: Annotated[str, typer.Argument(help="The schema's name, such as FaultTicketEvent.")],
    published: Annotated[int | None, typer.Option(help="A published version, instead of the current one.")] = None,
) -> None:
    """Print a schema with all that it uses inside it, as a registry or another implementation needs it."""
    _, schemas = _data()
    if published is not None and published not in schemas.previous:
        fail(f"no published version {published}; there are: {', '.join(map(str, sorted(schemas.previous)))}")
    chosen = schemas.current if published is None else schemas.previous[published]
    try:
        typer.echo(json.dumps(chosen.self_contained(name), indent=2, ensure_ascii=False))
    except SchemasError as error:
        fail(str(error))


@app.command("register")
def register_schemas(topic_prefix: TopicPrefix = "") -> None:
    """Register the current schema of each topic. Exit code 1: the registry does not take one, or does not answer."""

    async def register(registry: SchemaRegistry, topic: Topic, schema: str) -> str:
        return f"id {await registry.register(subject_of(topic, topic_prefix), schema)}"

    _with_registry(register, topic_prefix)


@app.command("check")
def check_schemas(topic_prefix: TopicPrefix = "") -> None:
    """
    Check that the current schemas and the published ones can read each other, and, with a registry, that it takes them.

    Exit code 1: they cannot, it would not, or it does not answer.
    """
    topics, schemas = _data()
    problems = [problem for name in _names(topics) for problem in incompatibilities(schemas, name)]
    if problems:
        fail("\n".join(problems))
    typer.echo(f"{len(_names(topics))} schemas and their published versions can read each other")
    if _settings().registry_url is None:
        return

    async def check(registry: SchemaRegistry, topic: Topic, schema: str) -> str:
        subject = subject_of(topic, topic_prefix)
        if await registry.latest(subject) is None:
            return "nothing registered yet"
        if (refusal := await registry.refusal(subject, schema)) is not None:
            raise RegistryRefused(f"subject {subject}: {refusal}")
        return "compatible"

    _with_registry(check, topic_prefix)


def incompatibilities(schemas: Schemas, name: str) -> list[str]:
    """Why the current version of a schema and a published one cannot read each other: a sentence each."""
    current = schemas.current.self_contained(name)
    problems = []
    for number in sorted(schemas.previous):
        if _is_in(schemas, number, name):
            published = schemas.previous[number].self_contained(name)
            problems += [
                f"the current schema cannot read version {number}: {why}" for why in breaks(current, published)
            ]
            problems += [
                f"version {number} cannot read the current schema: {why}" for why in breaks(published, current)
            ]
    return problems


def _is_in(schemas: Schemas, number: int, name: str) -> bool:
    return name in schemas.previous[number].definitions


def _names(topics: Topics) -> list[str]:
    return sorted({topic.record_name for topic in topics.topics if not topic.is_private})


def _data() -> tuple[Topics, Schemas]:
    try:
        return load_topics(data_directory() / "topics.yaml"), load_schemas(data_directory() / "schemas")
    except (TopicsError, SchemasError) as error:
        fail(str(error))


def _settings() -> SchemaSettings:
    try:
        return read(os.environ, "SCHEMA").schema
    except SettingsError as error:
        fail(str(error))


def _with_registry(ask: Callable[[SchemaRegistry, Topic, str], Awaitable[str]], topic_prefix: str) -> None:
    """
    Ask the registry about the schema of each topic, and print a line for each; what it refuses is told at the end.
    """
    settings = _settings()
    if settings.registry_url is None:
        fail("no schema registry is configured; set BRIDGE_SCHEMA_REGISTRY_URL")
    try:
        refusals = asyncio.run(_ask_about_all(settings.registry_url, settings, ask, topic_prefix))
    except SchemaUnavailable as error:
        fail(str(error))
    if refusals:
        fail("\n".join(refusals))


async def _ask_about_all(
    url: str, settings: SchemaSettings, ask: Callable[[SchemaRegistry, Topic, str], Awaitable[str]], topic_prefix: str
) -> list[str]:
    topics, schemas = _data()
    refusals: list[str] = []
    async with registry_client(url, settings) as client:
        registry = SchemaRegistry(client)
        for topic in topics.topics:
            if topic.is_private:
                continue
            try:
                said = await ask(registry, topic, schema_text(schemas, topic))
                typer.echo(f"{subject_of(topic, topic_prefix)}\t{said}")
            except RegistryRefused as error:
                refusals.append(str(error))
    return refusals
