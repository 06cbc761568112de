"""
Whose request it is: the TCP peer's, or, behind proxies that are trusted, the address that they saw.

Rule: only what a trusted proxy wrote counts. Each proxy appends the address it was called from to `X-Forwarded-For`, so
the header is read from its right end, and whatever stands to the left of the first address that is not trusted is a
claim of that client.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

Networks = tuple[IPv4Network | IPv6Network, ...]

FORWARDED_FOR = b"x-forwarded-for"


def client_address(scope: Scope, trusted: Networks) -> str:
    """The address that failed authentications are counted for: the right-most one that is no trusted proxy's."""
    client = scope.get("client")
    told: str = client[0] if client else "unknown"
    if not trusted or not _is_trusted(_read(told), trusted):
        return told
    for text in reversed(_forwarded(scope["headers"])):
        address = _read(text)
        if address is None:
            # A proxy that writes no address (`unknown`) hides its caller: the proxy itself is the last that is known.
            return told
        told = str(address)
        if not _is_trusted(address, trusted):
            return told
    return told


def _forwarded(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """Every entry of every such header, in the order of the request: repeated headers are one list (RFC 9110 5.3)."""
    lines = [value.decode("latin-1") for name, value in headers if name.lower() == FORWARDED_FOR]
    return [entry.strip() for line in lines for entry in line.split(",") if entry.strip()]


def _read(text: str) -> IPv4Address | IPv6Address | None:
    """An address as proxies write it: bare, in brackets, with or without a port; IPv4 inside IPv6 is the IPv4 one."""
    bare = text
    if text.startswith("["):
        bare = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        bare = text.partition(":")[0]
    try:
        address = ip_address(bare)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_trusted(address: IPv4Address | IPv6Address | None, trusted: Networks) -> bool:
    return address is not None and any(address in network for network in trusted)
