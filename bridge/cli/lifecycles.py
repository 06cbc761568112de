"""`bridge lifecycles`: the page docs/lifecycles.md, drawn from the tables that the tracker judges by."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.screen import fail
from bridge.domain.lifecycle import LIFECYCLES, Lifecycle, Row, Standing

PAGE = Path("docs", "lifecycles.md")
INTRODUCTION = """\
# Lifecycles

Drawn by `bridge lifecycles draw` from `bridge/domain/lifecycle.py`; change that file, not this page.

The gateway is the authority on its own tests and problems. A table judges a move, it forbids none:

| the move | verdict | what the tracker does |
|---|---|---|
| is in the table, or is the first word of an entity | EXPECTED | applies it |
| is not in the table, out of a live status | UNLISTED | applies it, flags it, and has it confirmed by a GET |
| is not in the table, out of an end | AFTER_END | flags it, never applies it, and has it checked by a GET once |
| was told by a KCI with a lower sequence number than the newest | LATE | keeps it as history |

The same status again is no move. A status that no table lists is live, and moves into and out of it are judged like any
other. Where a problem "returns to its previous status", every status that can be meant is listed.

How well founded a row is: **stated** by the contract's pages, **orders**: stated there for orders and taken to hold
here too, or **inferred** from names, lists and the supplier's side. An arrow without a word is stated.
"""
WORDS = {Standing.STATED: "stated", Standing.STATED_FOR_ORDERS: "orders", Standing.INFERRED: "inferred"}

app = typer.Typer(name="lifecycles", help="The lifecycles of tests, problems and requests.", no_args_is_help=True)


@app.callback()
def lifecycles() -> None:
    """The lifecycles of tests, problems and requests."""


@app.command()
def draw(page: Annotated[Path, typer.Option(help="The file to write.")] = PAGE) -> None:
    """Write the page with the diagrams and tables of all lifecycles."""
    try:
        page.write_text(lifecycles_page(), encoding="utf-8")
    except OSError as error:
        fail(f"{page} cannot be written: {error.strerror}. Give a file in a directory that exists, with --page.")
    typer.echo(f"{page} is drawn.")


def lifecycles_page() -> str:
    """The page, as Markdown with Mermaid diagrams."""
    return "\n".join((INTRODUCTION, *(line for lifecycle in LIFECYCLES for line in _section(lifecycle))))


def _section(lifecycle: Lifecycle) -> Iterator[str]:
    yield f"## {lifecycle.title}"
    yield ""
    yield f"Contract section {lifecycle.section}. Ends: {_ends(lifecycle)}."
    yield ""
    yield "```mermaid"
    yield from _diagram(lifecycle)
    yield "```"
    yield ""
    yield "| from | to | | source |"
    yield "|---|---|---|---|"
    for (from_status, standing, source), rows in groupby(lifecycle.rows, _origin):
        to = ", ".join(row.to_status for row in rows)
        yield f"| {from_status or '(first)'} | {to} | {WORDS[standing]} | {source} |"
    yield ""


def _origin(row: Row) -> tuple[str | None, Standing, str]:
    return row.from_status, row.standing, row.source


def _ends(lifecycle: Lifecycle) -> str:
    return ", ".join(f"{status} ({WORDS[standing]})" for status, standing in lifecycle.terminal.items())


def _diagram(lifecycle: Lifecycle) -> Iterator[str]:
    yield "stateDiagram-v2"
    for row in lifecycle.rows:
        label = "" if row.standing is Standing.STATED else f" : {WORDS[row.standing]}"
        yield f"    {row.from_status or '[*]'} --> {row.to_status}{label}"
    for status in lifecycle.terminal:
        yield f"    {status} --> [*]"
