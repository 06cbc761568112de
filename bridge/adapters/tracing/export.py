"""
Spans on their way out: sampled, batched in a thread of the SDK, sent by OTLP over HTTP, and counted.

Rule: nothing here holds the work up. A span that finds the queue full is dropped, and so is a batch that the collector
did not take within the time-out; both are counted and lost, nothing else is.
"""

import asyncio
from collections.abc import Mapping, Sequence

import requests
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from bridge.ports import TracingTelemetry
from bridge.settings import TracingSettings

# How many spans go into one request, and how long they wait for each other; the SDK's own defaults, but for the wait.
BATCH = 512
BATCH_WAIT_MS = 1000
# How long a service that stops waits for the last spans to be taken.
GOODBYE_SECONDS = 3.0
LONGEST_ATTRIBUTE = 256


class SpanExport:
    """Where the spans of this process go."""

    def __init__(self, settings: TracingSettings, resource: Mapping[str, str], telemetry: TracingTelemetry) -> None:
        """Start the thread that exports; nothing is sent before there is a span."""
        exporter = _Counted(_otlp(settings), telemetry)
        self._exporter = exporter
        self.provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.sampling_ratio)),
            resource=Resource({**settings.resource, **resource}),
            span_limits=SpanLimits(max_span_attribute_length=LONGEST_ATTRIBUTE),
            shutdown_on_exit=False,
        )
        self.provider.add_span_processor(_Bounded(exporter, settings.max_queued_spans, telemetry))

    async def stop(self) -> None:
        """Send what is still queued, for a short time."""
        hurry = asyncio.get_running_loop().call_later(GOODBYE_SECONDS, self._exporter.give_up)
        await asyncio.to_thread(self.provider.shutdown)
        hurry.cancel()


class _Counted(SpanExporter):
    """The exporter, with what became of each batch told. `taken_off` counts the spans that left the queue."""

    def __init__(self, exporter: SpanExporter, telemetry: TracingTelemetry) -> None:
        self._exporter = exporter
        self._telemetry = telemetry
        self._over = False
        self.taken_off = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.taken_off += len(spans)
        result = SpanExportResult.FAILURE if self._over else self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._telemetry.spans_exported(len(spans))
        else:
            self._telemetry.spans_dropped(len(spans), "NOT_TAKEN")
        return result

    def give_up(self) -> None:
        """End an export that is waiting to try again, and send nothing more."""
        if not self._over:
            self._over = True
            self._exporter.shutdown()

    def shutdown(self) -> None:
        self.give_up()


class _Bounded(SpanProcessor):
    """
    The SDK's batches behind a bound of our own, which counts what it drops; the SDK would drop without a count.

    Spans end in the event loop's thread and leave the queue in the exporting one: each writes a number of its own, so
    that no lock is needed.
    """

    def __init__(self, exporter: _Counted, most: int, telemetry: TracingTelemetry) -> None:
        self._exporter = exporter
        self._most = most
        self._telemetry = telemetry
        self._put_in = 0
        self._batches = BatchSpanProcessor(
            exporter,
            max_queue_size=most,
            max_export_batch_size=min(BATCH, most),
            schedule_delay_millis=BATCH_WAIT_MS,
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing happens before the end."""

    def on_end(self, span: ReadableSpan) -> None:
        if not span.context.trace_flags.sampled:
            return
        if self._put_in - self._exporter.taken_off >= self._most:
            self._telemetry.spans_dropped(1, "QUEUE_FULL")
            return
        self._put_in += 1
        self._batches.on_end(span)

    def shutdown(self) -> None:
        self._batches.shutdown()  # type: ignore[no-untyped-call]  # OpenTelemetry leaves it bare

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self._batches.force_flush(timeout_millis)


def _otlp(settings: TracingSettings) -> OTLPSpanExporter:
    session = requests.Session()
    # No proxy and no credentials from the environment: what is not in the settings is not used.
    session.trust_env = False
    return OTLPSpanExporter(
        endpoint=settings.endpoint,
        certificate_file=None if settings.ca_file is None else str(settings.ca_file),
        client_certificate_file=None if settings.client_cert_file is None else str(settings.client_cert_file),
        client_key_file=None if settings.client_key_file is None else str(settings.client_key_file),
        headers=settings.header_pairs,
        timeout=settings.export_timeout_seconds.total_seconds(),
        compression=Compression.Gzip,
        session=session,
    )
