"""What one client may take: bytes of a body, and failed authentications."""

import ipaddress
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import lru_cache

from starlette.types import Receive

WINDOW_SECONDS = 60.0
# Addresses remembered at once; beyond it the one that failed longest ago is forgotten, so that an attack from
# everywhere costs no memory.
MOST_ADDRESSES = 10_000
# A client has as many IPv6 addresses as it likes within its own network (RFC 6177: at least a /64).
IPV6_PREFIX = 64


class Disconnected(Exception):
    """The client went away before its request was complete."""


async def read_body(receive: Receive, *, limit: int) -> tuple[bytes, bool]:
    """
    Return the body, and whether it was cut because it is longer than `limit`; beyond that nothing is read.

    Raises:
        Disconnected: the client went away.

    """
    body, is_last = await _piece(receive)
    if not is_last:
        gathered = bytearray(body)
        while not is_last and len(gathered) <= limit:
            piece, is_last = await _piece(receive)
            gathered += piece
        body = bytes(gathered)
    return body[:limit], len(body) > limit


async def _piece(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    return message.get("body", b""), not message.get("more_body", False)


class FailureLimit:
    """Counts failed authentications for each remote address over the last minute. IPv6 addresses count by their /64."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        """`monotonic` tells seconds that never go back."""
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def seconds_to_wait(self, address: str) -> int:
        """Return after how many seconds this address may try again; 0: now."""
        failures = self._failures.get(_network(address))
        if failures is None:
            return 0
        self._forget_old(failures)
        if len(failures) < self._per_minute:
            return 0
        return max(1, math.ceil(failures[0] + WINDOW_SECONDS - self._monotonic()))

    def count(self, address: str) -> None:
        """Count one failure."""
        network = _network(address)
        failures = self._failures.setdefault(network, deque(maxlen=self._per_minute))
        self._failures.move_to_end(network)
        failures.append(self._monotonic())
        if len(self._failures) > MOST_ADDRESSES:
            self._failures.popitem(last=False)

    def _forget_old(self, failures: deque[float]) -> None:
        oldest = self._monotonic() - WINDOW_SECONDS
        while failures and failures[0] <= oldest:
            failures.popleft()


@lru_cache(maxsize=MOST_ADDRESSES)
def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return address
