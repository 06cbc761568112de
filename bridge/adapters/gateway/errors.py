"""
The one table that says what the end of a call means: every status and every exception of httpx, each with its kind.

Rule: NOT_TAKEN only where the gateway certainly did not take the command, since such a command is sent again. A row for
an exception can say so, but it counts only if the transport saw that the request got no connection (`Progress`).
"""

from collections.abc import Container
from enum import StrEnum

import httpx

from bridge.adapters.gateway.transport import ConnectRefused, NameUnknown, TlsFailed, Unwritable
from bridge.domain.answers import Ambiguous, NotTaken
from bridge.domain.outcomes import Reason
from bridge.domain.record import Record
from bridge.settings import Unavailable


class Kind(StrEnum):
    """What is known of the command."""

    # It was taken, if the body can be read and has an id; else AMBIGUOUS.
    TAKEN = "TAKEN"
    # It will never be taken.
    REFUSED = "REFUSED"
    # It was not taken, and may be sent again.
    NOT_TAKEN = "NOT_TAKEN"
    # As NOT_TAKEN, but the same request is first sent once more with a new token.
    NEW_TOKEN = "NEW_TOKEN"  # noqa: S105 - a kind of answer
    # It may have been taken.
    AMBIGUOUS = "AMBIGUOUS"
    # NOT_TAKEN or AMBIGUOUS, as BRIDGE_GATEWAY_UNAVAILABLE_MEANS says.
    CONFIGURED = "CONFIGURED"


class Rule(Record, frozen=True, kw_only=True):
    """What one end means: `why` is the word for metrics and people, `alarm` calls a person, `because` is the source."""

    kind: Kind
    why: str
    because: str
    reason: Reason = Reason.NO_ANSWER
    alarm: bool = False


class StatusRow(Record, frozen=True):
    """Statuses that mean the same."""

    label: str
    statuses: Container[int]
    rule: Rule


def _row(label: str, rule: Rule) -> StatusRow:
    """The statuses are the label's: single ones with commas, or a class such as 4xx."""
    if label.endswith("xx"):
        first = int(label[0]) * 100
        return StatusRow(label, range(first, first + 100), rule)
    return StatusRow(label, frozenset(int(part) for part in label.split(", ")), rule)


UNREADABLE = Rule(
    kind=Kind.AMBIGUOUS,
    why="UNREADABLE_ANSWER",
    reason=Reason.UNREADABLE_ANSWER,
    because="success, but nobody can say of what: no body of the contract's, or no id",
)

# The first row that contains the status.
STATUSES: tuple[StatusRow, ...] = (
    _row("200, 201, 202", Rule(kind=Kind.TAKEN, why="ANSWERED", because="contract 3.11: 202 is confirmed by KCI")),
    _row("2xx", UNREADABLE),
    _row(
        "3xx",
        Rule(
            kind=Kind.NOT_TAKEN,
            why="REDIRECTED",
            alarm=True,
            because="redirects are not followed: credentials and contacts go to the configured host only",
        ),
    ),
    _row(
        "401",
        Rule(kind=Kind.NEW_TOKEN, why="NOT_AUTHORISED", alarm=True, because="contract 4.2; refused before processing"),
    ),
    _row(
        "403",
        Rule(kind=Kind.NOT_TAKEN, why="FORBIDDEN", alarm=True, because="contract 4.2: a firewall, the allow-list"),
    ),
    _row(
        "408",
        Rule(
            kind=Kind.AMBIGUOUS,
            why="REQUEST_TIMEOUT",
            because="RFC 9110 15.5.9: a proxy may say so after passing it on",
        ),
    ),
    _row("425, 429", Rule(kind=Kind.NOT_TAKEN, why="RATE_LIMITED", because="RFC 8470 5.2, RFC 6585 4: not processed")),
    _row("501", Rule(kind=Kind.REFUSED, why="REFUSED", because="contract 4.2: the supplier cannot do it, ever")),
    _row("4xx", Rule(kind=Kind.REFUSED, why="REFUSED", because="contract 1.1: final, with the gateway's Error body")),
    _row(
        "503",
        Rule(
            kind=Kind.CONFIGURED,
            why="UNAVAILABLE",
            reason=Reason.SERVER_ERROR,
            because="contract 4.2: no body, so nobody says who answered; BRIDGE_GATEWAY_UNAVAILABLE_MEANS decides",
        ),
    ),
    _row(
        "5xx",
        Rule(
            kind=Kind.AMBIGUOUS,
            why="SERVER_ERROR",
            reason=Reason.SERVER_ERROR,
            because="contract 3.21: it may have failed after it took the command",
        ),
    ),
)
# A final 1xx, or a number that is no status: not HTTP as anybody knows it.
NO_STATUS = Rule(kind=Kind.AMBIGUOUS, why="NOT_HTTP", because="RFC 9110 15: no such final status")


def _unsent(why: str, because: str, *, alarm: bool = False) -> Rule:
    return Rule(kind=Kind.NOT_TAKEN, why=why, because=because, alarm=alarm)


def _unknown(why: str, because: str) -> Rule:
    return Rule(kind=Kind.AMBIGUOUS, why=why, because=because)


