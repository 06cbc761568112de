from typing import Any

import pytest

from tests.simulator.conftest import Start
from tests.simulator.tenant import Tenant, a_test

PATH = "/v1/auth/tenant/access-token"
FORM = {"grant_type": "client_credentials", "client_id": "tenant", "client_secret": "tenant-secret"}


async def test_credentials_come_in_the_form_or_by_basic(tenant: Tenant) -> None:
    for request in (
        {"data": FORM},
        {"data": {"grant_type": "client_credentials"}, "auth": ("tenant", "tenant-secret")},
    ):
        given: Any = request
        answer = await tenant.client.post(PATH, **given)
        assert answer.status_code == 200
        assert answer.json()["token_type"] == "Bearer"
        assert answer.json()["expires_in"] == 3600
        assert answer.json()["access_token"].count(".") == 2


@pytest.mark.parametrize(
    "request_",
    [
        {"data": {**FORM, "client_secret": "wrong"}},
        {"data": {**FORM, "client_id": "stranger"}},
        {"data": {**FORM, "grant_type": "password"}},
        {"data": {"client_id": "tenant", "client_secret": "tenant-secret"}},
        {"json": FORM},
        {"data": {"grant_type": "client_credentials"}, "auth": ("tenant", "wrong")},
        {"data": {"grant_type": "client_credentials"}, "headers": {"Authorization": "Basic %%%"}},
        {"data": {"grant_type": "client_credentials"}},
    ],
    ids=["secret", "client", "grant", "no grant", "json", "basic", "not base64", "none"],
)
async def test_anything_else_fails_with_400(tenant: Tenant, request_: Any) -> None:
    answer = await tenant.client.post(PATH, **request_)
    assert answer.status_code == 400
    assert answer.json()["code"] == "NOT_AUTHORISED"
    assert "tenant-secret" not in answer.text


async def test_an_operation_needs_a_known_token(tenant: Tenant) -> None:
    for authorization in ("", "Bearer nonsense", f"Basic {tenant.token}"):
        answer = await tenant.call("POST", "/service-tests", a_test(), Authorization=authorization)
        assert answer.status_code == 401
        assert answer.json()["code"] == "NOT_AUTHORISED"
        assert answer.headers["X-Conversation-ID"] == "conversation-1"
    assert (await tenant.call("POST", "/service-tests", a_test())).status_code == 201


async def test_a_token_expires(start: Start) -> None:
    tenant = await start(token_seconds=0.15)
    assert (await tenant.call("POST", "/service-tests", a_test())).status_code == 201
    statuses: list[int] = []
    while 401 not in statuses:
        statuses.append((await tenant.call("POST", "/service-tests", a_test())).status_code)
        assert len(statuses) < 1000
    await tenant.log_in()
    assert (await tenant.call("POST", "/service-tests", a_test())).status_code == 201


async def test_all_tokens_can_be_revoked(tenant: Tenant) -> None:
    assert (await tenant.client.delete("/control/tokens")).status_code == 204
    assert (await tenant.call("POST", "/service-tests", a_test())).status_code == 401


async def test_the_token_endpoint_can_be_down_for_a_time(tenant: Tenant) -> None:
    await tenant.weather(token_down=True, for_seconds=0.1)
    answer = await tenant.client.post(PATH, data=FORM)
    assert (answer.status_code, answer.content) == (503, b"")
    statuses: list[int] = []
    while 200 not in statuses:
        statuses.append((await tenant.client.post(PATH, data=FORM)).status_code)
        assert len(statuses) < 1000
