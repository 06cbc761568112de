"""Which authenticator the settings ask for."""

import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import structlog

from bridge.adapters.webhook.auth import (
    Authenticator,
    BasicAuthenticator,
    BearerAuthenticator,
    NoAuthenticator,
    SigningKeys,
)
from bridge.adapters.webhook.keys import FileKeys, KeysInvalid, keys_at
from bridge.ports import Clock
from bridge.settings import SettingsError, WebhookAuth, WebhookSettings

log = structlog.get_logger(__name__)


@asynccontextmanager
async def authenticator_for(settings: WebhookSettings, clock: Clock) -> AsyncIterator[Authenticator]:
    """
    Make the authenticator, with its connection to the signing keys where it needs one, while the context is open.

    Raises:
        SettingsError: the file with the signing keys cannot be used.

    """
    match settings.auth:
        case WebhookAuth.BASIC if settings.username is not None and settings.password is not None:
            yield BasicAuthenticator(settings.username, settings.password.get_secret_value())
        case WebhookAuth.BEARER if settings.issuer is not None and settings.audience is not None:
            async with _keys(settings) as keys:
                yield BearerAuthenticator(
                    keys,
                    clock,
                    issuer=settings.issuer,
                    audience=settings.audience,
                    leeway=settings.clock_leeway_seconds,
                )
        case WebhookAuth.NONE:
            log.warning("the webhook takes KCIs from anyone, since BRIDGE_WEBHOOK_AUTH is none")
            yield NoAuthenticator()
        case _:
            raise SettingsError([f"BRIDGE_WEBHOOK_AUTH: {settings.auth} lacks its other settings"])


def _keys(settings: WebhookSettings) -> AbstractAsyncContextManager[SigningKeys]:
    if settings.jwks_file is None:
        return keys_at(str(settings.jwks_url), time.monotonic)
    try:
        return nullcontext(FileKeys(settings.jwks_file))
    except KeysInvalid as error:
        raise SettingsError([str(error)]) from error
