import json
import time
from http import HTTPStatus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.adapters.webhook import wire
from bridge.adapters.webhook.wire import AnswerReason, Refusal
from bridge.domain.dead_letters import QuarantineReason


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", 0),
        (b"1", 0),
        (b"{}", 1),
        (b'{"a":[1,{"b":[]}]}', 4),
        (b'"[[[["', 0),
        (rb'{"a":"\"[[[["}', 1),
        (rb'"\\" [', 1),
        (b'"[[[', 0),
        (b"[[[[", 4),
        (b"]]]][", 0),
        (b'"\\', 0),
    ],
)
def test_depth_counts_brackets_outside_strings(body: bytes, expected: int) -> None:
    assert wire.depth(body) == expected


def nested(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(nested, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(nested, value), default=0)
    return 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{}"\\aé'),
    lambda children: st.lists(children) | st.dictionaries(st.text(alphabet='[]{}"\\'), children),
    max_leaves=20,
)


@settings(derandomize=True, deadline=None)
@given(JSON)
def test_depth_is_that_of_the_decoded_value(value: object) -> None:
    assert wire.depth(json.dumps(value).encode()) == nested(value)


@pytest.mark.parametrize("piece", [b"[", b'"\\"', b'\\"', b'"', b"\\", b'"a\\', b"[]", b'{"a":'])
def test_depth_of_a_hostile_mebibyte_is_found_within_a_second(piece: bytes) -> None:
    started = time.perf_counter()

    wire.depth(piece * (1_048_576 // len(piece)))

    assert time.perf_counter() - started < 1


def test_a_body_just_within_the_depth_is_decoded() -> None:
    assert wire.decode(b"[[[[1]]]]", max_depth=4) == [[[[1]]]]


@pytest.mark.parametrize("body", [b"[" * 5 + b"]" * 5, b"[" * 1_000_000, b'{"a":' * 100_000])
def test_a_deeper_body_is_refused_before_it_is_decoded(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        wire.decode(body, max_depth=4)

    assert refused.value.quarantine is QuarantineReason.TOO_DEEP
    assert refused.value.status == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b'{"a":Infinity}',
        b"[1e999]",
        b"{} {}",
        b'{"a":1,}',
        b"{'a':1}",
        b'"\xff"',
        b'{"a":"\xed\xa0\x80"}',
        rb'{"a":"\ud800"}',
        b'{"a":"\x01"}',
        "{}".encode("utf-16"),
        b"9" * 5000,
    ],
)
def test_what_is_not_strict_json_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        wire.decode(body, max_depth=4)

    assert refused.value.quarantine is QuarantineReason.NOT_JSON


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"id":12345678901234567890123}', {"id": 12345678901234567890123}),
        (rb'"\ud83d\ude00"', "😀"),
    ],
)
def test_what_is_json_is_decoded(body: bytes, expected: object) -> None:
    assert wire.decode(body, max_depth=4) == expected


def test_no_refusal_echoes_the_content() -> None:
    for body in (b'{"name":"Ada Lovelace" oops}', b'"Ada \xff Lovelace"', b"Ada"):
        with pytest.raises(Refusal) as refused:
            wire.decode(body, max_depth=4)

        assert "Ada" not in refused.value.sentence
        assert "oops" not in refused.value.sentence


def test_every_quarantine_reason_is_an_answer_reason() -> None:
    assert {reason.value for reason in QuarantineReason} <= {reason.value for reason in AnswerReason}


def test_credentials_are_not_kept() -> None:
    fields = [(b"authorization", b"Basic x"), (b"cookie", b"a=b"), (b"proxy-authorization", b"y"), (b"x-a", b"\xff")]

    kept = wire.without_credentials(fields)

    assert [(field.name, field.value) for field in kept] == [("x-a", b"\xff")]
