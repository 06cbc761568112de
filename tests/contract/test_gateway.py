"""
What the Gateway port promises, kept by the HTTP client against the simulator and by the fake that flow tests use.

The simulator is a process of its own and keeps a ledger of what it took, so "not taken" is checked on the other side.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import httpx
import msgspec
import pytest

from bridge.adapters.gateway.client import HttpGateway
from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.commands import (
    AmendProblem,
    AnswerResolution,
    CancelProblem,
    Command,
    FetchProblem,
    FetchTest,
    RaiseProblem,
    RunTest,
)
from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Entity, Resolution, TestResult
from bridge.domain.outcomes import Reason
from bridge.domain.tickets import Characteristic, Contact
from bridge.ports import Gateway
from bridge.sandbox.ports import free_port
from bridge.settings import GatewaySettings
from tests.fakes import ScriptedGateway, TakenButLost

SUPPLIER = "ACME"
# The ledger's names of the operations that change something.
COMMANDS = ("tests", "problems", "amendments", "cancellations", "resolutions")
NEVER_WORKED = Characteristic(name="SERVICE_HAS_WORKED", value="false")
NUMBERS = count()


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class Stage(Protocol):
    """A gateway behind the port, and the ropes behind it."""

    gateway: Gateway

    async def next_answer_gets_lost(self) -> None: ...

    async def next_is_rate_limited(self) -> None: ...

    async def next_is_refused(self) -> None: ...

    async def taken(self) -> int:
        """How many commands the gateway really took so far; a GET takes nothing."""

    async def test_is_completed(self, test_id: str) -> None: ...

    async def problem_is_in_progress(self, problem_id: str) -> None: ...

    async def problem_is_resolved(self, problem_id: str) -> int:
        """Wait or see to it that the problem has a resolution to be answered; its id."""

    async def ids_of_requests(self) -> list[tuple[str | None, str | None]]:
        """X-Request-ID and X-Conversation-ID of what was asked."""


class FakeStage:
    def __init__(self) -> None:
        self.fake = ScriptedGateway()
        self.gateway: Gateway = self.fake

    async def next_answer_gets_lost(self) -> None:
        self.fake.then(TakenButLost())

    async def next_is_rate_limited(self) -> None:
        self.fake.then(NotTaken(why="RATE_LIMITED", http_status=429, retry_after_seconds=1))

    async def next_is_refused(self) -> None:
        self.fake.then(Refused(http_status=422))

    async def taken(self) -> int:
        return len(self.fake.accepted)

    async def test_is_completed(self, test_id: str) -> None:
        test = self.fake.entity(SERVICE_TEST, test_id)
        done = TestResult(result="RED", code="STALE_PPP_SESSION", valid_until=datetime(2099, 1, 1, tzinfo=UTC))
        self.fake.show(msgspec.structs.replace(test, status="COMPLETED", result=done))

    async def problem_is_in_progress(self, problem_id: str) -> None:
        problem = self.fake.entity(SERVICE_PROBLEM, problem_id)
        self.fake.show(msgspec.structs.replace(problem, status="IN_PROGRESS"))

    async def problem_is_resolved(self, problem_id: str) -> int:
        problem = self.fake.entity(SERVICE_PROBLEM, problem_id)
        resolution = Resolution(id=99, status="PENDING")
        self.fake.show(msgspec.structs.replace(problem, status="RESOLVED", resolution=resolution))
        return 99

    async def ids_of_requests(self) -> list[tuple[str | None, str | None]]:
        return [(call.request_id, call.conversation_id) for call in self.fake.calls]


class SimulatorStage:
    def __init__(self, control: httpx.AsyncClient, gateway: HttpGateway) -> None:
        self.gateway: Gateway = gateway
        self.control = control

    async def strike(self, fault: str, limit: int = 1) -> None:
        answer = await self.control.put("/control/faults", json={"rules": [{"fault": fault, "limit": limit}]})
        answer.raise_for_status()

    async def next_answer_gets_lost(self) -> None:
        await self.strike("ANSWER_LOST")

    async def next_is_rate_limited(self) -> None:
        await self.strike("HTTP_429")

    async def next_is_refused(self) -> None:
        await self.strike("HTTP_422")

    async def taken(self) -> int:
        counts = (await self.control.get("/ledger/counts")).json()["accepted"]
        return sum(number for operation, number in counts.items() if operation in COMMANDS)

    async def test_is_completed(self, test_id: str) -> None:
        await self._until(FetchTest(service_test_id=int(test_id)), "COMPLETED")

    async def problem_is_in_progress(self, problem_id: str) -> None:
        await self._until(FetchProblem(service_problem_id=int(problem_id)), "IN_PROGRESS")

    async def problem_is_resolved(self, problem_id: str) -> int:
        problem = await self._until(FetchProblem(service_problem_id=int(problem_id)), "RESOLVED")
        resolutions = [problem.entity.resolution, *(update.resolution for update in problem.updates)]
        (resolution_id, *_) = [each.id for each in resolutions if each is not None and each.id is not None]
        return resolution_id

    async def ids_of_requests(self) -> list[tuple[str | None, str | None]]:
        entries = (await self.control.get("/ledger")).json()["entries"]
        return [(entry["request_id"], entry["conversation_id"]) for entry in entries if entry["operation"] != "token"]

    async def _until(self, command: Command, status: str) -> Taken:
        async with asyncio.timeout(20):
            while True:
                answer = await ask(self.gateway, command)
                assert isinstance(answer, Taken), answer
                if answer.entity.status == status:
                    return answer
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    """The simulator's own URL; it makes no KCIs' deliveries, since nobody listens to them here."""
    port = free_port()
    environment = {"SIMULATOR_LISTEN": f"127.0.0.1:{port}", "SIMULATOR_KCI_DELAY": "0.01"}
    process = subprocess.Popen([sys.executable, "-m", "bridge.simulator"], env={**os.environ, **environment})
    try:
        wait_for(f"http://127.0.0.1:{port}/live", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            httpx.get(url, trust_env=False).raise_for_status()
        except httpx.TransportError:
            assert process.poll() is None, "the simulator ended"
            assert time.monotonic() < deadline, "the simulator does not answer"
            time.sleep(0.05)
        else:
            return


def settings(simulator: str, **others: Any) -> GatewaySettings:
    return GatewaySettings.model_validate(
        {
            "base_url": f"{simulator}/v1",
            "client_id": "tenant",
            "client_secret": "tenant-secret",
            "read_timeout_seconds": 5,
            "total_timeout_seconds": 10,
            **others,
        }
    )


@pytest.fixture
async def real(simulator: str) -> AsyncIterator[SimulatorStage]:
    gateway = HttpGateway(settings(simulator), SystemClock())
    async with httpx.AsyncClient(base_url=simulator, trust_env=False) as control:
        (await control.post("/control/reset")).raise_for_status()
        yield SimulatorStage(control, gateway)
    await gateway.aclose()


@pytest.fixture(params=["fake", "simulator"])
def stage(request: pytest.FixtureRequest) -> Stage:
    if request.param == "fake":
        return FakeStage()
    found: SimulatorStage = request.getfixturevalue("real")
    return found


async def ask(gateway: Gateway, command: Command, request_id: str = "r-1", conversation_id: str = "c-1") -> Answer:
    return await gateway.call(command, supplier=SUPPLIER, request_id=request_id, conversation_id=conversation_id)


def a_test(scenario: str = "HAPPY_PATH") -> RunTest:
    """For a service of its own, whose supplier follows the simulator's scenario."""
    return RunTest(
        service_id=f"SIM-{scenario}-{next(NUMBERS)}",
        supplier=SUPPLIER,
        service_specification_id="FTTP",
        problem_type="OUTAGE",
        characteristics=(NEVER_WORKED,),
    )


