"""
What is told of people goes through the whole bridge, the hard way too, and is found where it belongs and nowhere else.

Every text about a person is a marker that occurs nowhere else. What is searched: all logs at level DEBUG, all metrics,
every span of every trace, every answer about health, every refusal of the webhook, what commands print, all keys and
headers, and every topic that topics.yaml does not mark.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from typer.testing import CliRunner

from bridge.adapters.avro import to_json
from bridge.cli import app
from bridge.domain.dead_letters import DeadLetter, QuarantinedKci
from bridge.domain.tickets import Address, Characteristic, Contact, FaultReported
from bridge.sandbox.ports import free_port as find_free_port
from bridge.topics import data_directory, load_topics
from tests.builders import HAS_WORKED, a_report, an_amendment, an_answer, an_event
from tests.integration.bridge_under_test import BridgeUnderTest, Ticket
from tests.integration.conftest import RunningBridge
from tests.integration.running_services import MANAGED
from tests.integration.topic_watch import CODEC
from tests.otlp_sink import OtlpSink, Seen
from tests.webhook_doubles import a_kci, as_body

TOPICS = load_topics(data_directory() / "topics.yaml")
SETTINGS = {
    "BRIDGE_LOG_LEVEL": "DEBUG",
    "BRIDGE_WEBHOOK_MAX_BODY_BYTES": "8192",
}
READ_SECONDS = 60
# One run of everything comes before the first test.
pytestmark = pytest.mark.timeout(300)

NAME, SECOND_NAME, NEW_NAME = "Zenobia Quillfeather", "Osric Quillfeather", "Ludmila Quillfeather"
PHONE, BAD_PHONE = "+44 20 7946 0981", "ask at the 0982 zebra"
EMAIL, BAD_EMAIL = "zenobia@quillfeather.example", "zenobia at quillfeather"
ADDRESS, ADDRESS_ID = "QF0981", "NAD-QF0981-7"
HAZARDS, RESTRICTIONS = "a quagga behind the gate", "whistle thrice at the portcullis"
NOTES, TEXT, NEW_NOTES = "the customer was inconsolable", "dark since the coronation", "now she is livid"
TENANT_NOTES, CHARACTERISTIC = "the kettle clock still blinks", "under the harpsichord"
KCI_NOTES, KCI_CONTACT = "engineer met the axolotl", "Wilhelmina Oxenbridge"
GARBLED = "Theodora Crumpsall"
MARKERS = (
    *(NAME, SECOND_NAME, NEW_NAME, PHONE, BAD_PHONE, EMAIL, BAD_EMAIL, ADDRESS, ADDRESS_ID, HAZARDS, RESTRICTIONS),
    *(NOTES, TEXT, NEW_NOTES, TENANT_NOTES, CHARACTERISTIC, KCI_NOTES, KCI_CONTACT, GARBLED),
)


def found_in(text: str | bytes) -> set[str]:
    """The markers that a text holds; also as JSON and URLs write them, in any case."""
    plain = text if isinstance(text, str) else text.decode("utf-8", "replace")
    plain = plain.replace("%20", " ").replace("+", " ").replace("%40", "@").casefold()
    return {marker for marker in MARKERS if marker.replace("+", " ").casefold() in plain}


def a_full_report(service_id: str, **changes: Any) -> FaultReported:
    fields: dict[str, Any] = {
        "problem_text": TEXT,
        "notes": NOTES,
        "characteristics": (*HAS_WORKED, Characteristic(name="ROUTER_PLACE", value=CHARACTERISTIC)),
        "primary_contact": Contact(name=NAME, phone_number=PHONE, email=EMAIL),
        "secondary_contact": Contact(name=SECOND_NAME, phone_number=PHONE),
        "address": Address(id=ADDRESS, type="UPRN"),
        "hazards": HAZARDS,
        "on_site_restrictions": RESTRICTIONS,
        **changes,
    }
    return a_report(service_id=service_id, **fields)


@dataclass
class Told:
    """What was seen outside, by where it was seen."""

    outside: dict[str, str] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    spans: list[Seen] = field(default_factory=list)


@pytest.fixture(scope="module")
def sink() -> Iterator[OtlpSink]:
    """What takes the spans."""
    opened = OtlpSink(find_free_port())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def bridge(running_bridge: RunningBridge, sink: OtlpSink) -> BridgeUnderTest:
    tracing = {"BRIDGE_TRACING_ENDPOINT": sink.url}
    return running_bridge("personal", settings=SETTINGS | tracing, simulator={"SIMULATOR_KCI_DELAY": "0.8"})


@pytest.fixture(scope="module")
def told(bridge: BridgeUnderTest, sink: OtlpSink) -> Told:
    """Everything that people may go through, and what was seen outside of the topics meanwhile."""
    seen = Told()
    a_ticket_with_everything(bridge, seen)
    an_amendment_that_the_gateway_refuses_with_a_quotation(bridge, seen)
    events_that_the_contract_does_not_allow(bridge, seen)
    a_raise_in_flight_when_the_dispatcher_dies(bridge, seen)
    deliveries_of_every_kind(bridge, seen)
    records_that_cannot_be_read(bridge)
    commands(bridge, seen)
    records_between_the_services_that_cannot_be_read(bridge)
    for service in MANAGED:
        for path in ("metrics", "live", "ready"):
            seen.outside[f"{service} /{path}"] = httpx.get(management(bridge, service, path), trust_env=False).text
    for service in MANAGED:
        bridge.terminate(service)
        seen.outside[f"log of {service}"] = bridge.children[service].program.log.read_text(errors="replace")
    seen.spans = sink.spans()
    # As they came: texts are UTF-8 in them.
    seen.outside["spans"] = b"".join(sink.bodies).decode(errors="replace")
    return seen


def management(bridge: BridgeUnderTest, service: str, path: str) -> str:
    return (bridge.children[service].program.ready_url or "").removesuffix("ready") + path


def a_ticket_with_everything(bridge: BridgeUnderTest, seen: Told) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    seen.tickets["everything"] = ticket
    bridge.tell(ticket, a_full_report(ticket.service_id))
    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED")
    contact = Contact(name=NEW_NAME, phone_number=PHONE)
    bridge.tell(ticket, an_amendment(notes=NEW_NOTES, primary_contact=contact, hazards=HAZARDS))
    bridge.wait_for_outcome(ticket, "AMEND_PROBLEM ACCEPTED")
    bridge.wait_for_journey(ticket, problem_status="RESOLVED")
    bridge.tell(ticket, an_answer("REJECTED", notes=TENANT_NOTES))
    bridge.wait_for_outcome(ticket, "ANSWER_RESOLUTION ACCEPTED")


def an_amendment_that_the_gateway_refuses_with_a_quotation(bridge: BridgeUnderTest, seen: Told) -> None:
    ticket = bridge.ticket("AMENDMENT_ACCEPTED+HTTP_422@amend")
    seen.tickets["quoted"] = ticket
    bridge.tell(ticket, a_full_report(ticket.service_id))
    bridge.wait_for_journey(ticket, problem_status="IN_PROGRESS")
    bridge.tell(ticket, an_amendment(notes=NEW_NOTES))
    refused = bridge.wait_for_outcome(ticket, "AMEND_PROBLEM REFUSED")
    assert refused.error is not None
    assert any(NEW_NOTES in message for message in refused.error.messages)


def events_that_the_contract_does_not_allow(bridge: BridgeUnderTest, seen: Told) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    seen.tickets["refused"] = ticket
    contact = Contact(name=NAME, phone_number=BAD_PHONE, email=BAD_EMAIL)
    bridge.tell(ticket, a_full_report(ticket.service_id, primary_contact=contact, hazards=HAZARDS * 100))
    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM NOT_SENT INVALID")
    stray = bridge.ticket("HAPPY_PATH")
    bridge.tell(stray, an_amendment(notes=NEW_NOTES), an_answer("REJECTED", notes=TENANT_NOTES))
    bridge.wait_until(lambda: len(bridge.outcomes(stray)) == 2, "the verdicts on events without a journey")


def a_raise_in_flight_when_the_dispatcher_dies(bridge: BridgeUnderTest, seen: Told) -> None:
    ticket = bridge.ticket("HAPPY_PATH+ANSWER_NEVER@problems")
    seen.tickets["crashed"] = ticket
    bridge.tell(ticket, a_full_report(ticket.service_id))
    raises = {"conversation_id": ticket.conversation_id, "operation": "problems"}
    bridge.wait_until(lambda: bridge.gateway.entries(**raises), "the raise is at the gateway")
    bridge.kill("dispatcher")
    bridge.restart("dispatcher")
    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM UNKNOWN")


def deliveries_of_every_kind(bridge: BridgeUnderTest, seen: Told) -> None:
    person = {"name": KCI_CONTACT, "phoneNumber": PHONE, "email": EMAIL}
    entity = {
        "id": 990_001,
        "status": "IN_PROGRESS",
        "notes": KCI_NOTES,
        "supplierNotes": KCI_NOTES,
        "contacts": {"primaryContact": person},
        "hazards": HAZARDS,
        "address": {"id": ADDRESS},
        "newerThanTheContract": {"customer": KCI_CONTACT},
    }
    information = {"type": "UPDATE", "text": KCI_NOTES}
    full = as_body(a_kci(id="personal-1", entity=entity, information=information, customer=KCI_CONTACT))
    resolution = {"id": 77, "status": "PENDING", "code": "NETWORK_ISSUE", "supplierNotes": KCI_NOTES}
    order = a_kci(id="personal-2", entityType="PROVIDE_ORDER", entity={"id": KCI_CONTACT, "notes": KCI_NOTES})
    order["serviceProblemResolution"] = resolution | {"tenantNotes": TENANT_NOTES}
    answers: Mapping[str, tuple[int, httpx.Response]] = {
        "a KCI with contacts": (200, bridge.deliver(full)),
        "no credentials": (401, bridge.deliver(full, Authorization="")),
        "wrong credentials": (401, bridge.deliver(full, Authorization="Basic eDp5")),
        "no JSON": (400, bridge.deliver(full[:-1])),
        "no UTF-8": (400, bridge.deliver(full[:-1] + b"\xff}")),
        "no KCI": (422, bridge.deliver(as_body({"customer": KCI_CONTACT, "entity": person}))),
        "not even an object": (422, bridge.deliver(as_body([KCI_CONTACT]))),
        "a person as the entity's type": (200, bridge.deliver(as_body(a_kci(id="personal-3", entityType=KCI_NOTES)))),
        "too long": (413, bridge.deliver(as_body(a_kci(notes=f"{KCI_CONTACT} " * 1000)))),
        "too deep": (400, bridge.deliver(b"[" * 40 + as_body(KCI_CONTACT) + b"]" * 40)),
        "no headers": (400, bridge.deliver(full, X_Request_ID="")),
        "another type": (415, bridge.deliver(full, Content_Type="text/plain")),
    }
    for name, (status, answer) in answers.items():
        assert answer.status_code == status, (name, answer.text)
        seen.outside[f"answer to {name}"] = answer.text + str(answer.headers)


def records_that_cannot_be_read(bridge: BridgeUnderTest) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    key = ticket.id.encode()
    good = CODEC.encode("fault-tickets", an_event(a_full_report(ticket.service_id), ticket_id=ticket.id))
    garbled = [
        (key, good[:-20]),
        (key, f"{GARBLED} lives at {ADDRESS}".encode()),
        (key, good[:10] + b"\xff" * 12 + GARBLED.encode()),
        (b"another-ticket", good),
        (None, good),
    ]
    bridge.write("fault-tickets", garbled)
    bridge.wait_until(lambda: len(bridge.values("dead-letters", DeadLetter)) == len(garbled), "every dead letter")


def records_between_the_services_that_cannot_be_read(bridge: BridgeUnderTest) -> None:
    """The last of all: whoever watches these topics expects to be able to read them."""

    def buried() -> int:
        return sum(each.topic == "dead-letters" for each in asyncio.run(everything(bridge)))

    before = buried()
    bridge.write("journey-signals", [(b"personal-signal", GARBLED.encode())])
    bridge.write("kcis", [(b"SERVICE_PROBLEM:1", GARBLED.encode())])
    bridge.write("observations", [(b"SERVICE_PROBLEM:1", f"{GARBLED}, {PHONE}".encode())])
    bridge.wait_until(lambda: buried() == before + 3, "the dead letters of both workers")


def commands(bridge: BridgeUnderTest, seen: Told) -> None:
    """What people see who look without asking for content."""
    ticket = seen.tickets["everything"]
    letters = bridge.values("dead-letters", DeadLetter)
    quarantined = bridge.values("kci-quarantine", QuarantinedKci)
    wanted = [
        ("journeys", "list"),
        ("journeys", "show", ticket.id),
        ("journeys", "show", seen.tickets["refused"].id),
        ("journeys", "show", seen.tickets["quoted"].id),
        ("journeys", "resolve", ticket.id, "--retry", "--why", "to see what is printed"),
        ("dead-letters", "list", "--limit", "100"),
        *(("dead-letters", "show", letter.dead_letter_id) for letter in letters[:3]),
        ("dead-letters", "replay", "--dry-run"),
        *(("quarantine", "show", item.quarantine_id) for item in quarantined[:1]),
        ("quarantine", "list"),
    ]
    for words in wanted:
        seen.outside[f"bridge {' '.join(words)}"] = printed(bridge, *words)
    event = json.loads(to_json(an_event(a_full_report(ticket.service_id), ticket_id="PRINTED-1")))
    event["event"]["primary_contact"] = NAME
    event["event"]["hazards"] = [HAZARDS]
    seen.outside["bridge tickets send"] = printed(bridge, "tickets", "send", "-", stdin=json.dumps(event), exit_code=1)


def printed(bridge: BridgeUnderTest, *words: str, stdin: str | None = None, exit_code: int | None = None) -> str:
    """What a command prints; it runs within this process, which saves a dozen starts."""
    ran = CliRunner().invoke(app, words, env=bridge.kafka, input=stdin)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), (words, ran.exception)
    assert exit_code in (None, ran.exit_code), (words, ran.output)
    return ran.output


# -- where it must not be


def test_nothing_personal_is_seen_outside_of_the_topics(told: Told) -> None:
    leaks = {where: found for where, text in told.outside.items() if (found := found_in(text))}

    assert leaks == {}
    assert len(told.outside) > 30
    assert '"level":"debug"' in told.outside["log of dispatcher"]
    for service in MANAGED:
        assert "bridge_build_info" in told.outside[f"{service} /metrics"]
    assert {span.service for span in told.spans} == set(MANAGED)
    assert told.tickets["everything"].id in told.outside["spans"]


@dataclass(frozen=True)
class Raw:
    topic: str
    key: bytes
    value: bytes
    headers: bytes


async def everything(bridge: BridgeUnderTest) -> list[Raw]:
    """Every record of every topic, whoever wrote it, aborted ones too."""
    prefix = bridge.kafka["BRIDGE_KAFKA_TOPIC_PREFIX"]
    partitions = [
        TopicPartition(prefix + topic.name, number)
        for topic in TOPICS.topics
        for number in range(TOPICS.partitions_of(topic))
    ]
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bridge.kafka["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"],
        enable_auto_commit=False,
        # Not a seek to the beginning, which aiokafka loses when it is just finding out where the end is.
        auto_offset_reset="earliest",
    )
    found: list[Raw] = []
    async with asyncio.timeout(READ_SECONDS), consumer:
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for partition, records in (await consumer.getmany(timeout_ms=200)).items():
                topic = partition.topic.removeprefix(prefix)
                found += (
                    Raw(topic, record.key or b"", record.value or b"", repr(record.headers).encode())
                    for record in records
                )
    return found


@pytest.fixture(scope="module")
def records(bridge: BridgeUnderTest, told: Told) -> list[Raw]:
    return asyncio.run(everything(bridge))


def markers_by_topic(parts: Iterable[tuple[str, bytes]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for topic, part in parts:
        found.setdefault(topic, set()).update(found_in(part))
    return {topic: markers for topic, markers in found.items() if markers}


def test_no_topic_that_is_not_marked_holds_anything_personal(records: list[Raw]) -> None:
    unmarked = {topic.name for topic in TOPICS.topics if not topic.personal_data}

    assert markers_by_topic((each.topic, each.value) for each in records if each.topic in unmarked) == {}
    assert "journeys" in {each.topic for each in records if each.topic in unmarked}


def test_no_key_and_no_header_holds_anything_personal(records: list[Raw]) -> None:
    # The gateway's own id of an entity is the key; a person's name as an id is a thing that this test made up.
    made_up = f"PROVIDE_ORDER:{KCI_CONTACT}".encode()
    kinds = [each for each in records if each.key != made_up and not each.key.startswith(KCI_NOTES.encode())]

    assert markers_by_topic((each.topic, each.key) for each in kinds) == {}
    assert markers_by_topic((each.topic, each.headers) for each in records) == {}


# -- where it must be, or the search finds nothing


def test_what_is_personal_is_found_where_it_belongs(records: list[Raw]) -> None:
    found = markers_by_topic((each.topic, each.value) for each in records)

    assert found["fault-tickets"] >= {NAME, PHONE, EMAIL, ADDRESS, HAZARDS, RESTRICTIONS, NOTES, TEXT, TENANT_NOTES}
    assert found["kcis"] >= {KCI_CONTACT, KCI_NOTES, PHONE, EMAIL}
    assert found["kci-quarantine"] >= {KCI_CONTACT, KCI_NOTES}
    assert found["dead-letters"] >= {GARBLED, NAME, HAZARDS}
    assert NEW_NOTES in found["gateway-outcomes"], "the gateway's own words, which quoted it"
    assert NAME in found["dispatcher-journeys"]


def test_the_gateway_was_told_what_it_needs(bridge: BridgeUnderTest, told: Told) -> None:
    raised = bridge.gateway.commands(told.tickets["everything"].conversation_id)

    assert {"problems", "amendments", "resolutions"} <= {each["operation"] for each in raised}
