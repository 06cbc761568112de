"""`bridge quarantine`: webhook bodies that could not be a KCI, to look at, parse again or give up."""

from datetime import datetime
from typing import Annotated, Any

import typer

from bridge.adapters.webhook import wire
from bridge.cli import letter_options as options
from bridge.cli.dead_letter_box import Box, open_box
from bridge.cli.letter_options import (
    All,
    By,
    DryRun,
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
from bridge.cli.screen import FOUND, Output, OutputOption, fail, show_json, show_table
from bridge.domain.dead_letters import DeadLetterChoice, DeadLetterDecision, QuarantinedKci, QuarantineReason
from bridge.domain.letters import LetterState, Wanted, last_words, readable, state_of
from bridge.domain.reading import Unreadable
from bridge.domain.record import Record
from bridge.flows.replay import Decider, kci_of
from bridge.ports import Outgoing
from bridge.settings import WebhookSettings

app = typer.Typer(
    name="quarantine", help="Webhook bodies that could not be a KCI: look, replay, discard.", no_args_is_help=True
)

MAX_DEPTH: int = WebhookSettings.model_fields["max_depth"].default
MAX_HEADERS: int = WebhookSettings.model_fields["max_headers"].default

SkipHeaders = Annotated[
    bool, typer.Option("--skip-headers", help="Judge the body alone: it came without a header that it should have.")
]
Depth = Annotated[int, typer.Option(min=4, help="Deepest nesting accepted, as BRIDGE_WEBHOOK_MAX_DEPTH.")]


class StillNoKci(Exception):
    """The delivery would be refused today too; the text says why, without its content."""


class Judged(Record, frozen=True, kw_only=True):
    """How deliveries are judged: as the webhook judges them, but for what the person lifts."""

    max_depth: int
    skip_headers: bool


class Found(Record, frozen=True, kw_only=True):
    """The decisions on the cluster, and the deliveries that are wanted."""

    decisions: tuple[DeadLetterDecision, ...]
    wanted: tuple[QuarantinedKci, ...]


@app.command("list")
def list_deliveries(
    *,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    id_: Id = None,
    state: State = Shown.OPEN,
    limit: Limit = 20,
    output: OutputOption = None,
) -> None:
    """List quarantined deliveries, the oldest first, without what they hold."""
    wanted = _wanted(reason, since, until, id_, state.wanted())
    found = options.run(lambda: _look(wanted))
    words = last_words(found.decisions)
    rows = [
        (
            item.quarantine_id,
            state_of(item.quarantine_id, words).value,
            item.reason.value,
            f"{len(item.body)}{'+' if item.truncated else ''}",
            f"{item.received_at:%Y-%m-%d %H:%M:%S}",
            options.short(item.error),
        )
        for item in found.wanted[:limit]
    ]
    show_table(("id", "state", "reason", "bytes", "received at", "error"), rows, output)
    options.tell_count(len(rows), len(found.wanted))


@app.command("show")
def show(
    quarantine_id: Annotated[str, typer.Argument(metavar="ID", help="The quarantined delivery's id.")],
    by: By,
    *,
    show_content: ShowContent = False,
    why: Why = "",
    output: OutputOption = None,
) -> None:
    """Show one quarantined delivery and every decision about it."""
    asks = options.decider(by, why) if show_content else None
    options.run(lambda: _show(quarantine_id, asks, output))


@app.command("replay")
def replay(  # noqa: PLR0913  # one for each option
    by: By,
    *,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    id_: Id = None,
    everything: All = False,
    why: Why = "",
    dry_run: DryRun = False,
    skip_headers: SkipHeaders = False,
    max_depth: Depth = MAX_DEPTH,
    per_second: PerSecond = 10.0,
) -> None:
    """
    Read deliveries as the ingester would today, and publish to `kcis` what is a KCI now. Exit code 1: something stays.
    """
    wanted = options.must_choose(_wanted(reason, since, until, id_), everything=everything)
    judged = Judged(max_depth=max_depth, skip_headers=skip_headers)
    asks = None if dry_run else options.decider(by, why)
    going, found = options.run(lambda: _replay(wanted, judged, asks, per_second))
    typer.echo(f"{going} of {found} {'would be replayed' if dry_run else 'replayed'}", err=True)
    if going < found:
        raise typer.Exit(FOUND)


@app.command("discard")
def discard(  # noqa: PLR0913  # one for each option
    by: By,
    *,
    reason: Reason = None,
    since: Since = None,
    until: Until = None,
    id_: Id = None,
    everything: All = False,
    why: Why = "",
    dry_run: DryRun = False,
) -> None:
    """Give open deliveries up. They stay in their topic until it forgets them."""
    wanted = options.must_choose(_wanted(reason, since, until, id_), everything=everything)
    asks = None if dry_run else options.decider(by, why)
    options.run(lambda: _discard(wanted, asks))


def content_of(item: QuarantinedKci, judged: Judged) -> object:
    """
    The decoded JSON of a delivery, judged as the webhook judges one.

    Raises:
        StillNoKci: with the webhook's own sentence.

    """
    if item.truncated:
        raise StillNoKci(f"only its first {len(item.body)} bytes were kept")
    try:
        if not judged.skip_headers:
            raw = [(header.name.encode("latin-1"), header.value) for header in item.headers]
            wire.check_headers(wire.Fields(raw), max_headers=MAX_HEADERS)
        return wire.decode(item.body, max_depth=judged.max_depth)
    except wire.Refusal as refusal:
        raise StillNoKci(refusal.sentence) from refusal


def _wanted(
    reasons: list[str] | None,
    since: datetime | None,
    until: datetime | None,
    ids: list[str] | None,
    state: LetterState | None = LetterState.OPEN,
) -> Wanted:
    return Wanted(
        reasons=options.known(reasons, QuarantineReason),
        since=since,
        until=until,
        ids=frozenset(ids or ()),
        # Whoever names a delivery is told where it stands.
        state=None if ids else state,
    )


async def _look(wanted: Wanted) -> Found:
    return await _find(await open_box(), wanted)


async def _find(box: Box, wanted: Wanted) -> Found:
    items = {item.quarantine_id: item for item in await box.deliveries()}
    decisions = await box.decisions()
    if missing := wanted.ids - set(items):
        fail(f"no quarantined delivery {', '.join(sorted(missing))}; `bridge quarantine list --state all` shows all")
    words = last_words(decisions)
    chosen = [
        item
        for item in sorted(items.values(), key=lambda each: each.received_at)
        if wanted.fits(
            item.quarantine_id,
            topic="",
            reason=item.reason,
            at=item.received_at,
            state=state_of(item.quarantine_id, words),
        )
    ]
    return Found(decisions=tuple(decisions), wanted=tuple(chosen))


async def _show(quarantine_id: str, asks: Decider | None, output: Output | None) -> None:
    box = await open_box()
    wanted = Wanted(ids=frozenset((quarantine_id,)))
    if asks is not None:
        await _find(box, wanted)
        # The asking is kept before anything is shown.
        async with box.deciding() as flow:
            async for _ in flow.note([quarantine_id], DeadLetterChoice.VIEWED, asks):
                pass
    found = await _find(box, wanted)
    item = found.wanted[0]
    state = state_of(item.quarantine_id, last_words(found.decisions))
    decisions = [decision for decision in found.decisions if decision.dead_letter_id == quarantine_id]
    if output is Output.JSON:
        show_json(_members(item, state, decisions, content=asks is not None))
        return
    typer.echo(f"{item.quarantine_id} {state}")
    typer.echo(f"posted to {readable(item.path.encode())} at {item.received_at:%Y-%m-%d %H:%M:%S} UTC")
    typer.echo(f"body: {len(item.body)} bytes{', cut' if item.truncated else ''}")
    for line in options.header_lines(item.headers, content=asks is not None):
        typer.echo(line)
    typer.echo(f"{item.reason}: {readable(item.error.encode(), 400)} ({item.service} {item.version})")
    for decision in decisions:
        typer.echo(options.decision_line(decision))
    if asks is not None:
        typer.echo(options.content_text(item.body))


def _members(
    item: QuarantinedKci, state: LetterState, decisions: list[DeadLetterDecision], *, content: bool
) -> dict[str, Any]:
    """One delivery for programs; its body and the values of its headers only with `content`."""
    return {
        "id": item.quarantine_id,
        "state": state.value,
        "path": readable(item.path.encode()),
        "received_at": item.received_at.isoformat(),
        "bytes": len(item.body),
        "truncated": item.truncated,
        "headers": options.header_values(item.headers, content=content),
        "reason": item.reason.value,
        "error": readable(item.error.encode(), 400),
        "service": item.service,
        "version": item.version,
        "decisions": [options.decision_members(decision) for decision in decisions],
        **({"content": options.content_text(item.body)} if content else {}),
    }


async def _replay(wanted: Wanted, judged: Judged, asks: Decider | None, per_second: float) -> tuple[int, int]:
    """How many deliveries are a KCI now, of how many."""
    box = await open_box()
    if asks is None:
        items = _open_ones(await _find(box, wanted))
        kcis = await _parse(items, judged)
        for quarantine_id, kci in kcis:
            typer.echo(f"{quarantine_id}\twould go\t{kci.topic} with the key {readable(kci.raw_key)}")
        return len(kcis), len(items)
    async with box.deciding() as flow:
        items = _open_ones(await _find(box, wanted))
        kcis = await _parse(items, judged)
        async for done in flow.publish(kcis, asks, per_second=per_second):
            typer.echo(f"{done.dead_letter_id}\treplayed\t{options.place(done)}")
    return len(kcis), len(items)


async def _parse(items: list[QuarantinedKci], judged: Judged) -> list[tuple[str, Outgoing]]:
    """Those that are a KCI now; of the others, why they still are none is told."""
    kcis: list[tuple[str, Outgoing]] = []
    for item in items:
        try:
            kcis.append((item.quarantine_id, await kci_of(item, content_of(item, judged))))
        except (StillNoKci, Unreadable) as error:
            typer.echo(f"{item.quarantine_id}\tstays\t{readable(str(error).encode(), 400)}")
    return kcis


async def _discard(wanted: Wanted, asks: Decider | None) -> None:
    box = await open_box()
    if asks is None:
        for item in _open_ones(await _find(box, wanted)):
            typer.echo(f"{item.quarantine_id}\twould be discarded\t{item.reason}")
        return
    async with box.deciding() as flow:
        ids = [item.quarantine_id for item in _open_ones(await _find(box, wanted))]
        async for done in flow.note(ids, DeadLetterChoice.DISCARDED, asks):
            typer.echo(f"{done.dead_letter_id}\tdiscarded")


def _open_ones(found: Found) -> list[QuarantinedKci]:
    options.refuse_settled((item.quarantine_id for item in found.wanted), last_words(found.decisions))
    return list(found.wanted)
