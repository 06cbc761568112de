"""`bridge config`: the settings there are, and whether this environment can be used."""

import os
from typing import Annotated

import typer
from pydantic_core import PydanticUndefined

from bridge.settings import GROUPS, PREFIX, Group, SettingsError, read

app = typer.Typer(
    name="config", help="The settings there are, and whether this environment can be used.", no_args_is_help=True
)


@app.command("table")
def table() -> None:
    """Print every setting as a Markdown table; docs/settings.md is made of it."""
    typer.echo(settings_table(), nl=False)


@app.command("check")
def check(
    groups: Annotated[
        list[str] | None, typer.Argument(help="Groups to read, such as KAFKA GATEWAY; default: all.")
    ] = None,
) -> None:
    """Read the environment and tell every problem. Exit code 2: it cannot be used."""
    try:
        read(os.environ, *(name.upper() for name in groups or GROUPS))
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    typer.echo("The settings can be used.")


def settings_table() -> str:
    """All groups, one table each, in the order in which they are read."""
    lines: list[str] = []
    for name, group in GROUPS.items():
        about = (group.__doc__ or "").split(": ", 1)[-1].strip()
        lines += [f"## {PREFIX}{name}", "", f"{about[:1].upper()}{about[1:]}", ""]
        lines += ["| variable | default | meaning |", "|---|---|---|", *_rows(name, group), ""]
    return "\n".join(lines)


def _rows(name: str, group: type[Group]) -> list[str]:
    rows = []
    for field, info in group.model_fields.items():
        default = "**required**" if info.default is PydanticUndefined else _shown(info.default)
        rows.append(f"| `{PREFIX}{name}_{field.upper()}` | {default} | {info.description} |")
    return rows


def _shown(value: object) -> str:
    if value in (None, (), ""):
        return ""
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    if hasattr(value, "total_seconds"):
        return f"`{value.total_seconds():g}`"
    return f"`{getattr(value, 'value', value)}`"
