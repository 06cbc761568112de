"""What the tests of the webhook share: KCIs, doubles of its ports, and the ASGI application wired from them."""

import base64
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count
from typing import Any, NamedTuple

from bridge.adapters.webhook.auth import Authenticator, BasicAuthenticator
from bridge.adapters.webhook.description import describe
from bridge.adapters.webhook.limits import FailureLimit
from bridge.adapters.webhook.peer import Networks
from bridge.adapters.webhook.server import Webhook, WebhookLimits
from bridge.domain.dead_letters import QuarantinedKci
from bridge.domain.entities import Kci
from bridge.flows.publish_kci import PublishKci
from bridge.ports import Outgoing, PublishFailed
from bridge.settings import WebhookAuth

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
USER, PASSWORD = "gateway", "a long pass phrase"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
HEADERS = {
    "Authorization": BASIC,
    "Content-Type": "application/json",
    "X-Request-ID": "request-1",
    "X-Conversation-ID": "conversation-1",
}
LIMITS = WebhookLimits(
    max_body_bytes=4096, max_depth=8, max_headers=16, read_timeout=timedelta(seconds=5), max_in_flight=4
)


def a_kci(**changes: Any) -> dict[str, Any]:
    """Return a KCI as the gateway sends it (contract 4.3), valid unless changed; a change to `...` leaves one out."""
    kci: dict[str, Any] = {
        "id": "5c4f2d0e-1111-4222-8333-444455556666",
        "supplier": "SUPPLIER_ONE",
        "sequenceNumber": 3,
        "issuedOn": "2026-11-02T11:59:58.120Z",
        "updateType": "INFORMATIONAL",
        "entityType": "SERVICE_PROBLEM",
        "entity": {"id": 4711, "status": "IN_PROGRESS", "externalIdentifier": "TICKET-9"},
        "information": {"type": "UPDATE", "text": "engineer assigned"},
    }
    return {name: value for name, value in (kci | changes).items() if value is not ...}


def as_body(content: object) -> bytes:
    """Write JSON as a client does."""
    return json.dumps(content).encode()


class RecordingOutbox:
    """Keeps what was published; while `away`, takes nothing, as Kafka does when it is away."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.away = False
        self.error: Exception | None = None

    async def publish(self, records: Iterable[Outgoing]) -> None:
        if self.away:
            raise PublishFailed("Kafka is away")
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.records += records

    @property
    def kcis(self) -> list[Kci]:
        return [record.value for record in self.records if isinstance(record.value, Kci)]

    @property
    def quarantined(self) -> list[QuarantinedKci]:
        return [record.value for record in self.records if isinstance(record.value, QuarantinedKci)]


class FixedClock:
    """Tells the time that it was set to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


class Stopwatch:
    """A monotonic clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Answered(NamedTuple):
    status: HTTPStatus | None
    reason: str


class RecordingTelemetry:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.answered: list[Answered] = []
        self.in_flight: list[int] = []
        self.failures: list[str] = []

    def request_answered(self, status: HTTPStatus | None, reason: str, seconds: float) -> None:
        self.answered.append(Answered(status, reason))

    def requests_in_flight(self, count: int) -> None:
        self.in_flight.append(count)

    def authentication_failed(self, why: str) -> None:
        self.failures.append(why)


class Bench:
    """The webhook wired from doubles, each at hand."""

    def __init__(
        self,
        *,
        authenticator: Authenticator | None = None,
        limits: WebhookLimits = LIMITS,
        failures_per_minute: int = 3,
        trusted_proxies: Networks = (),
        outbox: RecordingOutbox | None = None,
        path: str = "/kcis",
    ) -> None:
        self.outbox = outbox or RecordingOutbox()
        self.telemetry = RecordingTelemetry()
        self.stopwatch = Stopwatch()
        ids: Iterator[int] = count(1)
        self.app = Webhook(
            PublishKci(self.outbox, service="ingester", version="1.2.3"),
            authenticator or BasicAuthenticator(USER, PASSWORD),
            FailureLimit(failures_per_minute, self.stopwatch),
            FixedClock(),
            self.telemetry,
            path=path,
            limits=limits,
            description=describe(path=path, auth=WebhookAuth.BASIC, version="1.2.3"),
            trusted_proxies=trusted_proxies,
            new_id=lambda: f"delivery-{next(ids)}",
        )
