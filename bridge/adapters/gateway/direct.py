"""
httpx's requests and responses, handed to a transport without httpx's client between them (docs/adr/0007).

The client adds what this gateway has no use for: redirects, cookies, authentication flows, event hooks, and a merge of
URLs and headers for each request. That costs several times what the request itself does.
"""

from collections.abc import Mapping
from functools import lru_cache

import httpx

# More different URLs than the gateway has operations; those that hold an id push each other out.
URLS = 64
# Those whose request tells its length though it has no body (RFC 9110 section 8.6).
WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
Headers = Mapping[str, str]


class DirectClient:
    """Builds requests against one gateway, and sends each once. No redirects, no cookies, no environment."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        base_url: str = "",
        timeout: httpx.Timeout | None = None,
        headers: Headers | None = None,
    ) -> None:
        """`headers` are sent with each request; paths are taken below `base_url`, and whole URLs as they are."""
        self._transport = transport
        self._base_url = base_url.rstrip("/")
        self._timeout = (timeout or httpx.Timeout(None)).as_dict()
        self._headers = dict(headers or {})
        self._url = lru_cache(maxsize=URLS)(self._parsed)

    def build_request(self, method: str, url: str, *, content: str | bytes | None, headers: Headers) -> httpx.Request:
        """
        Put a request together; nothing is sent.

        httpx works out Host and Content-Length itself where it is given `content`, and makes the headers a second time
        for them: two thirds of what a request costs.
        """
        where, host = self._url(url)
        body = content.encode() if isinstance(content, str) else content or b""
        length = {"Content-Length": str(len(body))} if body or method in WITH_BODY else {}
        request = httpx.Request(
            method,
            where,
            stream=httpx.ByteStream(body),
            headers={"Host": host, **self._headers, **headers, **length},
            extensions={"timeout": self._timeout},
        )
        request.read()
        return request

    async def send(self, request: httpx.Request) -> httpx.Response:
        """
        Send a request and return when the head of its answer is there; the body is still to be read, and to be closed.

        Raises:
            httpx.TransportError: as the transport tells.

        """
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()

    def _parsed(self, url: str) -> tuple[httpx.URL, str]:
        """The whole URL, and the Host that belongs to it."""
        whole = httpx.URL(url if "://" in url else f"{self._base_url}/{url.lstrip('/')}")
        return whole, whole.netloc.decode("ascii")
