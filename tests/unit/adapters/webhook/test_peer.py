"""Behind trusted proxies the address is the one that they saw; from anyone else the header is only a claim."""

from ipaddress import ip_address, ip_network
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.webhook.peer import client_address
from tests.webhook_doubles import HEADERS, Bench, a_kci, as_body

PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "192.0.2.7/32", "fd00::/8")))


def address(peer: str | None, *forwarded: str, trusted: Any = PROXIES) -> str:
    headers = [
        (b"X-Forwarded-For" if number % 2 else b"x-forwarded-for", line.encode("latin-1"))
        for number, line in enumerate(forwarded)
    ]
    return client_address({"client": (peer, 4711) if peer else None, "headers": headers}, trusted)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),
        ("10.1.1.1", [], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", ["1.1.1.1, 203.0.113.9, 192.0.2.7, 10.9.9.9"], "203.0.113.9"),
        ("10.1.1.1", ["1.1.1.1", "203.0.113.9 ,", "10.2.2.2"], "203.0.113.9"),
        ("10.1.1.1", ["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
        ("10.1.1.1", ["203.0.113.9:55555"], "203.0.113.9"),
        ("fd00::1", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
        ("::ffff:10.1.1.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("10.1.1.1", ["203.0.113.9, unknown"], "10.1.1.1"),
        ("10.1.1.1", ["203.0.113.9, rubbish, 192.0.2.7"], "192.0.2.7"),
        ("10.1.1.1", ["", " , "], "10.1.1.1"),
        (None, ["203.0.113.9"], "unknown"),
    ],
)
def test_the_right_most_address_that_is_no_trusted_proxys_counts(
    peer: str | None, forwarded: list[str], expected: str
) -> None:
    assert address(peer, *forwarded) == expected


def test_without_trusted_proxies_the_peer_counts_whatever_it_says() -> None:
    assert address("10.1.1.1", "203.0.113.9", trusted=()) == "10.1.1.1"


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_no_header_leads_to_anything_but_an_address(claim: str) -> None:
    assert str(ip_address(address("10.1.1.1", claim)))


@given(st.text(alphabet=st.characters(max_codepoint=255)))
def test_what_a_client_claims_never_changes_whom_it_counts_as(claim: str) -> None:
    assert address("10.1.1.1", f"{claim},203.0.113.9") == "203.0.113.9"
    assert address("203.0.113.9", claim) == "203.0.113.9"


async def fail(bench: Bench, forwarded: str, peer: str = "10.1.1.1") -> int:
    transport = httpx.ASGITransport(app=bench.app, client=(peer, 4711))
    headers = HEADERS | {"Authorization": "Basic eDp5", "X-Forwarded-For": forwarded}
    async with httpx.AsyncClient(transport=transport, base_url="http://bridge.test") as client:
        return (await client.post("/kcis", content=as_body(a_kci()), headers=headers)).status_code


async def test_behind_a_proxy_each_client_has_failures_of_its_own() -> None:
    bench = Bench(failures_per_minute=2, trusted_proxies=PROXIES)

    first = [await fail(bench, "203.0.113.9") for _ in range(3)]

    assert first == [401, 401, 429]
    assert await fail(bench, "203.0.113.10") == 401


async def test_a_client_does_not_escape_its_limit_with_a_header_of_its_own() -> None:
    bench = Bench(failures_per_minute=2, trusted_proxies=PROXIES)

    through_the_proxy = [await fail(bench, f"1.1.1.{number}, 203.0.113.9") for number in range(3)]
    past_the_proxy = [await fail(bench, f"1.1.1.{number}", peer="198.51.100.1") for number in range(3)]

    assert through_the_proxy == [401, 401, 429]
    assert past_the_proxy == [401, 401, 429]
