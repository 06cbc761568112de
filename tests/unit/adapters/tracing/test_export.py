"""Spans on their way to a collector that takes them, refuses them, or is not there."""

import asyncio
import logging
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr, ValidationError

from bridge.adapters.tracing.export import SpanExport
from bridge.services.tracing import Untraced, tracing_for
from bridge.settings import TracingSettings
from tests.otlp_sink import OtlpSink

STOP_SECONDS = 8.0


class Counted:
    """Counts what it is told."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def spans_exported(self, count: int) -> None:
        self.counts["exported"] += count

    def spans_dropped(self, count: int, why: str) -> None:
        self.counts[why] += count


@pytest.fixture
def sink(free_port: Callable[[], int]) -> Iterator[OtlpSink]:
    sink = OtlpSink(free_port())
    yield sink
    sink.close()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("opentelemetry").setLevel(logging.NOTSET)


def some_spans(export: SpanExport, count: int) -> None:
    tracer = export.provider.get_tracer("test")
    for number in range(count):
        tracer.start_span(f"span {number}").end()


async def test_spans_reach_the_collector_with_resource_and_headers(sink: OtlpSink) -> None:
    counted = Counted()
    settings = TracingSettings(
        endpoint=sink.url,
        headers=SecretStr("api-key=k1, x=y=z"),
        resource_attributes="deployment.environment.name=test",
    )
    export = SpanExport(settings, {"service.name": "tracker"}, counted)
    some_spans(export, 3)
    await export.stop()

    assert [(span.service, span.name) for span in sink.spans()] == [("tracker", f"span {n}") for n in range(3)]
    assert counted.counts == {"exported": 3}
    assert (sink.headers[0]["api-key"], sink.headers[0]["x"]) == ("k1", "y=z")
    assert b"deployment.environment.name" in sink.bodies[0]


async def test_a_ratio_of_nothing_exports_nothing(sink: OtlpSink) -> None:
    counted = Counted()
    export = SpanExport(TracingSettings(endpoint=sink.url, sampling_ratio=0), {"service.name": "x"}, counted)
    some_spans(export, 50)
    await export.stop()

    assert (sink.bodies, counted.counts) == ([], {})


async def test_a_ratio_takes_about_that_share(sink: OtlpSink) -> None:
    counted = Counted()
    export = SpanExport(TracingSettings(endpoint=sink.url, sampling_ratio=0.25), {"service.name": "x"}, counted)
    some_spans(export, 2000)
    await export.stop()

    assert 350 < counted.counts["exported"] < 650


async def test_a_collector_that_is_not_there_holds_up_neither_the_work_nor_the_end(
    free_port: Callable[[], int],
) -> None:
    counted = Counted()
    settings = TracingSettings(endpoint=f"http://127.0.0.1:{free_port()}/v1/traces", max_queued_spans=100)
    export = SpanExport(settings, {"service.name": "x"}, counted)
    started = time.monotonic()
    some_spans(export, 1000)
    assert time.monotonic() - started < 1
    await asyncio.wait_for(export.stop(), STOP_SECONDS)

    assert sum(counted.counts.values()) == 1000
    assert counted.counts["exported"] == 0
    assert counted.counts["QUEUE_FULL"] >= 1000 - 3 * settings.max_queued_spans
    assert counted.counts["NOT_TAKEN"] >= settings.max_queued_spans


async def test_what_a_collector_refuses_is_counted(sink: OtlpSink) -> None:
    counted = Counted()
    sink.status = 400
    export = SpanExport(TracingSettings(endpoint=sink.url), {"service.name": "x"}, counted)
    some_spans(export, 3)
    await export.stop()

    assert counted.counts == {"NOT_TAKEN": 3}


def test_without_an_endpoint_nothing_stands_between_anything() -> None:
    tracing = tracing_for(TracingSettings(), Counted(), service="x", version="1", physical=str)

    async def work(*_: object) -> None:
        """Nothing to do."""

    port: object = object()
    assert isinstance(tracing, Untraced)
    assert tracing.ids is None
    assert tracing.handling(work) is work
    assert tracing.waking(work) is work
    assert tracing.webhook(work, path="/kcis") is work
    given: list[object] = [
        tracing.gateway(port, server=("", 0), route=lambda _: ("", "")),  # type: ignore[arg-type]  # only its identity counts
        tracing.outbox(port),  # type: ignore[arg-type]  # only its identity counts
    ]
    assert given == [port, port]


@pytest.mark.parametrize("service", ["dispatcher", "ingester", "tracker"])
def test_a_service_that_does_not_trace_never_imports_opentelemetry(service: str) -> None:
    program = (
        f"import sys, bridge.services.{service}; from bridge.settings import TracingSettings; "
        "from bridge.services.tracing import tracing_for; "
        "tracing_for(TracingSettings(), None, service='x', version='1', physical=str); "
        "print(sorted(name for name in sys.modules if name.startswith(('opentelemetry', 'requests', 'google'))))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"endpoint": "collector:4318"}, "must be a URL"),
        ({"endpoint": "http://c/v1/traces", "headers": "secret-key"}, "headers: write name=value"),
        ({"resource_attributes": "environment"}, "write name=value"),
        ({"sampling_ratio": "1.5"}, "less than or equal to 1"),
        ({"client_cert_file": "/x"}, "client_cert_file: give both"),
    ],
)
def test_settings_that_cannot_be_used_say_why_and_show_no_secret(values: dict[str, str], problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TracingSettings(**values)

    (error,) = caught.value.errors()
    assert problem in error["msg"]
    assert "secret-key" not in error["msg"]
