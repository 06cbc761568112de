"""
The webhook's side of the wire: which requests can be a KCI, and how every request is answered.

Rule: an error text says what is wrong and where, never what was sent.
"""

import json
import re
from array import array
from enum import StrEnum
from http import HTTPStatus
from itertools import accumulate
from uuid import uuid4

import msgspec

from bridge.domain.dead_letters import Header, QuarantineReason
from bridge.domain.record import Record

REQUEST_ID = b"x-request-id"
CONVERSATION_ID = b"x-conversation-id"
REQUIRED_HEADERS = {REQUEST_ID: "X-Request-ID", CONVERSATION_ID: "X-Conversation-ID"}
MEDIA_TYPE = "application/json"
# Never kept, never published, never logged.
CREDENTIALS = frozenset(("authorization", "proxy-authorization", "cookie", "x-api-key"))

RETRY_SOON_SECONDS = 1
RETRY_LATER_SECONDS = 10

# Raw header fields as ASGI gives them: lower-case names, in their order, repeats kept.
RawHeaders = list[tuple[bytes, bytes]]


class Fields:
    """The header fields of a request by their lower-case names; of repeated ones, the first counts."""

    def __init__(self, raw: RawHeaders) -> None:
        """Keep all of them in `raw`, as they came."""
        self.raw = raw
        self._first = dict(reversed(raw))

    def get(self, name: bytes) -> str | None:
        """Return a field, or None if there is none or it is empty."""
        value = self._first.get(name)
        return None if value is None else value.decode("latin-1").strip() or None


class ErrorCode(StrEnum):
    """The codes of the gateway's own Error body for which a tenant has a use (contract 2.9)."""

    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    INVALID_REQUEST = "INVALID_REQUEST"
    NOT_AUTHORISED = "NOT_AUTHORISED"
    NOT_FOUND = "NOT_FOUND"
    TENANT_FAULT = "TENANT_FAULT"


class AnswerReason(StrEnum):
    """Why a request was answered as it was: a closed set, for logs and metrics, the quarantine's reasons among them."""

    # 200
    PUBLISHED = "PUBLISHED"
    DESCRIBED = "DESCRIBED"
    # 400, 413, 415, 422, 431: kept in the quarantine
    NOT_JSON = "NOT_JSON"
    NOT_A_KCI = "NOT_A_KCI"
    TOO_DEEP = "TOO_DEEP"
    TOO_LARGE = "TOO_LARGE"
    WRONG_MEDIA_TYPE = "WRONG_MEDIA_TYPE"
    MISSING_HEADERS = "MISSING_HEADERS"
    # 401, 429, 404, 405, 408: nothing was kept, because nothing was read, or not to its end
    UNAUTHENTICATED = "UNAUTHENTICATED"
    TOO_MANY_FAILURES = "TOO_MANY_FAILURES"
    NO_SUCH_PATH = "NO_SUCH_PATH"
    NO_SUCH_METHOD = "NO_SUCH_METHOD"
    READ_TIMED_OUT = "READ_TIMED_OUT"
    # 503: send it again
    KAFKA_UNAVAILABLE = "KAFKA_UNAVAILABLE"
    OVERLOADED = "OVERLOADED"
    KEYS_UNAVAILABLE = "KEYS_UNAVAILABLE"
    # 500: kept in the quarantine
    BRIDGE_FAILED = "BRIDGE_FAILED"
    # no answer: the client had gone
    DISCONNECTED = "DISCONNECTED"


class Answer(Record, frozen=True, kw_only=True):
    """What is sent back; `body` is empty for a 200 (contract 4.3: success has no body)."""

    status: HTTPStatus
    reason: AnswerReason
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Refusal(Exception):
    """A request that is not taken: the answer to it, and, if it was read, why it goes to the quarantine."""

    def __init__(
        self,
        status: HTTPStatus,
        reason: AnswerReason,
        sentence: str,
        *,
        code: ErrorCode = ErrorCode.MALFORMED_REQUEST,
        headers: tuple[tuple[str, str], ...] = (),
        quarantine: QuarantineReason | None = None,
    ) -> None:
        """`quarantine` is None when nothing is to be kept."""
        super().__init__(sentence)
        self.status = status
        self.reason = reason
        self.sentence = sentence
        self.code = code
        self.headers = headers
        self.quarantine = quarantine

    def answer(self, uuid: str) -> Answer:
        """The refusal as the gateway's own Error body (contract 1.9)."""
        return Answer(
            status=self.status,
            reason=self.reason,
            headers=(("content-type", MEDIA_TYPE), *self.headers),
            body=error_body(uuid, self.code, self.sentence),
        )


