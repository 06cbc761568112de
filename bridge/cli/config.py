"""`bridge config`: the settings there are, what this environment makes of them, and whether it can be used."""

import asyncio
import logging
import os
from collections.abc import Iterator
from typing import Annotated

import structlog
import typer

from bridge.cli.config_checks import GROUPS_OF, Check, Verdict, offline_checks, online_checks, settled
from bridge.cli.screen import UNUSABLE, OutputOption, fail, show_table, working
from bridge.settings import GROUPS, PREFIX, Setting, Settings, SettingsError, Source, read, settings_of
from bridge.topics import Party

app = typer.Typer(
    name="config",
    help="The settings there are, what this environment makes of them, and whether it can be used.",
    no_args_is_help=True,
)

INTRODUCTION = """\
# Settings

Made from `bridge/settings/groups.py` by `bridge config table`; change that file, not this page.

Every setting of the services is an environment variable. A secret may instead be kept in a file, as Kubernetes mounts
it, whose path is in `<variable>_FILE`. `bridge config check` tells every problem of an environment at once, a misspelt
name among them; `bridge config show` tells where each value comes from.
"""
Groups = Annotated[list[str] | None, typer.Argument(help="Groups to read, such as KAFKA GATEWAY; default: all.")]


@app.command("table")
def table() -> None:
    """Print docs/settings.md: every setting with its type, unit, default and an example."""
    typer.echo(settings_page(), nl=False)


@app.command("show")
def show(groups: Groups = None, output: OutputOption = None) -> None:
    """
    Show every setting with its value and where that comes from; secrets are masked.

    Exit code 2: the environment cannot be used; all of its problems are told after what can be read.
    """
    names = _named(groups)
    problems: list[str] = []
    rows = [row for name in names for row in _rows_of(name, problems)]
    show_table(("variable", "value", "source"), rows, output)
    if problems:
        fail("\n".join(dict.fromkeys(problems)), UNUSABLE)


@app.command("check")
def check(
    groups: Groups = None,
    *,
    service: Annotated[
        Party | None, typer.Option(help="Check all that this service needs to start and to work.")
    ] = None,
    connect: Annotated[
        bool,
        typer.Option("--connect", help="Also ask the brokers, the registry, the gateway and where the keys are."),
    ] = False,
    output: OutputOption = None,
) -> None:
    """
    Read the environment and tell every problem, one line a check: what it is, where, and how to mend it.

    With --connect it also asks everything outside whether it can be used. Exit code 1: something outside is not as it
    must be; 2: a setting is wrong.
    """
    if service is not None and groups:
        fail("say --service or groups, not both", UNUSABLE)
    if service is not None and service not in GROUPS_OF:
        fail(f"{service} is no service with settings; there are: {', '.join(GROUPS_OF)}", UNUSABLE)
    names = list(GROUPS_OF[service]) if service is not None else _named(groups)
    # What the parts log of their failures is in the checks.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    checks = _checks(names, service, connect=connect)
    show_table(("check", "verdict", "what was found"), [(c.name, c.verdict.value, c.said) for c in checks], output)
    if code := settled(checks):
        raise typer.Exit(code)


def _checks(names: list[str], service: Party | None, *, connect: bool) -> list[Check]:
    try:
        settings = read(os.environ, *names)
    except SettingsError as error:
        found = [problem.partition(": ") for problem in error.problems]
        checks = [Check(variable, Verdict.UNUSABLE, said) for variable, _, said in found]
        return (
            [*checks, Check("connections", Verdict.SKIPPED, "not tried before these are mended")] if connect else checks
        )
    checks = [Check("settings", Verdict.OK, f"{', '.join(names)} can be used"), *offline_checks(settings, service)]
    if connect:
        with working("asking all that these settings name"):
            checks += asyncio.run(_online(settings, service))
    return checks


async def _online(settings: Settings, service: Party | None) -> list[Check]:
    return [check async for check in online_checks(settings, service)]


def settings_page() -> str:
    """All groups, one table each, in the order in which they are read."""
    lines = [INTRODUCTION]
    for name, group in GROUPS.items():
        about = (group.__doc__ or "").split(": ", 1)[-1].strip()
        lines += [f"## {PREFIX}{name}", "", f"{about[:1].upper()}{about[1:]}", ""]
        lines += ["| variable | type | unit | default | example | meaning |", "|---|---|---|---|---|---|"]
        lines += [*(_line(setting) for setting in settings_of(name)), ""]
    return "\n".join(lines)


def _line(setting: Setting) -> str:
    default = "**required**" if setting.is_required else _code(setting.shown(setting.info.default))
    cells = (
        f"`{setting.variable}`",
        setting.type,
        setting.unit,
        default,
        _code(setting.example),
        f"{setting.info.description}",
    )
    return f"| {' | '.join(cells)} |"


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _named(groups: list[str] | None) -> list[str]:
    names = [name.upper() for name in groups or GROUPS]
    if unknown := [name for name in names if name not in GROUPS]:
        fail(f"no group {', '.join(unknown)}; there are: {', '.join(GROUPS)}", UNUSABLE)
    return names


def _rows_of(name: str, problems: list[str]) -> Iterator[tuple[str, str, str]]:
    try:
        settings: Settings | None = read(os.environ, name)
    except SettingsError as error:
        settings = None
        problems += error.problems
    for setting in settings_of(name):
        source = setting.source(os.environ)
        yield setting.variable, _value(setting, source, settings), _source(setting, source)


def _value(setting: Setting, source: Source, settings: Settings | None) -> str:
    """The value in force; of a group that cannot be used, what is written."""
    if settings is not None:
        return setting.shown(getattr(getattr(settings, setting.group.lower()), setting.field))
    if source is Source.DEFAULT:
        return setting.shown(setting.info.default)
    return "" if source is Source.MISSING else setting.shown(os.environ.get(setting.variable, ""))


def _source(setting: Setting, source: Source) -> str:
    return f"file {os.environ[str(setting.file_variable)]}" if source is Source.FILE else source.value
