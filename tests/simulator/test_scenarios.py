"""Each scenario does what its row promises, seen through the API, the webhook and the simulator's own truth."""

import pytest

from bridge.simulator import words
from bridge.simulator.scenarios import SCENARIOS
from bridge.simulator.steps import Action, Conclude, Failure, Information, Move, Resolve, Say
from tests.simulator.conftest import Start
from tests.simulator.tenant import Tenant, a_problem, until

BEGUN = ["SENT_TO_SUPPLIER", "ACKNOWLEDGED", "IN_PROGRESS"]
TESTED = ["SENT_TO_SUPPLIER", "IN_PROGRESS", "COMPLETED"]


async def test_every_scenario_has_a_test_here() -> None:
    walked = {*TESTS, *PROBLEMS, *AMENDMENTS, *CANCELLATIONS}
    others = {"TEST_SLOW", "TEST_EXPIRED", "SILENT_ACCEPTANCE", "RESOLUTION_REJECTED_THEN_FIXED"}
    others |= {"INFORMATION_REQUIRED", "REAPPOINT", "PROBLEM_FAILED_ONCE", "NEW_WORDS"}
    assert walked | others == set(SCENARIOS)


def test_scenarios_use_the_words_of_the_contract() -> None:
    for scenario in SCENARIOS.values():
        for script in (*scenario.tests, *scenario.problems, scenario.after_rejection):
            for step in script:
                if isinstance(step, Conclude):
                    assert step.result in words.TEST_RESULTS
                if isinstance(step, Resolve):
                    assert step.code in words.RESOLUTION_CODES
                if isinstance(step, Move) or (isinstance(step, Say) and scenario.name != "NEW_WORDS"):
                    match step.what:
                        case Information():
                            assert step.what.type in words.INFORMATION_TYPES
                            assert step.what.code in (None, *words.INFORMATION_CODES)
                        case Action():
                            assert step.what.type in words.ACTION_TYPES
                        case Failure():
                            assert step.what.code in words.ERROR_CODES


TESTS = {
    "TEST_GREEN": ([TESTED], "GREEN"),
    "TEST_AMBER": ([TESTED], "AMBER"),
    "TEST_KNOWN_INCIDENT": ([TESTED], "RED"),
    "TEST_FAILED": ([["SENT_TO_SUPPLIER", "IN_PROGRESS", "FAILED"], TESTED], "RED"),
    "TEST_ALWAYS_FAILED": ([["SENT_TO_SUPPLIER", "IN_PROGRESS", "FAILED"]] * 3, None),
    "TEST_REJECTED": ([["SENT_TO_SUPPLIER", "REJECTED"], TESTED], "RED"),
    "TEST_ALWAYS_REJECTED": ([["SENT_TO_SUPPLIER", "REJECTED"]] * 3, None),
    "TEST_FAILED_TO_SEND": ([["FAILED_TO_SEND"], TESTED], "RED"),
    "TEST_ALWAYS_FAILED_TO_SEND": ([["FAILED_TO_SEND"]] * 3, None),
}


@pytest.mark.parametrize("scenario", TESTS)
async def test_the_tests_of_a_service_go_as_its_scenario_says(tenant: Tenant, scenario: str) -> None:
    walks, result = TESTS[scenario]
    test = 0
    for walk in walks:
        test = await tenant.tested(f"SIM-{scenario}-1")
        assert tenant.webhook.statuses(test) == walk
    shown = (await tenant.call("GET", f"/service-tests/{test}")).json()
    assert shown["status"] == walks[-1][-1]
    assert (shown["result"]["testOutcome"]["testResult"] if "result" in shown else None) == result
    raised = await tenant.call("POST", "/service-problems", a_problem(test, f"SIM-{scenario}-1"))
    assert raised.status_code == (201 if result in {"RED", "AMBER"} else 422)


async def test_a_slow_test_shows_its_result_by_get_only(tenant: Tenant) -> None:
    test = await tenant.tested("SIM-TEST_SLOW-1")
    assert tenant.webhook.statuses(test) == ["SENT_TO_SUPPLIER", "IN_PROGRESS"]
    shown = (await tenant.call("GET", f"/service-tests/{test}")).json()
    assert (shown["status"], shown["result"]["testOutcome"]["testResult"]) == ("COMPLETED", "RED")


async def test_an_expired_test_allows_no_problem_and_the_next_one_does(tenant: Tenant) -> None:
    service = "SIM-TEST_EXPIRED-1"
    for status in (422, 201):
        test = await tenant.tested(service)
        raised = await tenant.call("POST", "/service-problems", a_problem(test, service))
        assert raised.status_code == status, raised.text


