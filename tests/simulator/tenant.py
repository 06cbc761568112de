"""A tenant of the simulated gateway: its webhook, its client, and bodies that a test may make wrong."""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any

import httpx
from aiohttp import web

Json = dict[str, Any]
PATIENCE = 5.0


async def until(condition: Callable[[], bool], what: str) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE} s in vain for {what}")
        await asyncio.sleep(0.005)


def a_test(service_id: str = "SIM-HAPPY_PATH-1", **changes: object) -> Json:
    return {
        "serviceId": service_id,
        "problemType": "OUTAGE",
        "serviceSpecification": {"id": "ftthl2r"},
        "supplier": "DUMMY_SUPPLIER",
        "characteristics": [{"name": "SERVICE_HAS_WORKED", "value": "false"}],
        **changes,
    }


def a_problem(test_id: int, service_id: str = "SIM-HAPPY_PATH-1", **changes: object) -> Json:
    return {
        **a_test(service_id),
        "externalIdentifier": "TICKET-1",
        "problemText": "The service is down since this morning.",
        "serviceTestId": test_id,
        "primaryContact": {"name": "Ada", "phoneNumber": "01234 567890"},
        "notes": "The lamp is red.",
        **changes,
    }


class RecordingWebhook:
    """Keeps every KCI that it answered with 2xx; refuses as often as `refusals` says."""

    def __init__(self) -> None:
        self.kcis: list[Json] = []
        self.headers: list[dict[str, str]] = []
        self.refusals: deque[int] = deque()
        self.refused: list[Json] = []

    async def receive(self, request: web.Request) -> web.Response:
        kci = await request.json()
        if self.refusals:
            self.refused.append(kci)
            return web.Response(status=self.refusals.popleft())
        self.headers.append(dict(request.headers))
        self.kcis.append(kci)
        return web.Response(status=204)

    def of(self, entity_id: int) -> list[Json]:
        return [kci for kci in self.kcis if kci["entity"]["id"] == entity_id]

    def statuses(self, entity_id: int) -> list[str]:
        return [kci["entity"]["status"] for kci in self.of(entity_id)]


class Tenant:
    """Calls the seven operations with good headers."""

    def __init__(self, client: httpx.AsyncClient, webhook: RecordingWebhook) -> None:
        self.client = client
        self.webhook = webhook
        self.token = ""

    async def log_in(self) -> None:
        answer = await self.client.post(
            "/v1/auth/tenant/access-token",
            data={"grant_type": "client_credentials", "client_id": "tenant", "client_secret": "tenant-secret"},
        )
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]

    def headers(self, **extra: str) -> dict[str, str]:
        extra = {name.replace("_", "-"): value for name, value in extra.items()}
        return {
            "Authorization": f"Bearer {self.token}",
            "X-Request-ID": str(uuid.uuid4()),
            "X-Conversation-ID": "conversation-1",
            **extra,
        }

    async def call(self, method: str, path: str, body: object = None, **extra: str) -> httpx.Response:
        content = {} if body is None else {"json": body}
        return await self.client.request(method, f"/v1{path}", headers=self.headers(**extra), **content)  # type: ignore[arg-type] # mypy takes the dict for every argument

    async def made(self, path: str, body: Json, **extra: str) -> int:
        answer = await self.call("POST", path, body, **extra)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    async def tested(self, service_id: str, **extra: str) -> int:
        """The id of a test that has come to its end."""
        test = await self.made("/service-tests", a_test(service_id), **extra)
        await self.rests("service-tests", test)
        return test

    async def raised(self, service_id: str, **changes: object) -> int:
        """The id of a problem that has come to rest."""
        test = await self.tested(service_id)
        problem = await self.made("/service-problems", a_problem(test, service_id, **changes))
        await self.rests("service-problems", problem)
        return problem

    async def rests(self, kind: str, entity_id: int) -> None:
        """Wait until the entity does nothing more by itself and all its KCIs are settled."""
        name = {"service-tests": "tests", "service-problems": "problems"}[kind]
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            truth = (await self.get("/truth"))[name]
            moving = next(each for each in truth if each["id"] == entity_id)["moving"]
            pending = [kci for kci in (await self.get("/ledger/kcis"))["kcis"] if kci["fate"] == "PENDING"]
            if not moving and not pending:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(f"{kind}/{entity_id} did not come to rest in {PATIENCE} s")

    async def rests_in(self, problem_id: int, status: str) -> None:
        """Wait until the problem has the status and every KCI is settled."""
        await until(lambda: status in self.webhook.statuses(problem_id), f"problem {problem_id} to be {status}")
        await self.rests("service-problems", problem_id)

    async def sees(self, path: str, condition: Callable[[Json], bool], **extra: str) -> Json:
        """Ask again and again until what the simulator serves meets the condition; returns it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = await self.client.get(path, headers=self.headers(**extra))
            if answer.is_success and condition(answer.json()):
                served: Json = answer.json()
                return served
            await asyncio.sleep(0.005)
        raise AssertionError(f"waited {PATIENCE} s in vain for {path} to change")

    async def get(self, path: str) -> Any:
        """What the simulator serves beside the API."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def problem(self, problem_id: int) -> Json:
        answer = await self.call("GET", f"/service-problems/{problem_id}")
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    async def resolution_id(self, problem_id: int) -> int:
        """The id of the newest resolution."""
        updates = (await self.problem(problem_id))["updates"]
        found = [each["serviceProblemResolution"]["id"] for each in updates if "serviceProblemResolution" in each]
        return int(found[-1])

    async def resolve(self, problem_id: int, status: str, **body: str) -> httpx.Response:
        resolution = await self.resolution_id(problem_id)
        answer = await self.call("PATCH", f"/service-problem-resolutions/{resolution}", {"status": status, **body})
        await self.rests("service-problems", problem_id)
        return answer

    async def amend(self, problem_id: int, **fields: object) -> httpx.Response:
        body = {"serviceProblemId": problem_id, "notes": "More to read.", **fields}
        answer = await self.call("POST", "/service-problem-amendments", body)
        await self.rests("service-problems", problem_id)
        return answer

    async def cancel(self, problem_id: int) -> httpx.Response:
        body = {"serviceProblemId": problem_id, "reasonCode": "OTHER"}
        answer = await self.call("POST", "/service-problem-cancellations", body)
        await self.rests("service-problems", problem_id)
        return answer

    async def weather(self, **weather: object) -> httpx.Response:
        return await self.client.put("/control/faults", json=weather)
