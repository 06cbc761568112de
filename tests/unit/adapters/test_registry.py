"""What the registry says becomes a schema, an id, a refusal, or the certainty that nobody knows."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from bridge.adapters.avro import AvroCodec
from bridge.adapters.registry import (
    RegistryRefused,
    SchemaNotRegistered,
    SchemaRegistry,
    registered_ids,
    registry_client,
    schema_text,
    subject_of,
)
from bridge.ports import SchemaUnavailable, UnknownSchema
from bridge.settings import SchemaSettings
from bridge.topics import Party
from tests.registry_stub import RegistryStub
from tests.schema_examples import EXAMPLES, the_schemas, the_topics

NO_USER = SchemaSettings(registry_url=None, registry_username=None, registry_password=None)


@pytest.fixture
def stub() -> RegistryStub:
    return RegistryStub()


@pytest.fixture
async def registry(stub: RegistryStub) -> AsyncIterator[SchemaRegistry]:
    async with httpx.AsyncClient(base_url="http://registry.test/api", transport=_under_api(stub)) as client:
        yield SchemaRegistry(client)


def _under_api(stub: RegistryStub) -> httpx.MockTransport:
    """A registry need not be at the root of its host."""
    inner = stub.transport()

    def handle(request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith("/api/")
        path = request.url.raw_path.removeprefix(b"/api")
        moved = httpx.Request(request.method, request.url.copy_with(raw_path=path), content=request.content)
        return inner.handler(moved)  # type: ignore[return-value]  # the stub answers at once

    return httpx.MockTransport(handle)


def answering(response: httpx.Response) -> SchemaRegistry:
    transport = httpx.MockTransport(lambda request: response)
    return SchemaRegistry(httpx.AsyncClient(base_url="http://u:pa55@registry.test", transport=transport))


async def test_a_registered_schema_is_found_by_its_id_and_its_text(registry: SchemaRegistry) -> None:
    number = await registry.register("kcis-value", '{"type": "string"}')

    assert await registry.schema_of(number) == '{"type": "string"}'
    assert await registry.id_of("kcis-value", '{"type":"string"}') == number
    assert await registry.latest("kcis-value") == '{"type": "string"}'
    assert await registry.register("kcis-value", '{"type": "string"}') == number


async def test_what_was_never_registered_is_not_found(registry: SchemaRegistry) -> None:
    await registry.register("kcis-value", '"string"')

    assert await registry.id_of("kcis-value", '"long"') is None
    assert await registry.id_of("other-value", '"string"') is None
    assert await registry.latest("other-value") is None
    with pytest.raises(UnknownSchema, match=r"the registry at http://registry\.test/api/? has no schema with id 77"):
        await registry.schema_of(77)


async def test_a_subject_is_one_part_of_the_path(registry: SchemaRegistry, stub: RegistryStub) -> None:
    await registry.register("a/b c-value", '"string"')

    assert stub.asked == ["POST /subjects/a%2Fb%20c-value/versions"]
    assert list(stub.subjects) == ["a/b c-value"]


async def test_a_refused_schema_is_told_with_its_subject_and_the_registrys_words(
    registry: SchemaRegistry, stub: RegistryStub
) -> None:
    stub.refuse = "reader field received_at has no default"

    with pytest.raises(RegistryRefused, match="subject kcis-value: reader field received_at has no default"):
        await registry.register("kcis-value", '"string"')
    assert await registry.refusal("kcis-value", '"string"') == "reader field received_at has no default"


async def test_a_schema_that_the_registry_would_take_has_no_refusal(registry: SchemaRegistry) -> None:
    assert await registry.refusal("kcis-value", '"string"') is None


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(500, json={"error_code": 50001}),
        httpx.Response(503),
        httpx.Response(401, json={"error_code": 401}),
        httpx.Response(404, text="no such page"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"unexpected": 1}),
        httpx.Response(302, headers={"location": "/elsewhere"}),
    ],
    ids=["500", "503", "401", "404 of another server", "no json", "no object", "no schema in it", "redirect"],
)
async def test_an_answer_that_is_no_registrys_means_that_nobody_can_say(response: httpx.Response) -> None:
    registry = answering(response)

    for ask in (registry.schema_of(1), registry.id_of("s", "{}"), registry.register("s", "{}"), registry.latest("s")):
        with pytest.raises(
            SchemaUnavailable, match=r"the schema registry at http://registry.test/? answered"
        ) as raised:
            await ask
        assert "pa55" not in str(raised.value)


async def test_no_answer_means_that_nobody_can_say() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    registry = SchemaRegistry(httpx.AsyncClient(base_url="http://registry.test", transport=httpx.MockTransport(refuse)))

    with pytest.raises(SchemaUnavailable, match=r"no answer .* \(ConnectError\); check BRIDGE_SCHEMA_REGISTRY_URL"):
        await registry.schema_of(1)


@pytest.mark.parametrize(
    "body",
    [
        {"schema": "syntax = 'proto3';", "schemaType": "PROTOBUF"},
        {"schema": '"x.Entity"', "references": [{"name": "x.Entity", "subject": "entity", "version": 1}]},
    ],
)
async def test_a_schema_that_cannot_be_used_alone_is_unknown(body: dict[str, object]) -> None:
    with pytest.raises(UnknownSchema, match="schema id 5 is not Avro, or not self-contained"):
        await answering(httpx.Response(200, json=body)).schema_of(5)


async def test_the_user_of_the_settings_is_sent(stub: RegistryStub) -> None:
    settings = SchemaSettings(registry_url=None, registry_username="app", registry_password=SecretStr("pa55"))
    client = registry_client("http://registry.test/", settings)

    assert client.auth is not None
    request = next(client.auth.sync_auth_flow(httpx.Request("GET", "http://registry.test/")))
    assert request.headers["authorization"] == "Basic YXBwOnBhNTU="
    assert registry_client("http://registry.test/", NO_USER).auth is None


async def test_a_service_that_writes_a_topic_without_a_registered_schema_is_told_what_to_run(
    registry: SchemaRegistry,
) -> None:
    with pytest.raises(SchemaNotRegistered) as raised:
        await registered_ids(registry, the_topics(), the_schemas(), Party.INGESTER, "uk.")

    assert str(raised.value).splitlines() == [
        "subject uk.kcis-value has no schema like Kci of this version; run `bridge schemas register`",
        (
            "subject uk.kci-quarantine-value has no schema like QuarantinedKci of this version;"
            " run `bridge schemas register`"
        ),
    ]


async def test_a_service_looks_ids_up_and_registers_nothing(registry: SchemaRegistry, stub: RegistryStub) -> None:
    for topic in the_topics().written_by(Party.INGESTER):
        await registry.register(subject_of(topic, "uk."), schema_text(the_schemas(), topic))
    stub.asked.clear()

    ids = await registered_ids(registry, the_topics(), the_schemas(), Party.INGESTER, "uk.")

    assert ids == {"kcis": 1, "kci-quarantine": 2}
    assert stub.asked == ["POST /subjects/uk.kcis-value", "POST /subjects/uk.kci-quarantine-value"]


async def test_private_topics_need_no_schema(registry: SchemaRegistry) -> None:
    for topic in the_topics().written_by(Party.TRACKER):
        if not topic.is_private:
            await registry.register(subject_of(topic, ""), schema_text(the_schemas(), topic))

    ids = await registered_ids(registry, the_topics(), the_schemas(), Party.TRACKER, "")

    assert "tracker-entities" not in ids
    assert ids["problem-transitions"] == ids["test-transitions"]


async def test_what_one_service_writes_another_one_reads_through_the_registry(registry: SchemaRegistry) -> None:
    for topic in the_topics().written_by(Party.INGESTER):
        await registry.register(subject_of(topic, ""), schema_text(the_schemas(), topic))
    ids = await registered_ids(registry, the_topics(), the_schemas(), Party.INGESTER, "")
    writer = AvroCodec(the_topics(), the_schemas(), lookup=registry, ids=ids)
    reader = AvroCodec(the_topics(), the_schemas(), lookup=registry, ids={})
    kci = next(example.record() for example in EXAMPLES if example.record_name == "Kci")

    assert await reader.decode("kcis", writer.encode("kcis", kci)) == kci
