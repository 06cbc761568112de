"""A collector for tests: takes spans by OTLP over HTTP, keeps them and the bytes they came in, and draws their tree."""

import gzip
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}
ERROR = 2

Context = tuple[str, str]


@dataclass(frozen=True)
class Seen:
    """One span as it was exported; ids are in hex, times in nanoseconds."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: tuple[Context, ...]
    start: int
    end: int
    failed: bool
    attributes: Mapping[str, Any]

    @property
    def context(self) -> Context:
        return self.trace, self.id


class OtlpSink:
    """
    Listens on a port of 127.0.0.1 while it is open; it can be told to answer another status, and to give a collector
    (`also_to`, an OTLP endpoint) what it takes.
    """

    def __init__(self, port: int, also_to: str | None = None) -> None:
        self.url = f"http://127.0.0.1:{port}/v1/traces"
        self.status = 200
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                if sink.status == 200:
                    sink.headers.append({name.lower(): value for name, value in self.headers.items()})
                    sink.bodies.append(body)
                    if also_to is not None:
                        pass_on(also_to, body)
                self.send_response(sink.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the standard library's name
                """Nothing is written."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="otlp-sink", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def spans(self) -> list[Seen]:
        """Every span so far, in the order of their starts."""
        return sorted((span for body in list(self.bodies) for span in _read(body)), key=lambda span: span.start)


def pass_on(url: str, body: bytes) -> None:
    """Give a collector what came in."""
    httpx.post(
        url, content=body, headers={"content-type": "application/x-protobuf"}, trust_env=False
    ).raise_for_status()


def _read(body: bytes) -> Iterable[Seen]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _attributes(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    service=service,
                    name=span.name,
                    kind=KINDS[span.kind],
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    failed=span.status.code == ERROR,
                    attributes=_attributes(span.attributes),
                )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


# What a line of the tree tells beside the span's name, if the span says it.
SHOWN = (
    "bridge.entity",
    "bridge.verdict",
    "bridge.reason",
    "bridge.from_status",
    "bridge.to_status",
    "bridge.signal",
    "bridge.phase",
    "http.response.status_code",
)


def drawn(spans: list[Seen], trace: str) -> str:
    """
    The tree of one trace: seconds since its first span, the service, the span, and what it says; under a span that
    links elsewhere, the other trace.
    """
    by_id = {span.context: span for span in spans}
    first = min(span.start for span in spans if span.trace == trace)
    lines: list[str] = []

    def draw(span: Seen, depth: int, mark: str = "") -> None:
        words = " ".join(str(span.attributes[name]) for name in SHOWN if name in span.attributes)
        seconds = (span.start - first) / 1e9
        lines.append(f"{seconds:8.3f} {span.service:<10} {'  ' * depth}{mark}{span.name}  {words}".rstrip())
        for link in span.links:
            if link in by_id:
                draw_linked(by_id[link], depth + 2)
        for child in spans:
            if child.trace == span.trace and child.parent == span.id:
                draw(child, depth + 1)

    def draw_linked(span: Seen, depth: int) -> None:
        path = [span]
        while (above := by_id.get((span.trace, path[0].parent))) is not None:
            path.insert(0, above)
        told = " > ".join(f"{each.service}: {each.name}" for each in path)
        lines.append(f"{'':8} {'':<10} {'  ' * depth}~ linked: {told}")

    for span in spans:
        if span.trace == trace and (trace, span.parent) not in by_id:
            draw(span, 0)
    return "\n".join(lines) + "\n"
