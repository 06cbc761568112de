"""
Cutting a connection without an answer, which ASGI has no word for: uvicorn's protocol hands the transport over.
"""

import asyncio
import socket
import struct
from enum import Enum

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, zero seconds: close() sends RST instead of FIN


class TransportSharingProtocol(H11Protocol):
    """uvicorn's h11 protocol; `scope["state"]["transport"]` is the connection that a request came by."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # uvicorn narrows it too
        """Remember the transport for every request of the connection."""
        super().connection_made(transport)
        # asyncio leaves Nagle's algorithm on for sockets that uvicorn bound; headers and body go in two writes, so each
        # answer would wait some 40 ms for a delayed ACK.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}


class Ending(Enum):
    """How a request ends that gets no answer."""

    CLOSED = "closed"
    RESET = "reset"


class NoAnswer(Response):
    """Ends the connection instead of answering."""

    def __init__(self, ending: Ending) -> None:
        super().__init__()
        self._ending = ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Cut the connection, and return once the server knows."""
        transport = scope.get("state", {}).get("transport")
        if transport is None:
            raise ConnectionResetError("the answer was withheld on purpose, and this server gives no connection to cut")
        if self._ending is Ending.RESET:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
        else:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


async def tenant_gone(request: Request) -> None:
    """Return when the tenant has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
