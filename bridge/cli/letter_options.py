"""What the commands about dead letters and about the quarantine ask for in the same words, and how they answer."""

import getpass
import re
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from aiokafka.errors import KafkaError

from bridge.cli.cluster import on_cluster
from bridge.cli.screen import UNUSABLE, fail
from bridge.domain.dead_letters import DeadLetterDecision, Header
from bridge.domain.letters import LetterState, Wanted, readable, state_of
from bridge.flows.replay import Decider, ReplayStopped

T = TypeVar("T")

AGO = re.compile(r"(\d{1,5})([smhd])")
AGO_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST_ERROR = 80


class Shown(StrEnum):
    """Which letters are shown, by where they stand."""

    OPEN = "open"
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    ALL = "all"

    def wanted(self) -> LetterState | None:
        """The state that a letter must have, or None for any."""
        return None if self is Shown.ALL else LetterState(self.value)


def moment(text: str) -> datetime:
    """A time as people write it: ISO 8601 with an offset, or how long ago, such as 90m, 2h or 3d."""
    ago = AGO.fullmatch(text)
    if ago is not None:
        return datetime.now(UTC) - timedelta(**{AGO_UNITS[ago[2]]: int(ago[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise typer.BadParameter("give a time such as 2026-03-02T09:30:00Z, or how long ago, such as 90m, 2h or 3d")
    return found


def who() -> str:
    """The user of this terminal; empty where the system knows no name, so that --by must be given."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


Reason = Annotated[list[str] | None, typer.Option(help="Only this reason; may be repeated.")]
Since = Annotated[
    datetime | None, typer.Option(parser=moment, metavar="TIME", help="Only from this time on: ISO 8601, or 2h ago.")
]
Until = Annotated[
    datetime | None, typer.Option(parser=moment, metavar="TIME", help="Only before this time: ISO 8601, or 2h ago.")
]
Id = Annotated[list[str] | None, typer.Option("--id", help="Only this one; may be repeated.")]
State = Annotated[Shown, typer.Option(help="Only those that stand so.")]
Limit = Annotated[int, typer.Option(min=1, help="Show at most so many.")]
Why = Annotated[str, typer.Option(help="Why; kept with the decision. No customer data.")]
By = Annotated[str, typer.Option(default_factory=who, help="Who decides; default: the user of this terminal.")]
All = Annotated[bool, typer.Option("--all", help="All that are open; needed where no filter is given.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Decide and tell, and change nothing.")]
PerSecond = Annotated[float, typer.Option(min=0.01, help="No more than so many a second.")]
Force = Annotated[bool, typer.Option("--force", help="Do it although it would be refused.")]
ShowContent = Annotated[
    bool,
    typer.Option(
        "--show-content", help="Show what the record holds, personal data too. Needs --why, and is kept as a decision."
    ),
]


def known(given: list[str] | None, reasons: Iterable[str]) -> frozenset[str]:
    """The reasons that were asked for, which must be some of these."""
    if unknown := set(given or ()) - set(reasons):
        fail(f"no reason {', '.join(sorted(unknown))}; there are: {', '.join(reasons)}", UNUSABLE)
    return frozenset(given or ())


def must_choose(wanted: Wanted, *, everything: bool) -> Wanted:
    """What is to be changed must be said: by a filter, or that it is all."""
    if not everything and wanted == Wanted(state=wanted.state):
        fail("say which: by --id, by another filter, or --all", UNUSABLE)
    return wanted


def refuse_settled(ids: Iterable[str], words: Mapping[str, DeadLetterDecision]) -> None:
    """What was named must be open still: a person who decides twice should know of the first time."""
    settled = [
        f"{letter_id} is {state} already"
        for letter_id in ids
        if (state := state_of(letter_id, words)) is not LetterState.OPEN
    ]
    if settled:
        fail("\n".join([*settled, "nothing was done"]))


def decider(by: str, why: str) -> Decider:
    """Who decides and why; both must be said."""
    if not why.strip():
        fail("say --why: the decision is kept, and whoever reads it later needs the reason", UNUSABLE)
    if not by.strip():
        fail("say --by: the decision is kept with the name of whoever made it", UNUSABLE)
    return Decider(by=by, why=why)


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run to the end; what the cluster, the registry or the settings make impossible is told in a sentence."""
    try:
        return on_cluster(work)
    except ReplayStopped as error:
        fail(str(error))
    except KafkaError as error:
        fail(f"Kafka: {error}; check the brokers and the BRIDGE_KAFKA_ settings")


def tell_count(shown: int, found: int) -> None:
    """How much of what was found is on the screen; on stderr, so that stdout holds nothing but lines."""
    more = "; --limit shows more" if shown < found else ""
    typer.echo(f"showing {shown} of {found}{more}", err=True)


def header_lines(headers: Sequence[Header], *, content: bool) -> list[str]:
    """The names of headers, or with `content` their values too."""
    if content:
        return [f"header {readable(header.name.encode())}: {readable(header.raw, 400)}" for header in headers]
    return [f"headers: {', '.join(readable(header.name.encode()) for header in headers) or 'none'}"]


def header_values(headers: Sequence[Header], *, content: bool) -> list[dict[str, str]]:
    """Headers for programs: their names, and with `content` their values too."""
    return [
        {"name": readable(header.name.encode()), **({"value": readable(header.value, 400)} if content else {})}
        for header in headers
    ]


def decision_members(decision: DeadLetterDecision) -> dict[str, Any]:
    """One decision for programs."""
    members: dict[str, Any] = msgspec.to_builtins(decision)
    return members


def decision_line(decision: DeadLetterDecision) -> str:
    """One decision: when, what, by whom, why, and where a replayed record went."""
    where = f" -> {place(decision)}" if decision.replay_topic is not None else ""
    by, why = readable(decision.decided_by.encode()), readable(decision.why.encode(), 400)
    return f"{decision.decided_at:%Y-%m-%d %H:%M:%S} {decision.decision} by {by}{where}: {why}"


def place(decision: DeadLetterDecision) -> str:
    """Where a replayed record went."""
    return f"{decision.replay_topic} partition {decision.replay_partition} offset {decision.replay_offset}"


def short(error: str) -> str:
    """An error for a line of a list."""
    return readable(error.encode(), LONGEST_ERROR)


def content_text(value: bytes | None) -> str:
    """Bytes that are no record, as text where they are text; no control character reaches the terminal."""
    if value is None:
        return "none (a tombstone)"
    text = value.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)
