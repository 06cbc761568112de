"""The access tokens of the tenant: issue, check, revoke (contract 4.1)."""

import base64
import binascii
import hmac
import time
from urllib.parse import parse_qs, unquote_plus

from bridge.simulator.keys import SigningKeys
from bridge.simulator.settings import Settings


class AuthenticationFailed(Exception):
    """The token endpoint refuses; the text says what was wrong, never a credential."""


class Tokens:
    """Tokens look like the gateway's (JWTs), but are checked against this memory, so that one can be revoked."""

    def __init__(self, settings: Settings, keys: SigningKeys) -> None:
        self._settings = settings
        self._keys = keys
        self._good_until: dict[str, float] = {}

    def issue(self, content_type: str, authorization: str | None, form: bytes) -> dict[str, object]:
        """
        Answer the client-credentials form; credentials come by HTTP Basic or in the form.

        Raises AuthenticationFailed.
        """
        if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
            raise AuthenticationFailed("Content-Type must be application/x-www-form-urlencoded")
        fields = {name: values[-1] for name, values in parse_qs(form.decode("utf-8", "replace")).items()}
        if fields.get("grant_type") != "client_credentials":
            raise AuthenticationFailed("Unsupported grant_type - client_credentials is the only one")
        client, secret = _basic(authorization) or (fields.get("client_id", ""), fields.get("client_secret", ""))
        good = hmac.compare_digest(client.encode(), self._settings.client_id.encode())
        if not (hmac.compare_digest(secret.encode(), self._settings.client_secret.encode()) and good):
            raise AuthenticationFailed("Authentication failed - unknown client or wrong secret")
        return self._new(client)

    def _new(self, client: str) -> dict[str, object]:
        seconds = self._settings.token_seconds
        token = self._keys.sign({"sub": client, "scope": "tenant.all.all"}, seconds)
        moment = time.monotonic()
        self._good_until = {old: until for old, until in self._good_until.items() if until > moment}
        self._good_until[token] = moment + seconds
        return {"access_token": token, "expires_in": int(seconds), "token_type": "Bearer"}

    def accepts(self, authorization: str | None) -> bool:
        """Whether the Authorization header carries a token that is known and has not expired."""
        return self._good_until.get(_bearer(authorization), 0.0) > time.monotonic()

    def revoke(self, authorization: str | None) -> None:
        """Make the header's token worthless."""
        self._good_until.pop(_bearer(authorization), None)

    def revoke_all(self) -> None:
        """Make every token worthless."""
        self._good_until.clear()


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _basic(authorization: str | None) -> tuple[str, str] | None:
    """Client id and secret of an HTTP Basic header, form-decoded (RFC 6749 section 2.3.1); None without one."""
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise AuthenticationFailed("Authorization: Basic is not base64 of id:secret") from error
    return unquote_plus(client), unquote_plus(secret)
