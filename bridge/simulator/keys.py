"""The signing key: it signs access tokens and the tokens that KCIs carry, and is published at /jwks.json."""

import time
import uuid
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey


class SigningKeys:
    """One RS256 key, made when the simulator starts (the tenant finds it by `kid`)."""

    def __init__(self) -> None:
        self._key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    def sign(self, claims: dict[str, Any], seconds: float) -> str:
        """A compact RS256 JWT of `claims` with iat, nbf, exp and jti added."""
        moment = int(time.time())
        header = {"alg": "RS256", "kid": self._key.kid}
        times = {"iat": moment, "nbf": moment, "exp": moment + max(1, int(seconds)), "jti": str(uuid.uuid4())}
        return jwt.encode(header, {**claims, **times}, self._key)

    def public(self) -> dict[str, Any]:
        """The JWKS document."""
        return {"keys": [self._key.as_dict(private=False)]}
