"""Which spans are made of what passes, in which trace, and what they say of it."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from bridge.adapters.tracing.spans import OpenTelemetryTracing
from bridge.domain.answers import Answer, NotTaken
from bridge.domain.commands import Command, FetchProblem
from bridge.domain.correlation import conversation_id
from bridge.domain.dead_letters import DeadLetter, DeadLetterReason, Header
from bridge.domain.journeys import JourneyStatus, Phase
from bridge.domain.record import Record
from bridge.ports import Arrived, Kept, Outgoing, TablePartition
from tests.builders import NOW, TICKET, a_problem
from tests.fakes import FakeTable, RecordingOutbox

PROVIDER, DELIVERY, JOURNEY = "a" * 32, "b" * 32, "c" * 32
PARENT = "1" * 16


class Value(Record, frozen=True, kw_only=True):
    text: str


class Exported:
    """The tracing under test, and its spans."""

    def __init__(self) -> None:
        self._memory = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self.tracing = OpenTelemetryTracing(
            provider.get_tracer("test"),
            None,  # type: ignore[arg-type]  # nothing is exported here
            physical=lambda topic: f"p-{topic}",
            group="p-tracker",
        )
        self.table: FakeTable[Value] = FakeTable(Kept[Value])

    @property
    def spans(self) -> list[ReadableSpan]:
        return sorted(self._memory.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> ReadableSpan:
        (span,) = [span for span in self.spans if span.name == name]
        return span

    async def keep(self, trace: str | None) -> None:
        """What an earlier input of the key left."""
        await self.table.write("K", Kept(seen={}, at=NOW, value=Value(text="x"), trace=trace))

    @property
    def kept(self) -> str | None:
        kept = self.table.get("K")
        return None if kept is None else kept.trace


@pytest.fixture
def exported() -> Exported:
    return Exported()


def parent(trace: str, flags: str = "01") -> str:
    return f"00-{trace}-{PARENT}-{flags}"


def arrived(topic: str, traceparent: str | None = None) -> Arrived:
    headers = () if traceparent is None else (Header(name="traceparent", value=traceparent.encode()),)
    return Arrived(topic=topic, partition=2, offset=7, timestamp=NOW, key=b"K", value=b"v", headers=headers)


def journey(**changes: Any) -> JourneyStatus:
    fields: dict[str, Any] = {
        "ticket_id": TICKET,
        "phase": Phase.TESTING,
        "end": None,
        "conversation_id": "c",
        "service_id": None,
        "supplier": None,
        "test_id": None,
        "test_status": None,
        "test_result": None,
        "problem_id": None,
        "problem_status": None,
        "pending": None,
        "queued": 0,
        "attention": None,
        "updated_at": NOW,
        **changes,
    }
    return JourneyStatus(**fields)


async def settle(exported: Exported, record: Arrived, *outgoing: Outgoing) -> None:
    async def handle(_: Arrived, table: TablePartition[Value]) -> None:
        await table.write("K", Kept(seen={}, at=NOW, value=Value(text="y")), outgoing)

    await exported.tracing.handling(handle)(record, exported.table)


def ids(span: ReadableSpan) -> tuple[str, str | None]:
    assert span.context is not None
    above = None if span.parent is None else f"{span.parent.span_id:016x}"
    return f"{span.context.trace_id:032x}", above


def links(span: ReadableSpan) -> list[str]:
    return [f"{link.context.trace_id:032x}" for link in span.links]


# -- which trace a record belongs to


@pytest.mark.parametrize("topic", ["fault-tickets", "observations"])
async def test_a_record_that_begins_something_goes_on_in_its_producers_trace(exported: Exported, topic: str) -> None:
    await settle(exported, arrived(topic, parent(PROVIDER)))

    assert ids(exported.named(f"process {topic}")) == (PROVIDER, PARENT)
    assert exported.kept is not None
    assert exported.kept.startswith(f"00-{PROVIDER}-")


async def test_a_fault_that_brings_no_trace_begins_one(exported: Exported) -> None:
    await settle(exported, arrived("fault-tickets"))

    trace, above = ids(exported.named("process fault-tickets"))
    assert above is None
    assert exported.kept is not None
    assert exported.kept.startswith(f"00-{trace}-")


async def test_a_later_event_that_brings_no_trace_belongs_to_the_journeys(exported: Exported) -> None:
    await exported.keep(parent(JOURNEY))
    await settle(exported, arrived("fault-tickets"))

    assert ids(exported.named("process fault-tickets")) == (JOURNEY, PARENT)


async def test_a_later_event_with_a_trace_of_its_own_links_to_the_journeys(exported: Exported) -> None:
    await exported.keep(parent(JOURNEY))
    await settle(exported, arrived("fault-tickets", parent(PROVIDER)))

    span = exported.named("process fault-tickets")
    assert (ids(span), links(span)) == ((PROVIDER, PARENT), [JOURNEY])
    assert exported.kept == parent(JOURNEY)


@pytest.mark.parametrize("topic", ["kcis", "journey-signals", "operator-decisions"])
async def test_a_record_that_comes_after_a_wait_belongs_to_the_kept_trace_and_links_to_its_senders(
    exported: Exported, topic: str
) -> None:
    await exported.keep(parent(JOURNEY))
    await settle(exported, arrived(topic, parent(DELIVERY)))

    span = exported.named(f"process {topic}")
    assert (ids(span), links(span)) == ((JOURNEY, PARENT), [DELIVERY])
    assert exported.kept == parent(JOURNEY)


async def test_a_record_of_the_same_trace_is_a_child_of_what_sent_it(exported: Exported) -> None:
    await exported.keep(f"00-{JOURNEY}-{'2' * 16}-01")
    await settle(exported, arrived("journey-signals", parent(JOURNEY)))

    span = exported.named("process journey-signals")
    assert (ids(span), links(span)) == ((JOURNEY, PARENT), [])


async def test_a_kci_before_its_observation_goes_on_in_its_deliverys_trace_until_the_journeys_is_known(
    exported: Exported,
) -> None:
    await settle(exported, arrived("kcis", parent(DELIVERY)))

    assert ids(exported.named("process kcis")) == (DELIVERY, PARENT)
    assert exported.kept is not None
    assert exported.kept.startswith(f"?00-{DELIVERY}-")

    await settle(exported, arrived("observations", parent(JOURNEY)))

    span = exported.named("process observations")
    assert (ids(span), links(span)) == ((JOURNEY, PARENT), [DELIVERY])
    assert exported.kept.startswith(f"00-{JOURNEY}-")


async def test_a_sender_that_was_not_sampled_is_not_linked_to(exported: Exported) -> None:
    await exported.keep(parent(JOURNEY))
    await settle(exported, arrived("kcis", parent(DELIVERY, "00")))

    assert links(exported.named("process kcis")) == []


async def test_what_a_wake_leads_to_belongs_to_the_kept_trace_and_the_wake_is_no_span(exported: Exported) -> None:
    await exported.keep(parent(JOURNEY))

    async def woken(key: str, table: TablePartition[Value]) -> None:
        assert exported.tracing.ids()["trace_id"] == JOURNEY
        await table.write(key, table.get(key), [Outgoing(topic="journeys", key=key, value=journey())])

    await exported.tracing.waking(woken)("K", exported.table)

    assert [(span.name, ids(span)) for span in exported.spans] == [("send journeys", (JOURNEY, PARENT))]
    assert exported.kept == parent(JOURNEY)
    assert exported.tracing.ids() == {}


async def test_a_wake_of_a_key_that_keeps_no_trace_works_all_the_same(exported: Exported) -> None:
    await exported.keep(None)

    async def woken(key: str, table: TablePartition[Value]) -> None:
        await table.write(key, table.get(key), [])

    await exported.tracing.waking(woken)("K", exported.table)

    assert (exported.spans, exported.kept) == ([], None)


async def test_a_trace_that_is_not_sampled_makes_no_spans_and_is_carried_on(exported: Exported) -> None:
    await settle(
        exported, arrived("fault-tickets", parent(PROVIDER, "00")), Outgoing(topic="journeys", key="K", value=journey())
    )

    assert exported.spans == []
    (sent,) = exported.table.published
    (header,) = sent.headers
    assert header.value.decode().startswith(f"00-{PROVIDER}-")
    assert header.value.endswith(b"-00")


# -- what the spans say


async def test_a_record_is_a_consumer_span_by_the_conventions(exported: Exported) -> None:
    await settle(exported, arrived("kcis"))

    span = exported.named("process kcis")
    assert span.kind is SpanKind.CONSUMER
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "p-kcis",
        "messaging.destination.partition.id": "2",
        "messaging.consumer.group.name": "p-tracker",
        "messaging.kafka.offset": 7,
        # Of an entity whose type nobody named the key is not shown: it may hold anything.
        "messaging.kafka.message.key": "OTHER",
        "bridge.entity": "OTHER",
    }


async def test_each_record_that_is_sent_is_a_producer_span_and_carries_its_context(exported: Exported) -> None:
    tombstone = Outgoing(topic="journeys", key="K", value=None)
    await settle(exported, arrived("fault-tickets"), Outgoing(topic="journeys", key="K", value=journey()), tombstone)

    span, process = exported.named("send journeys"), exported.named("process fault-tickets")
    assert span.kind is SpanKind.PRODUCER
    assert span.attributes is not None
    assert dict(span.attributes) | {"bridge.ticket_id": TICKET, "bridge.phase": "TESTING"} == dict(span.attributes)
    assert span.context is not None
    assert process.context is not None
    assert ids(span)[1] == f"{process.context.span_id:016x}"
    sent, last = exported.table.published
    (header,) = sent.headers
    assert header.value.decode().startswith(f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-")
    assert last == tombstone


async def test_what_fails_is_told_by_its_type_and_never_by_its_text(exported: Exported) -> None:
    async def handle(_: Arrived, table: TablePartition[Value]) -> None:
        raise ValueError("Ada Lovelace")

    with pytest.raises(ValueError, match="Ada"):
        await exported.tracing.handling(handle)(arrived("kcis"), exported.table)

    span = exported.named("process kcis")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "ValueError"
    assert "Ada" not in span.to_json()


async def test_a_dead_letter_marks_the_span_of_its_record(exported: Exported) -> None:
    letter = DeadLetter(
        dead_letter_id="kcis-2-7",
        topic="kcis",
        partition=2,
        offset=7,
        timestamp=NOW,
        key=b"K",
        value=b"Ada Lovelace",
        headers=(),
        reason=DeadLetterReason.UNDECODABLE,
        error="Ada Lovelace",
        service="tracker",
        version="1",
        attempts=1,
        failed_at=NOW,
    )
    await settle(exported, arrived("kcis"), Outgoing(topic="dead-letters", key="kcis-2-7", value=letter))

    span = exported.named("process kcis")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "UNDECODABLE"
    assert "Ada" not in "".join(each.to_json() for each in exported.spans)


class Refusing:
    """A gateway that is closed."""

    async def call(self, command: Command, *, supplier: str, request_id: str, conversation_id: str) -> Answer:
        return NotTaken(why="UNAVAILABLE", http_status=503)


async def test_a_call_is_a_client_span_without_its_body_and_its_url(exported: Exported) -> None:
    gateway = exported.tracing.gateway(
        Refusing(), server=("gw", 443), route=lambda _: ("GET", "/service-problems/{id}")
    )

    await gateway.call(
        FetchProblem(service_problem_id=1), supplier="S", request_id="r", conversation_id=conversation_id(TICKET)
    )

    span = exported.named("GET /service-problems/{id}")
    assert span.kind is SpanKind.CLIENT
    assert span.attributes == {
        "http.request.method": "GET",
        "url.template": "/service-problems/{id}",
        "server.address": "gw",
        "server.port": 443,
        "http.response.status_code": 503,
        "error.type": "503",
        "messaging.message.conversation_id": conversation_id(TICKET),
        "bridge.ticket_id": TICKET,
        "bridge.request_id": "r",
        "bridge.command": "FETCH_PROBLEM",
        "bridge.supplier": "S",
        "bridge.answer": "NotTaken",
        "bridge.why": "UNAVAILABLE",
    }


async def test_a_delivery_is_a_server_span_in_a_trace_of_its_own(exported: Exported) -> None:
    inner = RecordingOutbox()
    outbox = exported.tracing.outbox(inner)

    async def webhook(scope: Any, receive: Any, send: Any) -> None:
        await outbox.publish([Outgoing(topic="kcis", key=a_problem().key, value=journey())])
        await send({"type": "http.response.start", "status": 503})

    async def send(message: Any) -> None:
        return None

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/kcis/kcis",
        "scheme": "http",
        "headers": [
            (b"x-conversation-id", conversation_id(TICKET).encode()),
            (b"x-request-id", b"r"),
            (b"traceparent", parent(DELIVERY).encode()),
            (b"authorization", b"Basic Ada"),
        ],
    }
    await exported.tracing.webhook(webhook, path="/kcis")(scope, None, send)

    span, sent = exported.named("POST /kcis"), exported.named("send kcis")
    assert (span.kind, span.parent, links(span)) == (SpanKind.SERVER, None, [DELIVERY])
    assert ids(sent)[0] == ids(span)[0]
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/kcis",
        "url.scheme": "http",
        "http.response.status_code": 503,
        "error.type": "503",
        "messaging.message.conversation_id": conversation_id(TICKET),
        "bridge.ticket_id": TICKET,
        "bridge.request_id": "r",
    }


async def test_a_path_and_a_method_from_outside_are_not_shown(exported: Exported) -> None:
    async def webhook(scope: Any, receive: Any, send: Any) -> None:
        return None

    scope = {"type": "http", "method": "ADA", "path": "/lovelace", "scheme": "http", "headers": []}
    await exported.tracing.webhook(webhook, path="/kcis")(scope, None, None)

    (span,) = exported.spans
    assert span.name == "_OTHER"
    assert span.attributes == {"http.request.method": "_OTHER", "url.scheme": "http"}
