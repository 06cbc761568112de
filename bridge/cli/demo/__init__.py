"""`bridge demo`: the whole bridge on this machine, with fault tickets from a file, a live picture and a verdict."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from bridge.topics import data_directory

TICKETS = data_directory() / "examples" / "fault-tickets.jsonl"
DIRECTORY = Path(".sandbox", "demo")
LIMIT_SECONDS = 85.0
INTERRUPTED = 130

app = typer.Typer()


@app.command("demo")
def demo(  # the options are the command's own
    *,
    stay: Annotated[
        bool, typer.Option("--stay", help="Leave everything running after the summary, until Ctrl-C.")
    ] = False,
    crash: Annotated[
        bool,
        typer.Option("--crash", help="Kill the dispatcher with kill -9 while calls are under way, and start it again."),
    ] = False,
    tickets: Annotated[
        Path,
        typer.Option(
            help="Ticket events, one a line; beside it NAME.expected.yaml says how each ticket must end.",
            show_default="examples/fault-tickets.jsonl",
        ),
    ] = TICKETS,
    directory: Annotated[Path, typer.Option(help="Where Kafka's data and all logs go.")] = DIRECTORY,
    limit: Annotated[
        float, typer.Option(help="Seconds after which a ticket that is not at its end counts as failed.")
    ] = LIMIT_SECONDS,
) -> None:
    """
    Run broker, gateway simulator, dispatcher, ingester and tracker, and publish real fault tickets to them.

    Without BRIDGE_KAFKA_BOOTSTRAP_SERVERS it starts an Apache Kafka of its own. Exit code 0: every ticket ended as
    expected, and the gateway's own books agree; 1: one did not, or something could not run; 130: Ctrl-C.
    """
    # Imported when run: no other command pays for it.
    try:
        run = import_module("bridge.cli.demo.run")
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    raise typer.Exit(
        run.run(run.Options(tickets=tickets, directory=directory, limit_seconds=limit, stay=stay, crash=crash))
    )
