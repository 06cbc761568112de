"""The event loop of every service."""

import asyncio
from typing import Any

import uvloop

# uvloop 0.23, unlike asyncio, does not always see the end of a TLS connection that it closes while data comes in, and
# waits for its time-out, 30 s by default. Measured: one close of a Kafka consumer in ten, each of which held a
# take-over up for longer than a session lasts. To cut it off loses nothing: what counts was confirmed before.
TLS_GOODBYE_SECONDS = 0.5


class ServiceLoop(uvloop.Loop):
    """uvloop, whose connections end as clients expect it."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        """As asyncio's; `ssl_shutdown_timeout` has a default of our own."""
        if kwargs.get("ssl"):
            kwargs.setdefault("ssl_shutdown_timeout", TLS_GOODBYE_SECONDS)
        transport, protocol = await super().create_connection(*args, **kwargs)
        return FaithfulTransport(transport), protocol


class FaithfulTransport:
    """
    A transport that says as an OSError that its connection is gone.

    uvloop closes one at once when the peer has reset it, tells its protocol a turn of the loop later, and says
    RuntimeError to who writes in between; asyncio takes the data and drops it. aiokafka 0.14 expects one of these: a
    task of its that is told anything else ends for good, and whoever waits for it waits for ever.
    """

    def __init__(self, transport: Any) -> None:
        """Stand before uvloop's transport."""
        self._transport = transport

    def write(self, data: Any) -> None:
        """
        As asyncio's.

        Raises:
            ConnectionResetError: the connection is gone.

        """
        try:
            self._transport.write(data)
        except RuntimeError as error:
            raise ConnectionResetError("the connection is gone") from error

    def __getattr__(self, name: str) -> Any:
        """Everything else as it is."""
        return getattr(self._transport, name)


def new_loop() -> asyncio.AbstractEventLoop:
    """Make one; each process has its own."""
    return ServiceLoop()
