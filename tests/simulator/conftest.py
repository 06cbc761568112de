"""A simulator on a real port and a tenant with a webhook, for each test."""

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web

from bridge.simulator.keys import SigningKeys
from bridge.simulator.serve import server
from bridge.simulator.settings import Settings
from tests.simulator.tenant import RecordingWebhook, Tenant

Start = Callable[..., Awaitable[Tenant]]
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # knows no authority: made at once, and everything here is plain http
QUICK: dict[str, Any] = {"kci_delay": 0.003, "delivery_first_pause": 0.01, "silent_acceptance": 0.1}


@pytest.fixture(scope="session")
def keys() -> SigningKeys:
    return SigningKeys()


@asynccontextmanager
async def _listening(webhook: RecordingWebhook, port: int) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/kcis", webhook.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}/kcis"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _serving(settings: Settings, keys: SigningKeys) -> AsyncIterator[httpx.AsyncClient]:
    running = server(settings, keys)
    listener = socket.create_server(settings.address)
    # The steps of Server.serve() without its signal handlers and its loop, which looks for the end ten times a second.
    running.config.load()
    running.lifespan = running.config.lifespan_class(running.config)
    await running.startup(sockets=[listener])
    try:
        async with httpx.AsyncClient(base_url=f"http://{settings.listen}", timeout=5, verify=NO_TLS) as client:
            yield client
    finally:
        await running.shutdown(sockets=[listener])


@pytest.fixture
async def start(free_port: Callable[[], int], keys: SigningKeys) -> AsyncIterator[Start]:
    """Start simulators with settings of the test's choice; they end with the test."""
    async with AsyncExitStack() as stack:

        async def begin(**chosen: object) -> Tenant:
            webhook = RecordingWebhook()
            url = await stack.enter_async_context(_listening(webhook, free_port()))
            listen = f"127.0.0.1:{free_port()}"
            settings = Settings(**{**QUICK, "webhook_url": url, "listen": listen, **chosen})
            tenant = Tenant(await stack.enter_async_context(_serving(settings, keys)), webhook)
            await tenant.log_in()
            return tenant

        yield begin


@pytest.fixture
async def tenant(start: Start) -> Tenant:
    """A tenant of a quick simulator."""
    return await start()
