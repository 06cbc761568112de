"""
The Tenant API over HTTP: who may ask, which fault strikes, and how it is answered (contract 1.0, 1.1, 1.9).

The order of checks: weather, token, headers, body's syntax, plan, refusing fault, body's limits, the gateway's rules.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.simulator import intake, replies
from bridge.simulator.entities import Entity, Json, Problem, Resolution, ServiceTest
from bridge.simulator.entities import Request as TenantRequest
from bridge.simulator.faults import Effect, Fault
from bridge.simulator.gateway import Asked, Gateway, Refused, invalid, malformed
from bridge.simulator.intake import Known, entity_of
from bridge.simulator.ledger import Entry, Ledger
from bridge.simulator.limits import violations
from bridge.simulator.operations import TABLE, Operation
from bridge.simulator.plans import Plan, UnknownPlan, plan_of
from bridge.simulator.settings import Settings
from bridge.simulator.tokens import Tokens
from bridge.simulator.weather import Forecast

Made = Entity | TenantRequest | Resolution


class TenantApi:
    """Serves the seven operations; every request is written to the ledger."""

    def __init__(
        self, settings: Settings, gateway: Gateway, tokens: Tokens, ledger: Ledger, forecast: Forecast
    ) -> None:
        self._settings = settings
        self._gateway = gateway
        self._tokens = tokens
        self._ledger = ledger
        self._forecast = forecast

    def routes(self) -> list[Route]:
        """The routes, base path included."""
        base = self._settings.base_path
        return [Route(base + each.path, self._endpoint(each), methods=[each.method]) for each in TABLE]

    def _endpoint(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            given = {name: request.headers[name] for name in intake.IDENTIFYING if name in request.headers}
            identifiers = (given.get(name) for name in intake.IDENTIFYING)
            entry = self._ledger.open(operation.name, request.method, request.url.path, *identifiers)
            try:
                answer = await self._answer(operation, request, entry)
            finally:
                self._ledger.close(entry)
            answer.headers.update(given)
            return answer

        return serve

    async def _answer(self, operation: Operation, request: Request, entry: Entry) -> Response:
        try:
            return await self._serve(operation, request, entry)
        except Refused as refused:
            entry.fault = None  # one that hides the good answer has nothing to hide
            return replies.error(entry, refused.status, refused.code, refused.messages)

    async def _serve(self, operation: Operation, request: Request, entry: Entry) -> Response:
        if (cut := await replies.bad_weather(self._forecast, entry)) is not None:
            return cut
        if not self._tokens.accepts(request.headers.get("Authorization")):
            raise Refused(HTTPStatus.UNAUTHORIZED, "NOT_AUTHORISED", ["A valid bearer token is required"])
        intake.check_headers(operation, request)
        body = await intake.parsed(request) if operation.request else {}
        known = intake.about(operation, request, body, self._gateway.memory)
        _note(entry, body, known)
        plan = self._plan(request, body, known)
        fault = self._fault(operation, plan, entry)
        if fault is not None and fault.effect is Effect.REFUSE:
            return self._refusal(fault, request, entry, body)
        if operation.request is not None and (broken := violations(operation.request, body)):
            raise malformed(*broken)
        asked = self._asked(operation, plan, entry)
        shown = await self._carry_out(operation, body, known, asked, entry)
        entry.accepted = True
        if fault is not None:
            return await replies.hidden(fault, entry, request)
        return replies.success(entry, operation.success, shown)

    def _plan(self, request: Request, body: Json, known: Known) -> Plan:
        """The header's plan, else that of the thing asked about, else the service id's, else that of the test."""
        header, delay = request.headers.get("X-Scenario"), intake.kci_delay(request)
        entity = entity_of(known)
        service_id = entity.service_id if entity else intake.text(body.get("serviceId")) or ""
        if entity is None and not service_id.startswith("SIM-"):
            entity = self._gateway.memory.tests.get(intake.number(body.get("serviceTestId")))
        if entity is not None and header is None:
            return entity.plan if delay is None else entity.plan.paced(delay)
        try:
            return plan_of(service_id, header, delay, self._settings.default_scenario)
        except UnknownPlan as error:
            raise invalid(str(error)) from error

    def _fault(self, operation: Operation, plan: Plan, entry: Entry) -> Fault | None:
        """The fault that strikes this request: one that is planned and not used up, else one of the weather's."""
        service_id = entry.service_id or ""
        for planned in plan.strikes(operation.name):
            key = ("fault", service_id, operation.name, planned.fault.name)
            if self._gateway.memory.times(*key) < planned.count:
                entry.fault = planned.fault.name
                return planned.fault
        fault = self._forecast.fault(operation.name, service_id)
        entry.fault = fault.name if fault else None
        return fault

    def _refusal(self, fault: Fault, request: Request, entry: Entry, body: Json) -> Response:
        if fault.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.revoke(request.headers.get("Authorization"))
        return replies.refusal(fault, entry, self._settings.retry_after, body)

    def _asked(self, operation: Operation, plan: Plan, entry: Entry) -> Asked:
        early = plan.upset("KCI_EARLY", operation.name)
        early = early or int(self._forecast.upset("KCI_EARLY", operation.name, entry.service_id or ""))
        if early:
            entry.fault = entry.fault or "KCI_EARLY"
        return Asked(plan, entry.conversation_id or "", early)

    async def _carry_out(self, operation: Operation, body: Json, known: Known, asked: Asked, entry: Entry) -> Json:
        """Do what is asked; returns the answer's body as it is at this moment. Raises Refused."""
        if operation.request is None:
            return _found(known)
        given = {name: value for name, value in body.items() if value is not None}
        made = self._make(operation, given, known, asked)
        shown = made.shown()
        entry.entity_id = made.id
        entity = made if isinstance(made, ServiceTest | Problem) else made.problem
        if isinstance(entity, Problem):
            entry.problem_id = entity.id
        if asked.early:
            await self._gateway.overtaken(entity, asked.early)
        return shown

    def _make(self, operation: Operation, body: Json, known: Known, asked: Asked) -> Made:
        match operation.name:
            case "tests":
                return self._gateway.create_test(body, asked)
            case "problems":
                return self._gateway.create_problem(body, asked)
            case "amendments":
                return self._gateway.amend(body, asked)
            case "cancellations":
                return self._gateway.cancel(body, asked)
            case _:
                if not isinstance(known, Resolution):
                    raise invalid("The resolution does not exist")  # the contract lists no 404 for this operation
                return self._gateway.answer(known, body, asked)


def _note(entry: Entry, body: Json, known: Known) -> None:
    """Write the identifiers of the request into the ledger, as far as they are there."""
    entity = entity_of(known)
    entry.service_test_id = intake.number(body.get("serviceTestId")) or None
    if entity is None or known is None:
        entry.service_id = intake.text(body.get("serviceId"))
        entry.external_identifier = intake.text(body.get("externalIdentifier"))
        return
    entry.service_id = entity.service_id
    entry.external_identifier = entity.external_identifier
    entry.entity_id = known.id
    if isinstance(entity, Problem):
        entry.problem_id = entity.id


def _found(known: Known) -> Json:
    if known is None:
        raise Refused(HTTPStatus.NOT_FOUND, "NOT_FOUND", ["Nothing with the id in the path exists"])
    if isinstance(known, Problem):
        return {**known.shown(), "updates": known.updates}
    return known.shown()
