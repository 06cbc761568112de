"""What the demo prints at its end: how each ticket went, what a crash left behind, and where to look around."""

from collections.abc import Sequence

from rich.console import Console

from bridge.cli.demo.crash import findings
from bridge.cli.demo.picture import summary
from bridge.cli.demo.place import SERVICES, WEBHOOK_USER, Place
from bridge.cli.demo.play import Result
from bridge.cli.demo.stories import Story
from bridge.domain.outcomes import Basis, GatewayOutcome


def print_summary(console: Console, stories: Sequence[Story], result: Result, seconds: float) -> bool:
    """Print a row for each ticket and a sentence for each difference; whether there was none."""
    console.print()
    console.print(summary(stories, result.board.views, result.wrong, console.width))
    console.print()
    for about, sentences in result.wrong.items():
        for sentence in sentences:
            console.print(f"✗ {about}: {sentence}", style="red", markup=False)
    problems = len(result.board.problem_status)
    if not result.wrong:
        console.print(f"✓ problem-status equals the gateway's own status of all {problems} problems", style="green")
        console.print("✓ the gateway accepted no command twice, and every one that was told ACCEPTED", style="green")
    good = len(stories) - sum(story.ticket_id in result.wrong for story in stories)
    verdict = "as expected" if not result.wrong else "as expected; the others are named above"
    console.print(f"{good} of {len(stories)} tickets ended {verdict}, after {seconds:.0f} s.", style="bold")
    return not result.wrong


def print_crash(console: Console, result: Result) -> None:
    """Print what the killed dispatcher left UNKNOWN, and how each command was settled."""
    if result.crash is None:
        return
    calls = len(result.crash.killed_during)
    console.print()
    console.print(f"The dispatcher was killed with {calls} calls under way. What its successor found:", style="bold")
    for unknown, settled in findings(result.board):
        asked = unknown.command_id in result.crash.rung_for
        console.print(
            f"  {unknown.ticket_id}  {unknown.command} UNKNOWN → {_settled(settled, asked=asked)}", markup=False
        )


def _settled(outcome: GatewayOutcome | None, *, asked: bool) -> str:
    """How it became known what had happened to a command."""
    if outcome is None:
        return "not known to this hour"
    if outcome.basis is Basis.ANSWER:
        who = "the operator had it sent again" if asked else "no evidence came, it was sent again by policy"
        return f"{who}, and it was {outcome.verdict}"
    return f"{outcome.verdict} by {outcome.basis}: {outcome.message}"


def print_stay(console: Console, place: Place) -> None:
    """Print where everything is."""
    exports = " ".join(f"{name}={value}" for name, value in place.kafka.items() if "PASSWORD" not in name)
    simulator, webhook = f"http://{place.simulator}", f"http://{place.webhook}/kcis"
    places = (
        ("bridge journeys list", "where each ticket stands"),
        ("bridge journeys show TICKET", "its story"),
        ("bridge tickets send FILE", "more tickets; service ids choose what happens (docs/simulator.md)"),
        *((f"curl http://{place.management[service]}/metrics", f"metrics of the {service}") for service in SERVICES),
        (f"curl {simulator}/truth", "the gateway's own books; /ledger has every call that it got"),
        (f"curl -u {WEBHOOK_USER}:{place.webhook_password} {webhook} -d {{}}", "the webhook, which refuses this KCI"),
    )
    lines = (
        "",
        "Everything is left running. In another terminal:",
        f"  export {exports}",
        *(f"  {command:<48}  {what}" for command, what in places),
        f"Logs are in {place.logs}. Ctrl-C ends everything.",
    )
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
