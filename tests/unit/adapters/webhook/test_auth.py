import base64
import contextlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from bridge.adapters.webhook import auth
from bridge.adapters.webhook.auth import BasicAuthenticator, BearerAuthenticator, Failure, Unauthenticated
from bridge.adapters.webhook.keys import read_key_set
from tests.webhook_doubles import BASIC, NOON, PASSWORD, USER, FixedClock

ISSUER, AUDIENCE = "https://gateway.example/", "bridge"
NOW = int(NOON.timestamp())
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa-1"})


def document(*keys: Any) -> bytes:
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode()


class KnownKeys:
    def __init__(self, key_set: KeySet) -> None:
        self.key_set = key_set
        self.asked: list[str | None] = []

    async def having(self, key_id: str | None) -> KeySet:
        self.asked.append(key_id)
        return self.key_set


def a_bearer(keys: KnownKeys | None = None) -> BearerAuthenticator:
    return BearerAuthenticator(
        keys or KnownKeys(read_key_set(document(RSA, EC))),
        FixedClock(),
        issuer=ISSUER,
        audience=AUDIENCE,
        leeway=timedelta(seconds=30),
    )


def a_token(key: Any = RSA, alg: str = "RS256", header: dict[str, Any] | None = None, **changes: Any) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300, "nbf": NOW - 10, "sub": "gateway"} | changes
    present = {name: value for name, value in claims.items() if value is not ...}
    protected = {"alg": alg, "kid": key.kid} | (header or {})
    token: str = jwt.encode(
        {name: value for name, value in protected.items() if value is not ...}, present, key, algorithms=[alg]
    )
    return token


async def failure_of(authenticator: BasicAuthenticator | BearerAuthenticator, authorization: str | None) -> Failure:
    with pytest.raises(Unauthenticated) as refused:
        await authenticator.check(authorization)
    return refused.value.failure


async def test_the_right_user_and_password_are_let_in() -> None:
    await BasicAuthenticator(USER, PASSWORD).check(BASIC)
    await BasicAuthenticator(USER, PASSWORD).check(BASIC.replace("Basic", "bAsIc"))
    await BasicAuthenticator("bénédicte", "pä:ss").check(
        "Basic " + base64.b64encode("bénédicte:pä:ss".encode()).decode()
    )


@pytest.mark.parametrize(
    ("authorization", "failure"),
    [
        (None, Failure.MISSING),
        ("", Failure.MISSING),
        ("Basic", Failure.MISSING),
        ("Basic  ", Failure.MISSING),
        ("Bearer abc", Failure.MISSING),
        ("Basic %%%", Failure.MALFORMED),
        ("Basic é", Failure.MALFORMED),
        ("Basic " + base64.b64encode(b"gateway").decode(), Failure.WRONG),
        ("Basic " + base64.b64encode(b"gateway:other").decode(), Failure.WRONG),
        ("Basic " + base64.b64encode(b"other:a long pass phrase").decode(), Failure.WRONG),
        ("Basic " + base64.b64encode(b"gateway:a long pass phrase ").decode(), Failure.WRONG),
        ("Basic " + base64.b64encode(b"\xff\xfe").decode(), Failure.WRONG),
    ],
)
async def test_anything_else_is_not(authorization: str | None, failure: Failure) -> None:
    assert await failure_of(BasicAuthenticator(USER, PASSWORD), authorization) is failure


@pytest.mark.parametrize(
    ("key", "alg"), [(RSA, "RS256"), (RSA, "RS512"), (RSA, "PS256"), (RSA, "PS384"), (EC, "ES256")]
)
async def test_a_token_signed_by_a_published_key_is_let_in(key: Any, alg: str) -> None:
    await a_bearer().check(f"Bearer {a_token(key, alg)}")


async def test_a_token_for_several_audiences_is_let_in_when_ours_is_among_them() -> None:
    await a_bearer().check(f"Bearer {a_token(aud=['other', AUDIENCE])}")


async def test_header_parameters_that_nobody_knows_are_ignored() -> None:
    await a_bearer().check(f"Bearer {with_header(x5t='abc', vendor=1)}")


def with_header(**more: Any) -> str:
    registry = JWSRegistry(algorithms=["RS256"], strict_check_header=False)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300}
    return jwt.encode({"alg": "RS256", "kid": "rsa-1", **more}, claims, RSA, registry=registry)


