"""How the demo is watched: a live picture in a terminal, or one line per change everywhere else."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from rich.console import Console
from rich.live import Live

from bridge.cli.demo.board import Board
from bridge.cli.demo.picture import Part, live_picture
from bridge.cli.demo.stories import Story

REFRESH_SECONDS = 0.25


class Display(Protocol):
    """What the play tells whoever watches it."""

    def start(self) -> None:
        """Begin."""

    def show(self, board: Board) -> None:
        """Show the tickets as they stand."""

    def note(self, text: str) -> None:
        """Tell something that happened beside the tickets."""

    def stop(self) -> None:
        """End; what was shown last stays on the screen."""


class LiveDisplay:
    """A table that is redrawn in its place."""

    def __init__(
        self, console: Console, stories: Sequence[Story], parts: Callable[[], Iterable[Part]], began: float
    ) -> None:
        self._console = console
        self._stories = stories
        self._parts = parts
        self._began = began
        self._live = Live(console=console, auto_refresh=False, screen=False, transient=False)
        self._drawn = 0.0
        self._board: Board | None = None

    def start(self) -> None:
        """Begin."""
        self._live.start()

    def show(self, board: Board) -> None:
        """Redraw, but not more often than an eye can follow."""
        self._board = board
        if time.monotonic() - self._drawn >= REFRESH_SECONDS:
            self._draw(board)

    def note(self, text: str) -> None:
        """Print a line above the table."""
        self._live.console.print(text, style="bold", highlight=False, markup=False)

    def stop(self) -> None:
        """Draw once more, so that the last picture is the last state, and end."""
        if self._board is not None:
            self._draw(self._board)
        self._live.stop()

    def _draw(self, board: Board) -> None:
        self._drawn = time.monotonic()
        seconds = self._drawn - self._began
        picture = live_picture(self._stories, board.views, self._parts(), seconds, self._console.width)
        self._live.update(picture, refresh=True)


class PlainDisplay:
    """A line for each ticket that changed, with the seconds since the start; no control codes."""

    def __init__(self, say: Callable[[str], None], began: float) -> None:
        self._say = say
        self._began = began
        self._shown: dict[str, str] = {}
        self._board: Board | None = None
        self._told = 0.0

    def start(self) -> None:
        """Begin."""

    def show(self, board: Board) -> None:
        """Tell what changed; changes at the same moment, which come on several topics, make one line."""
        self._board = board
        if time.monotonic() - self._told >= REFRESH_SECONDS:
            self._told = time.monotonic()
            self._tell_changes(board)

    def note(self, text: str) -> None:
        """Tell it."""
        self._tell(text)

    def stop(self) -> None:
        """Tell what is left, and end."""
        if self._board is not None:
            self._tell_changes(self._board)

    def _tell_changes(self, board: Board) -> None:
        for ticket, view in board.views.items():
            line = view.line()
            if line != self._shown.get(ticket, ""):
                self._shown[ticket] = line
                self._tell(f"{ticket}  {line}")

    def _tell(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")
