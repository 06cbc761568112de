"""
A Confluent-compatible schema registry, as far as the bridge needs one.

The subject of a topic's values is `<topic on the cluster>-value` (Confluent's TopicNameStrategy). Schemas are
registered by the command line alone; a service only looks up what is there.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

from bridge.ports import SchemaUnavailable, UnknownSchema
from bridge.schemas import Schemas
from bridge.settings import SchemaSettings
from bridge.topics import Party, Topic, Topics, physical_name

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
TIMEOUT_SECONDS = 10.0
REGISTER = "run `bridge schemas register`"


class RegistryRefused(Exception):
    """The registry does not take a schema; the text names the subject and what the registry said."""


class SchemaNotRegistered(Exception):
    """
    A topic that is to be written has no schema in the registry; the text names the subject and the command that
    mends it.
    """


def registry_client(url: str, settings: SchemaSettings) -> httpx.AsyncClient:
    """An HTTP client for the registry at this URL, with the user of the settings; to be closed by its owner."""
    username, password = settings.registry_username, settings.registry_password
    return httpx.AsyncClient(
        base_url=url.rstrip("/"),
        auth=None if username is None or password is None else (username, password.get_secret_value()),
        headers={"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE},
        timeout=TIMEOUT_SECONDS,
    )


def subject_of(topic: Topic, prefix: str) -> str:
    """The subject that holds the schema of a topic's values."""
    return f"{physical_name(prefix, topic.name)}-value"


def schema_text(schemas: Schemas, topic: Topic) -> str:
    """The schema of a topic's values as the registry gets it: self-contained, in one line."""
    return json.dumps(schemas.current.self_contained(topic.record_name), separators=(",", ":"), ensure_ascii=False)


