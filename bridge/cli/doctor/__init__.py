"""`bridge doctor`: one page on a running deployment: what is wrong, since when, and what to do."""

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from bridge.cli.cluster import on_cluster
from bridge.cli.doctor.facts import Facts, gather
from bridge.cli.doctor.findings import Finding, Grave, Limits, findings
from bridge.cli.screen import FOUND, Output, OutputOption, show_json, show_table
from bridge.settings import read

app = typer.Typer()


@app.command("doctor")
def doctor(
    *,
    metrics: Annotated[
        list[str] | None,
        typer.Option(help="Management address of a service, such as http://dispatcher-0:9090; may be repeated."),
    ] = None,
    lag_minutes: Annotated[float, typer.Option(min=0, help="A record may wait for so long.")] = 1.0,
    stuck_minutes: Annotated[float, typer.Option(min=0, help="A command may be overdue for so long.")] = 10.0,
    silence_minutes: Annotated[
        float, typer.Option(min=0, help="While problems are open, no KCI may come for so long.")
    ] = 60.0,
    output: OutputOption = None,
) -> None:
    """
    Look at a running deployment, change nothing, and tell what is wrong, since when, and what to do about it.

    It reads Kafka with the rights of the part `cli`, and the services' own figures where --metrics names them: only
    they know of open breakers, of access that the gateway refuses, and of a service that is not ready. Exit code 0:
    healthy (there may be warnings); 1: something is wrong, or cannot be told.
    """
    limits = Limits(
        lag=timedelta(minutes=lag_minutes),
        stuck=timedelta(minutes=stuck_minutes),
        silence=timedelta(minutes=silence_minutes),
    )
    now = datetime.now(UTC)
    facts = on_cluster(
        lambda: gather(read(os.environ, "KAFKA", "SCHEMA"), tuple(metrics or ()), now), "looking at the deployment"
    )
    found = sorted(findings(facts, limits), key=lambda each: (each.grave is not Grave.WRONG, each.since or now))
    _show(facts, found, output)
    if any(each.grave is Grave.WRONG for each in found):
        raise typer.Exit(FOUND)


def _show(facts: Facts, found: list[Finding], output: Output | None) -> None:
    wrong = sum(each.grave is Grave.WRONG for each in found)
    if output is Output.JSON:
        rows = [
            {
                "verdict": each.grave.value,
                "what": each.what,
                "since": None if each.since is None else each.since.isoformat(timespec="seconds"),
                "mend": each.mend,
            }
            for each in found
        ]
        show_json({"healthy": wrong == 0, "looked_at": facts.now.isoformat(timespec="seconds"), "findings": rows})
        return
    state = "healthy" if wrong == 0 else f"{wrong} thing{'s are' if wrong > 1 else ' is'} wrong"
    more = len(found) - wrong
    warnings = f", {more} warning{'s' if more > 1 else ''}" if more else ""
    typer.echo(f"{state}{warnings}; {facts.summary()}; looked at {facts.now:%Y-%m-%d %H:%M:%S} UTC", err=True)
    if found:
        rows_shown = [(each.grave.value, each.what, _since(each.since, facts.now), each.mend) for each in found]
        show_table(("verdict", "what", "since", "what to do"), rows_shown, output)


def _since(since: datetime | None, now: datetime) -> str:
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{since:%Y-%m-%d %H:%M} ({seconds // size} {unit})"
    return f"{since:%Y-%m-%d %H:%M:%S} ({seconds} s)"
