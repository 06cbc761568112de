"""What `bridge dead-letters` and `bridge quarantine` refuse before they look at a cluster, and what they show."""

from datetime import UTC, datetime, timedelta

import pytest
import typer
from typer.testing import CliRunner

from bridge.cli import app
from bridge.cli.dead_letter_screen import lines, reads_as, row, told
from bridge.cli.letter_options import content_text, decision_line, moment
from bridge.cli.quarantine import MAX_DEPTH, Judged, StillNoKci, content_of
from bridge.domain.dead_letters import DeadLetterChoice, Header
from bridge.domain.letters import LetterState, Telling
from bridge.domain.replay import Obstacle, Replay, Withheld
from tests.builders import NOW, PERSONAL, a_report, an_event
from tests.letters import a_decision, a_letter, a_quarantined
from tests.schema_examples import codec_without_registry

WHY = ("--why", "schema registered")
NO_CLUSTER = {"BRIDGE_KAFKA_BOOTSTRAP_SERVERS": None}
JUDGED = Judged(max_depth=MAX_DEPTH, skip_headers=False)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("dead-letters", "replay", *WHY), "say which: by --id, by another filter, or --all"),
        (("dead-letters", "discard", *WHY), "say which: by --id, by another filter, or --all"),
        (("quarantine", "replay", *WHY), "say which: by --id, by another filter, or --all"),
        (("quarantine", "discard", *WHY), "say which: by --id, by another filter, or --all"),
        (("dead-letters", "replay", "--all"), "say --why: the decision is kept"),
        (("dead-letters", "discard", "--all", "--why", "  "), "say --why: the decision is kept"),
        (("dead-letters", "show", "x-1-1", "--show-content"), "say --why: the decision is kept"),
        (("quarantine", "show", "q-1", "--show-content"), "say --why: the decision is kept"),
        (("quarantine", "discard", "--all"), "say --why: the decision is kept"),
        (("dead-letters", "replay", "--all", *WHY, "--by", ""), "say --by: the decision is kept with the name"),
        (("dead-letters", "list", "--reason", "BAD"), "no reason BAD; there are: UNDECODABLE, UNKNOWN_SCHEMA,"),
        (("quarantine", "list", "--reason", "BAD"), "no reason BAD; there are: NOT_JSON, NOT_A_KCI,"),
        (("dead-letters", "list"), "BRIDGE_KAFKA_BOOTSTRAP_SERVERS"),
        (("quarantine", "list"), "BRIDGE_KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
def test_what_is_not_said_is_asked_for(arguments: tuple[str, ...], sentence: str) -> None:
    result = CliRunner().invoke(app, arguments, env=NO_CLUSTER)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-03-02T09:00:00Z", NOW),
        ("2026-03-02T10:00+01:00", NOW),
    ],
)
def test_a_time_is_read_with_its_offset(text: str, time: datetime) -> None:
    assert moment(text) == time


@pytest.mark.parametrize(
    ("text", "ago"), [("90m", timedelta(minutes=90)), ("2h", timedelta(hours=2)), ("3d", timedelta(days=3))]
)
def test_a_time_may_be_told_as_how_long_ago(text: str, ago: timedelta) -> None:
    assert abs(datetime.now(UTC) - ago - moment(text)) < timedelta(seconds=10)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-02T09:00:00", "2h ago", "-2h", "9999999999d"])
def test_any_other_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"give a time such as 2026-03-02T09:30:00Z"):
        moment(text)


def test_nothing_that_a_letter_holds_is_on_the_screen_unless_it_is_asked_for() -> None:
    event = an_event(a_report())
    value = codec_without_registry().encode("fault-tickets", event)
    letter = a_letter(value=value, headers=(Header(name="note", value=PERSONAL[4].encode()), Header.of("unset", None)))
    reading = Telling(kind="FaultTicketEvent", key=b"TT-1", ticket_id="TT-1", supplier="OPENWORLD")

    plain = "\n".join((*row(letter, LetterState.OPEN), *lines(letter, LetterState.OPEN, reading, content=False)))
    asked = "\n".join(lines(letter, LetterState.OPEN, reading, content=True))

    assert [word for word in PERSONAL if word in plain] == []
    assert "headers: note, unset" in plain
    assert f"value: {len(value)} bytes" in plain
    assert "decodes now: yes, a FaultTicketEvent of ticket TT-1, key TT-1" in plain
    assert f"header note: {PERSONAL[4]}" in asked
    assert "header unset: none" in asked


def test_what_a_letter_would_do_is_one_line_with_the_reason() -> None:
    letter = a_letter()
    stays = Withheld(letter=letter, obstacle=Obstacle.ORDER, why="x comes before it")
    goes = Replay(letter=letter, key=b"TT-1", partition=4, headers=(), timestamp=NOW)

    assert told(stays) == "fault-tickets-3-7\tstays\tORDER: x comes before it"
    assert told(goes) == "fault-tickets-3-7\twould go\tfault-tickets partition 4 with the key TT-1"


def test_a_terminal_obeys_nothing_that_a_record_holds() -> None:
    letter = a_letter(key=b"\x1b[2J", error="\x1b]0;title\x07")
    reading = Telling(kind="FaultTicketEvent", key=b"\x1b[2J", ticket_id="\x1b[2J", supplier=None)
    decision = a_decision("x", DeadLetterChoice.DISCARDED, why="\x1b[31m", decided_by="\x07")

    shown = [*row(letter, LetterState.OPEN), reads_as(reading), decision_line(decision), content_text(b"\x1b[2J\xff\n")]

    assert [text for text in shown if "\x1b" in text or "\x07" in text] == []


def test_a_decision_tells_who_why_and_where_it_went() -> None:
    replayed = a_decision(
        "x", DeadLetterChoice.REPLAYED, replay_topic="fault-tickets", replay_partition=3, replay_offset=90
    )

    assert decision_line(replayed) == (
        "2026-03-02 09:00:00 REPLAYED by j.whitlock -> fault-tickets partition 3 offset 90: schema registered"
    )


def test_a_delivery_is_judged_as_the_webhook_judges_one() -> None:
    body = b'{"id": 1}'
    without_headers = a_quarantined(body, headers=(Header(name="content-type", value=b"application/json"),))

    assert content_of(a_quarantined(body), JUDGED) == {"id": 1}
    assert content_of(without_headers, Judged(max_depth=MAX_DEPTH, skip_headers=True)) == {"id": 1}
    with pytest.raises(StillNoKci, match="required header missing or empty: X-Request-ID, X-Conversation-ID"):
        content_of(without_headers, JUDGED)
    with pytest.raises(StillNoKci, match="only its first 9 bytes were kept"):
        content_of(a_quarantined(body, truncated=True), JUDGED)
    with pytest.raises(StillNoKci, match="not JSON"):
        content_of(a_quarantined(f'{{"note": "{PERSONAL[0]}"'.encode()), JUDGED)
    deep = b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)
    with pytest.raises(StillNoKci, match=f"deeper than {MAX_DEPTH} levels"):
        content_of(a_quarantined(deep), JUDGED)
    assert content_of(a_quarantined(deep), Judged(max_depth=MAX_DEPTH + 1, skip_headers=False))