PROBLEMS = {
    "HAPPY_PATH": [*BEGUN, "RESOLVED"],
    "PROBLEM_REJECTED": ["SENT_TO_SUPPLIER", "REJECTED"],
    "PROBLEM_FAILED_TO_SEND": ["FAILED_TO_SEND"],
    "PROBLEM_TIMED_OUT": ["SENT_TO_SUPPLIER", "FAILED_TO_SEND"],
    "STRAIGHT_TO_WORK": ["SENT_TO_SUPPLIER", "IN_PROGRESS", "RESOLVED"],
    "HELD_AND_RESUMED": [*BEGUN, "HELD", "IN_PROGRESS", "RESOLVED"],
    "NETWORK_INCIDENT": [*BEGUN, "NETWORK_INCIDENT", "IN_PROGRESS", "RESOLVED"],
    "CONTACT_CUSTOMER": [*BEGUN, "PENDING", "IN_PROGRESS", "RESOLVED"],
    "SUPPLIER_CANCELS": [*BEGUN, "CANCELLED"],
}


@pytest.mark.parametrize("scenario", PROBLEMS)
async def test_a_problem_goes_as_its_scenario_says(tenant: Tenant, scenario: str) -> None:
    problem = await tenant.raised(f"SIM-{scenario}-1")
    assert tenant.webhook.statuses(problem) == PROBLEMS[scenario]
    shown = await tenant.problem(problem)
    assert shown["status"] == PROBLEMS[scenario][-1]
    assert shown["status"] in SCENARIOS[scenario].ends
    if shown["status"] != "RESOLVED":
        return
    assert tenant.webhook.of(problem)[-1]["action"]["type"] == "CONFIRM"
    assert (await tenant.resolve(problem, "ACCEPTED")).status_code == 200
    assert tenant.webhook.statuses(problem)[-1] == (await tenant.problem(problem))["status"] == "COMPLETED"


async def test_a_failure_to_send_says_who_failed(tenant: Tenant) -> None:
    for scenario, code in (("PROBLEM_FAILED_TO_SEND", "SUPPLIER_FAULT"), ("PROBLEM_TIMED_OUT", "SUPPLIER_TIMED_OUT")):
        problem = await tenant.raised(f"SIM-{scenario}-1")
        last = tenant.webhook.of(problem)[-1]
        assert (last["updateType"], last["error"]["code"]) == ("ERROR", code)


async def test_a_problem_that_failed_once_is_repaired_when_raised_again(tenant: Tenant) -> None:
    for end in ("FAILED_TO_SEND", "RESOLVED"):
        assert tenant.webhook.statuses(await tenant.raised("SIM-PROBLEM_FAILED_ONCE-1"))[-1] == end


