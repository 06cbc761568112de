"""
The gateway's signing keys (JWKS, RFC 7517), from a file or a URL.

A URL's keys are kept, and fetched again when they are old or when a token names a key that is not among them; but not
more often than every MIN_INTERVAL_SECONDS, since anyone can make up a key id. While the URL does not answer, the keys
last fetched stay good.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

from bridge.adapters.webhook.auth import KeysUnavailable

MIN_INTERVAL_SECONDS = 30.0
MAX_AGE_SECONDS = 900.0
FETCH_TIMEOUT_SECONDS = 5.0
LONGEST_DOCUMENT = 262_144
# Shorter ones can be broken (NIST SP 800-131A).
SHORTEST_RSA_BITS = 2048

log = structlog.get_logger(__name__)


class KeysInvalid(Exception):
    """A document that holds no key with which a token could be verified."""


class FileKeys:
    """Keys from a file, read once at start."""

    def __init__(self, path: Path) -> None:
        """
        Read the file.

        Raises:
            KeysInvalid: the file cannot be read, or has no usable key; the text names it.

        """
        try:
            self._keys = read_key_set(path.read_bytes())
        except (OSError, KeysInvalid) as error:
            raise KeysInvalid(
                f"BRIDGE_WEBHOOK_JWKS_FILE: {path} is not a JWKS with an RSA or EC key: {error}"
            ) from error

    async def having(self, key_id: str | None) -> KeySet:  # noqa: ARG002 - the port's; a file has no newer keys
        """Return the keys."""
        return self._keys


class UrlKeys:
    """Keys from where the gateway publishes them."""

    def __init__(self, url: str, client: httpx.AsyncClient, monotonic: Callable[[], float]) -> None:
        """`monotonic` tells seconds that never go back."""
        self._url = url
        self._client = client
        self._monotonic = monotonic
        self._keys: KeySet | None = None
        self._problem = "nobody asked yet"
        self._fetched_at = -MAX_AGE_SECONDS
        self._tried_at = -MIN_INTERVAL_SECONDS
        self._one_at_a_time = asyncio.Lock()

    async def having(self, key_id: str | None) -> KeySet:
        """Return the current keys; at most one fetch is under way, and the others wait for it."""
        if self._wants_fetch(key_id):
            async with self._one_at_a_time:
                if self._wants_fetch(key_id):
                    await self._fetch()
        if self._keys is None:
            raise KeysUnavailable(f"the signing keys at {self._url} could not be fetched: {self._problem}")
        return self._keys

    def _wants_fetch(self, key_id: str | None) -> bool:
        now = self._monotonic()
        if now - self._tried_at < MIN_INTERVAL_SECONDS:
            return False
        if self._keys is None or now - self._fetched_at >= MAX_AGE_SECONDS:
            return True
        return key_id is not None and all(key.kid != key_id for key in self._keys)

    async def _fetch(self) -> None:
        self._tried_at = self._monotonic()
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_SECONDS):
                self._keys = read_key_set(await self._document())
        except (httpx.HTTPError, TimeoutError, KeysInvalid) as error:
            self._problem = str(error) or type(error).__name__
            log.warning(
                "the signing keys could not be fetched", setting="BRIDGE_WEBHOOK_JWKS_URL", problem=self._problem
            )
            return
        self._fetched_at = self._monotonic()
        log.info("fetched the signing keys", count=len(self._keys.keys))

    async def _document(self) -> bytes:
        document = bytearray()
        async with self._client.stream("GET", self._url, headers={"accept": "application/json"}) as answer:
            answer.raise_for_status()
            async for piece in answer.aiter_bytes():
                document += piece
                if len(document) > LONGEST_DOCUMENT:
                    raise KeysInvalid(f"the document is longer than {LONGEST_DOCUMENT} bytes")
        return bytes(document)


@asynccontextmanager
async def keys_at(url: str, monotonic: Callable[[], float]) -> AsyncIterator[UrlKeys]:
    """Return the keys of a URL, with a connection for as long as the context is open."""
    async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_SECONDS) as client:
        yield UrlKeys(url, client, monotonic)


def read_key_set(document: bytes) -> KeySet:
    """
    Return the RSA and EC keys of a JWKS; others, and ones that cannot be read, are passed over (RFC 7517, 5).

    Raises:
        KeysInvalid: there is none.

    """
    try:
        listed = json.loads(document)["keys"]
        keys = list(_usable(listed))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise KeysInvalid("the document has no list of keys") from error
    if not keys:
        raise KeysInvalid("the document has no RSA key of 2048 bits or more and no EC key that is for signatures")
    return KeySet(keys)


def _usable(listed: list[Any]) -> Iterator[Key]:
    for entry in listed:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        public = {name: value for name, value in entry.items() if name not in {"d", "p", "q", "dp", "dq", "qi", "oth"}}
        try:
            if entry.get("kty") == "EC":
                yield ECKey.import_key(public)
            elif entry.get("kty") == "RSA" and _modulus_bits(entry) >= SHORTEST_RSA_BITS:
                yield RSAKey.import_key(public)
        except (JoseError, ValueError, KeyError, TypeError):
            continue


def _modulus_bits(entry: dict[str, Any]) -> int:
    modulus = str(entry["n"])
    return int.from_bytes(base64.urlsafe_b64decode(modulus + "=" * (-len(modulus) % 4))).bit_length()
