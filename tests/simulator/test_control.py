"""Weather, ledger and truth: what chaos tests steer and read."""

import asyncio

import httpx
import pytest

from bridge.simulator.chance import chance, shuffled
from tests.simulator.tenant import Tenant, a_problem, a_test, until

TESTS = "/service-tests"


async def statuses(tenant: Tenant, count: int, path: str = TESTS) -> list[int]:
    return [(await tenant.call("POST", path, a_test(f"SI-{number}"))).status_code for number in range(count)]


async def test_an_outage_cuts_everything_and_ends_by_itself(tenant: Tenant) -> None:
    await tenant.weather(outage=True, for_seconds=0.2)
    with pytest.raises(httpx.ReadError):
        await tenant.call("POST", TESTS, a_test())
    with pytest.raises(httpx.ReadError):
        await tenant.log_in()
    assert (await tenant.get("/control/faults"))["outage"] is True
    await tenant.sees("/control/faults", lambda weather: not weather["outage"])
    assert await statuses(tenant, 1) == [201]
    cut = [entry for entry in (await tenant.get("/ledger"))["entries"] if entry["fault"] == "OUTAGE"]
    assert [entry["operation"] for entry in cut] == ["tests", "token"]


async def test_latency_holds_every_answer_back(tenant: Tenant) -> None:
    await tenant.weather(latency_seconds=0.1, latency_jitter_seconds=0.05)
    await statuses(tenant, 1)
    entry = (await tenant.get("/ledger"))["entries"][-1]
    assert entry["finished"] - entry["arrived"] >= 0.1


async def test_a_rule_strikes_its_operations_up_to_its_limit(tenant: Tenant) -> None:
    answer = await tenant.weather(rules=[{"fault": "HTTP_429", "operations": ["tests"], "limit": 2}])
    assert answer.json()["struck"] == [0]
    assert await statuses(tenant, 3) == [429, 429, 201]
    assert (await tenant.get("/control/faults"))["struck"] == [2]


async def test_chance_is_fair_and_repeats_for_the_same_services(tenant: Tenant) -> None:
    rules = [{"fault": "ACCEPT_THEN_500", "probability": 0.3}]
    runs = []
    for _ in range(2):
        await tenant.weather(rules=rules)
        runs.append(await statuses(tenant, 60))
    assert runs[0] == runs[1]
    assert 6 < runs[0].count(500) < 32


async def test_the_token_endpoint_can_be_hit_by_a_rule(tenant: Tenant) -> None:
    await tenant.weather(rules=[{"fault": "HTTP_503", "operations": ["token"], "limit": 1}])
    form = {"grant_type": "client_credentials", "client_id": "tenant", "client_secret": "tenant-secret"}
    answers = [await tenant.client.post("/v1/auth/tenant/access-token", data=form) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 200]


@pytest.mark.parametrize("fault", ["KCI_LOST", "KCI_DOUBLED", "KCI_EARLY"])
async def test_weather_upsets_kcis(tenant: Tenant, fault: str) -> None:
    await tenant.weather(rules=[{"fault": fault}])
    test = await tenant.made(TESTS, a_test())
    early = len(tenant.webhook.of(test))
    await tenant.rests("service-tests", test)
    counts = {"KCI_LOST": 0, "KCI_DOUBLED": 6, "KCI_EARLY": 3}
    assert len(tenant.webhook.of(test)) == counts[fault]
    assert (early > 0) is (fault == "KCI_EARLY")


async def test_held_kcis_are_delivered_when_the_hold_is_lifted(tenant: Tenant) -> None:
    await tenant.weather(kcis_held=True)
    test = await tenant.made(TESTS, a_test())
    await tenant.sees(f"/v1{TESTS}/{test}", lambda shown: shown["status"] == "COMPLETED")
    assert tenant.webhook.kcis == []
    await tenant.weather()
    await until(lambda: len(tenant.webhook.of(test)) == 3, "the KCIs that were held")


@pytest.mark.parametrize(
    "weather",
    [
        {"rules": [{"fault": "SNOW"}]},
        {"rules": [{"fault": "KCI_SHUFFLED"}]},
        {"rules": [{"fault": "RESET", "operations": ["orders"]}]},
        {"rules": [{"fault": "RESET", "probability": 2}]},
        {"outages": True},
        {"for_seconds": -1},
    ],
)
async def test_weather_that_does_not_exist_is_refused_and_changes_nothing(tenant: Tenant, weather: object) -> None:
    await tenant.weather(latency_seconds=0.001)
    answer = await tenant.client.put("/control/faults", json=weather)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert (await tenant.get("/control/faults"))["latency_seconds"] == 0.001


