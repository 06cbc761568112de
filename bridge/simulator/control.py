"""What the simulator serves beside the Tenant API: its ledger, its own truth, its weather, and what it can do."""

import heapq
import itertools
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.simulator import openapi
from bridge.simulator.deliveries import Deliveries
from bridge.simulator.entities import Entity, Json, Problem, ServiceTest
from bridge.simulator.faults import FAULTS
from bridge.simulator.keys import SigningKeys
from bridge.simulator.ledger import Ledger
from bridge.simulator.memory import Memory
from bridge.simulator.scenarios import SCENARIOS
from bridge.simulator.settings import Settings
from bridge.simulator.tokens import Tokens
from bridge.simulator.weather import Forecast, Weather


class Control:
    """Routes for tests and for people; none of them belongs on a network that others reach."""

    def __init__(
        self,
        settings: Settings,
        memory: Memory,
        ledger: Ledger,
        deliveries: Deliveries,
        forecast: Forecast,
        tokens: Tokens,
        keys: SigningKeys,
    ) -> None:
        self._settings = settings
        self._memory = memory
        self._ledger = ledger
        self._deliveries = deliveries
        self._forecast = forecast
        self._tokens = tokens
        self._keys = keys

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/live", self._health),
            Route("/jwks.json", self._jwks),
            Route("/openapi.json", self._openapi),
            Route("/scenarios", self._scenarios),
            Route("/ledger", self._requests),
            Route("/ledger/kcis", self._kcis),
            Route("/ledger/counts", self._counts),
            Route("/truth", self._truth),
            Route("/control/faults", self._show_weather, methods=["GET"]),
            Route("/control/faults", self._change_weather, methods=["PUT"]),
            Route("/control/reset", self._reset, methods=["POST"]),
            Route("/control/tokens", self._revoke, methods=["DELETE"]),
        ]

    async def _health(self, _: Request) -> Response:
        return _json({"status": "ok"})

    async def _jwks(self, _: Request) -> Response:
        return _json(self._keys.public())

    async def _openapi(self, _: Request) -> Response:
        return _json(openapi.document(self._settings.base_path))

    async def _scenarios(self, _: Request) -> Response:
        scenarios = [{"name": each.name, "promise": each.promise, "ends": each.ends} for each in SCENARIOS.values()]
        faults = [{"name": each.name, "promise": each.promise} for each in FAULTS.values()]
        return _json({"scenarios": scenarios, "faults": faults})

    async def _requests(self, request: Request) -> Response:
        return _page("entries", self._ledger.entries, request)

    async def _kcis(self, request: Request) -> Response:
        return _page("kcis", self._ledger.kcis, request)

    async def _counts(self, _: Request) -> Response:
        return _json(self._ledger.counts())

    async def _truth(self, request: Request) -> Response:
        """Each problem and each test as it stands; `after` and `limit` page through both by id."""
        after, limit = _bounds(request)
        tables: tuple[dict[int, Entity], ...] = ({**self._memory.problems}, {**self._memory.tests})
        in_order = heapq.merge(*(table.values() for table in tables), key=lambda each: each.id)
        later = (each for each in in_order if each.id > after)
        page = list(itertools.islice(later, limit))
        more = next(later, None) is not None
        return _json(
            {
                "problems": [_problem(each) for each in page if isinstance(each, Problem)],
                "tests": [_test(each) for each in page if isinstance(each, ServiceTest)],
                "next_after": page[-1].id if page and more else None,
            }
        )

    async def _show_weather(self, _: Request) -> Response:
        weather = self._forecast.now
        return _json({**msgspec.to_builtins(weather), "struck": self._forecast.struck()})

    async def _change_weather(self, request: Request) -> Response:
        try:
            weather = msgspec.json.decode(await request.body() or b"{}", type=Weather)
        except msgspec.DecodeError as error:
            return _json({"error": str(error)}, 400)
        self._forecast.replace(weather)
        self._deliveries.heed_the_weather()
        return await self._show_weather(request)

    async def _reset(self, _: Request) -> Response:
        self._memory.clear()
        await self._deliveries.clear()
        self._ledger.clear()
        self._forecast.replace(Weather())
        self._deliveries.heed_the_weather()
        return Response(status_code=204)

    async def _revoke(self, _: Request) -> Response:
        self._tokens.revoke_all()
        return Response(status_code=204)


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def _bounds(request: Request) -> tuple[int, int | None]:
    query = request.query_params
    try:
        return int(query.get("after", 0)), int(query["limit"]) if "limit" in query else None
    except ValueError as error:
        raise HTTPException(400, "after and limit must be whole numbers") from error


def _page(name: str, rows: list[Any], request: Request) -> Response:
    """Rows after `after`, at most `limit`; other query parameters must equal the row's field of that name."""
    after, limit = _bounds(request)
    wanted = {key: value for key, value in request.query_params.items() if key not in {"after", "limit"}}
    found = [row for row in rows[after:] if all(str(getattr(row, key, None)) == value for key, value in wanted.items())]
    page = found if limit is None else found[:limit]
    following = page[-1].seq if limit is not None and len(found) > limit else None
    return _json({name: page, "next_after": following})


def _problem(problem: Problem) -> Json:
    requests = [{"id": each.id, "what": each.what, "status": each.status} for each in problem.requests]
    resolutions = [{"id": each.id, "status": each.status, "code": each.code} for each in problem.resolutions]
    return {
        **_shared(problem),
        "external_identifier": problem.external_identifier,
        "service_test_id": problem.fields["serviceTestId"],
        "waiting_for": problem.waiting_for.what if problem.waiting_for else None,
        "requests": requests,
        "resolutions": resolutions,
    }


def _test(test: ServiceTest) -> Json:
    return {**_shared(test), "result": test.result}


def _shared(entity: Problem | ServiceTest) -> Json:
    return {
        "id": entity.id,
        "status": entity.status,
        "service_id": entity.service_id,
        "supplier": entity.fields["supplier"],
        "conversation_id": entity.conversation_id,
        "scenario": entity.plan.scenario.name,
        "sequence_number": entity.sequence,
        "moving": entity.moving,
    }
