"""The one entry point: `python -m bridge`, and the `bridge` command."""

import os
import signal
import sys
from types import FrameType

# The commands that run until a signal ends them. Any other command that is ended by a signal did not do its work, and
# dies of the signal, as programs do.
SERVICES = ("run", "simulator")


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] and sys.argv[1] in SERVICES:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _end)
    # After that: to import everything takes a second, in which a signal may come.
    from bridge.cli import app  # noqa: PLC0415

    app()


def _end(_number: int, _frame: FrameType | None) -> None:
    """
    End a service that was told to stop while it was still starting: as asked, so with 0.

    It has taken nothing on yet that it could lose, and whoever stops it is not to wait for what it was about to do.
    Once it has, its event loop has handlers of its own in the place of this one.
    """
    os._exit(0)


if __name__ == "__main__":
    main()
