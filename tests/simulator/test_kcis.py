"""KCIs as the tenant's webhook gets them (contract 1.4, 4.3), and how they are delivered."""

import base64
import uuid
from datetime import datetime

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.simulator import answers
from bridge.simulator.limits import violations
from tests.simulator.conftest import Start
from tests.simulator.tenant import Tenant, a_problem, a_test, until

ANNOUNCED = {"INFORMATIONAL": "information", "ACTION_REQUIRED": "action", "ERROR": "error"}


async def test_a_kci_has_the_fields_of_the_contract(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-HELD_AND_RESUMED-1")
    kcis = tenant.webhook.of(problem)
    for number, kci in enumerate(kcis, start=1):
        assert str(uuid.UUID(kci["id"])) == kci["id"]
        assert (kci["sequenceNumber"], kci["supplier"]) == (number, "DUMMY_SUPPLIER")
        assert kci["entityType"] == "SERVICE_PROBLEM"
        assert [name for name in ANNOUNCED.values() if name in kci] == [ANNOUNCED[kci["updateType"]]]
        assert datetime.fromisoformat(kci["receivedOn"]) <= datetime.fromisoformat(kci["deliveredOn"])
        assert violations(answers.PROBLEM, kci["entity"]) == []
        assert kci["entity"]["externalIdentifier"] == "TICKET-1"
        assert kci["entity"]["primaryContact"]["name"] == "Ada"
        assert "updates" not in kci["entity"]
    assert "issuedOn" not in kcis[0]  # the gateway makes SENT_TO_SUPPLIER itself
    assert all("issuedOn" in kci for kci in kcis[1:])
    assert len({kci["id"] for kci in kcis}) == len(kcis)


async def test_get_shows_the_same_kcis_without_entity_and_with_their_delivery(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-HAPPY_PATH-1")
    delivered = tenant.webhook.of(problem)
    updates = (await tenant.problem(problem))["updates"]
    assert [each["id"] for each in updates] == [kci["id"] for kci in delivered]
    for update in updates:
        assert update["deliveryStatus"] == "DELIVERED"
        assert not {"entity", "entityType"} & set(update)
        assert violations(answers.UPDATE, update) == []


async def test_kcis_carry_the_conversation_of_the_post_and_a_request_id_of_their_own(tenant: Tenant) -> None:
    test = await tenant.tested("SIM-HAPPY_PATH-1", X_Conversation_ID="journey-7")
    headers = [{name.lower(): value for name, value in each.items()} for each in tenant.webhook.headers]
    assert tenant.webhook.statuses(test)[-1] == "COMPLETED"
    assert {each["x-conversation-id"] for each in headers} == {"journey-7"}
    assert len({each["x-request-id"] for each in headers}) == len(headers) == 3
    assert {each["content-type"] for each in headers} == {"application/json"}


async def test_the_last_kci_of_a_test_brings_the_result(tenant: Tenant) -> None:
    test = await tenant.tested("SIM-HAPPY_PATH-1")
    first, *_, last = tenant.webhook.of(test)
    assert (last["entityType"], last["entity"]["result"]["testOutcome"]["testResult"]) == ("SERVICE_TEST", "RED")
    assert "result" not in first["entity"]


@pytest.mark.parametrize("inside", [True, False])
async def test_a_resolution_stands_beside_the_entity_and_by_setting_inside_it(start: Start, *, inside: bool) -> None:
    tenant = await start(requests_inside_entity=inside)
    last = tenant.webhook.of(await tenant.raised("SIM-HAPPY_PATH-1"))[-1]
    assert violations(answers.RESOLUTION, last["serviceProblemResolution"]) == []
    assert ("serviceProblemResolution" in last["entity"]) is inside


async def test_a_refused_delivery_is_tried_again_in_order_with_the_same_id(tenant: Tenant) -> None:
    tenant.webhook.refusals.extend([503, 500, 401, 302])
    test = await tenant.tested("SIM-HAPPY_PATH-1")
    assert [kci["sequenceNumber"] for kci in tenant.webhook.of(test)] == [1, 2, 3]
    assert {kci["id"] for kci in tenant.webhook.refused} == {tenant.webhook.of(test)[0]["id"]}
    first = (await tenant.get("/ledger/kcis"))["kcis"][0]
    assert [each["answer"] for each in first["deliveries"]] == [503, 500, 401, 302, 204]
    assert len({each["request_id"] for each in first["deliveries"]}) == 5
    pauses = [
        late["monotonic"] - soon["monotonic"]
        for soon, late in zip(first["deliveries"], first["deliveries"][1:], strict=False)
    ]
    assert pauses[3] > pauses[0]
    assert first["fate"] == "DELIVERED"


async def test_the_simulator_gives_up_at_last_and_says_so(start: Start) -> None:
    tenant = await start(delivery_attempts=2)
    tenant.webhook.refusals.extend([500] * 2)
    problem_test = await tenant.tested("SIM-HAPPY_PATH-1")
    assert [kci["sequenceNumber"] for kci in tenant.webhook.of(problem_test)] == [2, 3]
    fates = [kci["fate"] for kci in (await tenant.get("/ledger/kcis"))["kcis"]]
    assert fates == ["GAVE_UP", "DELIVERED", "DELIVERED"]


async def test_a_kci_that_was_given_up_stays_pending(start: Start) -> None:
    tenant = await start(delivery_attempts=1)
    test = await tenant.tested("SIM-HAPPY_PATH-1")
    tenant.webhook.refusals.append(500)
    problem = await tenant.made("/service-problems", a_problem(test))
    await tenant.rests("service-problems", problem)
    statuses = [each["deliveryStatus"] for each in (await tenant.problem(problem))["updates"]]
    assert statuses == ["PENDING", "DELIVERED", "DELIVERED", "DELIVERED"]


async def test_a_webhook_that_is_not_there_is_noted(start: Start) -> None:
    tenant = await start(webhook_url="http://127.0.0.1:9/kcis", delivery_attempts=1)
    await tenant.tested("SIM-HAPPY_PATH-1")
    kci = (await tenant.get("/ledger/kcis"))["kcis"][0]
    assert (kci["fate"], kci["deliveries"][0]["answer"]) == ("GAVE_UP", "ClientConnectorError")


async def test_without_a_webhook_nothing_is_delivered_and_the_work_goes_on(start: Start) -> None:
    tenant = await start(webhook_url="")
    test = await tenant.made("/service-tests", a_test())

    await tenant.sees(f"/v1/service-tests/{test}", lambda shown: shown["status"] == "COMPLETED")
    assert {kci["fate"] for kci in (await tenant.get("/ledger/kcis"))["kcis"]} == {"PENDING"}


async def test_basic_authentication_towards_the_tenant(start: Start) -> None:
    tenant = await start(webhook_auth="basic", webhook_username="gw", webhook_password="pässword")
    await tenant.tested("SIM-HAPPY_PATH-1")
    scheme, text = tenant.webhook.headers[0]["Authorization"].split()
    assert (scheme, base64.b64decode(text).decode()) == ("Basic", "gw:pässword")


async def test_bearer_authentication_towards_the_tenant_can_be_checked_against_the_published_keys(start: Start) -> None:
    tenant = await start(webhook_auth="bearer", webhook_token_issuer="https://iss", webhook_token_audience="aud")
    await tenant.tested("SIM-HAPPY_PATH-1")
    scheme, text = tenant.webhook.headers[0]["Authorization"].split()
    published = await tenant.get("/jwks.json")
    assert all("d" not in key for key in published["keys"])
    token = jwt.decode(text, KeySet.import_key_set(published), algorithms=["RS256"])
    assert scheme == "Bearer"
    assert (token.claims["iss"], token.claims["aud"], token.header["alg"]) == ("https://iss", "aud", "RS256")
    assert token.claims["exp"] - token.claims["iat"] == 300
    assert len({each["Authorization"] for each in tenant.webhook.headers}) == 1  # one token serves many KCIs


async def test_a_bearer_token_is_replaced_when_it_gets_old(start: Start) -> None:
    tenant = await start(webhook_auth="bearer", webhook_token_seconds=0)
    await tenant.tested("SIM-HAPPY_PATH-1")
    await until(lambda: len(tenant.webhook.headers) == 3, "three KCIs")
    assert len({each["Authorization"] for each in tenant.webhook.headers}) == 3


async def test_a_slow_webhook_is_cut_off(start: Start) -> None:
    tenant = await start(webhook_timeout=0.000001, delivery_attempts=1)
    await tenant.tested("SIM-HAPPY_PATH-1")
    kci = (await tenant.get("/ledger/kcis"))["kcis"][0]
    assert "Timeout" in kci["deliveries"][0]["answer"]
