"""
One trace from the fault ticket to the KCI and the transition, over hours that are seconds here and over restarts; and
a bridge that minds neither a collector that is away nor one that was never told of.
"""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.domain.journeys import End
from bridge.sandbox.ports import free_port
from tests.builders import PERSONAL, a_report, an_answer
from tests.integration.bridge_under_test import BridgeUnderTest, Ticket
from tests.integration.conftest import RunningBridge
from tests.integration.running_services import MANAGED, events_in
from tests.otlp_sink import OtlpSink, Seen, drawn

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PROVIDER = (TRACE, "00f067aa0ba902b7")
UNSAMPLED = "0af7651916cd43dd8448eb211c80319c"
EXPORT_SECONDS = 20.0
STOP_SECONDS = 12.0
BEGIN, END = "<!-- trace:begin -->\n", "<!-- trace:end -->\n"
STREAMING = ("dispatcher", "tracker")


def traceparent(context: tuple[str, str], flags: str = "01") -> list[tuple[str, bytes]]:
    return [("traceparent", f"00-{context[0]}-{context[1]}-{flags}".encode())]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def bridge(running_bridge: RunningBridge, port: int) -> BridgeUnderTest:
    return running_bridge(
        "tracing",
        settings={
            "BRIDGE_TRACING_ENDPOINT": f"http://127.0.0.1:{port}/v1/traces",
            "BRIDGE_TRACING_HEADERS": "api-key=tracing-secret",
            "BRIDGE_TRACING_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
            "BRIDGE_TRACING_EXPORT_TIMEOUT_SECONDS": "2",
        },
    )


@pytest.fixture
def sink(port: int) -> Iterator[OtlpSink]:
    # A real collector, such as Jaeger, can be shown the same spans.
    sink = OtlpSink(port, os.environ.get("TRACE_ALSO_TO"))
    yield sink
    sink.close()


def metric(bridge: BridgeUnderTest, service: str, name: str) -> float:
    values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", bridge.metrics(service), re.MULTILINE)
    return sum(map(float, values))


def finished(bridge: BridgeUnderTest, ticket: Ticket) -> None:
    bridge.wait_for_journey(ticket, problem_status="RESOLVED", attention="ANSWER_RESOLUTION")
    bridge.tell(ticket, an_answer())
    bridge.wait_for_journey(ticket, end=End.COMPLETED)


def test_a_collector_that_is_away_costs_spans_and_nothing_else(bridge: BridgeUnderTest) -> None:
    ticket = bridge.report("HAPPY_PATH")
    finished(bridge, ticket)

    for service in MANAGED:
        bridge.wait_until(
            lambda service=service: metric(bridge, service, "bridge_spans_dropped_total") > 0,  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            f"spans that the {service} dropped",
            seconds=EXPORT_SECONDS,
        )
        assert metric(bridge, service, "bridge_spans_exported_total") == 0
    assert bridge.records("dead-letters") == []

    started = time.monotonic()
    assert bridge.terminate("tracker") == 0
    assert time.monotonic() - started < STOP_SECONDS
    bridge.restart("tracker")


def test_the_trace_of_a_ticket_is_whole_across_waits_and_restarts(
    bridge: BridgeUnderTest, sink: OtlpSink, pytestconfig: pytest.Config
) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    headers = [*traceparent(PROVIDER), ("tracestate", b"vendor=1")]
    bridge.tell(ticket, a_report(service_id=ticket.service_id), headers=headers)
    bridge.wait_for_journey(ticket, problem_status="RESOLVED", attention="ANSWER_RESOLUTION")
    for service in STREAMING:
        assert bridge.terminate(service) == 0
    bridge.restart(*STREAMING)
    bridge.tell(ticket, an_answer())
    bridge.wait_for_journey(ticket, end=End.COMPLETED)
    bridge.wait_until(
        lambda: any(is_last(span) for span in of_trace(sink.spans())),
        "the last transition's span",
        seconds=EXPORT_SECONDS,
    )
    for service in MANAGED:
        assert bridge.terminate(service) == 0  # sends what is left
    spans = sink.spans()
    bridge.restart(*MANAGED)

    mine = of_trace(spans)
    assert {span.service for span in mine} == set(STREAMING)
    assert {(span.kind, span.name) for span in mine} >= {
        ("CONSUMER", "process fault-tickets"),
        ("CLIENT", "POST /service-tests"),
        ("PRODUCER", "send gateway-outcomes"),
        ("PRODUCER", "send observations"),
        ("PRODUCER", "send journeys"),
        ("CONSUMER", "process observations"),
        ("CONSUMER", "process kcis"),
        ("PRODUCER", "send test-transitions"),
        ("PRODUCER", "send journey-signals"),
        ("CONSUMER", "process journey-signals"),
        ("CLIENT", "POST /service-problems"),
        ("PRODUCER", "send problem-transitions"),
        ("PRODUCER", "send problem-status"),
        ("PRODUCER", "send actions-required"),
        ("CLIENT", "PATCH /service-problem-resolutions/{id}"),
    }
    assert [span.name for span in mine if span.parent == PROVIDER[1]] == ["process fault-tickets"]
    assert_whole(spans)
    assert_every_kci_is_linked_to_its_delivery(spans)
    assert_each_transition_is_seen(bridge, ticket, mine)
    assert_the_records_carry_the_trace(bridge, ticket)
    assert_the_logs_name_the_trace(bridge, ticket)
    assert {header["api-key"] for header in sink.headers} == {"tracing-secret"}
    assert_nothing_personal(sink)
    keep(pytestconfig.rootpath, drawn(spans, TRACE))


