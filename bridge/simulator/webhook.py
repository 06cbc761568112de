"""The way to the tenant: one POST of a KCI, authenticated as the settings say."""

import base64
import time
from collections.abc import Callable
from typing import Final

import aiohttp

from bridge.simulator.keys import SigningKeys
from bridge.simulator.settings import Settings

_RENEWED_AT: Final = 0.8  # of a token's life


class TenantWebhook:
    """Holds the connections to the tenant; `opened` before and `closed` after use."""

    def __init__(self, settings: Settings, keys: SigningKeys) -> None:
        self._settings = settings
        self._authorization = _authorization(settings, keys)
        self._session: aiohttp.ClientSession | None = None

    async def opened(self) -> None:
        """Get ready to send."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.webhook_connections),
            timeout=aiohttp.ClientTimeout(total=self._settings.webhook_timeout),
        )

    async def closed(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, body: bytes, request_id: str, conversation_id: str) -> int | str:
        """Send one KCI; returns the tenant's status, or the name of the error that came instead of one."""
        if self._session is None:
            return "Closed"
        headers = {
            "Content-Type": "application/json",
            "X-Request-ID": request_id,
            "X-Conversation-ID": conversation_id,
            **self._authorization(),
        }
        try:
            async with self._session.post(
                self._settings.webhook_url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return type(error).__name__


def _authorization(settings: Settings, keys: SigningKeys) -> Callable[[], dict[str, str]]:
    """A function that gives the Authorization header for the next delivery."""
    if settings.webhook_auth == "basic":
        pair = f"{settings.webhook_username}:{settings.webhook_password}".encode()
        header = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return lambda: header
    if settings.webhook_auth == "bearer":
        return _MintedBearer(settings, keys)
    return dict


class _MintedBearer:
    """A bearer token that the simulator signs itself and replaces before it expires."""

    def __init__(self, settings: Settings, keys: SigningKeys) -> None:
        self._settings = settings
        self._keys = keys
        self._header: dict[str, str] = {}
        self._renew_at = 0.0

    def __call__(self) -> dict[str, str]:
        """The header, minted anew when the last one is old."""
        if time.monotonic() >= self._renew_at:
            seconds = self._settings.webhook_token_seconds
            claims = {
                "iss": self._settings.webhook_token_issuer,
                "aud": self._settings.webhook_token_audience,
                "sub": "gateway",
                "scope": "tenant.updates",
            }
            self._header = {"Authorization": f"Bearer {self._keys.sign(claims, seconds)}"}
            self._renew_at = time.monotonic() + seconds * _RENEWED_AT
        return self._header
