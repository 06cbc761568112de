"""Each fault, as the tenant and the ledger see it."""

from typing import Any

import httpx
import pytest

from bridge.simulator.faults import FAULTS, Effect
from bridge.simulator.plans import COMMANDS
from tests.simulator.conftest import Start
from tests.simulator.tenant import Json, Tenant, a_problem, a_test, until

TESTS = "/service-tests"


async def entries(tenant: Tenant, operation: str) -> list[Json]:
    found: list[Json] = (await tenant.get(f"/ledger?operation={operation}"))["entries"]
    return found


REFUSALS: dict[str, tuple[int, str | None]] = {
    "HTTP_401": (401, "NOT_AUTHORISED"),
    "HTTP_403": (403, None),
    "HTTP_422": (422, "INVALID_REQUEST"),
    "HTTP_429": (429, None),
    "HTTP_500": (500, "GATEWAY_FAULT"),
    "HTTP_503": (503, None),
}


def test_every_fault_is_tried_here() -> None:
    tried = {*REFUSALS, "RESET", "ANSWER_LOST", "ANSWER_NEVER", "ACCEPT_THEN_500"}
    assert tried == {name for name, fault in FAULTS.items() if fault.effect is not Effect.UPSET}


@pytest.mark.parametrize("fault", REFUSALS)
async def test_a_refusing_fault_accepts_nothing_and_is_over_after_n_requests(tenant: Tenant, fault: str) -> None:
    status, code = REFUSALS[fault]
    body = a_test(f"SIM-HAPPY_PATH+{fault}x2@tests-1")
    for _ in range(2):
        answer = await tenant.call("POST", TESTS, body)
        assert answer.status_code == status
        assert (answer.json()["code"] if answer.content else None) == code
        assert answer.headers.get("Retry-After") == ("1" if status == 429 else None)
        if status == 401:
            assert (await tenant.call("POST", TESTS, body)).status_code == 401  # the token is worth nothing now
            await tenant.log_in()
    assert (await tenant.get("/truth"))["tests"] == []
    assert (await tenant.call("POST", TESTS, body)).status_code == 201
    seen = [entry for entry in await entries(tenant, "tests") if entry["fault"]]
    assert [(entry["fault"], entry["accepted"], entry["status"]) for entry in seen] == [(fault, False, status)] * 2


async def test_a_422_quotes_what_was_sent(tenant: Tenant) -> None:
    """So that whoever runs against this knows where a customer's words come back."""
    body = a_problem(1, "SIM-HAPPY_PATH+HTTP_422@problems-1", notes="the gate code is 1234")
    answer = await tenant.call("POST", "/service-problems", body)

    assert answer.status_code == 422
    assert answer.json()["messages"][1:] == ["notes: 'the gate code is 1234' is refused"]


async def test_a_reset_accepts_nothing(tenant: Tenant) -> None:
    body = a_test("SIM-HAPPY_PATH+RESET@tests-1")
    with pytest.raises(httpx.ReadError):
        await tenant.call("POST", TESTS, body)
    assert (await tenant.get("/truth"))["tests"] == []
    assert (await tenant.call("POST", TESTS, body)).status_code == 201
    first = (await entries(tenant, "tests"))[0]
    assert (first["fault"], first["accepted"], first["status"]) == ("RESET", False, None)


async def test_a_lost_answer_was_accepted(tenant: Tenant) -> None:
    body = a_test("SIM-HAPPY_PATH+ANSWER_LOST@tests-1")
    with pytest.raises(httpx.RemoteProtocolError):
        await tenant.call("POST", TESTS, body)
    (test,) = (await tenant.get("/truth"))["tests"]
    await tenant.rests("service-tests", test["id"])
    assert tenant.webhook.statuses(test["id"])[-1] == "COMPLETED"
    (entry,) = await entries(tenant, "tests")
    assert (entry["accepted"], entry["status"], entry["entity_id"]) == (True, None, test["id"])


async def test_an_answer_that_never_comes_was_accepted(tenant: Tenant) -> None:
    body = a_test("SIM-HAPPY_PATH+ANSWER_NEVER@tests-1")
    with pytest.raises(httpx.ReadTimeout):
        await tenant.client.post("/v1" + TESTS, json=body, headers=tenant.headers(), timeout=0.1)
    (test,) = (await tenant.get("/truth"))["tests"]
    await tenant.rests("service-tests", test["id"])
    await tenant.sees("/ledger?operation=tests", lambda ledger: ledger["entries"][0]["finished"] is not None)
    (entry,) = await entries(tenant, "tests")
    assert (entry["accepted"], entry["status"]) == (True, None)
    assert entry["finished"] - entry["arrived"] > 0.05


async def test_an_error_after_acceptance_was_accepted(tenant: Tenant) -> None:
    answer = await tenant.call("POST", TESTS, a_test("SIM-HAPPY_PATH+ACCEPT_THEN_500@tests-1"))
    assert (answer.status_code, answer.json()["code"]) == (500, "GATEWAY_FAULT")
    assert len((await tenant.get("/truth"))["tests"]) == 1
    (entry,) = await entries(tenant, "tests")
    assert (entry["accepted"], entry["status"], entry["fault"]) == (True, 500, "ACCEPT_THEN_500")