@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"exp": NOW - 29}, True),
        ({"exp": NOW - 31}, False),
        ({"nbf": NOW + 29}, True),
        ({"nbf": NOW + 31}, False),
        ({"nbf": ...}, True),
        ({"exp": ...}, False),
        ({"exp": "tomorrow"}, False),
        ({"exp": None}, False),
        ({"iss": ...}, False),
        ({"iss": ISSUER + "x"}, False),
        ({"iss": [ISSUER]}, False),
        ({"aud": ...}, False),
        ({"aud": "other"}, False),
        ({"aud": []}, False),
        ({"aud": {"bridge": 1}}, False),
    ],
)
async def test_issuer_audience_and_times_decide(changes: dict[str, Any], *, accepted: bool) -> None:
    authorization = f"Bearer {a_token(**changes)}"
    if accepted:
        await a_bearer().check(authorization)
    else:
        assert await failure_of(a_bearer(), authorization) is Failure.BAD_CLAIMS


def unsigned(algorithm: str) -> str:
    parts = ({"alg": algorithm, "kid": "rsa-1"}, {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*encoded, ""])


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
async def test_an_unsigned_token_is_refused(algorithm: str) -> None:
    assert await failure_of(a_bearer(), f"Bearer {unsigned(algorithm)}") is Failure.BAD_SIGNATURE


async def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused() -> None:
    secret = OctKey.import_key(base64.b64encode(json.dumps(RSA.as_dict(private=False)).encode()).decode())
    token = jwt.encode({"alg": "HS256", "kid": "rsa-1"}, {"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 300}, secret)

    assert await failure_of(a_bearer(), f"Bearer {token}") is Failure.BAD_SIGNATURE


async def test_a_strangers_signature_under_a_known_key_id_is_refused() -> None:
    assert await failure_of(a_bearer(), f"Bearer {a_token(STRANGER)}") is Failure.BAD_SIGNATURE


async def test_a_changed_token_is_refused() -> None:
    head, _, signature = a_token().split(".")
    claims = base64.urlsafe_b64encode(json.dumps({"iss": ISSUER, "aud": AUDIENCE, "exp": NOW + 9999}).encode())

    changed = ".".join((head, claims.rstrip(b"=").decode(), signature))

    assert await failure_of(a_bearer(), f"Bearer {changed}") is Failure.BAD_SIGNATURE


async def test_a_key_of_another_type_than_the_algorithm_is_refused() -> None:
    token = a_token(EC, "ES256", {"kid": "rsa-1"})

    assert await failure_of(a_bearer(), f"Bearer {token}") is Failure.BAD_SIGNATURE


async def test_an_unknown_key_id_is_asked_for_and_then_refused() -> None:
    keys = KnownKeys(read_key_set(document(RSA, EC)))

    assert await failure_of(a_bearer(keys), f"Bearer {a_token(header={'kid': 'new'})}") is Failure.UNKNOWN_KEY
    assert keys.asked == ["new"]


async def test_a_token_without_key_id_needs_a_single_key() -> None:
    token = a_token(header={"kid": ...})

    await a_bearer(KnownKeys(read_key_set(document(RSA)))).check(f"Bearer {token}")
    assert await failure_of(a_bearer(), f"Bearer {token}") is Failure.BAD_SIGNATURE


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c.d.e", "..", "é", "e30.e30.", "W10.W10.W10", "bnVsbA.e30.e30"])
async def test_what_is_no_token_is_refused(token: str) -> None:
    assert await failure_of(a_bearer(), f"Bearer {token}") is Failure.MALFORMED


async def test_basic_credentials_do_not_open_a_bearer_webhook() -> None:
    assert await failure_of(a_bearer(), BASIC) is Failure.MISSING


class RecordingHmac:
    """Compares as hmac does, and keeps what was compared."""

    def __init__(self) -> None:
        self.compared: list[tuple[bytes, bytes]] = []

    def compare_digest(self, expected: bytes, given: bytes) -> bool:
        self.compared.append((expected, given))
        return hmac.compare_digest(expected, given)


async def test_whatever_is_given_the_comparison_takes_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests of equal length by hmac's own comparison: neither a common beginning nor a length shows in the time."""
    recording = RecordingHmac()
    monkeypatch.setattr(auth, "hmac", recording)
    authenticator = BasicAuthenticator("gateway", "a long pass phrase")

    for given in (b"gateway:a long pass phrase", b"", b"g", b"gateway:a long pass phras", b"x" * 10_000):
        with contextlib.suppress(Unauthenticated):
            await authenticator.check("Basic " + base64.b64encode(given).decode())

    # The header as a whole, and, unless that is it, the credentials in it, if there are any.
    assert [(len(expected), len(given)) for expected, given in recording.compared] == [(32, 32)] * (1 + 1 + 2 * 3)
    assert len({expected for expected, _ in recording.compared}) == 2
