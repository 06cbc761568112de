"""
W3C trace contexts: in the headers of a record, and as the text that a table keeps across hours and days.

A kept text is `traceparent`, a space and `tracestate`; one that begins with `?` is provisional: the trace of whoever
was heard first, until the journey's own trace is known.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bridge.domain.dead_letters import Header

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
PROVISIONAL = "?"
# W3C Trace Context 3.3.1.5: at least so much of a tracestate is to be passed on; a longer one is dropped as a whole.
LONGEST_TRACESTATE = 512

_propagator = TraceContextTextMapPropagator()


class KeptTrace(NamedTuple):
    """The trace that a table keeps for a key."""

    context: SpanContext
    provisional: bool


def sent_with(headers: Iterable[Header]) -> SpanContext | None:
    """The context that a record's headers carry; None if there is none, or one that nobody can read."""
    carrier = {
        header.name.lower(): header.value.decode("latin-1")
        for header in headers
        if header.name.lower() in (TRACEPARENT, TRACESTATE)
    }
    return _read(carrier)


def headers_of(span: Span) -> tuple[Header, ...]:
    """The headers that carry a span's context."""
    return tuple(Header(name=name, value=value.encode("latin-1")) for name, value in _written(span).items())


def kept_text(span: Span, *, provisional: bool) -> str:
    """A span's context as a table keeps it."""
    written = _written(span)
    text = f"{written.get(TRACEPARENT, '')} {written.get(TRACESTATE, '')}".rstrip()
    return f"{PROVISIONAL}{text}" if provisional else text


def kept_trace(text: str | None) -> KeptTrace | None:
    """What a table kept; None if nothing, or nothing that this version can read."""
    if not text:
        return None
    parent, _, state = text.removeprefix(PROVISIONAL).partition(" ")
    context = _read({TRACEPARENT: parent, TRACESTATE: state})
    return None if context is None else KeptTrace(context, provisional=text.startswith(PROVISIONAL))


def below(context: SpanContext | None) -> Context:
    """The context of a span whose parent is this; of a new trace if it is None."""
    return Context() if context is None else set_span_in_context(NonRecordingSpan(context), Context())


def _read(carrier: Mapping[str, str]) -> SpanContext | None:
    if TRACEPARENT not in carrier:
        return None
    if len(carrier.get(TRACESTATE, "")) > LONGEST_TRACESTATE:
        carrier = {TRACEPARENT: carrier[TRACEPARENT]}
    span = get_current_span(_propagator.extract(carrier, Context()))
    context = span.get_span_context()
    return context if context.is_valid else None


def _written(span: Span) -> dict[str, str]:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, set_span_in_context(span, Context()))
    return carrier
