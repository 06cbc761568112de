import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from bridge.adapters.webhook.auth import KeysUnavailable
from bridge.adapters.webhook.keys import (
    LONGEST_DOCUMENT,
    MAX_AGE_SECONDS,
    MIN_INTERVAL_SECONDS,
    FileKeys,
    KeysInvalid,
    UrlKeys,
    read_key_set,
)
from tests.webhook_doubles import Stopwatch

FIRST = ECKey.generate_key("P-256", {"kid": "first"}).as_dict(private=False)
SECOND = ECKey.generate_key("P-256", {"kid": "second"}).as_dict(private=False)


def document(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


class Publisher:
    """The gateway's key URL; counts the fetches."""

    def __init__(self, *keys: Any) -> None:
        self.answer: Callable[[], httpx.Response] = lambda: httpx.Response(200, content=document(*keys))
        self.fetches = 0
        self.stopwatch = Stopwatch()
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._handle))
        self.keys = UrlKeys("https://gateway.example/jwks", client, self.stopwatch)

    def publish(self, *keys: Any) -> None:
        self.answer = lambda: httpx.Response(200, content=document(*keys))

    def fail(self) -> None:
        self.answer = lambda: httpx.Response(500)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.fetches += 1
        return self.answer()

    async def ids(self, key_id: str | None = None) -> list[str | None]:
        return [key.kid for key in await self.keys.having(key_id)]


async def test_keys_are_fetched_once_and_kept() -> None:
    publisher = Publisher(FIRST)

    assert await publisher.ids("first") == ["first"]
    publisher.stopwatch.seconds += MAX_AGE_SECONDS - 1
    assert await publisher.ids("first") == ["first"]
    assert publisher.fetches == 1


async def test_old_keys_are_fetched_again_so_that_a_withdrawn_one_ends() -> None:
    publisher = Publisher(FIRST)
    await publisher.ids("first")
    publisher.publish(SECOND)
    publisher.stopwatch.seconds += MAX_AGE_SECONDS

    assert await publisher.ids("first") == ["second"]


async def test_an_unknown_key_id_makes_a_fetch_but_not_more_often_than_the_interval() -> None:
    publisher = Publisher(FIRST)
    await publisher.ids("first")
    publisher.publish(FIRST, SECOND)

    assert await publisher.ids("second") == ["first"]
    publisher.stopwatch.seconds += MIN_INTERVAL_SECONDS
    assert await publisher.ids("second") == ["first", "second"]
    for made_up in range(50):
        await publisher.ids(f"made-up-{made_up}")
    assert publisher.fetches == 2


async def test_many_at_once_make_one_fetch() -> None:
    publisher = Publisher(FIRST)

    await asyncio.gather(*(publisher.ids("first") for _ in range(20)))

    assert publisher.fetches == 1


async def test_the_last_keys_stay_good_while_the_url_does_not_answer() -> None:
    publisher = Publisher(FIRST)
    await publisher.ids("first")
    publisher.fail()
    publisher.stopwatch.seconds += MAX_AGE_SECONDS

    assert await publisher.ids("first") == ["first"]


async def test_without_any_keys_nobody_can_say_and_the_url_is_asked_again_later() -> None:
    publisher = Publisher(FIRST)
    publisher.fail()
    with pytest.raises(KeysUnavailable):
        await publisher.ids("first")
    publisher.publish(FIRST)
    with pytest.raises(KeysUnavailable):
        await publisher.ids("first")
    publisher.stopwatch.seconds += MIN_INTERVAL_SECONDS

    assert await publisher.ids("first") == ["first"]


def refuse_connection() -> httpx.Response:
    raise httpx.ConnectError("refused")


@pytest.mark.parametrize(
    "answer",
    [
        refuse_connection,
        lambda: httpx.Response(302, headers={"location": "https://elsewhere.example"}),
        lambda: httpx.Response(200, content=b"<html>"),
        lambda: httpx.Response(200, content=b"[]"),
        lambda: httpx.Response(200, content=document()),
        lambda: httpx.Response(200, content=b" " * (LONGEST_DOCUMENT + 1)),
    ],
)
async def test_an_answer_without_keys_is_no_answer(answer: Callable[[], httpx.Response]) -> None:
    publisher = Publisher()
    publisher.answer = answer

    with pytest.raises(KeysUnavailable):
        await publisher.ids("first")


def test_keys_that_cannot_verify_a_signature_of_ours_are_passed_over() -> None:
    for_encryption = ECKey.generate_key("P-256", {"kid": "enc", "use": "enc"}).as_dict(private=False)
    shared = OctKey.generate_key(256, {"kid": "shared"}).as_dict(private=True)
    nonsense: list[Any] = [{"kty": "EC"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}, {"kty": "new"}, 7, None]

    assert [key.kid for key in read_key_set(document(for_encryption, shared, *nonsense, FIRST))] == ["first"]


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_a_short_rsa_key_is_passed_over() -> None:
    short = RSAKey.generate_key(1024, {"kid": "short"}).as_dict(private=False)

    with pytest.raises(KeysInvalid):
        read_key_set(document(short))


def test_private_parts_are_never_taken_in() -> None:
    private = RSAKey.generate_key(2048, {"kid": "private"}).as_dict(private=True)

    (key,) = read_key_set(document(private))

    assert not key.is_private


async def test_keys_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(document(FIRST))

    assert [key.kid for key in await FileKeys(path).having("other")] == ["first"]


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"keys":[]}'])
def test_a_file_without_keys_is_refused_by_its_name(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "jwks.json"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(KeysInvalid, match=r"BRIDGE_WEBHOOK_JWKS_FILE: .*jwks\.json"):
        FileKeys(path)
