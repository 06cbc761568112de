"""
How commands speak: a table for people at a terminal, tab-separated lines or JSON for everything else, errors on stderr.

Exit codes are the same for every command: 0, FOUND and UNUSABLE (docs/cli.md).
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Something was found or is left to do, or cannot be done now: somebody or something outside has to change.
FOUND = 1
# The command or the environment cannot be used as it is: nothing was done, and trying again will not help.
UNUSABLE = 2

# How wide a table is where there is no terminal to fit.
WIDTH = 160


class Output(StrEnum):
    """For whom a command writes its result."""

    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[
    Output | None,
    typer.Option("--output", "-o", help="Default: a table at a terminal, else lines with tabs between the cells."),
]


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]], output: Output | None = None) -> None:
    """
    Print a table, or with JSON a list of objects whose members are the columns.

    Unless a form is asked for and when nobody watches: one line per row, its cells separated by tabs, without the names
    of the columns.
    """
    if output is Output.JSON:
        names = [column.replace(" ", "_") for column in columns]
        show_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    if output is None and not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(row))
        return
    table = Table(*columns, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table)


def show_json(value: Any) -> None:
    """Print a value as JSON that people can read too."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


@contextmanager
def working(on_what: str) -> Iterator[None]:
    """Show that work is under way, on stderr and only to a person at a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    with Console(stderr=True).status(on_what):
        yield


def fail(message: str, code: int = FOUND) -> NoReturn:
    """Print the message on stderr and end the command with this exit code."""
    typer.echo(message, err=True)
    raise typer.Exit(code)