class SchemaRegistry:
    """
    The registry behind a client. Every method may be called again at any time.

    Every one raises SchemaUnavailable when the registry does not answer, or not as a registry does.
    """

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        url = client.base_url
        # Without the user and password that a URL may hold.
        self._place = f"{url.scheme}://{url.netloc.decode()}{url.path}"

    async def schema_of(self, schema_id: int) -> str:
        """The schema with this id, as JSON text; UnknownSchema when there is none, or none that can be used here."""
        body = await self._ask("GET", f"/schemas/ids/{schema_id}", "schema", accept={HTTPStatus.NOT_FOUND})
        if "error_code" in body:
            raise UnknownSchema(f"the registry at {self._place} has no schema with id {schema_id}")
        if body.get("schemaType", "AVRO") != "AVRO" or body.get("references"):
            raise UnknownSchema(f"schema id {schema_id} is not Avro, or not self-contained")
        return str(body["schema"])

    async def id_of(self, subject: str, schema: str) -> int | None:
        """The id of exactly this schema under a subject; None when it is not registered there."""
        path = f"/subjects/{_quoted(subject)}"
        body = await self._ask("POST", path, "id", {"schema": schema}, accept={HTTPStatus.NOT_FOUND})
        return None if "error_code" in body else int(body["id"])

    async def register(self, subject: str, schema: str) -> int:
        """
        Register a schema and return its id, which stays the same when it is there already.

        Raises:
            RegistryRefused: the schema is not compatible with those of its subject, or not valid.

        """
        path = f"/subjects/{_quoted(subject)}/versions"
        refusals = {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
        body = await self._ask("POST", path, "id", {"schema": schema}, accept=refusals)
        if "error_code" in body:
            raise RegistryRefused(f"subject {subject}: {body.get('message', 'the registry refused the schema')}")
        return int(body["id"])

    async def latest(self, subject: str) -> str | None:
        """The schema that was registered last under a subject; None when there is none."""
        path = f"/subjects/{_quoted(subject)}/versions/latest"
        body = await self._ask("GET", path, "schema", accept={HTTPStatus.NOT_FOUND})
        return None if "error_code" in body else str(body["schema"])

    async def versions(self, subject: str) -> dict[int, str]:
        """Every version of a subject by its number, as JSON text; none when there is no such subject."""
        path = f"/subjects/{_quoted(subject)}/versions"
        answer = await self._send("GET", path, None)
        content = _json(answer)
        if answer.status_code == HTTPStatus.NOT_FOUND and isinstance(content, dict) and "error_code" in content:
            return {}
        if not answer.is_success or not isinstance(content, list):
            raise self._unusual(answer, "GET", path)
        found = {}
        for number in sorted(content):
            body = await self._ask("GET", f"{path}/{number}", "schema", accept=set())
            found[int(number)] = str(body["schema"])
        return found

    async def require(self, subject: str, level: str) -> None:
        """
        Have the registry refuse, from now on, what this compatibility level forbids under a subject.

        Raises:
            RegistryRefused: it does not know the level.

        """
        path = f"/config/{_quoted(subject)}"
        refusals = {HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.BAD_REQUEST}
        body = await self._ask("PUT", path, "compatibility", {"compatibility": level}, accept=refusals)
        if "error_code" in body:
            raise RegistryRefused(f"subject {subject}: {body.get('message', f'no compatibility level {level}')}")

    async def refusal(self, subject: str, schema: str) -> str | None:
        """Why the registry would not take a schema after the latest one of its subject; None when it would."""
        path = f"/compatibility/subjects/{_quoted(subject)}/versions/latest?verbose=true"
        body = await self._ask("POST", path, "is_compatible", {"schema": schema}, accept={HTTPStatus.NOT_FOUND})
        if "error_code" in body or body["is_compatible"]:
            return None
        messages = "; ".join(str(message) for message in body.get("messages") or ())
        return messages or "not compatible with the latest version"

    async def _ask(
        self,
        method: str,
        path: str,
        member: str,
        body: Mapping[str, Any] | None = None,
        *,
        accept: set[HTTPStatus],
    ) -> dict[str, Any]:
        """The JSON object of a success that has the member, or of an accepted error, which has `error_code`."""
        answer = await self._send(method, path, body)
        content = _json(answer)
        if isinstance(content, dict):
            if answer.is_success and member in content and "error_code" not in content:
                return content
            # A 404 without the registry's own error body is a wrong address, not a missing schema.
            if answer.status_code in accept and "error_code" in content:
                return content
        raise self._unusual(answer, method, path)

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        try:
            return await self._client.request(method, path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SchemaUnavailable(
                f"no answer from the schema registry at {self._place} ({type(error).__name__});"
                " check BRIDGE_SCHEMA_REGISTRY_URL"
            ) from error

    def _unusual(self, answer: httpx.Response, method: str, path: str) -> SchemaUnavailable:
        return SchemaUnavailable(
            f"the schema registry at {self._place} answered {answer.status_code} to {method} {path};"
            " check BRIDGE_SCHEMA_REGISTRY_URL and the BRIDGE_SCHEMA_REGISTRY_… user"
        )


async def registered_ids(
    registry: SchemaRegistry, topics: Topics, schemas: Schemas, party: Party, prefix: str
) -> dict[str, int]:
    """
    The schema id of each topic that someone writes, private ones left out, by logical name: what a codec frames with.

    Raises:
        SchemaNotRegistered: with one sentence for each topic whose current schema is not registered.
        SchemaUnavailable: the registry does not answer.

    """
    ids: dict[str, int] = {}
    missing: list[str] = []
    for topic in topics.written_by(party):
        if topic.is_private:
            continue
        subject = subject_of(topic, prefix)
        schema_id = await registry.id_of(subject, schema_text(schemas, topic))
        if schema_id is None:
            missing.append(f"subject {subject} has no schema like {topic.record_name} of this version; {REGISTER}")
        else:
            ids[topic.name] = schema_id
    if missing:
        raise SchemaNotRegistered("\n".join(missing))
    return ids


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _quoted(subject: str) -> str:
    return quote(subject, safe="")
