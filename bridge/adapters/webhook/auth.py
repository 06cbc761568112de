"""
Who may deliver KCIs, by agreement with the gateway (contract 4.3): Basic (RFC 7617), or an OAuth2 bearer token that is
a JWT (RFC 6750, RFC 9068).

Rule: nothing is compared in a time that depends on the secret, and no refusal tells which part was wrong.
"""

import base64
import hashlib
import hmac
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bridge.ports import Clock

# Public-key algorithms only (RFC 7518, 3.3 to 3.5): with HS256 or none, a public key or nothing at all would be enough
# to forge a token.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")


class Failure(StrEnum):
    """Why credentials were not accepted; for logs and metrics, never for the client."""

    # No Authorization header, or another scheme than the one configured.
    MISSING = "MISSING"
    # The header's value cannot be what its scheme says.
    MALFORMED = "MALFORMED"
    # The user or the password is another one.
    WRONG = "WRONG"
    # No published key has the token's key id.
    UNKNOWN_KEY = "UNKNOWN_KEY"
    # The signature does not fit, or its algorithm is not one of ours.
    BAD_SIGNATURE = "BAD_SIGNATURE"
    # Issuer, audience or times are not as they must be.
    BAD_CLAIMS = "BAD_CLAIMS"


class Unauthenticated(Exception):
    """These credentials are not accepted."""

    def __init__(self, failure: Failure) -> None:
        """Keep why."""
        super().__init__(failure)
        self.failure = failure


class KeysUnavailable(Exception):
    """The signing keys could not be fetched, so nobody can say whether a token is good."""


class Authenticator(Protocol):
    """Decides from the Authorization header alone, before any byte of the body is read."""

    # What a 401 asks for (RFC 9110, 11.6.1).
    challenge: str

    async def check(self, authorization: str | None) -> None:
        """
        Return if the request may go on.

        Raises:
            Unauthenticated: it may not.
            KeysUnavailable: nobody can say now.

        """


class SigningKeys(Protocol):
    """The public keys that the gateway signs its tokens with."""

    async def having(self, key_id: str | None) -> KeySet:
        """
        Return the current keys, fetched anew if none has this id and that may help.

        Raises:
            KeysUnavailable: no keys were ever fetched.

        """


class NoAuthenticator:
    """Lets everyone in; only ever made when the configuration says `none` out loud."""

    challenge = ""

    async def check(self, authorization: str | None) -> None:
        """Accept."""


class BasicAuthenticator:
    """One user and one password, in UTF-8."""

    challenge = 'Basic realm="kcis", charset="UTF-8"'

    def __init__(self, username: str, password: str) -> None:
        """Keep a digest of both, and one of the header as nearly every client writes it, which spares reading it."""
        pair = f"{username}:{password}".encode()
        self._expected = _digest(pair)
        self._usual = _digest(b"Basic " + base64.b64encode(pair))

    async def check(self, authorization: str | None) -> None:
        """Compare digests of equal length, so that the time tells neither a common beginning nor a length."""
        if authorization is not None and hmac.compare_digest(self._usual, _digest(authorization.encode())):
            return
        encoded = _credentials(authorization, "basic")
        try:
            given = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise Unauthenticated(Failure.MALFORMED) from error
        if not hmac.compare_digest(self._expected, _digest(given)):
            raise Unauthenticated(Failure.WRONG)


class BearerAuthenticator:
    """A JWT signed by a published key of the gateway, from the agreed issuer, for the agreed audience, valid now."""

    challenge = 'Bearer realm="kcis"'

    def __init__(self, keys: SigningKeys, clock: Clock, *, issuer: str, audience: str, leeway: timedelta) -> None:
        """`leeway` is how far the two clocks may be apart."""
        self._keys = keys
        # A header parameter that nobody knows is ignored, as RFC 7515, 4, says, unless `crit` names it.
        self._registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)

        def now() -> int:
            return int(clock.now().timestamp())

        self._claims = jwt.JWTClaimsRegistry(
            now=now,
            leeway=round(leeway.total_seconds()),
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )

    async def check(self, authorization: str | None) -> None:
        """Verify the signature first, then the claims."""
        token = _credentials(authorization, "bearer")
        try:
            key_id = jws.extract_compact(token.encode(), registry=self._registry).headers().get("kid")
        except (JoseError, ValueError, TypeError, AttributeError) as error:
            raise Unauthenticated(Failure.MALFORMED) from error
        if key_id is not None and not isinstance(key_id, str):
            raise Unauthenticated(Failure.MALFORMED)
        keys = await self._keys.having(key_id)
        if key_id is not None and all(key.kid != key_id for key in keys):
            raise Unauthenticated(Failure.UNKNOWN_KEY)
        try:
            verified = jwt.decode(token, keys, registry=self._registry)
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise Unauthenticated(Failure.BAD_SIGNATURE) from error
        try:
            self._claims.validate(verified.claims)
        except (JoseError, ValueError, TypeError) as error:
            raise Unauthenticated(Failure.BAD_CLAIMS) from error


def _credentials(authorization: str | None, scheme: str) -> str:
    given, _, credentials = (authorization or "").partition(" ")
    if given.lower() != scheme or not credentials.strip():
        raise Unauthenticated(Failure.MISSING)
    return credentials.strip()


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
