"""The seven operations over HTTP: codes, headers, bodies, refusals (contract 1.0 to 1.9)."""

import uuid

import httpx
import pytest

from bridge.simulator import answers, words
from bridge.simulator.limits import violations
from tests.simulator.conftest import Start
from tests.simulator.tenant import Json, Tenant, a_problem, a_test


def refused(answer: httpx.Response, status: int, code: str, messages: int = 1) -> list[str]:
    """Check the contract's Error body; returns its messages."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"uuid", "code", "messages"}
    assert str(uuid.UUID(body["uuid"])) == body["uuid"]
    assert body["code"] == code
    assert code in words.ERROR_CODES
    assert len(body["messages"]) == messages
    return list(body["messages"])


async def test_a_test_is_created_and_shown(tenant: Tenant) -> None:
    answer = await tenant.call("POST", "/service-tests", a_test(), X_Request_ID="request-1")
    assert answer.status_code == 201
    assert (answer.headers["X-Request-ID"], answer.headers["X-Conversation-ID"]) == ("request-1", "conversation-1")
    body = answer.json()
    assert (body["status"], body["serviceSpecification"]["name"]) == ("RECEIVED_BY_GATEWAY", "FTTH")
    assert "result" not in body
    assert violations(answers.TEST, body) == []
    await tenant.rests("service-tests", body["id"])
    shown = (await tenant.call("GET", f"/service-tests/{body['id']}")).json()
    assert violations(answers.TEST_WITH_RESULT, shown) == []
    assert shown["result"]["testMeasures"][0]["metricValue"] == "-31.0"
    assert shown["supplierReference"]


async def test_a_problem_is_created_and_shown(tenant: Tenant) -> None:
    test = await tenant.tested("SIM-HAPPY_PATH-1")
    sent = a_problem(
        test,
        address={"id": "A1", "type": "NAD", "additionalIdentifiers": [{"id": "7", "type": "UPRN"}]},
        secondaryContact={"name": "Bob", "phoneNumber": "01234 567891", "email": "b@example.org"},
        appointmentReservationId=3,
        parentServiceProblemId=4,
        hazards="A dog.",
        onSiteRestrictions="Ring twice.",
    )
    answer = await tenant.call("POST", "/service-problems", sent)
    assert answer.status_code == 201
    body = answer.json()
    assert violations(answers.PROBLEM, body) == []
    assert {name: body[name] for name in sent if name != "serviceSpecification"} == {
        name: value for name, value in sent.items() if name != "serviceSpecification"
    }
    await tenant.rests("service-problems", body["id"])
    shown = await tenant.problem(body["id"])
    assert violations(answers.PROBLEM, shown) == []
    assert len(shown["updates"]) == 4
    assert shown["supplierIdentifier"]
    assert shown["updates"][-1]["serviceProblemResolution"]["status"] == "PENDING"


async def test_a_field_that_is_null_counts_as_absent(tenant: Tenant) -> None:
    test = await tenant.tested("SIM-HAPPY_PATH-1")
    answer = await tenant.call("POST", "/service-problems", a_problem(test, hazards=None))
    assert answer.status_code == 201
    assert "hazards" not in answer.json()
    without = await tenant.call("POST", "/service-problems", a_problem(test, notes=None))
    refused(without, 400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("missing", ["X-Request-ID", "X-Conversation-ID"])
async def test_both_headers_are_required_everywhere(tenant: Tenant, missing: str) -> None:
    headers = tenant.headers()
    del headers[missing]
    for method, path in (
        ("POST", "/service-tests"),
        ("GET", "/service-tests/1"),
        ("POST", "/service-problems"),
        ("GET", "/service-problems/1"),
        ("POST", "/service-problem-amendments"),
        ("POST", "/service-problem-cancellations"),
        ("PATCH", "/service-problem-resolutions/1"),
    ):
        answer = await tenant.client.request(method, f"/v1{path}", headers=headers, json={})
        assert missing in refused(answer, 400, "MALFORMED_REQUEST")[0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"serviceId": NaN}',
        b'{"serviceId": "\\ud800"}',
        b"[" * 100_000,
        b" " * 2_000_000,
    ],
    ids=["empty", "cut", "array", "text", "bytes", "nan", "surrogate", "deep", "large"],
)
async def test_a_body_that_is_no_json_object_is_malformed(tenant: Tenant, body: bytes) -> None:
    headers = tenant.headers(Content_Type="application/json")
    answer = await tenant.client.post("/v1/service-tests", headers=headers, content=body)
    refused(answer, 400, "MALFORMED_REQUEST")


async def test_another_content_type_is_malformed(tenant: Tenant) -> None:
    headers = tenant.headers(Content_Type="text/plain")
    answer = await tenant.client.post("/v1/service-tests", headers=headers, json=a_test())
    assert "Content-Type" in refused(answer, 400, "MALFORMED_REQUEST")[0]


async def test_every_violation_of_a_body_is_told(tenant: Tenant) -> None:
    answer = await tenant.call("POST", "/service-tests", {"serviceId": "", "supplier": "A B", "extra": 1})
    refused(answer, 400, "MALFORMED_REQUEST", messages=6)


async def test_undocumented_words_are_invalid(tenant: Tenant) -> None:
    refused(await tenant.call("POST", "/service-tests", a_test(problemType="WEATHER")), 422, "INVALID_REQUEST")
    problem = await tenant.raised("SIM-CANCELLATION_ACCEPTED-1")
    body = {"serviceProblemId": problem, "reasonCode": "BECAUSE"}
    refused(await tenant.call("POST", "/service-problem-cancellations", body), 422, "INVALID_REQUEST")


async def test_what_does_not_exist_is_not_found_by_get_and_invalid_elsewhere(tenant: Tenant) -> None:
    for kind in ("service-tests", "service-problems"):
        refused(await tenant.call("GET", f"/{kind}/7"), 404, "NOT_FOUND")
        for wrong in ("x", "-1", "1.5", "1" * 5000):
            refused(await tenant.call("GET", f"/{kind}/{wrong}"), 400, "MALFORMED_REQUEST")
    amendment = {"serviceProblemId": 7, "notes": "n"}
    cancellation = {"serviceProblemId": 7, "reasonCode": "OTHER"}
    refused(await tenant.call("POST", "/service-problem-amendments", amendment), 422, "INVALID_REQUEST")
    refused(await tenant.call("POST", "/service-problem-cancellations", cancellation), 422, "INVALID_REQUEST")
    answer = await tenant.call("PATCH", "/service-problem-resolutions/7", {"status": "ACCEPTED"})
    refused(answer, 422, "INVALID_REQUEST")


async def test_a_problem_needs_a_finished_fitting_test(tenant: Tenant) -> None:
    service = "SIM-HAPPY_PATH-1"
    slow = await tenant.made("/service-tests", a_test(service), X_Kci_Delay="60")
    done = await tenant.tested(service)
    cases: list[tuple[Json, int]] = [
        (a_problem(7, service), 1),
        (a_problem(slow, service), 1),
        (a_problem(done, "SIM-HAPPY_PATH-2"), 1),
        (a_problem(done, service, supplier="OTHER"), 1),
        (a_problem(slow, "SIM-HAPPY_PATH-2", supplier="OTHER"), 3),
    ]
    for body, messages in cases:
        refused(await tenant.call("POST", "/service-problems", body), 422, "INVALID_REQUEST", messages)
    assert (await tenant.call("POST", "/service-problems", a_problem(done, service))).status_code == 201
    again = await tenant.call("POST", "/service-problems", a_problem(done, service))
    assert again.status_code == 201  # the contract knows no duplicate: what is asked twice exists twice


async def test_a_test_is_valid_for_a_time(start: Start) -> None:
    tenant = await start(test_validity=0)
    test = await tenant.tested("SIM-HAPPY_PATH-1")
    answer = await tenant.call("POST", "/service-problems", a_problem(test))
    assert "valid" in refused(answer, 422, "INVALID_REQUEST")[0]


async def test_only_a_problem_in_work_is_amended_or_cancelled(tenant: Tenant) -> None:
    test = await tenant.tested("SIM-HAPPY_PATH-1")
    young = await tenant.made("/service-problems", a_problem(test), X_Kci_Delay="60")
    resolved = await tenant.raised("SIM-HAPPY_PATH-2")
    ended = await tenant.raised("SIM-SUPPLIER_CANCELS-1")
    for problem, status in ((young, "RECEIVED_BY_GATEWAY"), (resolved, "RESOLVED"), (ended, "CANCELLED")):
        amendment = {"serviceProblemId": problem, "notes": "n"}
        cancellation = {"serviceProblemId": problem, "reasonCode": "OTHER"}
        for path, body in (("amendments", amendment), ("cancellations", cancellation)):
            answer = await tenant.call("POST", f"/service-problem-{path}", body)
            assert status in refused(answer, 422, "INVALID_REQUEST")[0]


async def test_a_problem_is_cancelled_once_at_a_time(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-CANCELLATION_ACCEPTED-1")
    body = {"serviceProblemId": problem, "reasonCode": "OTHER"}
    first = await tenant.call("POST", "/service-problem-cancellations", body, X_Kci_Delay="60")
    assert violations(answers.CANCELLATION, first.json()) == []
    refused(await tenant.call("POST", "/service-problem-cancellations", body), 422, "INVALID_REQUEST")
    amendment = {"serviceProblemId": problem, "notes": "n"}
    refused(await tenant.call("POST", "/service-problem-amendments", amendment), 422, "INVALID_REQUEST")


async def test_two_amendments_at_once_are_both_applied(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-AMENDMENT_ACCEPTED-1")
    for notes, delay in (("first", "0.02"), ("second", "0.05")):
        body = {"serviceProblemId": problem, "notes": notes, "problemText": f"It is the {notes} text."}
        answer = await tenant.call("POST", "/service-problem-amendments", body, X_Kci_Delay=delay)
        assert answer.status_code == 201
        assert violations(answers.AMENDMENT, answer.json()) == []
    await tenant.rests("service-problems", problem)
    shown = await tenant.problem(problem)
    assert (shown["status"], shown["notes"], shown["problemText"]) == ("RESOLVED", "second", "It is the second text.")


async def test_the_header_decides_about_a_single_amendment(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-AMENDMENT_ACCEPTED-1")
    body = {"serviceProblemId": problem, "notes": "n"}
    await tenant.made("/service-problem-amendments", body, X_Scenario="AMENDMENT_REFUSED")
    await tenant.rests("service-problems", problem)
    truth = (await tenant.get("/truth"))["problems"][0]
    assert [each["status"] for each in truth["requests"]] == ["REJECTED"]


async def test_a_resolution_is_answered_once_with_yes_or_no(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-HAPPY_PATH-1")
    resolution = await tenant.resolution_id(problem)
    refused(await tenant.resolve(problem, "PENDING"), 422, "INVALID_REQUEST")
    refused(await tenant.resolve(problem, "PERHAPS"), 400, "MALFORMED_REQUEST")
    answer = await tenant.resolve(problem, "ACCEPTED")
    assert answer.status_code == 200
    assert violations(answers.RESOLUTION, answer.json()) == []
    assert (answer.json()["id"], answer.json()["status"]) == (resolution, "ACCEPTED")
    assert answer.json()["closedDate"]
    refused(await tenant.resolve(problem, "ACCEPTED"), 422, "INVALID_REQUEST")


async def test_the_characteristics_of_the_portal_can_be_demanded(start: Start) -> None:
    tenant = await start(check_characteristics=True)
    characteristics = [{"name": "SERVICE_HAS_WORKED", "value": "true"}]
    body = a_test(problemType="CPE", characteristics=characteristics)
    messages = refused(await tenant.call("POST", "/service-tests", body), 422, "INVALID_REQUEST", messages=2)
    assert "SERVICE_LAST_WORKED" in messages[0]
    assert "EQUIPMENT_TYPE" in messages[1]
    assert (await tenant.call("POST", "/service-tests", a_test())).status_code == 201


async def test_the_base_path_can_be_another(start: Start) -> None:
    with pytest.raises(AssertionError, match="Not Found"):
        await start(base_path="/elsewhere/v9")  # the tenant logs in at /v1


@pytest.mark.parametrize("delay", ["soon", "-1", "nan", "inf"])
async def test_a_strange_delay_is_malformed(tenant: Tenant, delay: str) -> None:
    answer = await tenant.call("POST", "/service-tests", a_test(), X_Kci_Delay=delay)
    refused(answer, 400, "MALFORMED_REQUEST")


async def test_an_unknown_scenario_is_refused_with_the_known_ones(tenant: Tenant) -> None:
    answer = await tenant.call("POST", "/service-tests", a_test("SIM-SUNSHINE-1"))
    assert "HAPPY_PATH" in refused(answer, 422, "INVALID_REQUEST")[0]


async def test_a_problem_follows_the_scenario_of_its_test_when_its_own_is_not_named(tenant: Tenant) -> None:
    test = await tenant.tested("SI-1", X_Scenario="PROBLEM_REJECTED")
    problem = await tenant.made("/service-problems", a_problem(test, "SI-1"))
    await tenant.rests("service-problems", problem)
    assert (await tenant.problem(problem))["status"] == "REJECTED"
