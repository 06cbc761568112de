"""The token endpoint over HTTP (contract 4.1)."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.simulator import replies
from bridge.simulator.faults import Effect
from bridge.simulator.ledger import Entry, Ledger
from bridge.simulator.operations import TOKEN_PATH
from bridge.simulator.settings import Settings
from bridge.simulator.tokens import AuthenticationFailed, Tokens
from bridge.simulator.weather import TOKEN, Forecast


class TokenApi:
    """Issues tokens; every request is written to the ledger."""

    def __init__(self, settings: Settings, tokens: Tokens, ledger: Ledger, forecast: Forecast) -> None:
        self._settings = settings
        self._tokens = tokens
        self._ledger = ledger
        self._forecast = forecast

    def routes(self) -> list[Route]:
        """The one route, base path included."""
        return [Route(self._settings.base_path + TOKEN_PATH, self._serve, methods=["POST"])]

    async def _serve(self, request: Request) -> Response:
        entry = self._ledger.open(TOKEN, request.method, request.url.path, None, None)
        try:
            return await self._answer(request, entry)
        finally:
            self._ledger.close(entry)

    async def _answer(self, request: Request, entry: Entry) -> Response:
        if (cut := await replies.bad_weather(self._forecast, entry)) is not None:
            return cut
        if self._forecast.now.token_down:
            entry.fault, entry.status = "TOKEN_DOWN", int(HTTPStatus.SERVICE_UNAVAILABLE)
            return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE)
        fault = self._forecast.fault(TOKEN, "")
        if fault is not None and fault.effect is Effect.REFUSE:
            return replies.refusal(fault, entry, self._settings.retry_after, {})
        kind, authorization = request.headers.get("Content-Type", ""), request.headers.get("Authorization")
        try:
            issued = self._tokens.issue(kind, authorization, await request.body())
        except AuthenticationFailed as error:
            return replies.error(entry, HTTPStatus.BAD_REQUEST, "NOT_AUTHORISED", [str(error)])
        entry.accepted = True
        if fault is not None:
            entry.fault = fault.name
            return await replies.hidden(fault, entry, request)
        return replies.success(entry, HTTPStatus.OK, issued)
