"""What is seen of the demo: in a terminal of any size, and where there is none."""

import io
import time

import pytest
from rich.console import Console, RenderableType

from bridge.cli.demo import TICKETS
from bridge.cli.demo.board import Board
from bridge.cli.demo.displays import PlainDisplay
from bridge.cli.demo.picture import Part, live_picture, summary
from bridge.cli.demo.stories import Story, load_stories
from bridge.domain.journeys import CommandState, PendingCommand
from bridge.domain.outcomes import CommandName
from tests.builders import NOW
from tests.demo_records import TICKET, a_journey, a_story, an_action, an_ended_journey

PARTS = (Part("kafka", "127.0.0.1:19092", running=True), Part("tracker", "4711", running=False))
UNKNOWN = PendingCommand(
    command_id="c", command=CommandName.RAISE_PROBLEM, state=CommandState.UNKNOWN, attempts=1, not_before=NOW
)


def drawn(picture: RenderableType, width: int = 120) -> list[str]:
    console = Console(width=width, file=io.StringIO(), force_terminal=False, record=True)
    console.print(picture)
    return console.export_text().rstrip("\n").splitlines()


def picture_of(story: Story, board: Board, width: int = 120) -> list[str]:
    return drawn(live_picture([story], board.views, PARTS, 12.0, width), width)


def test_a_row_tells_phase_test_problem_status_time_and_what_to_do() -> None:
    board = Board([TICKET])
    board.apply(a_journey(problem_status="RESOLVED"))
    board.apply(an_action("CONFIRM"))

    row = picture_of(a_story(), board)[1]

    assert row.split() == [
        TICKET,
        "OPEN",
        "RED",
        "9",
        "RESOLVED",
        f"{NOW.astimezone():%H:%M:%S}",
        *(["accept", "or", "reject", "the", "repair"]),
    ]


def test_a_command_in_doubt_and_a_dead_process_are_seen() -> None:
    board = Board([TICKET])
    board.apply(a_journey(pending=UNKNOWN))

    lines = picture_of(a_story(), board)

    assert "(is RAISE_PROBLEM taken?)" in lines[1]
    assert "0 of 1 tickets at their end" in lines[2]
    assert "● kafka" in lines[3]
    assert "✗ tracker" in lines[3]


@pytest.mark.parametrize("width", [80, 100, 132, 200])
def test_all_tickets_fit_a_screen_of_24_lines(width: int) -> None:
    stories = load_stories(TICKETS)
    board = Board(story.ticket_id for story in stories)
    for story in stories:
        board.apply(a_journey(story.ticket_id, problem_status="PENDING_CANCELLATION", test_result=None))
        board.apply(an_action("INFORMATION_REQUIRED", ticket_id=story.ticket_id))

    lines = drawn(live_picture(stories, board.views, PARTS, 99.0, width), width)

    assert len(lines) < 24
    assert all(len(line) <= width for line in lines)
    assert all("PENDING_CANCELLATION" in line and "answer" in line for line in lines[1 : len(stories) + 1])


def test_the_summary_marks_what_ended_otherwise() -> None:
    board = Board([TICKET, "FLT-2"])
    board.apply(an_ended_journey())
    stories = [a_story(), a_story(ticket="FLT-2")]

    lines = drawn(summary(stories, board.views, {"FLT-2": ["did not end"]}, 120), 120)

    assert lines[1].split() == ["✓", TICKET, "a", "story", *(["COMPLETED", "(test", "RED)"] * 2)]
    assert lines[2].startswith("✗  FLT-2")
    assert lines[2].rstrip().endswith("not at its end")


def test_without_a_terminal_each_change_is_one_line_and_nothing_is_repeated() -> None:
    lines: list[str] = []
    display = PlainDisplay(lines.append, time.monotonic())
    board = Board([TICKET])
    display.start()
    board.apply(a_journey(problem_status="RESOLVED"))
    display.show(board)
    display.show(board)
    board.apply(an_action("CONFIRM"))
    display.note("kill -9")
    display.stop()
    display.stop()

    assert [line.partition(" s  ")[2] for line in lines] == [
        f"{TICKET}  OPEN · test RED · problem 9 RESOLVED",
        "kill -9",
        f"{TICKET}  OPEN · test RED · problem 9 RESOLVED · to do: accept or reject the repair",
    ]
    assert "\x1b" not in "".join(lines)


def test_records_of_other_tickets_are_passed_over() -> None:
    board = Board([TICKET])

    assert board.apply(a_journey("FLT-2")) is None
    assert board.views[TICKET].journey is None
