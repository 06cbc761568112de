"""Puts the simulator together and serves it."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette

from bridge.simulator import settings as configuration
from bridge.simulator.api import TenantApi
from bridge.simulator.connection import TransportSharingProtocol
from bridge.simulator.control import Control
from bridge.simulator.deliveries import Deliveries
from bridge.simulator.gateway import Gateway
from bridge.simulator.keys import SigningKeys
from bridge.simulator.ledger import Ledger
from bridge.simulator.memory import Memory
from bridge.simulator.settings import BadSettings, Settings
from bridge.simulator.token_api import TokenApi
from bridge.simulator.tokens import Tokens
from bridge.simulator.weather import Forecast
from bridge.simulator.webhook import TenantWebhook


def application(settings: Settings, keys: SigningKeys) -> Starlette:
    """The simulator as an ASGI application; its suppliers live as long as its lifespan."""
    ledger = Ledger()
    memory = Memory(settings.first_id)
    forecast = Forecast(settings.seed)
    tokens = Tokens(settings, keys)
    deliveries = Deliveries(settings, TenantWebhook(settings, keys), forecast)
    gateway = Gateway(settings, memory, ledger, deliveries)

    @asynccontextmanager
    async def living(_: Starlette) -> AsyncIterator[None]:
        await deliveries.started()
        yield
        memory.clear()
        await deliveries.stopped()

    api = TenantApi(settings, gateway, tokens, ledger, forecast)
    token_api = TokenApi(settings, tokens, ledger, forecast)
    control = Control(settings, memory, ledger, deliveries, forecast, tokens, keys)
    return Starlette(routes=[*api.routes(), *token_api.routes(), *control.routes()], lifespan=living)


def server(settings: Settings, keys: SigningKeys) -> uvicorn.Server:
    """The uvicorn server for the simulator, not started."""
    host, port = settings.address
    config = uvicorn.Config(
        application(settings, keys),
        host=host,
        port=port,
        http=TransportSharingProtocol,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def main() -> None:
    """Serve until SIGINT or SIGTERM; ends with status 2 and a sentence when the settings cannot be used."""
    try:
        settings = configuration.read(os.environ)
    except BadSettings as error:
        sys.stderr.write(f"simulator: {error}\n")
        sys.exit(2)
    sys.stdout.write(f"gateway simulator at http://{settings.listen}{settings.base_path}\n")
    sys.stdout.flush()
    server(settings, SigningKeys()).run()
