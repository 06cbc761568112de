"""
The `Tracing` port by OpenTelemetry: what stands in for a handler, a gateway, an outbox or the webhook makes a span of
each thing that passes, by the semantic conventions for messaging and HTTP (docs/tracing.md).

Rule: a trace follows a ticket, not a request. A record that begins something (`BEGINNING`) goes on in the trace that
its producer gave it; any other goes on in the trace that its key's state keeps, whenever that was, and links to the
trace of whoever sent it.
Rule: an exception's text never becomes part of a span: it may quote what a record holds. Its type does.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from msgspec.structs import replace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
    use_span,
)

from bridge.adapters.tracing.context import KeptTrace, below, headers_of, kept_text, kept_trace, sent_with
from bridge.adapters.tracing.describing import CONVERSATION, ENTITY, REQUEST, TICKET, attributes_of
from bridge.adapters.tracing.export import SpanExport
from bridge.domain.answers import Answer, Taken
from bridge.domain.commands import Command, name_of
from bridge.domain.correlation import ticket_of
from bridge.domain.dead_letters import DeadLetter, Header
from bridge.domain.entities import shown_key
from bridge.flows.intake import table_key
from bridge.ports import Arrived, Asgi, Gateway, Handle, Kept, Outbox, Outgoing, TablePartition, Woken

T = TypeVar("T")

# The topics whose records begin something for a key: the provider's events, and what answered a call.
BEGINNING = frozenset({"fault-tickets", "observations"})
# The topics whose keys are entities; those of all others that are read here are tickets.
BY_ENTITY = frozenset({"kcis", "observations"})
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SERVER_ERROR = 500


class OpenTelemetryTracing:
    """Makes spans with one tracer, and sends them with one export."""

    def __init__(self, tracer: Tracer, export: SpanExport, *, physical: Callable[[str], str], group: str) -> None:
        """Take the topics' names on the cluster, and the name of the consumer group."""
        self._tracer = tracer
        self._export = export
        self._physical = physical
        self._group = group

    def ids(self) -> Mapping[str, str]:
        """The ids of the span that is current, for the log."""
        context = get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}

    def handling(self, handle: Handle[T]) -> Handle[T]:
        """Make a consumer span of each record."""

        async def traced(arrived: Arrived, table: TablePartition[T]) -> None:
            kept = table.get(table_key(arrived.key))
            key = (arrived.key or b"").decode("utf-8", "replace")
            if arrived.topic in BY_ENTITY:
                key = shown_key(key)
            parent, linked = _joined(arrived, kept_trace(kept.trace if kept is not None else None))
            span = self._tracer.start_span(
                f"process {arrived.topic}",
                context=below(parent),
                kind=SpanKind.CONSUMER,
                links=[] if linked is None else [Link(linked)],
                attributes={
                    **self._messaging("process", arrived.topic),
                    "messaging.consumer.group.name": self._group,
                    "messaging.destination.partition.id": str(arrived.partition),
                    "messaging.kafka.offset": arrived.offset,
                    "messaging.kafka.message.key": key,
                    ENTITY if arrived.topic in BY_ENTITY else TICKET: key,
                },
            )
            with _current(span):
                try:
                    await handle(arrived, _TracedPartition(table, self, beginning=arrived.topic in BEGINNING))
                except BaseException as error:
                    _failed(span, type(error).__qualname__)
                    raise

        return traced

    def waking(self, woken: Woken[T]) -> Woken[T]:
        """Let what a wake leads to go on in the trace that the key's state keeps; a wake itself is no span."""

        async def traced(key: str, table: TablePartition[T]) -> None:
            kept = table.get(key)
            trace = kept_trace(kept.trace if kept is not None else None)
            token = attach(below(trace.context if trace is not None else None))
            try:
                await woken(key, _TracedPartition(table, self, beginning=False))
            finally:
                detach(token)

        return traced

    def gateway(
        self, gateway: Gateway, *, server: tuple[str, int], route: Callable[[Command], tuple[str, str]]
    ) -> Gateway:
        """Make a client span of each call."""
        return _TracedGateway(gateway, self._tracer, server, route)

    def outbox(self, outbox: Outbox) -> Outbox:
        """Make a producer span of each record."""
        return _TracedOutbox(outbox, self)

    def webhook(self, webhook: Asgi, *, path: str) -> Asgi:
        """
        Make a server span of each request: a trace of its own, since the gateway answers for no trace of ours. If it
        sends one of its own, the span links to it.
        """

        async def traced(scope: Any, receive: Any, send: Any) -> None:
            headers = {name.decode("latin-1"): value for name, value in scope["headers"]}
            method = scope["method"] if scope["method"] in KNOWN_METHODS else "_OTHER"
            route = path if scope["path"] in (path, path + path) else None
            conversation = _text(headers.get("x-conversation-id"))
            sender = sent_with(Header(name=name, value=value) for name, value in headers.items())
            attributes = {
                "http.request.method": method,
                "http.route": route,
                "url.scheme": scope["scheme"],
                REQUEST: _text(headers.get("x-request-id")),
                CONVERSATION: conversation,
                TICKET: ticket_of(conversation),
            }
            span = self._tracer.start_span(
                f"{method} {route}" if route else method,
                context=Context(),
                kind=SpanKind.SERVER,
                links=[] if sender is None else [Link(sender)],
                attributes={name: value for name, value in attributes.items() if value is not None},
            )

            async def answer(message: Any) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= SERVER_ERROR:
                        _failed(span, str(message["status"]))
                await send(message)

            with _current(span):
                await webhook(scope, receive, answer)

        return traced

    async def stop(self) -> None:
        """Send what is left, for a short time."""
        await self._export.stop()

    # -- producing

    def sending(self, records: Iterable[Outgoing]) -> tuple[list[Outgoing], list[Span]]:
        """The records with their contexts, and a producer span for each; tombstones tell nothing and get none."""
        current = get_current_span()
        if current.get_span_context().is_valid and not current.get_span_context().trace_flags.sampled:
            headers = headers_of(current)
            return [record if record.value is None else replace(record, headers=headers) for record in records], []
        carrying, spans = [], []
        for record in records:
            if record.value is None:
                carrying.append(record)
                continue
            told = attributes_of(record.value)
            # The key of a dead letter is that of a record which nobody could read.
            key = None if isinstance(record.value, DeadLetter) else told.get(ENTITY, record.key)
            span = self._tracer.start_span(
                f"send {record.topic}",
                kind=SpanKind.PRODUCER,
                attributes={
                    **self._messaging("send", record.topic),
                    **({} if key is None else {"messaging.kafka.message.key": key}),
                    **told,
                },
            )
            spans.append(span)
            carrying.append(replace(record, headers=headers_of(span)))
            if isinstance(record.value, DeadLetter):
                _failed(current, record.value.reason.value)
        return carrying, spans

    def _messaging(self, operation: str, topic: str) -> dict[str, Any]:
        return {
            "messaging.system": "kafka",
            "messaging.operation.name": operation,
            "messaging.operation.type": operation,
            "messaging.destination.name": self._physical(topic),
        }


