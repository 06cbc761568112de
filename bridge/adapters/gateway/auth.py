"""
One access token for everybody (OAuth2 client credentials, RFC 6749 section 4.4; contract 4.1).

A token is replaced well before it ends while callers go on with the old one; callers wait only when there is none, all
for the same one request. After a failure the next callers are told so at once for a moment, so that a hundred of them
do not become a hundred requests.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote_plus, urlencode

import httpx
import structlog

from bridge.adapters.gateway.direct import DirectClient
from bridge.adapters.gateway.errors import CAUGHT, rule_for_exception
from bridge.adapters.gateway.exchange import Exchange, Received
from bridge.settings import ClientAuth, GatewaySettings

log = structlog.get_logger(__name__)

# A token's life where the endpoint does not tell it; documented is 3600 s.
ASSUMED_SECONDS = 300.0
# A token is not used for its last moments: the request has to arrive before it ends.
UNUSED_SECONDS = 5.0
# A rejected token's replacement that is rejected as well is kept for so long: the tokens are not at fault then.
DISTRUST_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
_FORM = "application/x-www-form-urlencoded"
# Statuses of the token endpoint that no waiting will mend: the credentials or the allow-list (contract 1.1, 4.1).
_HOPELESS = frozenset({400, 401, 403})


class NoToken(Exception):
    """There is no access token: a word why, how long to wait, and whether a person has to do something."""

    def __init__(
        self,
        why: str,
        *,
        retry_after_seconds: float | None = None,
        alarm: bool = False,
        cause: BaseException | None = None,
    ) -> None:
        """The text is `why` alone; nothing that the endpoint wrote is passed on. `cause` kept it from answering."""
        super().__init__(why)
        self.why = why
        self.cause = cause
        self.retry_after_seconds = retry_after_seconds
        self.alarm = alarm


@dataclass(frozen=True)
class Token:
    """An access token; times by the source's clock. `replacement` is set if it replaced one that had been rejected."""

    value: str
    fetched_at: float
    refresh_at: float
    expires_at: float
    replacement: bool


