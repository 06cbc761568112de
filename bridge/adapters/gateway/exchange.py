"""One HTTP request and what came back of it, bounded in size; what it means is decided elsewhere."""

import json
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import cast

import httpx

from bridge.adapters.gateway.direct import DirectClient
from bridge.adapters.gateway.errors import CAUGHT

# The longest answer that is read. A problem with some hundred updates, each with its texts, is well below it.
LONGEST_BODY_BYTES = 4 * 1024 * 1024
# Made once: `json.loads` makes a decoder for each call that says what a constant is.
_from_json = json.JSONDecoder(parse_constant=str).decode


class Received:
    """The head of an answer, and its body if all of it came and was not too long."""

    def __init__(self, response: httpx.Response) -> None:
        """Take the head; the body is still to come."""
        self.status = response.status_code
        self.headers = response.headers
        self.body: bytes | None = None

    def json(self) -> object:
        """The body as JSON, or None if it is missing or none; broken UTF-8 inside a text does not spoil the rest."""
        if not self.body:
            return None
        try:
            parsed: object = _from_json(self.body.decode("utf-8-sig", "replace"))
        except (ValueError, RecursionError):
            return None
        return parsed

    def retry_after_seconds(self, now: datetime) -> float | None:
        """
        How long the gateway asks to wait, in either form of RFC 9110 section 10.2.3.

        A date is counted from the answer's own Date, so that two clocks need not agree; from `now` without one.
        """
        text = self.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        until = _date(text)
        if until is None:
            return None
        return max(0.0, (until - (_date(self.headers.get("Date", "")) or now)).total_seconds())


class Exchange:
    """A request under way; after a cancellation `received` still has what came of it until then."""

    def __init__(self, client: DirectClient, request: httpx.Request) -> None:
        """Nothing is sent yet."""
        self._client = client
        self._request = request
        self.received: Received | None = None

    async def run(self) -> Received:
        """
        Send, and read the answer. Once its head is there nothing is raised any more: the status has been given.

        Raises:
            one of `errors.CAUGHT`: there was no answer.

        """
        response = await self._client.send(self._request)
        # httpx's decoding and closing of a body cost more than reading it, and we asked for one that needs neither.
        as_sent = cast("httpx.AsyncByteStream", response.stream)
        self.received = Received(response)
        try:
            self.received.body = await _body(response, as_sent)
        except CAUGHT:
            self.received.body = None
        finally:
            await _close(as_sent)
        return self.received


async def _body(response: httpx.Response, as_sent: httpx.AsyncByteStream) -> bytes | None:
    """All of the body, or None if it is longer than can be read."""
    chunks, size = [], 0
    async for chunk in response.aiter_bytes() if "Content-Encoding" in response.headers else as_sent:
        size += len(chunk)
        if size > LONGEST_BODY_BYTES:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


async def _close(body: httpx.AsyncByteStream) -> None:
    """Give the connection back; one that cannot be given back any more has been closed, which does as well."""
    try:
        await body.aclose()
    except CAUGHT:
        return


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
