"""`bridge dead-letters`: records that no service could process, to look at, replay or give up."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from bridge.cli import dead_letter_screen as screen
from bridge.cli import letter_options as options
from bridge.cli.dead_letter_box import Box, open_box
from bridge.cli.letter_options import (
    All,
    By,
    DryRun,
    Force,
    Id,
    Limit,
    PerSecond,
    Reason,
    ShowContent,
    Shown,
    Since,
    State,
    Until,
    Why,
)
from bridge.cli.screen import FOUND, UNUSABLE, Output, OutputOption, fail, show_json, show_table
from bridge.domain.dead_letters import DeadLetter, DeadLetterChoice, DeadLetterDecision, DeadLetterReason
from bridge.domain.letters import LetterState, Wanted, last_words, once_each, state_of
from bridge.domain.record import Record
from bridge.domain.replay import Replay, ReplayRules, Step, Withheld, in_order, plan
from bridge.flows.replay import Decider

app = typer.Typer(
    name="dead-letters", help="Records that no service could process: look, replay, discard.", no_args_is_help=True
)

Topic = Annotated[list[str] | None, typer.Option(help="Only from this topic; may be repeated.")]
Ticket = Annotated[str | None, typer.Option(help="Only those that tell of this ticket, where they decode so far.")]
Supplier = Annotated[str | None, typer.Option(help="Only those that tell of this supplier, where they decode so far.")]
Key = Annotated[str | None, typer.Option(help="The key to send it with; for one letter at a time.")]
MaxAttempts = Annotated[int, typer.Option(min=1, help="A record that was tried so often is not replayed again.")]
OutOfOrder = Annotated[
    bool, typer.Option("--out-of-order", help="Also letters with an earlier one of their key that stays behind.")
]


class Found(Record, frozen=True, kw_only=True):
    """Everything on the cluster about dead letters, and which of them are wanted."""

    letters: tuple[DeadLetter, ...]
    decisions: tuple[DeadLetterDecision, ...]
    wanted: tuple[DeadLetter, ...]

    def state(self, letter: DeadLetter) -> LetterState:
        """Where a letter stands."""
        return state_of(letter.dead_letter_id, last_words(self.decisions))


@app.command("list")
def list_letters(  # noqa: PLR0913  # one for each option
    *,
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    ticket: Ticket = None,
    supplier: Supplier = None,
    id_: Id = None,
    state: State = Shown.OPEN,
    limit: Limit = 20,
    output: OutputOption = None,
) -> None:
    """List dead letters, the oldest first, without what they hold."""
    wanted = _wanted(
        topic, reason, id_, since=since, until=until, ticket=ticket, supplier=supplier, state=state.wanted()
    )
    found = options.run(lambda: _look(wanted))
    words = last_words(found.decisions)
    shown = sorted(found.wanted, key=lambda each: each.failed_at)[:limit]
    show_table(screen.COLUMNS, [screen.row(letter, state_of(letter.dead_letter_id, words)) for letter in shown], output)
    options.tell_count(len(shown), len(found.wanted))


@app.command("show")
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The dead letter's id.")],
    by: By,
    *,
    show_content: ShowContent = False,
    why: Why = "",
    output: OutputOption = None,
) -> None:
    """Show one dead letter and every decision about it."""
    asks = options.decider(by, why) if show_content else None
    options.run(lambda: _show(letter_id, asks, output))


@app.command("replay")
def replay(  # noqa: PLR0913  # one for each option
    by: By,
    *,
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    ticket: Ticket = None,
    supplier: Supplier = None,
    id_: Id = None,
    everything: All = False,
    why: Why = "",
    dry_run: DryRun = False,
    key: Key = None,
    per_second: PerSecond = 10.0,
    max_attempts: MaxAttempts = 3,
    out_of_order: OutOfOrder = False,
    force: Force = False,
) -> None:
    """
    Send dead letters to their topics again, as they were, in the order of their keys. Exit code 1: something stays.
    """
    wanted = _wanted(topic, reason, id_, since=since, until=until, ticket=ticket, supplier=supplier)
    options.must_choose(wanted, everything=everything)
    rules = ReplayRules(
        max_attempts=max_attempts,
        force=force,
        out_of_order=out_of_order,
        key=None if key is None else key.encode(errors="surrogateescape"),
    )
    if dry_run:
        steps = options.run(lambda: _dry_run(wanted, rules))
    else:
        asks = options.decider(by, why)
        steps = options.run(lambda: _replay(wanted, rules, asks, per_second))
    going = sum(isinstance(step, Replay) for step in steps)
    typer.echo(f"{going} of {len(steps)} {'would be replayed' if dry_run else 'replayed'}", err=True)
    if going < len(steps):
        raise typer.Exit(FOUND)


@app.command("discard")
def discard(  # noqa: PLR0913  # one for each option
    by: By,
    *,
    topic: Topic = None,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    ticket: Ticket = None,
    supplier: Supplier = None,
    id_: Id = None,
    everything: All = False,
    why: Why = "",
    dry_run: DryRun = False,
) -> None:
    """Give open dead letters up. They stay in their topic until it forgets them."""
    wanted = _wanted(topic, reason, id_, since=since, until=until, ticket=ticket, supplier=supplier)
    options.must_choose(wanted, everything=everything)
    asks = None if dry_run else options.decider(by, why)
    options.run(lambda: _discard(wanted, asks))


def _wanted(  # noqa: PLR0913  # one for each filter
    topics: list[str] | None,
    reasons: list[str] | None,
    ids: list[str] | None,
    *,
    since: datetime | None,
    until: datetime | None,
    ticket: str | None,
    supplier: str | None,
    state: LetterState | None = LetterState.OPEN,
) -> Wanted:
    return Wanted(
        topics=frozenset(topics or ()),
        reasons=options.known(reasons, DeadLetterReason),
        since=since,
        until=until,
        ids=frozenset(ids or ()),
        ticket=ticket,
        supplier=supplier,
        # Whoever names a letter is told where it stands.
        state=None if ids else state,
    )


async def _look(wanted: Wanted) -> Found:
    return await _find(await open_box(), wanted)


async def _find(box: Box, wanted: Wanted) -> Found:
    letters = once_each(await box.letters())
    decisions = await box.decisions()
    if missing := wanted.ids - {letter.dead_letter_id for letter in letters}:
        fail(f"no dead letter {', '.join(sorted(missing))}; `bridge dead-letters list --state all` shows all")
    words = last_words(decisions)
    chosen = [
        letter
        for letter in letters
        if wanted.fits(
            letter.dead_letter_id,
            topic=letter.topic,
            reason=letter.reason,
            at=letter.failed_at,
            state=state_of(letter.dead_letter_id, words),
        )
        and (not wanted.needs_reading or wanted.fits_content(letter, await box.read(letter)))
    ]
    return Found(letters=tuple(letters), decisions=tuple(decisions), wanted=tuple(chosen))


async def _show(letter_id: str, asks: Decider | None, output: Output | None) -> None:
    box = await open_box()
    if asks is not None:
        await _find(box, Wanted(ids=frozenset((letter_id,))))
        # The asking is kept before anything is shown.
        async with box.deciding() as flow:
            async for _ in flow.note([letter_id], DeadLetterChoice.VIEWED, asks):
                pass
    found = await _find(box, Wanted(ids=frozenset((letter_id,))))
    letter = found.wanted[0]
    reading = await box.read(letter)
    decisions = [decision for decision in found.decisions if decision.dead_letter_id == letter_id]
    if output is Output.JSON:
        told = screen.members(letter, found.state(letter), reading, content=asks is not None)
        told["decisions"] = [options.decision_members(decision) for decision in decisions]
        if asks is not None:
            told["content"] = await screen.content(letter, box)
        show_json(told)
        return
    for line in screen.lines(letter, found.state(letter), reading, content=asks is not None):
        typer.echo(line)
    for decision in decisions:
        typer.echo(options.decision_line(decision))
    if asks is not None:
        typer.echo(await screen.content(letter, box))


async def _dry_run(wanted: Wanted, rules: ReplayRules) -> list[Step]:
    box = await open_box()
    steps = await _plan(box, wanted, rules)
    for step in steps:
        typer.echo(screen.told(step))
    return steps


async def _replay(wanted: Wanted, rules: ReplayRules, asks: Decider, per_second: float) -> list[Step]:
    box = await open_box()
    async with box.deciding() as flow:
        steps = await _plan(box, wanted, rules)
        for step in steps:
            if isinstance(step, Withheld):
                typer.echo(screen.told(step))
        going = [step for step in steps if isinstance(step, Replay)]
        async for done in flow.replay(going, asks, per_second=per_second):
            typer.echo(f"{done.dead_letter_id}\treplayed\t{options.place(done)}")
    return steps


async def _plan(box: Box, wanted: Wanted, rules: ReplayRules) -> list[Step]:
    found = await _find(box, wanted)
    chosen = {letter.dead_letter_id for letter in found.wanted}
    if rules.key is not None and len(chosen) != 1:
        fail(f"--key is for one letter, and this is about {len(chosen)}: choose one by --id", UNUSABLE)
    readings = {
        letter.dead_letter_id: await box.read(letter)
        for letter in found.letters
        # Of a letter that is not chosen only the key counts: its own, unless that was found to be wrong.
        if letter.dead_letter_id in chosen or letter.reason is DeadLetterReason.WRONG_KEY
    }
    words = last_words(found.decisions)
    return list(plan(found.letters, chosen, words, readings, box.homes, rules=rules, now=datetime.now(UTC)))


async def _discard(wanted: Wanted, asks: Decider | None) -> None:
    box = await open_box()
    if asks is None:
        for letter in _open_ones(await _find(box, wanted)):
            typer.echo(f"{letter.dead_letter_id}\twould be discarded\t{letter.reason}")
        return
    async with box.deciding() as flow:
        ids = [letter.dead_letter_id for letter in _open_ones(await _find(box, wanted))]
        async for done in flow.note(ids, DeadLetterChoice.DISCARDED, asks):
            typer.echo(f"{done.dead_letter_id}\tdiscarded")


def _open_ones(found: Found) -> list[DeadLetter]:
    words = last_words(found.decisions)
    options.refuse_settled((letter.dead_letter_id for letter in found.wanted), words)
    return in_order(found.wanted)
