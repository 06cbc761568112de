"""`bridge run`: one service in this process, configured by the environment only."""

import os
from enum import StrEnum
from importlib import import_module
from typing import Annotated

import typer

from bridge.services.start import run_reporting

app = typer.Typer()


class Service(StrEnum):
    """The services, each a Deployment of its own."""

    DISPATCHER = "dispatcher"
    INGESTER = "ingester"
    TRACKER = "tracker"


# Imported when run: no service pays for another's libraries, and Faust must be set up once in a process.
MODULES = {
    Service.DISPATCHER: "bridge.services.dispatcher",
    Service.INGESTER: "bridge.services.ingester",
    Service.TRACKER: "bridge.services.tracker",
}


@app.command("run")
def run_service(service: Annotated[Service, typer.Argument(help="Which service.")]) -> None:
    """Run a service until SIGTERM or SIGINT. Exit code 2: its settings cannot be used; 1: its topics are not there."""
    main = import_module(MODULES[service]).main
    raise typer.Exit(run_reporting(main, os.environ))


@app.command("simulator")
def run_simulator() -> None:
    """Run the gateway simulator; see docs/simulator.md for its settings."""
    raise typer.Exit(import_module("bridge.simulator.serve").main() or 0)
