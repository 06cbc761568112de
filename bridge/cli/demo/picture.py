"""The live picture and the summary, drawn with rich. Nothing here decides or waits."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bridge.cli.demo.board import TicketView
from bridge.cli.demo.stories import Story
from bridge.cli.demo.ticketing import is_finished

# The narrowest terminal in which the story has a column beside the rest.
WIDE = 132
# Below this width, only what has come to a result is shown of a test, and no details of the processes.
NARROW = 100
# The narrowest one in which the summary repeats what was expected.
WIDE_SUMMARY = 110
BAR_WIDTH = 24
STYLE_OF_TEST = {"RED": "red", "AMBER": "yellow", "GREEN": "green"}


@dataclass(frozen=True)
class Part:
    """One process in the legend."""

    name: str
    detail: str
    running: bool


def live_picture(
    stories: Sequence[Story], views: Mapping[str, TicketView], parts: Iterable[Part], seconds: float, width: int
) -> RenderableType:
    """One row per ticket, how far all of it is, and the processes."""
    narrow = width < NARROW
    return Group(
        _tickets(stories, views, wide=width >= WIDE, narrow=narrow),
        _progress(stories, views, seconds, narrow=narrow),
        _legend(parts, narrow=narrow),
    )


def summary(
    stories: Sequence[Story], views: Mapping[str, TicketView], wrong: Mapping[str, Sequence[str]], width: int
) -> Table:
    """One row per ticket: what it shows, how it had to end, where there is room for that, and how it ended."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    wide = width >= WIDE_SUMMARY
    for heading in ("", "ticket", "what it shows", *(["expected"] if wide else []), "ended"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for story in stories:
        view, sentences = views[story.ticket_id], wrong.get(story.ticket_id, ())
        table.add_row(
            Text("✗", "bold red") if sentences else Text("✓", "bold green"),
            story.ticket_id,
            story.scenario.story,
            *([ending(story.expected.end, story.expected.test, story.expected.problem)] if wide else []),
            Text(ending(view.end, view.test, view.status), "red" if sentences else ""),
        )
    return table


def ending(end: object, test: str | None, problem: str | None) -> str:
    """How a ticket ended, in a few words: the journey's end, and the problem's where that says more."""
    words = str(end) if end is not None else "not at its end"
    details = [f"test {test}" if test else "", f"problem {problem}" if problem and problem != words else ""]
    told = ", ".join(detail for detail in details if detail)
    return f"{words} ({told})" if told else words


def _tickets(stories: Sequence[Story], views: Mapping[str, TicketView], *, wide: bool, narrow: bool) -> Table:
    """A line for each, however wide the screen is: a picture that is longer than the screen cannot be redrawn."""
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    for heading, ratio in (
        ("ticket", None),
        *((("story", 2),) if wide else ()),
        ("phase", None),
        ("test", None),
        ("problem", None),
        ("status", None),
        ("updated", None),
        ("for a person to do", 2),
    ):
        table.add_column(heading, ratio=ratio, no_wrap=True, overflow="ellipsis")
    for story in stories:
        view = views[story.ticket_id]
        cells = [view.ticket_id, *([story.scenario.story] if wide else []), *_cells(story, view, narrow=narrow)]
        table.add_row(*cells)
    return table


def _cells(story: Story, view: TicketView, *, narrow: bool) -> list[RenderableType]:
    test = "…" if narrow and view.test and view.test not in STYLE_OF_TEST else view.test
    updated = "" if view.updated_at is None else f"{view.updated_at.astimezone():%H:%M:%S}"
    return [
        Text(view.phase, _style_of_phase(story, view)),
        Text(test, STYLE_OF_TEST.get(view.test, "dim")),
        view.problem_id,
        view.status,
        Text(updated, "dim"),
        Text(view.to_do, "bold yellow") if view.to_do else Text(_doubt(view), "magenta"),
    ]


def _doubt(view: TicketView) -> str:
    return f"(is {view.in_doubt} taken?)" if view.in_doubt else ""


def _style_of_phase(story: Story, view: TicketView) -> str:
    if view.end is None:
        return "cyan" if view.journey is not None else "dim"
    return "green" if view.end is story.expected.end else "bold red"


def _progress(stories: Sequence[Story], views: Mapping[str, TicketView], seconds: float, *, narrow: bool) -> Table:
    finished = sum(is_finished(story, views[story.ticket_id]) for story in stories)
    sent = sum(len(view.sent) for view in views.values())
    told = sum(len(view.outcomes) + len(view.transitions) for view in views.values())
    grid = Table.grid(padding=(0, 1))
    counts = f" · {told} outcomes and transitions told" if not narrow else ""
    grid.add_row(
        ProgressBar(total=len(stories), completed=finished, width=BAR_WIDTH),
        f"{finished} of {len(stories)} tickets at their end · {sent} events sent{counts} · {seconds:.0f} s",
    )
    return grid


def _legend(parts: Iterable[Part], *, narrow: bool) -> Text:
    text = Text(overflow="fold")
    for part in parts:
        text.append("● " if part.running else "✗ ", "green" if part.running else "bold red")
        text.append(part.name, "" if part.running else "bold red")
        text.append("   " if narrow else f" {part.detail}   ", "dim")
    return text