class _TracedPartition(TablePartition[T]):
    """A partition whose writes are seen, and which keeps the trace of each key."""

    def __init__(self, partition: TablePartition[T], tracing: OpenTelemetryTracing, *, beginning: bool) -> None:
        self._partition = partition
        self._tracing = tracing
        self._beginning = beginning

    @property
    def number(self) -> int:
        return self._partition.number

    def get(self, key: str) -> Kept[T] | None:
        return self._partition.get(key)

    def items(self) -> Iterable[tuple[str, Kept[T]]]:
        return self._partition.items()

    async def write(self, key: str, kept: Kept[T] | None, outgoing: Iterable[Outgoing] = ()) -> None:
        if kept is not None:
            kept = replace(kept, trace=self._trace_of(key))
        carrying, spans = self._tracing.sending(outgoing)
        with _Ending(spans):
            await self._partition.write(key, kept, carrying)

    def _trace_of(self, key: str) -> str | None:
        """What is kept: the first trace that began something, or until then the first that was heard."""
        before = self._partition.get(key)
        text = before.trace if before is not None else None
        trace = kept_trace(text)
        if trace is not None and not (trace.provisional and self._beginning):
            return text
        span = get_current_span()
        if not span.get_span_context().is_valid:
            return text
        return kept_text(span, provisional=not self._beginning)


