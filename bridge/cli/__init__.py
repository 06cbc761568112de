"""The command line: one module per noun, each a typer app of its own."""

import typer

from bridge.cli import (
    commands_page,
    config,
    dead_letters,
    demo,
    doctor,
    journey_tables,
    journeys,
    lifecycles,
    metrics,
    quarantine,
    run,
    schemas,
    tickets,
    topics,
    webhook,
)

app = typer.Typer(
    name="bridge",
    help="A bridge between a provider's fault tickets on Kafka and the Fibre Cafe Tenant API.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(demo.app)
app.add_typer(run.app)
app.add_typer(tickets.app)
app.add_typer(journeys.app)
app.add_typer(dead_letters.app)
app.add_typer(quarantine.app)
app.add_typer(topics.app)
app.add_typer(schemas.app)
app.add_typer(webhook.app)
app.add_typer(config.app)
app.add_typer(doctor.app)
app.add_typer(lifecycles.app)
app.add_typer(metrics.app)
app.add_typer(journey_tables.app)


@app.command("commands")
def print_commands() -> None:
    """Print docs/cli.md: every command with its arguments, options and exit codes."""
    typer.echo(commands_page.commands_page(app), nl=False)
