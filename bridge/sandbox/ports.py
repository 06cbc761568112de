"""
TCP ports of 127.0.0.1 that nobody uses.

All are below 32768: in the range above, a client that keeps retrying a closed port can be given that very port as its
own source port and end up connected to itself (tcp(7), ip_local_port_range).
"""

import random
import socket

LOWEST, HIGHEST = 20000, 31999
ATTEMPTS = 200


def is_free(port: int) -> bool:
    """Whether a listener could be opened there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(span: int = 1) -> int:
    """
    Return the first of `span` consecutive free ports, chosen at random so that parallel runs seldom meet.

    Another program may take a port before the caller does: then starting there fails with an error that says so.
    """
    for _ in range(ATTEMPTS):
        first = random.randint(LOWEST, HIGHEST - span)  # noqa: S311 - spreads parallel runs, keeps no secret
        if all(is_free(first + offset) for offset in range(span)):
            return first
    raise OSError(f"no {span} consecutive free ports between {LOWEST} and {HIGHEST} on 127.0.0.1")
