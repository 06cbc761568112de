"""Trace contexts in headers, and as the text that a table keeps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import NonRecordingSpan

from bridge.adapters.tracing.context import LONGEST_TRACESTATE, headers_of, kept_text, kept_trace, sent_with
from bridge.domain.dead_letters import Header

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def headers(**values: str) -> list[Header]:
    return [Header(name=name, value=value.encode()) for name, value in values.items()]


def test_what_was_sent_is_read_and_written_again() -> None:
    context = sent_with(headers(traceparent=PARENT, tracestate="a=1,b=2", other="x"))

    assert context is not None
    assert list(headers_of(NonRecordingSpan(context))) == headers(traceparent=PARENT, tracestate="a=1,b=2")


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"tracestate": "a=1"},
        {"traceparent": ""},
        {"traceparent": "00-xyz-00f067aa0ba902b7-01"},
        {"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"},
        {"traceparent": f"ff-{TRACE}-00f067aa0ba902b7-01"},
        {"traceparent": f"00-{TRACE}-00f067aa0ba902b7"},
    ],
)
def test_what_is_no_context_is_none(sent: dict[str, str]) -> None:
    assert sent_with(headers(**sent)) is None


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_no_bytes_make_the_reading_fail(parent: bytes, state: bytes) -> None:
    sent_with([Header(name="traceparent", value=parent), Header(name="tracestate", value=state)])


def test_a_tracestate_that_is_too_long_is_left_out_and_the_trace_goes_on() -> None:
    context = sent_with(headers(traceparent=PARENT, tracestate=f"a={'x' * LONGEST_TRACESTATE}"))

    assert context is not None
    assert list(headers_of(NonRecordingSpan(context))) == headers(traceparent=PARENT)


@pytest.mark.parametrize("provisional", [True, False])
@pytest.mark.parametrize("state", ["", "a=1,b=2"])
def test_what_a_table_keeps_is_read_again(state: str, *, provisional: bool) -> None:
    context = sent_with(headers(traceparent=PARENT, tracestate=state))
    assert context is not None

    kept = kept_trace(kept_text(NonRecordingSpan(context), provisional=provisional))

    assert kept is not None
    assert kept.provisional is provisional
    assert headers_of(NonRecordingSpan(kept.context)) == headers_of(NonRecordingSpan(context))


@pytest.mark.parametrize("text", [None, "", "?", "of another version"])
def test_what_a_table_kept_and_nobody_can_read_is_none(text: str | None) -> None:
    assert kept_trace(text) is None
