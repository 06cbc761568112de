"""
How commands speak: a table for people at a terminal, tab-separated lines for everything else, and errors on stderr.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; when nobody watches, one line per row, its cells separated by tabs, without the column names."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo("\t".join(row))
        return
    table = Table(*columns, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def fail(message: str, code: int = 1) -> NoReturn:
    """Print the message on stderr and end the command with this exit code."""
    typer.echo(message, err=True)
    raise typer.Exit(code)
