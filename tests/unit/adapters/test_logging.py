import json
import logging
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from bridge.adapters.logging import LONGEST_TEXT, MASK, REFUSED, Repetition, configure, secrets_in
from bridge.domain.entities import Entity
from bridge.ports import PublishFailed
from bridge.settings import LogSettings, SchemaSettings
from bridge.settings.groups import LogFormat
from tests.webhook_doubles import Stopwatch

SECRET = "s3cr3t-phrase"


class Log:
    """What was written, line by line."""

    def __init__(self) -> None:
        self.stream = StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        (line,) = self.lines
        return line


@pytest.fixture
def log() -> Iterator[Log]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    levels = {name: logging.getLogger(name).level for name in ("aiokafka", "uvicorn")}
    log = Log()
    configure(LogSettings(level="DEBUG"), service="ingester", stream=log.stream, secrets=[SECRET, "abc"])
    yield log
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def test_an_event_is_one_json_object_with_time_level_and_service(log: Log) -> None:
    structlog.get_logger("bridge.x").info("request answered", status=200, seconds=timedelta(seconds=2))

    line = log.line
    datetime.fromisoformat(line.pop("timestamp"))
    assert line == {
        "event": "request answered",
        "level": "info",
        "logger": "bridge.x",
        "service": "ingester",
        "status": 200,
        "seconds": 2.0,
    }


def test_what_libraries_log_takes_the_same_form(log: Log) -> None:
    logging.getLogger("uvicorn.error").warning("Invalid %s request", "HTTP")
    logging.getLogger("aiokafka").info("joined")

    assert [(line["logger"], line["level"], line["event"], line["service"]) for line in log.lines] == [
        ("uvicorn.error", "warning", "Invalid HTTP request", "ingester"),
        ("aiokafka", "info", "joined", "ingester"),
    ]


def test_the_debug_lines_of_libraries_that_show_records_are_never_written(log: Log) -> None:
    logging.getLogger("aiokafka.producer.producer").debug("Sending (key=%s value=%s)", b"k", b"Ada Lovelace")

    assert log.text == ""


def test_a_warning_of_python_is_logged(log: Log) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("this will end", DeprecationWarning, stacklevel=1)

    assert log.line["logger"] == "py.warnings"


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "sasl_password",
        "client_secret",
        "clientSecret",
        "access_token",
        "Authorization",
        "Set-Cookie",
        "api_key",
    ],
)
def test_a_field_that_names_a_secret_is_masked(log: Log, name: str) -> None:
    structlog.get_logger().info("x", **{name: "opensesame"}, nested={name: ["opensesame"]})

    assert log.line[name] == MASK
    assert "opensesame" not in log.text


@pytest.mark.parametrize(
    "text",
    [
        f"connecting with {SECRET}",
        "Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.e30.opensesame",
        "authorization=Basic b3BlbnNlc2FtZQ==",
        "GET https://user:opensesame@registry.example/subjects",
        "POST /token?client_secret=opensesame&x=1",
        "grant_type=client_credentials&password=opensesame",
    ],
)
def test_a_secret_inside_a_text_is_masked(log: Log, text: str) -> None:
    structlog.get_logger().info(text, where=text)
    logging.getLogger("some.library").info("%s", text)

    assert len(log.lines) == 2
    for secret in (SECRET, "opensesame", "b3BlbnNlc2FtZQ"):
        assert secret not in log.text


def test_ordinary_words_are_left_alone(log: Log) -> None:
    structlog.get_logger().info("Basic authentication failed", url="https://gateway.example/v1?a=b", short="abcdef")

    assert log.line["event"] == "Basic authentication failed"
    assert log.line["url"] == "https://gateway.example/v1?a=b"
    assert log.line["short"] == "abcdef"


def test_secrets_are_found_in_settings() -> None:
    settings = SchemaSettings(registry_url="http://x", registry_username="u", registry_password=SecretStr(SECRET))

    assert secrets_in(settings, LogSettings()) == (SECRET,)


@pytest.mark.parametrize(
    "name",
    ["notes", "primary_contact", "primaryContact", "phoneNumber", "email", "hazards", "address", "body", "entity"],
)
def test_a_field_that_names_personal_data_is_refused(log: Log, name: str) -> None:
    structlog.get_logger().info("x", **{name: "Ada Lovelace"}, nested=[{name: {"a": "Ada Lovelace"}}])

    assert log.line[name] == REFUSED
    assert "Ada" not in log.text


def test_a_record_is_never_shown_by_its_content(log: Log) -> None:
    entity = Entity(type="SERVICE_PROBLEM", id="1", other='{"notes":"Ada Lovelace"}')

    structlog.get_logger().info("x", thing=entity, things=[entity], raw=b"Ada Lovelace")

    assert (log.line["thing"], log.line["things"], log.line["raw"]) == ("<Entity>", ["<Entity>"], "<bytes>")
    assert "Ada" not in log.text


def test_a_long_text_is_cut(log: Log) -> None:
    structlog.get_logger().info("x", text="a" * (LONGEST_TEXT + 1))

    assert log.line["text"].endswith(f"… ({LONGEST_TEXT + 1} characters)")
    assert len(log.line["text"]) < LONGEST_TEXT + 40


def fail(error: Exception) -> None:
    try:
        try:
            raise error
        except type(error) as first:
            raise PublishFailed("Kafka did not confirm the record within 10 s") from first
    except PublishFailed:
        structlog.get_logger("bridge.x").exception("could not publish")


