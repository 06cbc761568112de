import pytest

from bridge.domain.dead_letters import Header, QuarantinedKci, QuarantineReason
from bridge.domain.entities import Kci
from bridge.domain.reading import Unreadable
from bridge.flows.publish_kci import Delivery, PublishKci, Receipt
from bridge.ports import PublishFailed
from tests.webhook_doubles import NOON, RecordingOutbox, a_kci, as_body


def a_delivery(body: bytes = b"{}") -> Delivery:
    return Delivery(
        delivery_id="delivery-7",
        body=body,
        truncated=False,
        headers=(Header(name="x-request-id", value=b"r"),),
        path="/kcis",
        received_at=NOON,
    )


RECEIPT = Receipt(request_id="r", conversation_id="c", received_at=NOON)


def a_flow(outbox: RecordingOutbox) -> PublishKci:
    return PublishKci(outbox, service="ingester", version="1.2.3")


async def test_a_kci_is_published_under_its_entitys_key_with_the_request_that_brought_it() -> None:
    outbox = RecordingOutbox()

    kci = await a_flow(outbox).publish(RECEIPT, a_kci())

    (record,) = outbox.records
    assert (record.topic, record.key) == ("kcis", "SERVICE_PROBLEM:4711")
    assert record.value == kci
    assert isinstance(kci, Kci)
    assert (kci.request_id, kci.conversation_id, kci.received_at) == ("r", "c", NOON)
    assert kci.update.sequence_number == 3
    assert kci.entity.status == "IN_PROGRESS"


@pytest.mark.parametrize(
    "entity_type", ["SERVICE_TEST", "PROVIDE_ORDER", "MODIFY_ORDER", "CEASE_ORDER", "SOMETHING_NEW"]
)
async def test_every_entity_type_passes(entity_type: str) -> None:
    outbox = RecordingOutbox()

    await a_flow(outbox).publish(RECEIPT, a_kci(entityType=entity_type))

    assert outbox.records[0].key == f"{entity_type}:4711"


async def test_values_that_nobody_knows_are_kept() -> None:
    outbox = RecordingOutbox()
    content = a_kci(updateType="BRAND_NEW", colour="blue", information={"type": "NEVER_SEEN", "mood": 7})

    await a_flow(outbox).publish(RECEIPT, content)

    update = outbox.kcis[0].update
    assert update.update_type == "BRAND_NEW"
    assert update.information is not None
    assert update.information.type == "NEVER_SEEN"
    assert update.other == '{"colour":"blue","information":{"mood":7}}'


@pytest.mark.parametrize(
    "content",
    [
        a_kci(id=...),
        a_kci(id=""),
        a_kci(id={"a": 1}),
        a_kci(entityType=...),
        a_kci(entityType=7),
        a_kci(entity=...),
        a_kci(entity=[]),
        a_kci(entity={"status": "HELD"}),
        a_kci(entity={"id": 1.5}),
        [a_kci()],
        "text",
        None,
    ],
)
async def test_what_is_no_kci_is_refused_and_not_published(content: object) -> None:
    outbox = RecordingOutbox()

    with pytest.raises(Unreadable):
        await a_flow(outbox).publish(RECEIPT, content)

    assert outbox.records == []


async def test_a_quarantined_delivery_keeps_all_that_came() -> None:
    outbox = RecordingOutbox()
    delivery = a_delivery(as_body("no kci"))

    await a_flow(outbox).quarantine(delivery, QuarantineReason.NOT_A_KCI, "not an object")

    (record,) = outbox.records
    assert (record.topic, record.key) == ("kci-quarantine", "delivery-7")
    assert record.value == QuarantinedKci(
        quarantine_id="delivery-7",
        body=b'"no kci"',
        truncated=False,
        headers=delivery.headers,
        path="/kcis",
        reason=QuarantineReason.NOT_A_KCI,
        error="not an object",
        service="ingester",
        version="1.2.3",
        received_at=NOON,
    )


async def test_a_failure_of_kafka_is_not_hidden() -> None:
    outbox = RecordingOutbox()
    outbox.away = True

    with pytest.raises(PublishFailed):
        await a_flow(outbox).publish(RECEIPT, a_kci())
    with pytest.raises(PublishFailed):
        await a_flow(outbox).quarantine(a_delivery(), QuarantineReason.NOT_JSON, "x")
