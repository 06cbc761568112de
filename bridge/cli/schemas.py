"""`bridge schemas`: the Avro schemas, here and in a registry."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from bridge.adapters.avro import fingerprint_of
from bridge.adapters.registry import RegistryRefused, SchemaRegistry, registry_client, schema_text, subject_of
from bridge.cli.screen import UNUSABLE, Output, OutputOption, fail, show_table, working
from bridge.compatibility import breaks
from bridge.ports import SchemaUnavailable
from bridge.schemas import Schemas, SchemasError, load_schemas
from bridge.settings import SchemaSettings, SettingsError, read
from bridge.topics import Topic, Topics, TopicsError, data_directory, load_topics

app = typer.Typer(name="schemas", help="The Avro schemas, here and in a registry.", no_args_is_help=True)

MEND = (
    "add what is new with a default and rename nothing, or give the record a topic of its own"
    " (docs/topics.md tells who reads it)"
)


class Compatibility(StrEnum):
    """The registry's levels, by Confluent's names."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


TopicPrefix = Annotated[
    str, typer.Option(envvar="BRIDGE_KAFKA_TOPIC_PREFIX", help="Put before each topic's name in its subject.")
]


@app.command("list")
def list_schemas(output: OutputOption = None) -> None:
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
        output,
    )


@app.command("print")
def print_schema(
    name: Annotated[str, typer.Argument(help="The schema's name, such as FaultTicketEvent.")],
    published: Annotated[int | None, typer.Option(help="A published version, instead of the current one.")] = None,
) -> None:
    """Print a schema with all that it uses inside it, as a registry or another implementation needs it."""
    _, schemas = _data()
    if published is not None and published not in schemas.previous:
        fail(f"no published version {published}; there are: {', '.join(map(str, sorted(schemas.previous)))}", UNUSABLE)
    chosen = schemas.current if published is None else schemas.previous[published]
    try:
        typer.echo(json.dumps(chosen.self_contained(name), indent=2, ensure_ascii=False))
    except SchemasError as error:
        fail(str(error), UNUSABLE)


@app.command("register")
def register_schemas(
    topic_prefix: TopicPrefix = "",
    *,
    compatibility: Annotated[
        Compatibility | None,
        typer.Option(help="Have the registry keep this level from now on; the bridge itself keeps FULL_TRANSITIVE."),
    ] = None,
    output: OutputOption = None,
) -> None:
    """
    Register the current schema of each topic; what is there already stays as it is.

    Exit code 1: the registry does not take one, or does not answer.
    """

    async def register(registry: SchemaRegistry, topic: Topic, schema: str) -> str:
        subject = subject_of(topic, topic_prefix)
        said = f"id {await registry.register(subject, schema)}"
        if compatibility is not None:
            await registry.require(subject, compatibility)
            said += f", {compatibility}"
        return said

    _with_registry(register, topic_prefix, output)


@app.command("check")
def check_schemas(topic_prefix: TopicPrefix = "", output: OutputOption = None) -> None:
    """
    Check that the current schemas and every one before them can read each other, here and in the registry.

    Without a registry only those in schemas/previous are compared. Exit code 1: some cannot, the registry would not
    take one, or does not answer.
    """
    topics, schemas = _data()
    problems = [problem for name in _names(topics) for problem in incompatibilities(schemas, name)]
    if problems:
        fail("\n".join(f"{problem}; {MEND}" for problem in problems))
    typer.echo(f"{len(_names(topics))} schemas and their published versions can read each other", err=True)
    if _settings().registry_url is None:
        return

    async def check(registry: SchemaRegistry, topic: Topic, schema: str) -> str:
        subject = subject_of(topic, topic_prefix)
        registered = await registry.versions(subject)
        problems = [
            f"subject {subject}: {sentence}; {MEND}"
            for number, before in registered.items()
            for sentence in between(json.loads(schema), json.loads(before), f"version {number} in the registry")
        ]
        refusal = await registry.refusal(subject, schema) if registered and not problems else None
        if refusal is not None:
            problems.append(f"subject {subject}: the registry would not take it: {refusal}; {MEND}")
        if problems:
            raise RegistryRefused("\n".join(problems))
        return f"compatible with {_versions(registered)}" if registered else "nothing registered yet"

    _with_registry(check, topic_prefix, output)


def incompatibilities(schemas: Schemas, name: str) -> list[str]:
    """Why the current version of a schema and a published one cannot read each other: a sentence each."""
    current = schemas.current.self_contained(name)
    return [
        sentence
        for number in sorted(schemas.previous)
        if _is_in(schemas, number, name)
        for sentence in between(current, schemas.previous[number].self_contained(name), f"version {number}")
    ]


def between(current: Mapping[str, Any], before: Mapping[str, Any], called: str) -> Iterator[str]:
    """Why two versions cannot read each other: a sentence for each place."""
    yield from (f"the current schema cannot read {called}: {why}" for why in breaks(current, before))
    yield from (f"{called} cannot read the current schema: {why}" for why in breaks(before, current))


def _versions(registered: Mapping[int, str]) -> str:
    return f"version{'s' if len(registered) > 1 else ''} {', '.join(map(str, registered))}"


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
        fail(str(error), UNUSABLE)


def _with_registry(
    ask: Callable[[SchemaRegistry, Topic, str], Awaitable[str]], topic_prefix: str, output: Output | None
) -> None:
    """Ask the registry about the schema of each topic; print a row for each, and what it refuses at the end."""
    settings = _settings()
    if settings.registry_url is None:
        fail("no schema registry is configured; set BRIDGE_SCHEMA_REGISTRY_URL", UNUSABLE)
    try:
        with working(f"asking {settings.registry_url}"):
            rows, refusals = asyncio.run(_ask_about_all(settings.registry_url, settings, ask, topic_prefix))
    except SchemaUnavailable as error:
        fail(str(error))
    show_table(("subject", "schema", "result"), rows, output)
    if refusals:
        fail("\n".join(refusals))


async def _ask_about_all(
    url: str, settings: SchemaSettings, ask: Callable[[SchemaRegistry, Topic, str], Awaitable[str]], topic_prefix: str
) -> tuple[list[tuple[str, str, str]], list[str]]:
    topics, schemas = _data()
    rows: list[tuple[str, str, str]] = []
    refusals: list[str] = []
    async with registry_client(url, settings) as client:
        registry = SchemaRegistry(client)
        for topic in topics.topics:
            if topic.is_private:
                continue
            try:
                said = await ask(registry, topic, schema_text(schemas, topic))
            except RegistryRefused as error:
                refusals.append(str(error))
                said = "refused"
            rows.append((subject_of(topic, topic_prefix), topic.record_name, said))
    return rows, refusals
