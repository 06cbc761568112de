from collections.abc import MutableMapping
from typing import Any

import pytest

from bridge.adapters.webhook import limits
from bridge.adapters.webhook.limits import Disconnected, FailureLimit, read_body
from tests.webhook_doubles import Stopwatch


class Pieces:
    """The body of a request, piece by piece; counts how many were asked for."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self.messages: list[MutableMapping[str, Any]] = [
            {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
        ]
        self.messages.append({"type": "http.request"} if ends else {"type": "http.disconnect"})
        self.asked = 0

    async def __call__(self) -> MutableMapping[str, Any]:
        self.asked += 1
        return self.messages[self.asked - 1]


async def test_a_body_is_read_whole() -> None:
    assert await read_body(Pieces(b"ab", b"", b"c"), limit=3) == (b"abc", False)


async def test_reading_stops_at_the_limit() -> None:
    pieces = Pieces(b"ab", b"cd", b"ef")

    assert await read_body(pieces, limit=3) == (b"abc", True)
    assert pieces.asked == 2


async def test_a_client_that_goes_away_is_seen() -> None:
    with pytest.raises(Disconnected):
        await read_body(Pieces(b"ab", ends=False), limit=3)


def test_an_address_waits_after_too_many_failures_until_the_oldest_is_a_minute_old() -> None:
    stopwatch = Stopwatch()
    failures = FailureLimit(2, stopwatch)
    failures.count("192.0.2.1")
    stopwatch.seconds += 20
    assert failures.seconds_to_wait("192.0.2.1") == 0
    failures.count("192.0.2.1")

    assert failures.seconds_to_wait("192.0.2.1") == 40
    assert failures.seconds_to_wait("192.0.2.2") == 0
    stopwatch.seconds += 40
    assert failures.seconds_to_wait("192.0.2.1") == 0


def test_addresses_of_one_ipv6_network_count_together() -> None:
    failures = FailureLimit(2, Stopwatch())
    failures.count("2001:db8:1:2::1")
    failures.count("2001:db8:1:2:ffff::9")

    assert failures.seconds_to_wait("2001:db8:1:2::77") > 0
    assert failures.seconds_to_wait("2001:db8:1:3::1") == 0


def test_an_ipv4_address_counts_the_same_in_both_its_forms() -> None:
    failures = FailureLimit(1, Stopwatch())
    failures.count("::ffff:192.0.2.1")

    assert failures.seconds_to_wait("192.0.2.1") > 0


def test_addresses_without_number_cost_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_ADDRESSES", 3)
    failures = FailureLimit(1, Stopwatch())
    for last in range(5):
        failures.count(f"192.0.2.{last}")

    assert [failures.seconds_to_wait(f"192.0.2.{last}") > 0 for last in range(5)] == [False, False, True, True, True]