def a_problem(test_id: str, service_id: str) -> RaiseProblem:
    return RaiseProblem(
        external_identifier="T-1",
        problem_type="OUTAGE",
        problem_text="No light on the ONT",
        service_id=service_id,
        service_specification_id="FTTP",
        supplier=SUPPLIER,
        service_test_id=int(test_id),
        characteristics=(NEVER_WORKED,),
        primary_contact=Contact(name="Anna", phone_number="+44 20 7946 0000"),
        notes="Since Monday",
    )


async def taken(gateway: Gateway, command: Command) -> Entity:
    answer = await ask(gateway, command)
    assert isinstance(answer, Taken), answer
    return answer.entity


async def raised(stage: Stage, scenario: str) -> Entity:
    command = a_test(scenario)
    test = await taken(stage.gateway, command)
    await stage.test_is_completed(test.id)
    return await taken(stage.gateway, a_problem(test.id, command.service_id))


class TestThePort:
    async def test_a_test_and_a_problem_are_told_as_they_were_made(self, stage: Stage) -> None:
        command = a_test()
        test = await taken(stage.gateway, command)
        assert (test.type, test.service_id, test.supplier) == (SERVICE_TEST, command.service_id, SUPPLIER)
        await stage.test_is_completed(test.id)
        done = await taken(stage.gateway, FetchTest(service_test_id=int(test.id)))
        assert done.key == test.key
        assert done.result is not None
        assert (done.status, done.result.result) == ("COMPLETED", "RED")
        problem = await taken(stage.gateway, a_problem(test.id, command.service_id))
        assert (problem.type, problem.external_identifier) == (SERVICE_PROBLEM, "T-1")
        assert problem.service_test_id == int(test.id)
        assert await stage.taken() == 2

    async def test_an_answered_resolution_tells_of_the_problem_and_of_the_resolution(self, stage: Stage) -> None:
        problem = await raised(stage, "HAPPY_PATH")
        resolution_id = await stage.problem_is_resolved(problem.id)
        answer = AnswerResolution(
            resolution_id=resolution_id,
            service_problem_id=int(problem.id),
            status="REJECTED",
            tenant_notes="Still dead",
        )
        resolved = await taken(stage.gateway, answer)
        assert (resolved.key, resolved.status) == (problem.key, None)
        assert resolved.resolution is not None
        assert (resolved.resolution.id, resolved.resolution.status) == (resolution_id, "REJECTED")
        assert await stage.taken() == 3

    async def test_a_change_of_a_problem_tells_of_the_problem_and_of_the_request(self, stage: Stage) -> None:
        problem = await raised(stage, "CANCELLATION_ACCEPTED")
        await stage.problem_is_in_progress(problem.id)
        problem_id = int(problem.id)
        amended = await taken(stage.gateway, AmendProblem(service_problem_id=problem_id, hazards="A dog"))
        assert (amended.key, amended.status) == (problem.key, None)
        assert amended.amendment is not None
        assert amended.amendment.id is not None
        assert amended.amendment.status is not None
        cancelled = await taken(stage.gateway, CancelProblem(service_problem_id=problem_id, reason_code="OTHER"))
        assert (cancelled.key, cancelled.status) == (problem.key, None)
        assert cancelled.cancellation is not None
        assert cancelled.cancellation.id is not None
        assert await stage.taken() == 4

    async def test_what_does_not_exist_is_refused_with_the_gateways_error(self, stage: Stage) -> None:
        for command in (FetchTest(service_test_id=987_654), FetchProblem(service_problem_id=987_654)):
            answer = await ask(stage.gateway, command)
            assert isinstance(answer, Refused)
            assert answer.http_status == 404
            assert answer.error is not None
            assert answer.error.code == "NOT_FOUND"
            assert answer.error.uuid
            assert answer.error.messages
        assert await stage.taken() == 0

    async def test_a_lost_answer_is_ambiguous_and_the_command_was_taken_once(self, stage: Stage) -> None:
        await stage.next_answer_gets_lost()
        answer = await ask(stage.gateway, a_test())
        assert isinstance(answer, Ambiguous)
        assert answer.reason is Reason.NO_ANSWER
        assert await stage.taken() == 1

    async def test_what_is_not_taken_can_be_sent_again(self, stage: Stage) -> None:
        command = a_test()
        await stage.next_is_rate_limited()
        answer = await ask(stage.gateway, command)
        assert isinstance(answer, NotTaken)
        assert (answer.why, answer.http_status, answer.alarm) == ("RATE_LIMITED", 429, False)
        assert answer.retry_after_seconds is not None
        assert await stage.taken() == 0
        await taken(stage.gateway, command)
        assert await stage.taken() == 1

    async def test_a_refusal_takes_nothing(self, stage: Stage) -> None:
        await stage.next_is_refused()
        answer = await ask(stage.gateway, a_test())
        assert isinstance(answer, Refused)
        assert answer.http_status == 422
        assert await stage.taken() == 0

    async def test_a_request_that_breaks_the_contract_is_never_sent(self, stage: Stage) -> None:
        answer = await ask(stage.gateway, CancelProblem(service_problem_id=1, reason_code="no"))
        assert answer == NotTaken(why="INVALID_REQUEST", alarm=True)
        assert await stage.taken() == 0

    async def test_a_get_takes_nothing_and_can_be_repeated(self, stage: Stage) -> None:
        test = await taken(stage.gateway, a_test())
        before = await stage.taken()
        for _ in range(3):
            again = await taken(stage.gateway, FetchTest(service_test_id=int(test.id)))
            assert again.key == test.key
        assert await stage.taken() == before

    async def test_calls_at_the_same_time_each_get_their_own_answer(self, stage: Stage) -> None:
        commands = [a_test() for _ in range(20)]
        tests = await asyncio.gather(*(taken(stage.gateway, command) for command in commands))
        assert [test.service_id for test in tests] == [command.service_id for command in commands]
        assert len({test.id for test in tests}) == 20

    async def test_the_callers_ids_reach_the_gateway(self, stage: Stage) -> None:
        answer = await ask(stage.gateway, a_test(), request_id="r-7", conversation_id="c-7")
        assert answer.request_id == "r-7"
        assert ("r-7", "c-7") in await stage.ids_of_requests()


