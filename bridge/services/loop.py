"""The event loop of every service."""

import asyncio
from typing import Any

import uvloop

# uvloop 0.23, unlike asyncio, does not always see the end of a TLS connection that it closes while data comes in, and
# waits for its time-out, 30 s by default. Measured: one close of a Kafka consumer in ten, each of which held a
# take-over up for longer than a session lasts. To cut it off loses nothing: what counts was confirmed before.
TLS_GOODBYE_SECONDS = 0.5


class ServiceLoop(uvloop.Loop):
    """uvloop, which does not wait long for the goodbye of a TLS connection."""

    async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
        """As asyncio's; `ssl_shutdown_timeout` has a default of our own."""
        if kwargs.get("ssl"):
            kwargs.setdefault("ssl_shutdown_timeout", TLS_GOODBYE_SECONDS)
        return await super().create_connection(*args, **kwargs)


def new_loop() -> asyncio.AbstractEventLoop:
    """Make one; each process has its own."""
    return ServiceLoop()
