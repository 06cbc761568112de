"""`bridge metrics`: the page docs/metrics.md, made from the table of metrics."""

from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.metrics_page import metrics_page
from bridge.cli.screen import fail

PAGE = Path("docs", "metrics.md")

app = typer.Typer(name="metrics", help="The metrics that the services expose.", no_args_is_help=True)


@app.callback()
def metrics() -> None:
    """The metrics that the services expose."""


@app.command()
def docs(page: Annotated[Path, typer.Option(help="The file to write.")] = PAGE) -> None:
    """Write the page with every metric, its type, its labels and its meaning."""
    try:
        page.write_text(metrics_page(), encoding="utf-8")
    except OSError as error:
        fail(f"{page} cannot be written: {error.strerror}. Give a file in a directory that exists, with --page.")
    typer.echo(f"{page} is written.")