async def test_a_request_that_is_refused_by_rule_leaves_nothing_to_hide(tenant: Tenant) -> None:
    answer = await tenant.call("POST", "/service-problems", a_problem(7, "SIM-HAPPY_PATH+ANSWER_LOST@p-1"))
    assert answer.status_code == 422
    (entry,) = await entries(tenant, "problems")
    assert (entry["accepted"], entry["fault"]) == (False, None)


@pytest.mark.parametrize("operation", [*COMMANDS, "get_test", "get_problem"])
async def test_every_operation_can_be_hit(tenant: Tenant, operation: str) -> None:
    service = f"SIM-AMENDMENT_ACCEPTED+HTTP_503@{operation}-1"
    failed = []

    async def insist(method: str, path: str, body: Any = None) -> httpx.Response:
        answer = await tenant.call(method, path, body)
        if answer.status_code == 503:
            failed.append(path)
            answer = await tenant.call(method, path, body)
        assert answer.is_success, answer.text
        return answer

    test = (await insist("POST", "/service-tests", a_test(service))).json()["id"]
    await tenant.rests("service-tests", test)
    await insist("GET", f"/service-tests/{test}")
    problem = (await insist("POST", "/service-problems", a_problem(test, service))).json()["id"]
    await tenant.rests("service-problems", problem)
    await insist("GET", f"/service-problems/{problem}")
    await insist("POST", "/service-problem-amendments", {"serviceProblemId": problem, "notes": "n"})
    await tenant.rests("service-problems", problem)
    await insist("PATCH", f"/service-problem-resolutions/{await tenant.resolution_id(problem)}", {"status": "REJECTED"})
    other = (
        await tenant.raised(f"SIM-CANCELLATION_ACCEPTED+HTTP_503@{operation}-1") if operation == "cancellations" else 0
    )
    if other:
        await insist("POST", "/service-problem-cancellations", {"serviceProblemId": other, "reasonCode": "OTHER"})
    assert len(failed) == 1


async def test_lost_kcis_never_arrive_and_half_of_them_claim_that_they_did(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-HELD_AND_RESUMED+KCI_LOST-1")
    assert [kci["sequenceNumber"] for kci in tenant.webhook.of(problem)] == [1, 3, 5]
    updates = (await tenant.problem(problem))["updates"]
    statuses = {each["sequenceNumber"]: each["deliveryStatus"] for each in updates}
    assert [statuses[number] for number in (2, 4, 6)] == ["PENDING", "DELIVERED", "PENDING"]
    kcis = (await tenant.get(f"/ledger/kcis?entity_id={problem}"))["kcis"]
    assert [kci["fate"] for kci in kcis] == ["DELIVERED", "LOST"] * 3


async def test_all_kcis_of_a_problem_can_be_lost_and_those_of_its_test_arrive(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-HAPPY_PATH+KCI_LOSTx1@problems-1")
    assert tenant.webhook.of(problem) == []
    assert len(tenant.webhook.kcis) == 3


async def test_doubled_kcis_have_the_same_id(tenant: Tenant) -> None:
    test = await tenant.tested("SIM-HAPPY_PATH+KCI_DOUBLEDx2-1")
    await until(lambda: len(tenant.webhook.of(test)) >= 9, "every KCI arrived three times")
    ids = [kci["id"] for kci in tenant.webhook.of(test)]
    assert len(ids) == 9
    assert len(set(ids)) == 3
    assert len({headers["X-Request-ID"] for headers in tenant.webhook.headers}) == 9


async def test_shuffled_kcis_all_arrive_out_of_order(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-HAPPY_PATH+KCI_SHUFFLED-1")
    numbers = [kci["sequenceNumber"] for kci in tenant.webhook.of(problem)]
    assert sorted(numbers) == [1, 2, 3, 4]
    assert numbers != sorted(numbers)
    await tenant.resolve(problem, "ACCEPTED")
    assert tenant.webhook.statuses(problem)[-1] == "COMPLETED"


async def test_early_kcis_arrive_before_the_answer(start: Start) -> None:
    tenant = await start(kci_delay=30)
    for operation, count in (("tests", 3), ("problems", 4)):
        service = f"SIM-HAPPY_PATH+KCI_EARLYx9@{operation}-1"
        slow = {"X_Kci_Delay": "0"} if operation == "problems" else {}
        test = await tenant.made("/service-tests", a_test(service), **slow)
        if operation == "tests":
            assert len(tenant.webhook.of(test)) == count
        else:
            await tenant.rests("service-tests", test)
            answer = await tenant.call("POST", "/service-problems", a_problem(test, service))
            assert len(tenant.webhook.of(answer.json()["id"])) == count
            assert answer.json()["status"] == "RECEIVED_BY_GATEWAY"


async def test_early_kcis_that_do_not_get_through_hold_the_answer_for_a_while_only(start: Start) -> None:
    tenant = await start(early_limit=0.05, delivery_attempts=3, delivery_first_pause=1)
    tenant.webhook.refusals.append(500)
    assert await tenant.made("/service-tests", a_test("SIM-HAPPY_PATH+KCI_EARLY-1"))
    assert tenant.webhook.kcis == []