def test_an_exception_tells_its_chain_and_places_and_only_texts_that_hold_no_data(log: Log) -> None:
    fail(ValueError("Ada Lovelace does not fit"))

    outer, inner = log.line["exception"]
    assert outer["type"] == "bridge.ports.PublishFailed"
    assert outer["text"] == "Kafka did not confirm the record within 10 s"
    assert inner["type"] == "builtins.ValueError"
    assert "text" not in inner
    assert any("test_logging.py" in frame and frame.endswith(" fail") for frame in inner["frames"])
    assert "Ada" not in log.text


def test_an_error_of_the_operating_system_is_told_in_full(log: Log) -> None:
    fail(ConnectionRefusedError(111, "Connection refused"))

    assert log.line["exception"][1]["text"] == "[Errno 111] Connection refused"


def test_exceptions_that_libraries_log_are_treated_alike(log: Log) -> None:
    try:
        dict[str, str]()["Ada Lovelace"]
    except KeyError:
        logging.getLogger("faust").exception("Crashed")

    assert log.line["exception"][0]["type"] == "builtins.KeyError"
    assert "Ada" not in log.text


def said(name: str, text: str) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "", 1, text, None, None)


def test_what_a_library_repeats_is_left_out_and_counted() -> None:
    stopwatch = Stopwatch()
    repetition = Repetition(stopwatch)
    shown = []
    for _ in range(25):
        for name, text in (("aiokafka", "no broker"), ("aiokafka", "other"), ("bridge.x", "no broker")):
            record = said(name, text)
            if repetition.filter(record):
                shown.append((name, record.getMessage()))
        stopwatch.seconds += 1

    assert shown.count(("bridge.x", "no broker")) == 25
    assert [text for name, text in shown if name == "aiokafka"] == [
        "no broker",
        "other",
        *("no broker (and 9 times more in between)", "other (and 9 times more in between)") * 2,
    ]


def test_the_level_is_kept(log: Log) -> None:
    stream = StringIO()
    configure(LogSettings(level="WARNING"), service="ingester", stream=stream)

    structlog.get_logger("bridge.x").info("quiet")
    logging.getLogger("aiokafka").info("quiet")
    structlog.get_logger("bridge.x").warning("loud")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["loud"]


class Terminal(StringIO):
    """What says that a person reads it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("chosen", "stream", "is_json"),
    [("auto", StringIO, True), ("auto", Terminal, False), ("json", Terminal, True), ("console", StringIO, False)],
)
def test_a_terminal_gets_text_unless_json_is_asked_for(
    log: Log, chosen: str, stream: type[StringIO], *, is_json: bool
) -> None:
    written = stream()
    configure(LogSettings.model_validate({"format": chosen}), service="ingester", stream=written)

    structlog.get_logger("bridge.x").info("hello")

    assert written.getvalue().startswith("{") is is_json


def test_a_console_gets_plain_lines_under_the_same_rules(log: Log) -> None:
    stream = StringIO()
    configure(LogSettings(format="console"), service="ingester", stream=stream, secrets=[SECRET])

    structlog.get_logger("bridge.x").info(f"hello {SECRET}", notes="Ada Lovelace", at=datetime(2026, 11, 2, tzinfo=UTC))

    assert f"hello {MASK}" in stream.getvalue()
    assert "2026-11-02T00:00:00+00:00" in stream.getvalue()
    assert "Ada" not in stream.getvalue()


def test_a_console_shows_an_exception(log: Log) -> None:
    stream = StringIO()
    configure(LogSettings(format="console"), service="ingester", stream=stream)

    fail(ValueError("Ada Lovelace"))

    assert "bridge.ports.PublishFailed" in stream.getvalue()
    assert "Ada" not in stream.getvalue()


def test_a_line_about_a_key_that_is_not_utf_8_is_written_with_its_bytes_escaped(log: Log) -> None:
    structlog.get_logger("x").warning("dead letter", ticket_id=b"T-\xff".decode("utf-8", "surrogateescape"))

    assert log.line["ticket_id"] == "T-\\udcff"
    assert "conversation_id" not in log.line


@pytest.mark.parametrize("form", list(LogFormat))
def test_every_line_can_be_written_as_utf_8(log: Log, form: LogFormat) -> None:
    stream = StringIO()
    configure(LogSettings(format=form), service="tracker", stream=stream)

    structlog.get_logger("x").warning("dead letter", entity_key=b"T-\xff".decode("utf-8", "surrogateescape"))

    assert b"udcff" in stream.getvalue().encode("utf-8")


class Broken(StringIO):
    """A stream that takes nothing any more, as on a disk that is full."""

    def write(self, _text: str) -> int:
        raise OSError("no space left")


def test_a_stream_that_takes_nothing_does_not_make_the_one_who_logs_fail(log: Log) -> None:
    configure(LogSettings(), service="tracker", stream=Broken())

    structlog.get_logger("bridge.x").warning("dead letter")


class Unshowable(dict[str, int]):
    """A value that fails whoever looks into it."""

    def items(self) -> Any:
        return 1 / 0


def test_a_line_that_cannot_be_made_says_so(log: Log) -> None:
    structlog.get_logger("bridge.x").info("x", thing=Unshowable())

    assert log.text == "a line of bridge.x could not be written: ZeroDivisionError\n"
