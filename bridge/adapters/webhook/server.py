"""
The webhook as an ASGI application: each request goes through the same checks in the same order, and is answered once
its record is safe.

The order: path and method, failed authentications of this address, authentication, requests in flight; then the body is
read; and only then headers, media type, size, depth, JSON and the KCI itself are judged, so that whatever is refused
for them is in the quarantine before the refusal is sent.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import Protocol

import structlog
from starlette.types import Receive, Scope, Send

from bridge.adapters.webhook import wire
from bridge.adapters.webhook.auth import Authenticator, Failure, KeysUnavailable, Unauthenticated
from bridge.adapters.webhook.limits import Disconnected, FailureLimit, read_body
from bridge.adapters.webhook.peer import Networks, client_address
from bridge.adapters.webhook.wire import Answer, AnswerReason, ErrorCode, Fields, Refusal
from bridge.domain.correlation import ticket_of
from bridge.domain.dead_letters import QuarantineReason
from bridge.domain.entities import Entity, Kci, shown_key
from bridge.domain.reading import Unreadable
from bridge.domain.record import Record
from bridge.flows.publish_kci import Delivery, PublishKci, Receipt
from bridge.ports import Clock, PublishFailed
from bridge.waiting import within

LONGEST_LOGGED_ID = 128
DESCRIPTION_PATH = "/openapi.json"
# 200, not 204: neither has a body here, but the gateway's own pages know only 200, 201 and 202 (contract 4.2).
PUBLISHED = Answer(status=HTTPStatus.OK, reason=AnswerReason.PUBLISHED)

log = structlog.get_logger(__name__)
# Asked before a line is put together that is hardly ever written.
_level = logging.getLogger(__name__)


class WebhookLimits(Record, frozen=True, kw_only=True):
    """What one request, and all of them together, may take."""

    max_body_bytes: int
    max_depth: int
    max_headers: int
    read_timeout: timedelta
    max_in_flight: int


class WebhookTelemetry(Protocol):
    """What the webhook tells those who watch; `reason` and `why` are of closed sets."""

    def request_answered(self, status: HTTPStatus | None, reason: str, seconds: float) -> None:
        """A request was answered; `status` is None when the client had gone."""

    def requests_in_flight(self, count: int) -> None:
        """So many requests are being handled now."""

    def authentication_failed(self, why: str) -> None:
        """A request came without valid credentials."""


class Webhook:
    """Serves `POST <path>` and `POST <path><path>` (contract 3.29), and its description at /openapi.json."""

    def __init__(  # noqa: PLR0913 - one for each thing that a request meets; a bundle would only hide them
        self,
        publish_kci: PublishKci,
        authenticator: Authenticator,
        failures: FailureLimit,
        clock: Clock,
        telemetry: WebhookTelemetry,
        *,
        path: str,
        limits: WebhookLimits,
        description: bytes,
        trusted_proxies: Networks,
        new_id: Callable[[], str],
    ) -> None:
        """
        Take the proxies whose word about their callers counts, and `new_id` to name a delivery: the uuid of a
        refusal's Error body and the id of its quarantined record.
        """
        self._publish_kci = publish_kci
        self._authenticator = authenticator
        self._failures = failures
        self._clock = clock
        self._telemetry = telemetry
        self._paths = frozenset((path, path + path))
        self._limits = limits
        self._description = description
        self._trusted_proxies = trusted_proxies
        self._new_id = new_id
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever it is."""
        if scope["type"] != "http":
            raise RuntimeError("the webhook serves HTTP only; run it without lifespan and websockets")
        request = _Request(scope, self._new_id, client_address(scope, self._trusted_proxies))
        answer = await self._answer(request, receive)
        if answer is not None:
            await _send(send, request, answer)
        self._tell(request, answer)

    async def _answer(self, request: "_Request", receive: Receive) -> Answer | None:
        try:
            if request.path == DESCRIPTION_PATH and request.path not in self._paths:
                return self._describe(request)
            return await self._take(request, receive)
        except Refusal as refusal:
            return refusal.answer(request.id)
        except Disconnected:
            return None

    def _describe(self, request: "_Request") -> Answer:
        if request.method not in {"GET", "HEAD"}:
            raise _no_such_method("GET, HEAD")
        headers = (("content-type", wire.MEDIA_TYPE),)
        return Answer(status=HTTPStatus.OK, reason=AnswerReason.DESCRIBED, headers=headers, body=self._description)

    async def _take(self, request: "_Request", receive: Receive) -> Answer:
        if request.path not in self._paths:
            sentence = "no such path; KCIs are posted to the path that BRIDGE_WEBHOOK_PATH names"
            raise Refusal(HTTPStatus.NOT_FOUND, AnswerReason.NO_SUCH_PATH, sentence, code=ErrorCode.NOT_FOUND)
        if request.method != "POST":
            raise _no_such_method("POST")
        await self._authenticate(request)
        if self._in_flight >= self._limits.max_in_flight:
            sentence = "too many requests are being handled; send this one again"
            raise wire.unavailable(AnswerReason.OVERLOADED, sentence, retry_after=wire.RETRY_SOON_SECONDS)
        self._count(1)
        try:
            await self._read(request, receive)
            return await self._settle(request)
        finally:
            self._count(-1)

    async def _authenticate(self, request: "_Request") -> None:
        wait = self._failures.seconds_to_wait(request.client)
        if wait:
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                AnswerReason.TOO_MANY_FAILURES,
                "too many failed authentications from this address",
                code=ErrorCode.NOT_AUTHORISED,
                headers=(("retry-after", str(wait)),),
            )
        try:
            await self._authenticator.check(request.fields.get(b"authorization"))
        except Unauthenticated as unauthenticated:
            self._failures.count(request.client)
            self._telemetry.authentication_failed(unauthenticated.failure)
            request.failure = unauthenticated.failure
            raise Refusal(
                HTTPStatus.UNAUTHORIZED,
                AnswerReason.UNAUTHENTICATED,
                "header Authorization: missing, or the credentials in it are not valid",
                code=ErrorCode.NOT_AUTHORISED,
                headers=(("www-authenticate", self._authenticator.challenge),),
            ) from unauthenticated
        except KeysUnavailable as error:
            sentence = "the keys that verify tokens cannot be fetched at the moment; send this request again"
            raise wire.unavailable(
                AnswerReason.KEYS_UNAVAILABLE, sentence, retry_after=wire.RETRY_LATER_SECONDS
            ) from error

    async def _read(self, request: "_Request", receive: Receive) -> None:
        request.received_at = self._clock.now()
        reading = read_body(receive, limit=self._limits.max_body_bytes)
        try:
            request.body, request.truncated = await within(self._limits.read_timeout, reading)
        except TimeoutError as error:
            sentence = f"the body was not complete within {self._limits.read_timeout.total_seconds():g} s"
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, AnswerReason.READ_TIMED_OUT, sentence) from error
        request.is_read = not request.truncated

    async def _settle(self, request: "_Request") -> Answer:
        """Publish, or keep in the quarantine and refuse; if Kafka takes neither, the gateway is asked to send again."""
        try:
            try:
                kci = await self._publish(request)
            except Refusal as refusal:
                if refusal.quarantine is not None:
                    await self._publish_kci.quarantine(request.delivery(), refusal.quarantine, refusal.sentence)
                raise
        except PublishFailed as error:
            log.warning("a delivery could not be published", delivery=request.id, problem=str(error))
            sentence = "the request could not be stored; send it again"
            raise wire.unavailable(
                AnswerReason.KAFKA_UNAVAILABLE, sentence, retry_after=wire.RETRY_LATER_SECONDS
            ) from error
        request.entity = kci.entity
        return PUBLISHED

    async def _publish(self, request: "_Request") -> Kci:
        wire.check_headers(request.fields, max_headers=self._limits.max_headers)
        if request.truncated:
            sentence = f"the body is longer than {self._limits.max_body_bytes} bytes"
            raise wire.kept(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, QuarantineReason.TOO_LARGE, sentence)
        content = wire.decode(request.body, max_depth=self._limits.max_depth)
        try:
            return await self._publish_kci.publish(request.receipt(), content)
        except Unreadable as error:
            raise wire.kept(
                HTTPStatus.UNPROCESSABLE_ENTITY, QuarantineReason.NOT_A_KCI, str(error), code=ErrorCode.INVALID_REQUEST
            ) from error
        except (TypeError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            # A bug of ours: the delivery is kept all the same, so that it can be replayed once the bug is mended.
            log.exception("a delivery could not be turned into a record", delivery=request.id)
            raise Refusal(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                AnswerReason.BRIDGE_FAILED,
                f"the bridge failed on this request ({type(error).__name__}) and has kept it",
                code=ErrorCode.TENANT_FAULT,
                quarantine=QuarantineReason.NOT_A_KCI,
            ) from error

    def _count(self, step: int) -> None:
        self._in_flight += step
        self._telemetry.requests_in_flight(self._in_flight)

    def _tell(self, request: "_Request", answer: Answer | None) -> None:
        seconds = time.monotonic() - request.started
        status = None if answer is None else answer.status
        reason = AnswerReason.DISCONNECTED if answer is None else answer.reason
        self._telemetry.request_answered(status, reason, seconds)
        # What was published is told of again by whoever reads it; only what was refused is worth a line here.
        level = logging.DEBUG if reason is AnswerReason.PUBLISHED else logging.INFO
        if not _level.isEnabledFor(level):
            return
        log.log(
            level,
            "request answered",
            request_id=_cut(request.request_id),
            conversation_id=_cut(request.conversation_id),
            ticket_id=ticket_of(_cut(request.conversation_id)),
            delivery=request.id,
            entity_key=request.entity_key,
            status=None if status is None else int(status),
            reason=reason.value,
            seconds=round(seconds, 4),
            **({} if request.failure is None else {"why": request.failure.value, "client": request.client}),
        )


class _Request:
    """One request: what its head tells, what was read of it, and what was found out about it for the log."""

    # Set once the body is read.
    received_at: datetime
    body: bytes
    truncated: bool
    is_read = False
    # Set once it is published, or refused.
    entity: Entity | None = None
    failure: Failure | None = None

    def __init__(self, scope: Scope, new_id: Callable[[], str], client: str) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.fields = Fields(list(scope["headers"]))
        self.client = client
        self.request_id = self.fields.get(wire.REQUEST_ID)
        self.conversation_id = self.fields.get(wire.CONVERSATION_ID)
        self.started = time.monotonic()
        self._new_id = new_id

    @cached_property
    def id(self) -> str:
        """Its name, which only a refusal and the log have a use for."""
        return self._new_id()

    @property
    def entity_key(self) -> str | None:
        """The key of the entity that it told of, as the log may show it."""
        return None if self.entity is None else shown_key(self.entity.key)

    def receipt(self) -> Receipt:
        """What stays of it in its KCI."""
        return Receipt(request_id=self.request_id, conversation_id=self.conversation_id, received_at=self.received_at)

    def delivery(self) -> Delivery:
        """What stays of it in the quarantine."""
        return Delivery(
            delivery_id=self.id,
            body=self.body,
            truncated=self.truncated,
            headers=wire.without_credentials(self.fields.raw),
            path=self.path,
            received_at=self.received_at,
        )


def _no_such_method(allowed: str) -> Refusal:
    sentence = f"no such method on this path; allowed: {allowed}"
    return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, AnswerReason.NO_SUCH_METHOD, sentence, headers=(("allow", allowed),))


def _cut(identifier: str | None) -> str | None:
    return None if identifier is None else identifier[:LONGEST_LOGGED_ID]


async def _send(send: Send, request: _Request, answer: Answer) -> None:
    headers = [(name.encode(), value.encode()) for name, value in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    headers += [field for field in request.fields.raw if field[0] in wire.REQUIRED_HEADERS]
    if not request.is_read:
        # What is left of the body is not worth waiting for.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else answer.body})
