"""Where a dispatcher holds its calls, told by a file: the suite writes it, `held_dispatcher.py` obeys it."""

from enum import StrEnum
from pathlib import Path

HOLD, NAME = "CHAOS_HOLD", "CHAOS_NAME"


class Point(StrEnum):
    """Where a call is held."""

    BEFORE_THE_INTENT = "before-the-intent"
    BEHIND_THE_INTENT = "behind-the-intent"


class Hold:
    """The file that says who is held and where, and the one that says what was held."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._noted = file.with_suffix(".held")

    def put(self, name: str, point: Point) -> None:
        """Hold every call of this process at this point from now on."""
        self._noted.write_text("")
        self.file.write_text(f"{name} {point}")

    def lift(self) -> None:
        """Let everything go."""
        self.file.write_text("")

    def stands(self, name: str, point: Point) -> bool:
        """Whether this process is held at this point."""
        return self.file.read_text() == f"{name} {point}"

    def note(self, conversation_id: str, command: str) -> None:
        """Say that a call is held."""
        with self._noted.open("a") as noted:
            noted.write(f"{conversation_id} {command}\n")

    def held(self) -> set[tuple[str, str]]:
        """The conversation and the command of each call that was held since `put`."""
        lines = self._noted.read_text().splitlines() if self._noted.exists() else []
        return {(words[0], words[1]) for words in (line.split() for line in lines)}