# Each fault that strikes a request: what the client must say of it, and how many commands the ledger shows as taken.
Means = Callable[[Answer], bool]


def not_taken(why: str, *, alarm: bool = False) -> Means:
    return lambda answer: isinstance(answer, NotTaken) and (answer.why, answer.alarm) == (why, alarm)


def ambiguous(reason: Reason) -> Means:
    return lambda answer: isinstance(answer, Ambiguous) and answer.reason is reason


def is_taken(answer: Answer) -> bool:
    return isinstance(answer, Taken)


FAULTS: list[tuple[str, Means, int]] = [
    ("RESET", ambiguous(Reason.NO_ANSWER), 0),
    ("HTTP_401", is_taken, 1),
    ("HTTP_403", not_taken("FORBIDDEN", alarm=True), 0),
    ("HTTP_422", lambda answer: isinstance(answer, Refused), 0),
    ("HTTP_429", not_taken("RATE_LIMITED"), 0),
    ("HTTP_500", ambiguous(Reason.SERVER_ERROR), 0),
    ("HTTP_503", ambiguous(Reason.SERVER_ERROR), 0),
    ("ANSWER_LOST", ambiguous(Reason.NO_ANSWER), 1),
    ("ANSWER_NEVER", ambiguous(Reason.NO_ANSWER), 1),
    ("ACCEPT_THEN_500", ambiguous(Reason.SERVER_ERROR), 1),
]


