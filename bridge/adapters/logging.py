"""
What the services write to standard error: one line an event, as JSON or for a console, from structlog and from the
standard library alike.

Rule: secrets are masked, by the name of a field and by their own text.
Rule: personal data is refused: the value of a field that names some is dropped, and a value that is no plain scalar is
replaced by its type's name, since a record's `repr` would show the contacts in it.
"""

import contextlib
import json
import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, TextIO

import msgspec
import structlog
from pydantic import SecretStr
from structlog.types import EventDict, Processor

from bridge.domain.correlation import conversation_id
from bridge.settings import Group, LogSettings

MASK = "********"
REFUSED = "[refused: personal data]"
# A longer text is cut: nothing that long helps a reader of logs, and it may be a body that slipped in.
LONGEST_TEXT = 2000
# A shorter secret would be found inside ordinary words.
SHORTEST_SECRET = 4
DEEPEST = 4
REPEAT_SECONDS = 10.0
MOST_REMEMBERED = 1000

NESTED = frozenset({list, dict})

# Field names, lower case and without anything but letters and digits.
SECRET_NAMES = (
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "cookie",
    "credentials",
    "apikey",
    "privatekey",
)
# The gateway's fields that hold personal data (contract 1.2), and names under which a whole record or body may come.
PERSONAL_NAMES = frozenset(
    {
        *("contact", "contacts", "primarycontact", "secondarycontact", "email", "phone", "phonenumber"),
        *("address", "addresses", "hazards", "onsiterestrictions", "notes", "suppliernotes", "tenantnotes"),
        *("problemtext", "characteristics"),
        *("body", "payload", "content", "data", "value", "values", "entity", "kci", "record", "headers"),
    }
)
# The fields that each line has, in the order in which it shows them; the others follow as they were given.
FIRST = ("timestamp", "level", "service", "event")
# httpx tells of each request with its URL at INFO: what there is to tell of a call, the bridge's own lines do.
QUIET = ("httpx", "httpcore")
# Libraries whose DEBUG lines show the bytes of records (aiokafka's producer logs key and value).
TALKATIVE = ("aiokafka", "faust", "mode", "asyncio", "uvicorn", "urllib3", "opentelemetry", *QUIET)
# Where exceptions come from whose texts hold no data of records; of any other, but the operating system's, only the
# type is shown.
SPEAKABLE = ("bridge.", "aiokafka.errors", "ssl", "httpx")

_SECRETS_IN_TEXT = (
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{16,}", re.IGNORECASE | re.ASCII), rf"\1 {MASK}"),
    (re.compile(r"://[^/\s:@]*:[^/\s@]+@"), f"://{MASK}@"),
    (re.compile(r"\b((?:\w*_)?(?:secret|password|token)=)[^&\s,]+", re.IGNORECASE), rf"\1{MASK}"),
)
# Without one of these none of the patterns matches, in a text whose case was folded.
_SIGNS_OF_SECRETS = ("bearer", "basic", "://", "secret=", "password=", "token=")


def configure(
    settings: LogSettings,
    *,
    service: str,
    stream: TextIO,
    secrets: Iterable[str] = (),
    trace_ids: Callable[[], Mapping[str, str]] | None = None,
    for_good: bool = False,
) -> None:
    """
    Send everything that this process logs to `stream`, replacing any earlier configuration.

    Args:
        settings: level and format.
        service: written into each line.
        stream: standard error, in a service.
        secrets: texts to be masked wherever they turn up, see `secrets_in`.
        trace_ids: what tells the ids of the current span, in a service that traces.
        for_good: nothing replaces this one: each module's logger is made once, which spares a line 2 µs, and one that
            the level leaves out two thirds of its cost.

    """
    always: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _of_journey,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
    ]
    if trace_ids is not None:
        always.append(_traced(trace_ids))
    finishing: list[Processor] = [
        describe_exception,
        Guard(secrets),
        _in_order,
        _renderer(settings, stream),
        _writable,
    ]
    structlog.configure(
        processors=always,
        logger_factory=lambda *names: OwnLines(stream, finishing, *names),
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        cache_logger_on_first_use=for_good,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=always,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finishing],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    handler.addFilter(Repetition(time.monotonic))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level)
    logging.captureWarnings(capture=True)
    for name in TALKATIVE:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(max(root.level, logging.WARNING if name in QUIET else logging.INFO))


def secrets_in(*groups: Group) -> tuple[str, ...]:
    """Every secret of these settings, as plain text, for `configure`."""
    values = (getattr(group, field) for group in groups for field in type(group).model_fields)
    return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))


class OwnLines:
    """
    Writes the lines of one module of the bridge straight to the stream: the standard library's loggers, records and
    handlers would double what a line costs, and one is written for each call.
    """

    def __init__(self, stream: TextIO, finishing: Iterable[Processor], name: str = "root") -> None:
        """`finishing` are the processors that make text of an event."""
        self.name = name
        self._stream = stream
        self._finishing = tuple(finishing)
        self.debug = self.info = self.warning = self.error = self.critical = self._write

    def _write(self, **event: Any) -> None:
        """Like a handler of the standard library, it never makes the one who logs fail."""
        try:
            line: Any = event
            for process in self._finishing:
                line = process(self, event["level"], line)
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except Exception as error:  # noqa: BLE001  # a broken stream or formatter is no reason to stop the work
            with contextlib.suppress(Exception):
                self._stream.write(f"a line of {self.name} could not be written: {type(error).__name__}\n")