class _TracedGateway:
    """A gateway whose calls are seen, without their bodies."""

    def __init__(
        self,
        gateway: Gateway,
        tracer: Tracer,
        server: tuple[str, int],
        route: Callable[[Command], tuple[str, str]],
    ) -> None:
        self._gateway = gateway
        self._tracer = tracer
        self._server = server
        self._route = route

    async def call(self, command: Command, *, supplier: str, request_id: str, conversation_id: str) -> Answer:
        method, path = self._route(command)
        host, port = self._server
        span = self._tracer.start_span(
            f"{method} {path}",
            kind=SpanKind.CLIENT,
            attributes={
                "http.request.method": method,
                "url.template": path,
                "server.address": host,
                "server.port": port,
                TICKET: ticket_of(conversation_id) or "",
                CONVERSATION: conversation_id,
                REQUEST: request_id,
                "bridge.command": name_of(command).value,
                "bridge.supplier": supplier,
            },
        )
        with _current(span):
            answer = await self._gateway.call(
                command, supplier=supplier, request_id=request_id, conversation_id=conversation_id
            )
            _tell_answer(span, answer)
            return answer


class _TracedOutbox:
    """An outbox whose records are seen."""

    def __init__(self, outbox: Outbox, tracing: OpenTelemetryTracing) -> None:
        self._outbox = outbox
        self._tracing = tracing

    async def publish(self, records: Iterable[Outgoing]) -> None:
        carrying, spans = self._tracing.sending(records)
        with _Ending(spans):
            await self._outbox.publish(carrying)


class _Ending:
    """Ends producer spans: as failed, if what was to publish their records raised."""

    def __init__(self, spans: list[Span]) -> None:
        self._spans = spans

    def __enter__(self) -> None:
        """Nothing happens before the end."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for span in self._spans:
            if kind is not None:
                _failed(span, kind.__qualname__)
            span.end()


def _joined(arrived: Arrived, kept: KeptTrace | None) -> tuple[SpanContext | None, SpanContext | None]:
    """The parent of a record's span, and the context of another trace that it links to."""
    sent = sent_with(arrived.headers)
    own = kept.context if kept is not None else None
    parent: SpanContext | None
    if arrived.topic in BEGINNING:
        parent = sent or (own if kept is not None and not kept.provisional else None)
        other = own
    else:
        parent = sent if own is None or (sent is not None and sent.trace_id == own.trace_id) else own
        other = sent
    # A context that was not sampled names a span that was sent nowhere.
    is_elsewhere = other is not None and (parent is None or other.trace_id != parent.trace_id)
    return parent, other if other is not None and is_elsewhere and other.trace_flags.sampled else None


def _current(span: Span) -> AbstractContextManager[Span]:
    return use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False)


def _failed(span: Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(StatusCode.ERROR)


def _tell_answer(span: Span, answer: Answer) -> None:
    span.set_attribute("bridge.answer", type(answer).__name__)
    status, why = answer.http_status, getattr(answer, "why", None)
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if why is not None:
        span.set_attribute("bridge.why", why)
    if not isinstance(answer, Taken):
        _failed(span, str(status) if status is not None else why or type(answer).__name__)


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")
