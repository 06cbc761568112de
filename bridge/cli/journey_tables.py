"""`bridge journey-tables`: the tables of docs/journeys.md, drawn from what the dispatcher decides by."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from bridge.cli.screen import fail
from bridge.domain.journey.events import RULES, TELLING, Rule, Situation
from bridge.domain.journey.phases import MOVES
from bridge.domain.journeys import End

PAGE = Path("docs", "journeys.md")
BEGIN, FINISH = "<!-- drawn: {name} -->", "<!-- end of {name} -->"

SITUATIONS = {
    Situation.UNKNOWN: "nothing is known of the ticket, or only events that could not be used",
    Situation.TESTING_ALONE: "a test that no fault asked for is running",
    Situation.TESTED_ALONE: "such a test is over",
    Situation.TESTING: "a test for the reported fault is running, or is to be",
    Situation.RAISING: "the raise is decided, and certainly not taken yet",
    Situation.RAISE_IN_DOUBT: "a send of the raise may have been taken",
    Situation.SENT: "the problem exists, and the supplier has not acknowledged it",
    Situation.OPEN: "the problem is with the supplier",
    Situation.ENDED: "the journey is over",
}
WHAT_IS_DONE = {
    Rule.START: "a journey begins: a test is run, or the ticket's own test is fetched",
    Rule.TEST: "a test is run, and its result is published",
    Rule.FOLD: "the change goes into the raise",
    Rule.END: "the journey ends; nothing is asked of the gateway",
    Rule.SEND: "it is sent, if the problem's status allows it",
    Rule.WAIT: "it waits, in order, until the raise is settled and the supplier has acknowledged the problem",
    Rule.ALREADY_REPORTED: "nothing",
    Rule.UNKNOWN_TICKET: "nothing",
    Rule.NO_RESOLUTION: "nothing",
    Rule.AFTER_END: "nothing",
}
ITS_OUTCOME = {
    Rule.START: "that of each command, and always one of RAISE_PROBLEM",
    Rule.TEST: "that of the command, then ACCEPTED `TEST_FINISHED` with the result",
    Rule.FOLD: "NOT_SENT `FOLDED_INTO_RAISE`",
    Rule.END: "NOT_SENT `CANCELLED_BEFORE_RAISE`",
    Rule.SEND: "that of the command; or NOT_SENT `NOT_ALLOWED_IN_STATUS`, or `NO_PENDING_RESOLUTION`",
    Rule.WAIT: "none yet; later that of the rule which then applies, or NOT_SENT `JOURNEY_ENDED`",
    **{rule: f"NOT_SENT `{word.reason}`" for rule, word in TELLING.items()},
}
ENDS = {
    End.COMPLETED: "the problem was resolved, and the resolution accepted",
    End.CANCELLED: "the problem was cancelled, by the provider or by the supplier",
    End.CANCELLED_BEFORE_RAISE: "the fault was cancelled when no problem was open",
    End.TESTED: "only tests were asked for, and the last one completed",
    End.TEST_GREEN: "the test found the line GREEN",
    End.TEST_DENIED: "the test's outcome code is on the deny list",
    End.TEST_MISMATCH: "the test is of another service or supplier",
    End.TEST_NOT_PASSED: "no test could be used: all failed or expired, or there was nothing to run another with",
    End.INVALID: "the report does not fit the policy any more, such as a problem type that was taken away",
    End.REFUSED: "the gateway refused the test or the raise, or does not know the ticket's own test",
    End.REJECTED: "the supplier rejected the problem",
    End.FAILED_TO_SEND: "the gateway could not send the problem, and it may not be raised anew",
    End.FAILED: "the test or the raise could not be sent in time, or a person gave it up",
}

app = typer.Typer(name="journey-tables", help="The tables of docs/journeys.md.", no_args_is_help=True)


@app.callback()
def journey_tables() -> None:
    """The tables of docs/journeys.md."""


@app.command()
def draw(page: Annotated[Path, typer.Option(help="The page whose tables are drawn anew.")] = PAGE) -> None:
    """Draw the tables of the page anew, and leave its text as it is."""
    try:
        page.write_text(redrawn(page.read_text(encoding="utf-8")), encoding="utf-8")
    except OSError as error:
        fail(f"{page} cannot be read or written: {error.strerror}. Give the page with --page.")
    except ValueError as error:
        fail(f"{page}: {error}")
    typer.echo(f"{page} is drawn.")


def redrawn(text: str) -> str:
    """
    The page with each table drawn anew between its markers.

    Raises:
        ValueError: a marker is missing.

    """
    for name, lines in TABLES.items():
        begin, finish = BEGIN.format(name=name), FINISH.format(name=name)
        before, found, rest = text.partition(begin)
        _, ended, after = rest.partition(finish)
        if not found or not ended:
            raise ValueError(f"the table {name} has no place: write the lines {begin} and {finish}")
        text = "\n".join((f"{before}{begin}", "", *lines(), "", f"{finish}{after}"))
    return text


def _events() -> Iterator[str]:
    events = list(RULES)
    yield f"| the ticket | {' | '.join(event.__name__ for event in events)} |"
    yield f"|---|{'---|' * len(events)}"
    for situation in Situation:
        yield f"| {situation} | {' | '.join(RULES[event][situation] for event in events)} |"


def _situations() -> Iterator[str]:
    yield "| the ticket | means |"
    yield "|---|---|"
    yield from (f"| {situation} | {SITUATIONS[situation]} |" for situation in Situation)


def _rules() -> Iterator[str]:
    yield "| rule | what is done | outcome of the event |"
    yield "|---|---|---|"
    yield from (f"| {rule} | {WHAT_IS_DONE[rule]} | {ITS_OUTCOME[rule]} |" for rule in Rule)


def _ends() -> Iterator[str]:
    yield "| end | means |"
    yield "|---|---|"
    yield from (f"| {end} | {ENDS[end]} |" for end in End)


def _phases() -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    for move in MOVES:
        yield f"    {move.from_phase or '[*]'} --> {move.to_phase} : {move.when}"
    yield "    ENDED --> [*] : forgotten after a while"
    yield "```"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "phases": _phases,
    "ends": _ends,
    "situations": _situations,
    "events": _events,
    "rules": _rules,
}
