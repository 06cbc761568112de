"""The page docs/cli.md, made from the commands themselves."""

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

INTRODUCTION = """\
# Commands

Made from the commands by `bridge commands`; change them, not this page.

Every command says what it would say here with `--help`. Commands that need the cluster read `BRIDGE_KAFKA_…`
([settings.md](settings.md)) and work with the rights of the part `cli` ([security.md](security.md)).

## Exit codes

The same for every command:

| code | means |
|---|---|
{codes}

## Output

Commands that list or show take `--output table` or `--output json`. Without it, a person at a terminal sees a table,
and a pipe gets one line per row with tabs between the cells. What is said about the result (counts, progress, errors)
goes to standard error, so that standard output holds the result alone; progress is shown at a terminal only.

## Completion

`bridge --install-completion` installs completion for the shell that it is called from (Bash, Zsh, Fish, PowerShell);
`bridge --show-completion` prints it, to be kept where your system keeps such files. Commands, options and the words
that an option takes are completed.

"""


CODES = {
    0: "done; or nothing was found that somebody has to look at",
    1: "something was found, is left to do, or cannot be done now: a topic is missing, a schema is refused, a dead"
    " letter stays, Kafka does not answer",
    2: "the command or the environment cannot be used as it is: an unknown option, a setting that is wrong, a user that"
    " Kafka refuses; trying again will not help",
    130: "Ctrl-C",
}


def commands_page(app: typer.Typer) -> str:
    """The page, as Markdown."""
    command = get_command(app)
    context = typer.Context(command, info_name="bridge")
    told = get_docs_for_click(obj=command, ctx=context, name="bridge", title="All commands")
    # One level down: the page has a title of its own.
    lines = [f"#{line}" if line.startswith("#") else line.rstrip() for line in told.strip().splitlines()]
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in CODES.items())
    return "\n".join((INTRODUCTION.format(codes=codes), *lines, ""))