class TestTheHttpClient:
    @pytest.mark.parametrize(("fault", "means", "accepted"), FAULTS, ids=[fault for fault, _, _ in FAULTS])
    async def test_each_fault_of_the_gateway_is_told_for_what_it_is(
        self, real: SimulatorStage, simulator: str, fault: str, means: Means, accepted: int
    ) -> None:
        gateway = HttpGateway(settings(simulator, read_timeout_seconds=0.5), SystemClock())
        await real.strike(fault)
        answer = await ask(gateway, a_test())
        await gateway.aclose()
        assert means(answer), answer
        assert await real.taken() == accepted

    async def test_without_the_token_endpoint_nothing_is_sent(self, real: SimulatorStage) -> None:
        (await real.control.put("/control/faults", json={"token_down": True})).raise_for_status()
        answer = await ask(real.gateway, a_test())
        assert isinstance(answer, NotTaken)
        assert answer.why == "NO_TOKEN"
        assert await real.ids_of_requests() == []

    async def test_wrong_credentials_call_a_person(self, real: SimulatorStage, simulator: str) -> None:
        gateway = HttpGateway(settings(simulator, client_secret="wrong"), SystemClock())
        answer = await ask(gateway, a_test())
        await gateway.aclose()
        assert isinstance(answer, NotTaken)
        assert (answer.why, answer.alarm) == ("NO_TOKEN", True)

    @pytest.mark.parametrize("client_auth", ["basic", "form"])
    async def test_both_ways_of_client_authentication_are_accepted(
        self, real: SimulatorStage, simulator: str, client_auth: str
    ) -> None:
        gateway = HttpGateway(settings(simulator, client_auth=client_auth), SystemClock())
        answer = await ask(gateway, a_test())
        await gateway.aclose()
        assert isinstance(answer, Taken)

    async def test_tokens_that_are_all_revoked_at_once_cost_nobody_a_command(self, real: SimulatorStage) -> None:
        await taken(real.gateway, a_test())
        (await real.control.delete("/control/tokens")).raise_for_status()
        await asyncio.gather(*(taken(real.gateway, a_test()) for _ in range(20)))
        assert await real.taken() == 21