_ABSTRACT = "the class above the others; raised by nobody, and if it were, nothing would be known"
_MISUSE = "a bug here, after an answer had begun"

# Every public exception of httpx, and ours that tell more than they do.
EXCEPTIONS: dict[type[Exception], Rule] = {
    ConnectRefused: _unsent("CONNECT_REFUSED", "no connection: nobody listens"),
    NameUnknown: _unsent("NAME_UNKNOWN", "no connection: DNS"),
    TlsFailed: _unsent(
        "TLS_FAILED", "no connection: the certificate is not trusted, or the handshake failed", alarm=True
    ),
    Unwritable: _unsent("UNWRITABLE", "a header holds a line break, a bug here; nothing was sent", alarm=True),
    httpx.ConnectError: _unsent("CONNECT_FAILED", "no connection"),
    httpx.ConnectTimeout: _unsent("CONNECT_TIMEOUT", "no connection in time, the wait for a free one included"),
    httpx.PoolTimeout: _unsent("NO_FREE_CONNECTION", "no connection was free in time"),
    httpx.UnsupportedProtocol: _unsent("BAD_URL", "the configured URL is not http or https", alarm=True),
    httpx.InvalidURL: _unsent("BAD_URL", "the configured URL cannot be read", alarm=True),
    httpx.ProxyError: _unknown("PROXY_FAILED", "a proxy may fail before or after it passed the request on"),
    httpx.ReadTimeout: _unknown("READ_TIMEOUT", "sent, and no answer in time"),
    httpx.WriteTimeout: _unknown("WRITE_TIMEOUT", "sent in part, and a server may act on a part"),
    httpx.ReadError: _unknown("CONNECTION_LOST", "sent, and the connection broke"),
    httpx.WriteError: _unknown("CONNECTION_LOST", "sent in part or whole, and the connection broke"),
    httpx.CloseError: _unknown("CONNECTION_LOST", "sent, and the connection broke"),
    httpx.RemoteProtocolError: _unknown("DISCONNECTED", "sent, and the answer is missing, cut or not HTTP"),
    httpx.LocalProtocolError: _unknown("PROTOCOL_ERROR", "found while sending"),
    httpx.DecodingError: _unknown("UNDECODABLE", "answered, in a coding that cannot be undone"),
    httpx.TooManyRedirects: _unknown("REDIRECTED", "redirects are not followed, so this cannot happen"),
    httpx.HTTPStatusError: _unknown("NO_ANSWER", "statuses are judged by their own table"),
    httpx.CookieConflict: _unknown("NO_ANSWER", _MISUSE),
    httpx.StreamError: _unknown("NO_ANSWER", _MISUSE),
    httpx.StreamConsumed: _unknown("NO_ANSWER", _MISUSE),
    httpx.StreamClosed: _unknown("NO_ANSWER", _MISUSE),
    httpx.ResponseNotRead: _unknown("NO_ANSWER", _MISUSE),
    httpx.RequestNotRead: _unknown("NO_ANSWER", _MISUSE),
    httpx.HTTPError: _unknown("NO_ANSWER", _ABSTRACT),
    httpx.RequestError: _unknown("NO_ANSWER", _ABSTRACT),
    httpx.TransportError: _unknown("NO_ANSWER", _ABSTRACT),
    httpx.TimeoutException: _unknown("NO_ANSWER", _ABSTRACT),
    httpx.NetworkError: _unknown("NO_ANSWER", _ABSTRACT),
    httpx.ProtocolError: _unknown("NO_ANSWER", _ABSTRACT),
}
# What the client catches: everything that the table knows.
CAUGHT: tuple[type[Exception], ...] = tuple(EXCEPTIONS)

TOTAL_TIMEOUT = _unknown("TOTAL_TIMEOUT", "sent or being sent when the time for the whole call was over")
TOTAL_TIMEOUT_UNSENT = _unsent("CONNECT_TIMEOUT", "the time for the whole call was over before there was a connection")
NO_TOKEN = _unsent("NO_TOKEN", "no access token, so nothing was sent")
INVALID_REQUEST = _unsent(
    "INVALID_REQUEST", "the request breaks the contract, a bug here; nothing was sent", alarm=True
)


def rule_for_status(status: int) -> Rule:
    """What a final status means; there is an answer for every number."""
    for row in STATUSES:
        if status in row.statuses:
            return row.rule
    return NO_STATUS


def rule_for_exception(error: Exception) -> Rule:
    """What an exception means, by the nearest class of it in the table."""
    for kind in type(error).__mro__:
        if kind in EXCEPTIONS:
            return EXCEPTIONS[kind]
    raise TypeError(f"{type(error).__name__} is no exception of httpx") from error


def without_answer(rule: Rule, *, nothing_sent: bool) -> NotTaken | Ambiguous:
    """The answer for a call that ended without one; `nothing_sent` is the transport's own word, and counts for more."""
    if rule.kind is Kind.NOT_TAKEN and nothing_sent:
        return NotTaken(why=rule.why, alarm=rule.alarm)
    return Ambiguous(reason=rule.reason, why=rule.why)


def unavailable(means: Unavailable) -> Kind:
    """What a CONFIGURED row becomes."""
    return Kind.NOT_TAKEN if means is Unavailable.NOT_TAKEN else Kind.AMBIGUOUS