async def test_the_ledger_tells_what_was_asked_in_order(tenant: Tenant) -> None:
    test = await tenant.tested("SIM-HAPPY_PATH-1", X_Conversation_ID="c1")
    await tenant.call("POST", "/service-problems", a_problem(7), X_Conversation_ID="c2", X_Request_ID="r2")
    problem = await tenant.made("/service-problems", a_problem(test), X_Conversation_ID="c3")
    entries = (await tenant.get("/ledger"))["entries"]
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4]
    assert [entry["operation"] for entry in entries] == ["token", "tests", "problems", "problems"]
    assert [entry["accepted"] for entry in entries] == [True, True, False, True]
    assert [entry["status"] for entry in entries] == [200, 201, 422, 201]
    refused, raised = entries[2:]
    assert (refused["request_id"], refused["conversation_id"], refused["service_test_id"]) == ("r2", "c2", 7)
    assert refused["error"]["code"] == "INVALID_REQUEST"
    assert (raised["external_identifier"], raised["service_id"]) == ("TICKET-1", "SIM-HAPPY_PATH-1")
    assert (raised["problem_id"], raised["entity_id"], raised["overlap"]) == (problem, problem, 1)
    assert raised["arrived"] <= raised["finished"]
    assert "Ada" not in str(entries)


async def test_the_ledger_sees_requests_of_one_conversation_that_overlap(tenant: Tenant) -> None:
    await tenant.weather(latency_seconds=0.1)
    ways = ["shared", "shared", "alone"]
    await asyncio.gather(*(tenant.call("POST", TESTS, a_test(), X_Conversation_ID=way) for way in ways))
    await tenant.weather()
    await tenant.call("POST", TESTS, a_test(), X_Conversation_ID="shared")
    found = [(entry["conversation_id"], entry["overlap"]) for entry in (await tenant.get("/ledger"))["entries"][1:]]
    assert sorted(found[:3]) == [("alone", 1), ("shared", 2), ("shared", 2)]
    assert found[3] == ("shared", 1)


async def test_ledger_and_truth_come_in_pages(tenant: Tenant) -> None:
    await statuses(tenant, 5)
    ids = [each["id"] for each in (await tenant.get("/truth"))["tests"]]
    for path, name, key, count in (("/ledger", "entries", "seq", 6), ("/truth", "tests", "id", 5)):
        found: list[int] = []
        after: int | None = 0
        while after is not None:
            page = await tenant.get(f"{path}?after={after}&limit=2")
            assert len(page[name]) <= 2
            found += [each[key] for each in page[name]]
            after = page["next_after"]
        assert len(found) == count
        assert found == (ids if name == "tests" else [1, 2, 3, 4, 5, 6])
    assert (await tenant.client.get("/truth?after=x")).status_code == 400


async def test_counts_add_up(tenant: Tenant) -> None:
    await tenant.tested("SIM-HAPPY_PATH-1")
    await tenant.call("POST", "/service-problems", a_problem(7))
    counts = await tenant.get("/ledger/counts")
    assert counts["asked"] == {"token": 1, "tests": 1, "problems": 1}
    assert counts["accepted"] == {"token": 1, "tests": 1}
    assert counts["kcis"] == {"DELIVERED": 3}


async def test_the_truth_is_what_get_shows(tenant: Tenant) -> None:
    problem = await tenant.raised("SIM-INFORMATION_REQUIRED-1")
    truth = await tenant.get("/truth")
    (told,) = truth["problems"]
    assert (told["id"], told["status"], told["waiting_for"]) == (problem, "PENDING", "amendment")
    assert (told["external_identifier"], told["scenario"]) == ("TICKET-1", "INFORMATION_REQUIRED")
    assert told["status"] == (await tenant.problem(problem))["status"]
    assert told["sequence_number"] == len((await tenant.problem(problem))["updates"])
    assert truth["tests"][0]["result"]["testOutcome"]["testResult"] == "RED"


async def test_a_reset_forgets_everything_but_ids_and_tokens(tenant: Tenant) -> None:
    first = await tenant.made(TESTS, a_test(), X_Kci_Delay="60")
    await tenant.weather(rules=[{"fault": "HTTP_503"}])
    assert (await tenant.client.post("/control/reset")).status_code == 204
    assert await tenant.get("/truth") == {"problems": [], "tests": [], "next_after": None}
    assert (await tenant.get("/ledger"))["entries"] == []
    assert (await tenant.call("GET", f"{TESTS}/{first}")).status_code == 404
    assert await tenant.tested("SIM-HAPPY_PATH-1") > first


async def test_a_person_can_ask_what_there_is(tenant: Tenant) -> None:
    assert await tenant.get("/live") == {"status": "ok"}
    listed = await tenant.get("/scenarios")
    assert "HAPPY_PATH" in {each["name"] for each in listed["scenarios"]}
    assert "KCI_LOST" in {each["name"] for each in listed["faults"]}


def test_chance_depends_on_seed_and_question_alone() -> None:
    assert chance(1, "a", 2) == chance(1, "a", 2)
    assert len({chance(1, "a", 2), chance(2, "a", 2), chance(1, "a", 3), chance(1, "a2")}) == 4
    assert all(0 <= chance(1, number) < 1 for number in range(1000))


def test_a_shuffle_changes_the_order_of_two_or_more() -> None:
    for seed in range(50):
        assert shuffled([1, 2], seed) == [2, 1]
        assert sorted(shuffled([1, 2, 3], seed)) == [1, 2, 3] != shuffled([1, 2, 3], seed)
    assert shuffled([1], 1) == [1]
    assert shuffled([], 1) == []