class Guard:
    """The processor that keeps both rules of this module; the last before rendering, so that nothing passes it by."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Mask longer secrets first, so that one inside another leaves no rest."""
        known = sorted((secret for secret in secrets if len(secret) >= SHORTEST_SECRET), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None
        self._signs = (*_SIGNS_OF_SECRETS, *(secret.casefold() for secret in known))

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        """Return the line as it may be written."""
        line = {str(name): _instead_of(name) or _plain(value, 0) for name, value in event.items()}
        return {name: self._masked(value) for name, value in line.items()} if self._has_signs(line) else line

    def _has_signs(self, line: EventDict) -> bool:
        """Whether a text may hold a secret. Nearly no line does, and one look at all texts is cheap beside masking."""
        folded = "\n".join([value if isinstance(value, str) else "" for value in line.values()]).casefold()
        return any(sign in folded for sign in self._signs) or not NESTED.isdisjoint(map(type, line.values()))

    def _masked(self, value: object) -> object:
        match value:
            case str():
                text: str = value
                if self._known is not None:
                    text = self._known.sub(MASK, text)
                for pattern, replacement in _SECRETS_IN_TEXT:
                    text = pattern.sub(replacement, text)
                return text
            case dict():
                return {name: self._masked(item) for name, item in value.items()}
            case list():
                return [self._masked(item) for item in value]
            case _:
                return value


def _plain(value: object, depth: int) -> object:
    """The value as plain scalars, lists and mappings; of anything else only the name of its type."""
    match value:
        case str():
            length = len(value)
            plain: object = str(value) if length <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}… ({length} characters)"
        case None | bool() | int() | float():
            plain = value
        case timedelta():
            plain = value.total_seconds()
        case date():
            plain = value.isoformat()
        case dict() if depth < DEEPEST:
            plain = {str(name): _instead_of(str(name)) or _plain(item, depth + 1) for name, item in value.items()}
        case list() | tuple() | set() | frozenset() if depth < DEEPEST:
            plain = [_plain(item, depth + 1) for item in value]
        case _:
            plain = f"<{type(value).__name__}>"
    return plain


@lru_cache(maxsize=MOST_REMEMBERED)
def _instead_of(name: str) -> str | None:
    """What is written instead of the value of a field of this name, if anything is."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain in PERSONAL_NAMES:
        return REFUSED
    return MASK if plain.endswith(SECRET_NAMES) else None


class Repetition(logging.Filter):
    """
    Leaves out what a library says again within REPEAT_SECONDS, and says how often when it is said next.

    aiokafka says several times a second that a broker is away; the bridge's own lines are never left out.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """Take what tells seconds that never go back."""
        super().__init__()
        self._monotonic = monotonic
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line is written; called for each line of this process."""
        if record.name.startswith("bridge"):
            return True
        text, now = f"{record.name} {record.getMessage()}", self._monotonic()
        since, left_out = self._said.get(text, (-REPEAT_SECONDS, 0))
        if now - since < REPEAT_SECONDS:
            self._said[text] = (since, left_out + 1)
            return False
        if len(self._said) >= MOST_REMEMBERED:
            self._said.clear()
        self._said[text] = (now, 0)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} times more in between)", None
        return True


def describe_exception(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the chain of exceptions: type, where it happened, and the text if that is safe."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if error is True:
        error = sys.exc_info()[1]
    chain: list[dict[str, Any]] = []
    while isinstance(error, BaseException):
        chain.append(_described(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return {**event, "exception": chain} if chain else event


def _described(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    described: dict[str, Any] = {"type": f"{kind.__module__}.{kind.__qualname__}", "frames": frames}
    if isinstance(error, OSError) or kind.__module__.startswith(SPEAKABLE):
        described["text"] = str(error)
    return described


def _of_journey(_logger: object, _method: str, event: EventDict) -> EventDict:
    """
    A journey is known to the gateway by its conversation id: a line about a ticket has it too. A record's key that is
    not UTF-8 is no ticket's, and is shown with its bytes escaped.
    """
    ticket_id = event.get("ticket_id")
    if not isinstance(ticket_id, str):
        return event
    shown = event["ticket_id"] = ticket_id.encode("utf-8", "backslashreplace").decode()
    if shown == ticket_id and "conversation_id" not in event:
        event["conversation_id"] = conversation_id(ticket_id)
    return event


def _writable(_logger: object, _method: str, line: Any) -> Any:
    """Whatever key a record has: no stream would take a line with bytes in it that are no text, so they are escaped."""
    return line if line.isascii() else line.encode("utf-8", "backslashreplace").decode()


def _named(service: str) -> Processor:
    def name(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return name


def _traced(ids: Callable[[], Mapping[str, str]]) -> Processor:
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        event.update(ids())
        return event

    return add


def _in_order(_logger: object, _method: str, event: EventDict) -> EventDict:
    """What a reader looks for first comes first; what is not known is not there."""
    first = {name: event[name] for name in FIRST if name in event}
    return first | {name: value for name, value in event.items() if value is not None and name not in first}


def _as_text(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Write the chain of exceptions as a person reads it, the first cause last."""
    chain = event.pop("exception", [])
    lines = [
        "\n  ".join([f"{error['type']}: {error.get('text', '(text not shown)')}", *error["frames"]]) for error in chain
    ]
    return {**event, "exception": "\ncaused by ".join(lines)} if lines else event


def _as_json(_logger: object, _method: str, event: EventDict) -> str:
    try:
        return msgspec.json.encode(event).decode()
    except UnicodeEncodeError:
        # msgspec takes no text that UTF-8 has no bytes for; json does, and `_writable` escapes it.
        return json.dumps(event, ensure_ascii=False)


def _renderer(settings: LogSettings, stream: TextIO) -> Processor:
    if settings.format == "console" or (settings.format == "auto" and stream.isatty()):
        console = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        return lambda logger, method, event: console(logger, method, _as_text(logger, method, event))
    return _as_json