def kept(
    status: HTTPStatus, reason: QuarantineReason, sentence: str, *, code: ErrorCode = ErrorCode.MALFORMED_REQUEST
) -> Refusal:
    """Build the refusal of a request that goes to the quarantine."""
    return Refusal(status, AnswerReason(reason), sentence, code=code, quarantine=reason)


def unavailable(reason: AnswerReason, sentence: str, *, retry_after: int) -> Refusal:
    """Build the refusal of a request that should be sent again."""
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE,
        reason,
        sentence,
        code=ErrorCode.TENANT_FAULT,
        headers=(("retry-after", str(retry_after)),),
    )


def error_body(uuid: str, code: ErrorCode, sentence: str) -> bytes:
    """Write the gateway's Error body (contract 1.9)."""
    return json.dumps({"uuid": uuid, "code": code, "messages": [sentence]}).encode()


def refuse_bytes(status: HTTPStatus, sentence: str) -> tuple[str, bytes]:
    """Write the answer to bytes that are no HTTP request: its media type and body."""
    return MEDIA_TYPE, error_body(str(uuid4()), ErrorCode.MALFORMED_REQUEST, f"{status.phrase}: {sentence}")


def without_credentials(headers: RawHeaders) -> tuple[Header, ...]:
    """Return the fields as they may be kept."""
    named = ((name.decode("latin-1"), value) for name, value in headers)
    return tuple(Header(name=name, value=value) for name, value in named if name not in CREDENTIALS)


def check_headers(fields: Fields, *, max_headers: int) -> None:
    """
    Check what a KCI's request must have before its body is looked at (contract 1.0, 4.3).

    Raises:
        Refusal: 431, 400 or 415.

    """
    if len(fields.raw) > max_headers:
        sentence = f"the request has {len(fields.raw)} headers; at most {max_headers} are accepted"
        raise kept(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, QuarantineReason.TOO_LARGE, sentence)
    missing = [shown for name, shown in REQUIRED_HEADERS.items() if fields.get(name) is None]
    if missing:
        sentence = f"required header missing or empty: {', '.join(missing)}"
        raise kept(HTTPStatus.BAD_REQUEST, QuarantineReason.MISSING_HEADERS, sentence)
    media_type = (fields.get(b"content-type") or "").partition(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        sentence = f"header Content-Type: only {MEDIA_TYPE} is accepted"
        raise kept(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, QuarantineReason.WRONG_MEDIA_TYPE, sentence)
    if (fields.get(b"content-encoding") or "identity").lower() != "identity":
        sentence = "header Content-Encoding: only an uncompressed body is accepted"
        raise kept(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, QuarantineReason.WRONG_MEDIA_TYPE, sentence)


def decode(body: bytes, *, max_depth: int) -> object:
    """
    Decode a body strictly as UTF-8 JSON (RFC 8259): no NaN, no lone surrogates; of repeated names the last counts.

    Raises:
        Refusal: 400.

    """
    # As many brackets as that may be within strings or beside each other; only more of them are worth a closer look.
    if body.count(b"[") + body.count(b"{") > max_depth and depth(body) > max_depth:
        sentence = f"the body is nested deeper than {max_depth} levels"
        raise kept(HTTPStatus.BAD_REQUEST, QuarantineReason.TOO_DEEP, sentence)
    try:
        return msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except UnicodeDecodeError as error:
        raise kept(
            HTTPStatus.BAD_REQUEST, QuarantineReason.NOT_JSON, "the body is not JSON: a text in it is not UTF-8"
        ) from error
    except msgspec.MsgspecError as error:
        raise kept(HTTPStatus.BAD_REQUEST, QuarantineReason.NOT_JSON, f"the body is not JSON: {error}") from error


# A string, whether it ends or not, always matches from its first quote on, so the time is linear in the body.
_STRING = re.compile(rb'"(?:[^"\\]+|\\.?)*+"?', re.DOTALL)
_STEP = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKET = bytes(byte for byte in range(256) if byte not in b"[{]}")


def depth(body: bytes) -> int:
    """
    Return how deeply brackets are nested outside strings, well-formed or not, without recursion and without a loop in
    Python.

    A body of a mebibyte of brackets takes some tens of milliseconds.
    """
    steps = _STRING.sub(b"", body).translate(_STEP, _NO_BRACKET)
    return max(accumulate(array("b", steps), initial=0))