async def test_new_words_reach_the_tenant(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-NEW_WORDS-1")
    said = [kci.get("information") or kci["action"] for kci in tenant.webhook.of(problem)]
    assert {"FORECAST", "PHONE_SUPPLIER"} <= {each["type"] for each in said}
    assert tenant.webhook.statuses(problem)[-1] == "RESOLVED"


@pytest.mark.parametrize("scenario", ["INFORMATION_REQUIRED", "REAPPOINT"])
async def test_a_question_waits_for_the_amendment_that_answers_it(tenant: Tenant, scenario: str) -> None:
    problem = await tenant.raised(f"SIM-{scenario}-1")
    assert tenant.webhook.of(problem)[-1]["action"]["type"] == scenario
    assert (await tenant.problem(problem))["status"] == "PENDING"
    if scenario == "REAPPOINT":
        assert (await tenant.amend(problem)).status_code == 201  # accepted, but it brings no appointment
        assert (await tenant.problem(problem))["status"] == "PENDING"
    assert (await tenant.amend(problem, appointmentReservationId=77)).status_code == 201
    assert tenant.webhook.statuses(problem)[-3:] == ["PENDING_AMENDMENT", "IN_PROGRESS", "RESOLVED"]
    assert (await tenant.problem(problem))["appointmentReservationId"] == 77


async def test_an_answer_that_comes_at_once_counts(start: Start) -> None:
    tenant = await start(kci_delay=0.1)
    service = "SIM-INFORMATION_REQUIRED-1"
    problem = await tenant.made("/service-problems", a_problem(await tenant.tested(service), service))
    await until(lambda: "PENDING" in tenant.webhook.statuses(problem), "the question")
    assert (await tenant.amend(problem)).status_code == 201
    await tenant.rests_in(problem, "RESOLVED")


AMENDMENTS = {
    "AMENDMENT_ACCEPTED": ("COMPLETED", "AMENDED", ["PENDING_AMENDMENT", "IN_PROGRESS", "RESOLVED"]),
    "AMENDMENT_REFUSED": ("REJECTED", "RESUBMIT", ["PENDING_AMENDMENT", "IN_PROGRESS", "RESOLVED"]),
    "AMENDMENT_FAILED_TO_SEND": ("FAILED_TO_SEND", "SUPPLIER_FAULT", ["IN_PROGRESS", "IN_PROGRESS", "RESOLVED"]),
}


@pytest.mark.parametrize("scenario", AMENDMENTS)
async def test_an_amendment_gets_its_verdict(tenant: Tenant, scenario: str) -> None:
    status, announced, walk = AMENDMENTS[scenario]
    problem = await tenant.raised(f"SIM-{scenario}-1")
    assert (await tenant.problem(problem))["status"] == "IN_PROGRESS"
    answer = await tenant.amend(problem, hazards="A dog.")
    assert (answer.status_code, answer.json()["status"]) == (201, "RECEIVED_BY_GATEWAY")
    assert tenant.webhook.statuses(problem)[-3:] == walk
    verdict = tenant.webhook.of(problem)[-2]
    said = verdict.get("information") or verdict.get("action") or {"type": verdict.get("error", {}).get("code")}
    assert said["type"] == announced
    assert verdict["serviceProblemAmendment"]["status"] == status
    assert verdict["serviceProblemAmendment"]["id"] == answer.json()["id"]
    assert ((await tenant.problem(problem)).get("hazards") == "A dog.") is (status == "COMPLETED")


CANCELLATIONS = {
    "CANCELLATION_ACCEPTED": ("COMPLETED", ["PENDING_CANCELLATION", "CANCELLED"]),
    "CANCELLATION_REFUSED": ("REJECTED", ["PENDING_CANCELLATION", "IN_PROGRESS", "RESOLVED"]),
    "CANCELLATION_FAILED_TO_SEND": ("FAILED_TO_SEND", ["IN_PROGRESS", "IN_PROGRESS", "RESOLVED"]),
    "CANCELLATION_OVERTAKEN": ("REJECTED", ["PENDING_CANCELLATION", "PENDING_CANCELLATION", "RESOLVED"]),
}


@pytest.mark.parametrize("scenario", CANCELLATIONS)
async def test_a_cancellation_gets_its_verdict(tenant: Tenant, scenario: str) -> None:
    status, walk = CANCELLATIONS[scenario]
    problem = await tenant.raised(f"SIM-{scenario}-1")
    answer = await tenant.cancel(problem)
    assert (answer.status_code, answer.json()["status"]) == (201, "RECEIVED_BY_GATEWAY")
    assert tenant.webhook.statuses(problem)[-len(walk) :] == walk
    about = [
        kci["serviceProblemCancellation"] for kci in tenant.webhook.of(problem) if "serviceProblemCancellation" in kci
    ]
    assert about[-1]["status"] == status


async def test_an_accepted_cancellation_refuses_the_amendment_that_was_open(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-CANCELLATION_ACCEPTED-1")
    amendment = {"serviceProblemId": problem, "notes": "More."}
    first = tenant.call("POST", "/service-problem-amendments", amendment, X_Kci_Delay="0.2")
    assert (await first).status_code == 201
    await tenant.cancel(problem)
    truth = (await tenant.get("/truth"))["problems"][0]
    assert truth["status"] == "CANCELLED"
    assert {each["what"]: each["status"] for each in truth["requests"]} == {
        "amendment": "REJECTED",
        "cancellation": "COMPLETED",
    }
    refusal, ending = tenant.webhook.of(problem)[-2:]
    assert (refusal["information"]["type"], refusal["serviceProblemAmendment"]["status"]) == ("RESUBMIT", "REJECTED")
    assert ending["entity"]["status"] == "CANCELLED"


async def test_a_rejected_resolution_brings_a_new_one(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-RESOLUTION_REJECTED_THEN_FIXED-1")
    first = await tenant.resolution_id(problem)
    answer = await tenant.resolve(problem, "REJECTED", tenantNotes="Still dead.")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["tenantNotes"]) == ("REJECTED", "Still dead.")
    assert tenant.webhook.statuses(problem)[-2:] == ["IN_PROGRESS", "RESOLVED"]
    assert await tenant.resolution_id(problem) != first
    assert (await tenant.resolve(problem, "ACCEPTED")).status_code == 200
    assert (await tenant.problem(problem))["status"] == "COMPLETED"


async def test_silence_is_acceptance_after_a_warning(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-SILENT_ACCEPTANCE-1")
    resolution = await tenant.resolution_id(problem)
    await tenant.rests_in(problem, "COMPLETED")
    warning, closing = tenant.webhook.of(problem)[-2:]
    assert (warning["information"]["type"], warning["entity"]["status"]) == ("ADDITIONAL", "RESOLVED")
    assert (closing["information"]["type"], closing["entity"]["status"]) == ("COMPLETED", "COMPLETED")
    assert closing["serviceProblemResolution"]["status"] == "ACCEPTED"
    late = await tenant.call("PATCH", f"/service-problem-resolutions/{resolution}", {"status": "REJECTED"})
    assert late.status_code == 422


async def test_an_answer_stops_the_clock_of_silent_acceptance(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    tenant = await start(silent_acceptance=1.5)
    answered = await tenant.raised("SIM-SILENT_ACCEPTANCE-1")
    await tenant.resolve(answered, "REJECTED")
    silent = await tenant.raised("SIM-SILENT_ACCEPTANCE-2")
    await tenant.rests_in(silent, "COMPLETED")  # so the first problem's time is over as well
    assert tenant.webhook.statuses(answered)[-3:] == ["RESOLVED", "IN_PROGRESS", "RESOLVED"]
    assert (await tenant.problem(answered))["status"] == "RESOLVED"
    assert caplog.records == []
