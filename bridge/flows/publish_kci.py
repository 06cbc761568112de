"""
One delivery of the webhook becomes one record: of `kcis`, or, if it cannot be a KCI, of `kci-quarantine`.

It knows neither HTTP nor JSON bytes; whoever took the delivery decides what to answer, after the record is safe.
"""

from collections.abc import Mapping
from datetime import datetime

from bridge.domain.dead_letters import Header, QuarantinedKci, QuarantineReason
from bridge.domain.entities import Kci
from bridge.domain.reading import Unreadable, read_kci
from bridge.domain.record import Record
from bridge.ports import Outbox, Outgoing

KCIS = "kcis"
QUARANTINE = "kci-quarantine"


class Receipt(Record, frozen=True, kw_only=True):
    """What is kept of the request that brought a KCI."""

    request_id: str | None
    conversation_id: str | None
    received_at: datetime


class Delivery(Record, frozen=True, kw_only=True):
    """
    One request that reached the webhook, as it came: `headers` are without credentials, `body` is cut when `truncated`.

    `delivery_id` is the bridge's own, new for each request; a refusal carries it to the gateway, so that the Error body
    leads to the quarantined record.
    """

    delivery_id: str
    body: bytes
    truncated: bool
    headers: tuple[Header, ...]
    path: str
    received_at: datetime


class PublishKci:
    """Publishes deliveries; returning means that all in-sync replicas have the record (guarantee 6)."""

    def __init__(self, outbox: Outbox, *, service: str, version: str) -> None:
        """`service` and `version` are written into each quarantined record."""
        self._outbox = outbox
        self._service = service
        self._version = version

    async def publish(self, receipt: Receipt, content: object) -> Kci:
        """
        Publish the KCI that `content`, a delivery's decoded JSON, tells of.

        Publishing one twice is harmless: readers drop repeats by its id.

        Raises:
            Unreadable: this is no KCI; nothing was published.
            PublishFailed: it may or may not be on `kcis`.

        """
        if not isinstance(content, Mapping):
            raise Unreadable("the body is not a JSON object")
        entity, update = read_kci(content)
        kci = Kci(
            entity=entity,
            update=update,
            conversation_id=receipt.conversation_id,
            request_id=receipt.request_id,
            received_at=receipt.received_at,
        )
        await self._outbox.publish([Outgoing(topic=KCIS, key=entity.key, value=kci)])
        return kci

    async def quarantine(self, delivery: Delivery, reason: QuarantineReason, error: str) -> None:
        """
        Keep a delivery that cannot be a KCI, with the reason; `error` holds nothing of its content.

        Raises:
            PublishFailed: it may or may not be in `kci-quarantine`.

        """
        record = QuarantinedKci(
            quarantine_id=delivery.delivery_id,
            body=delivery.body,
            truncated=delivery.truncated,
            headers=delivery.headers,
            path=delivery.path,
            reason=reason,
            error=error,
            service=self._service,
            version=self._version,
            received_at=delivery.received_at,
        )
        await self._outbox.publish([Outgoing(topic=QUARANTINE, key=record.quarantine_id, value=record)])