class TokenSource:
    """Where callers get the token. Used within one event loop."""

    def __init__(
        self,
        client: DirectClient,
        token_url: str,
        settings: GatewaySettings,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        """Fetch nothing yet."""
        self._client = client
        self._token_url = token_url
        self._settings = settings
        self._monotonic = monotonic
        self._now = now
        self._token: Token | None = None
        self._rejected = False
        self._fetching: asyncio.Task[Token | NoToken] | None = None
        self._failures = 0
        self._failure: NoToken | None = None
        self._paused_until = 0.0

    async def token(self) -> str:
        """
        A token that is not about to end.

        Raises:
            NoToken: there is none, and the endpoint gave none.

        """
        at_hand = self.at_hand()
        if at_hand is not None:
            return at_hand
        now = self._monotonic()
        if self._failure is not None and now < self._paused_until and not self._under_way():
            raise NoToken(self._failure.why, retry_after_seconds=self._paused_until - now, alarm=self._failure.alarm)
        # Shielded: a caller whose time is over must not take the token away from the others.
        fetched = await asyncio.shield(self._fetch_task())
        if isinstance(fetched, NoToken):
            raise NoToken(
                fetched.why,
                retry_after_seconds=fetched.retry_after_seconds,
                alarm=fetched.alarm,
                cause=fetched.cause,
            ) from fetched.cause
        return fetched.value

    def at_hand(self) -> str | None:
        """The token that nobody has to wait for, if there is one; it is replaced in time."""
        now = self._monotonic()
        if self._token is None or now >= self._token.expires_at:
            return None
        if now >= self._token.refresh_at and now >= self._paused_until:
            self._fetch_task()
        return self._token.value

    def reject(self, value: str) -> None:
        """The gateway answered 401 to this token; the next caller gets another, unless somebody saw to that already."""
        token = self._token
        if token is None or token.value != value:
            return
        if token.replacement and self._monotonic() < token.fetched_at + DISTRUST_SECONDS:
            return
        self._token = None
        self._rejected = True

    @property
    def age(self) -> float | None:
        """How many seconds ago the token was asked for that callers get; None while there is none."""
        now = self._monotonic()
        has_one = self._token is not None and now < self._token.expires_at
        return now - self._token.fetched_at if self._token is not None and has_one else None

    @property
    def failures(self) -> int:
        """How many requests for a token failed in a row."""
        return self._failures

    async def aclose(self) -> None:
        """End a request under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait({self._fetching})

    def _under_way(self) -> bool:
        return self._fetching is not None and not self._fetching.done()

    def _fetch_task(self) -> asyncio.Task[Token | NoToken]:
        """The one request under way, or a new one."""
        if self._fetching is None or self._fetching.done():
            # In a context of its own: what it logs concerns every ticket, and not the one that came first.
            self._fetching = asyncio.create_task(self._fetch(), name="fetch an access token", context=Context())
        return self._fetching

    async def _fetch(self) -> Token | NoToken:
        """Ask once and remember what came of it; never raises, since nobody may be waiting."""
        asked_at = self._monotonic()
        result = await self._ask(asked_at)
        if isinstance(result, Token):
            self._token, self._failure, self._failures, self._rejected = result, None, 0, False
            return result
        self._failures += 1
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 10))
        self._paused_until = self._monotonic() + max(pause, min(result.retry_after_seconds or 0, LONGEST_PAUSE_SECONDS))
        self._failure = NoToken(
            result.why,
            retry_after_seconds=self._paused_until - self._monotonic(),
            alarm=result.alarm,
            cause=result.cause,
        )
        log.warning("no access token", why=result.why, alarm=result.alarm, failures_in_a_row=self._failures)
        return self._failure

    async def _ask(self, asked_at: float) -> Token | NoToken:
        try:
            async with asyncio.timeout(self._settings.total_timeout_seconds.total_seconds()):
                received = await Exchange(self._client, self._request()).run()
        except TimeoutError:
            return NoToken("TOTAL_TIMEOUT")
        except CAUGHT as error:
            rule = rule_for_exception(error)
            return NoToken(rule.why, alarm=rule.alarm, cause=error)
        return self._token_in(received, asked_at)

    def _request(self) -> httpx.Request:
        settings = self._settings
        secret = settings.client_secret.get_secret_value()
        form = {"grant_type": "client_credentials"}
        headers = {"Content-Type": _FORM, "Accept": "application/json"}
        if settings.scope is not None:
            form["scope"] = settings.scope
        if settings.client_auth is ClientAuth.FORM:
            form |= {"client_id": settings.client_id, "client_secret": secret}
        else:
            # Each half is form-encoded first (RFC 6749 section 2.3.1), so that a colon in one cannot move the border.
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return self._client.build_request("POST", self._token_url, content=urlencode(form), headers=headers)

    def _token_in(self, received: Received, asked_at: float) -> Token | NoToken:
        if received.status != httpx.codes.OK:
            return NoToken(
                f"TOKEN_ENDPOINT_{received.status}",
                retry_after_seconds=received.retry_after_seconds(self._now()),
                alarm=received.status in _HOPELESS,
            )
        body = received.json()
        value = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(value, str) or not _sendable(value):
            return NoToken("TOKEN_UNREADABLE", alarm=True)
        if str(body.get("token_type", "Bearer")).lower() != "bearer":
            return NoToken("TOKEN_NOT_BEARER", alarm=True)
        lives = _seconds(body.get("expires_in"))
        # At four fifths of a short life, a minute before the end of a long one.
        return Token(
            value=value,
            fetched_at=asked_at,
            refresh_at=asked_at + max(0.8 * lives, lives - 60.0),
            expires_at=asked_at + max(0.9 * lives, lives - UNUSED_SECONDS),
            replacement=self._rejected,
        )


def _sendable(value: str) -> bool:
    """Whether it can stand in a header: RFC 6750 section 2.1 allows visible ASCII only."""
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


def _seconds(value: object) -> float:
    """The life of a token; one that is missing or makes no sense is taken as short."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) else ASSUMED_SECONDS
    except (ValueError, OverflowError):
        return ASSUMED_SECONDS
    return seconds if 0 < seconds < float("inf") else ASSUMED_SECONDS
