"""The Gateway port over HTTP: ask once, and say what is known."""

import asyncio
import time
from uuid import NAMESPACE_URL, uuid5

import httpx
import structlog
from msgspec.structs import replace

from bridge.adapters.gateway import errors, wire
from bridge.adapters.gateway.auth import NoToken, TokenSource
from bridge.adapters.gateway.direct import DirectClient
from bridge.adapters.gateway.errors import CAUGHT, Kind, Rule
from bridge.adapters.gateway.exchange import Exchange, Received
from bridge.adapters.gateway.profiles import endpoints
from bridge.adapters.gateway.transport import PROGRESS, CarefulTransport, Progress, tls_context
from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.commands import Command, name_of
from bridge.domain.limits import request_violations
from bridge.domain.reading import Unreadable, read_error
from bridge.ports import Clock
from bridge.settings import GatewaySettings

log = structlog.get_logger(__name__)

# The part of the total time that a call may wait for a token, so that its request always has the other part.
_TOKEN_SHARE = 0.5
# Connections beside those of the calls in flight: the token's, and one that is just being closed.
_SPARE_CONNECTIONS = 2


class HttpGateway:
    """The supplier gateway. One for each process, used within one event loop; `aclose` it at the end."""

    def __init__(
        self, settings: GatewaySettings, clock: Clock, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """
        Connect to nothing yet. A test may bring its own transport.

        Raises:
            ProfileError: the settings do not say where the gateway is.
            OSError, ssl.SSLError: a certificate's file cannot be read.

        """
        where = endpoints(settings)
        self._settings = settings
        self._clock = clock
        self._total_seconds = settings.total_timeout_seconds.total_seconds()
        self._client = http_client(settings, transport)
        self._tokens = TokenSource(self._client, where.token_url, settings, monotonic=time.monotonic, now=clock.now)

    @property
    def tokens(self) -> TokenSource:
        """Where its calls get their access token."""
        return self._tokens

    async def aclose(self) -> None:
        """Close all connections."""
        await self._tokens.aclose()
        await self._client.aclose()

    async def call(self, command: Command, *, supplier: str, request_id: str, conversation_id: str) -> Answer:
        """
        Ask once, and say what is known; see the port.

        The request after a 401 has an X-Request-ID of its own, derived from `request_id` (`second_request_id`).
        """
        violations = request_violations(command)
        if violations:
            log.error("a request breaks the contract", command=name_of(command), fields=[v.field for v in violations])
            return NotTaken(why=errors.INVALID_REQUEST.why, alarm=errors.INVALID_REQUEST.alarm)
        started = time.monotonic()
        call = _Call(self._client, self._tokens, self._settings, self._clock)
        headers = {"X-Request-ID": request_id, "X-Conversation-ID": conversation_id}
        limit = asyncio.timeout(self._total_seconds)
        try:
            async with limit:
                answer = await call.run(command, headers)
        except TimeoutError:
            if not limit.expired():
                raise
            answer = call.cut_short(command)
        answer = replace(answer, request_id=call.request_id)
        # One that was taken leads to an outcome, whose line says so; only what did not go well is worth a line here.
        tell = log.debug if isinstance(answer, Taken) else log.info
        tell(
            "gateway call",
            command=name_of(command),
            supplier=supplier,
            request_id=answer.request_id,
            conversation_id=conversation_id,
            answer=type(answer).__name__,
            http_status=answer.http_status,
            why=getattr(answer, "why", None),
            milliseconds=round(1000 * (time.monotonic() - started)),
        )
        return answer


def http_client(settings: GatewaySettings, transport: httpx.AsyncBaseTransport | None = None) -> DirectClient:
    """The client for every call to the gateway, and to its token endpoint; errors as of `HttpGateway`."""
    connect = settings.connect_timeout_seconds.total_seconds()
    read = settings.read_timeout_seconds.total_seconds()
    return DirectClient(
        transport or _transport(settings),
        base_url=endpoints(settings).base_url,
        timeout=httpx.Timeout(connect=connect, read=read, write=read, pool=connect),
        headers={"User-Agent": "fibre-fault-bridge", "Accept-Encoding": "identity"},
    )


def second_request_id(request_id: str) -> str:
    """The X-Request-ID of the request after a 401: always the same for the same first one, and a UUID as that is."""
    return str(uuid5(NAMESPACE_URL, f"{request_id} after 401"))


class _Call:
    """One call: at most two requests, and what is known of it at any moment, also when its time is suddenly over."""

    def __init__(self, client: DirectClient, tokens: TokenSource, settings: GatewaySettings, clock: Clock) -> None:
        self._client = client
        self._tokens = tokens
        self._settings = settings
        self._clock = clock
        self._exchange: Exchange | None = None
        self._progress = Progress()
        # The X-Request-ID of the latest request, which is the one that the answer tells of.
        self.request_id: str | None = None

    async def run(self, command: Command, headers: dict[str, str]) -> Answer:
        total = self._settings.total_timeout_seconds.total_seconds()
        token_until = asyncio.get_running_loop().time() + _TOKEN_SHARE * total
        try:
            token = await self._token(token_until)
            answer, rejected = await self._ask(command, headers, token)
            if not rejected:
                return answer
            self._tokens.reject(token)
            another = await self._token(token_until)
        except NoToken as error:
            return NotTaken(why=errors.NO_TOKEN.why, retry_after_seconds=error.retry_after_seconds, alarm=error.alarm)
        if another == token:
            return answer
        again = {**headers, "X-Request-ID": second_request_id(headers["X-Request-ID"])}
        return (await self._ask(command, again, another))[0]

    def cut_short(self, command: Command) -> Answer:
        """The answer when the time for the whole call is over."""
        if self._exchange is None:
            return NotTaken(why=errors.NO_TOKEN.why)
        if self._exchange.received is not None:
            return self._judge(command, self._exchange.received)
        nothing_sent = self._progress.nothing_sent
        rule = errors.TOTAL_TIMEOUT_UNSENT if nothing_sent else errors.TOTAL_TIMEOUT
        return errors.without_answer(rule, nothing_sent=nothing_sent)

    async def _token(self, until: float) -> str:
        self._exchange = None
        at_hand = self._tokens.at_hand()
        if at_hand is not None:
            return at_hand
        limit = asyncio.timeout_at(until)
        try:
            async with limit:
                return await self._tokens.token()
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise NoToken("TOKEN_TIMEOUT") from error

    async def _ask(self, command: Command, headers: dict[str, str], token: str) -> tuple[Answer, bool]:
        """One request: its answer, and whether its token was rejected."""
        self._progress = Progress()
        asked = wire.request(command)
        request = self._client.build_request(
            asked.method,
            asked.path,
            content=asked.content,
            headers={
                **headers,
                "Authorization": f"Bearer {token}",
                "Accept": "application/json",
                **({"Content-Type": "application/json"} if asked.content is not None else {}),
            },
        )
        request.extensions[PROGRESS] = self._progress
        self.request_id = headers["X-Request-ID"]
        self._exchange = Exchange(self._client, request)
        try:
            received = await self._exchange.run()
        except CAUGHT as error:
            return errors.without_answer(
                errors.rule_for_exception(error), nothing_sent=self._progress.nothing_sent
            ), False
        return self._judge(command, received), errors.rule_for_status(received.status).kind is Kind.NEW_TOKEN

    def _judge(self, command: Command, received: Received) -> Answer:
        """The answer that the table gives for a status, with what its body and headers add."""
        rule = errors.rule_for_status(received.status)
        kind = errors.unavailable(self._settings.unavailable_means) if rule.kind is Kind.CONFIGURED else rule.kind
        match kind:
            case Kind.TAKEN:
                return _taken(command, received)
            case Kind.REFUSED:
                return Refused(http_status=received.status, error=read_error(received.json()))
            case Kind.NOT_TAKEN | Kind.NEW_TOKEN:
                return NotTaken(
                    why=rule.why,
                    http_status=received.status,
                    retry_after_seconds=received.retry_after_seconds(self._clock.now()),
                    alarm=rule.alarm,
                )
            case _:
                return _ambiguous(rule, received, received.retry_after_seconds(self._clock.now()))


def _taken(command: Command, received: Received) -> Answer:
    try:
        entity, updates = wire.read(command, received.json())
    except Unreadable:
        return _ambiguous(errors.UNREADABLE, received, None)
    return Taken(http_status=received.status, entity=entity, updates=updates)


def _ambiguous(rule: Rule, received: Received, retry_after_seconds: float | None) -> Ambiguous:
    return Ambiguous(
        reason=rule.reason, why=rule.why, http_status=received.status, retry_after_seconds=retry_after_seconds
    )


def _transport(settings: GatewaySettings) -> CarefulTransport:
    files = (settings.ca_file, settings.client_cert_file, settings.client_key_file)
    tls = tls_context(*(str(file) if file is not None else None for file in files))
    return CarefulTransport(tls, connections=settings.max_in_flight + _SPARE_CONNECTIONS)