def test_a_ticket_whose_producer_does_not_sample_is_not_exported(bridge: BridgeUnderTest, sink: OtlpSink) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    context = (UNSAMPLED, "b7ad6b7169203331")
    bridge.tell(ticket, a_report(service_id=ticket.service_id), headers=traceparent(context, "00"))
    finished(bridge, ticket)
    bridge.wait_until(sink.spans, "the spans of the deliveries", seconds=EXPORT_SECONDS)

    assert {span.name for span in sink.spans()} <= {"POST /kcis", "send kcis", "process operator-decisions"}
    carried = [
        dict(seen.headers)["traceparent"].decode()
        for seen in bridge.records("gateway-outcomes")
        if seen.key == ticket.id
    ]
    assert carried
    assert {tuple(text.split("-")[1::2]) for text in carried} == {(UNSAMPLED, "00")}


# -- what is looked for


def of_trace(spans: list[Seen]) -> list[Seen]:
    return [span for span in spans if span.trace == TRACE]


def is_last(span: Seen) -> bool:
    return span.name == "send problem-transitions" and span.attributes.get("bridge.to_status") == "COMPLETED"


def assert_whole(spans: list[Seen]) -> None:
    """Every parent and every link names a span that came, but for the provider's own."""
    known = {span.context for span in spans} | {PROVIDER}
    assert [span for span in spans if span.parent and (span.trace, span.parent) not in known] == []
    assert [link for span in spans for link in span.links if link not in known] == []


def assert_every_kci_is_linked_to_its_delivery(spans: list[Seen]) -> None:
    """From a KCI that was applied back to the request that brought it, in a trace of the ingester's own."""
    by_context = {span.context: span for span in spans}
    for span in of_trace(spans):
        if span.name == "process kcis":
            (link,) = span.links
            sent = by_context[link]
            delivery = by_context[sent.trace, sent.parent]
            assert (sent.service, sent.name) == ("ingester", "send kcis")
            assert (delivery.kind, delivery.name, delivery.parent) == ("SERVER", "POST /kcis", "")


def assert_each_transition_is_seen(bridge: BridgeUnderTest, ticket: Ticket, mine: list[Seen]) -> None:
    journey = bridge.journeys()[ticket.id]
    told = bridge.transitions("problem-transitions", str(journey.problem_id))
    seen = [span for span in mine if span.name == "send problem-transitions"]
    first = {told[0].to_status} if len(seen) < len(told) else set()  # a KCI before the answer: see docs/tracing.md
    assert {span.attributes["bridge.to_status"] for span in seen} | first == {move.to_status for move in told}


def assert_the_records_carry_the_trace(bridge: BridgeUnderTest, ticket: Ticket) -> None:
    bridge.catch_up()
    for topic in ("gateway-outcomes", "journeys", "journey-signals", "actions-required"):
        for seen in bridge.records(topic):
            if seen.key == ticket.id:
                headers = dict(seen.headers)
                assert headers["traceparent"].decode().split("-")[1] == TRACE, topic
                assert headers["tracestate"] == b"vendor=1", topic


def assert_the_logs_name_the_trace(bridge: BridgeUnderTest, ticket: Ticket) -> None:
    lines = events_in(bridge.logs())
    about = [line for line in lines if line.get("ticket_id") == ticket.id]
    for service, event in (("dispatcher", "outcome"), ("tracker", "transition")):
        mine = [line for line in about if (line["service"], line["event"]) == (service, event)]
        assert mine, service
        assert {line["conversation_id"] for line in mine} == {ticket.conversation_id}
        assert TRACE in {line["trace_id"] for line in mine}


def assert_nothing_personal(sink: OtlpSink) -> None:
    everything = b"".join(sink.bodies)
    assert everything
    assert [word for word in PERSONAL if word.encode() in everything] == []


def keep(root: Path, tree: str) -> None:
    """With KEEP_TRACE=1 the tree of the trace is written into docs/tracing.md."""
    if "KEEP_TRACE" in os.environ:
        page = root / "docs" / "tracing.md"
        before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        page.write_text(f"{before}{BEGIN}```\n{tree}```\n{END}{after}", encoding="utf-8")
