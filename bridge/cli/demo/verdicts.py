"""Whether a ticket went as its story says: every difference as a sentence of its own."""

from collections.abc import Iterable, Iterator, Sequence

from bridge.cli.demo.board import TicketView
from bridge.cli.demo.stories import ExpectedOutcome, Story
from bridge.domain.outcomes import GatewayOutcome


def differences(story: Story, view: TicketView) -> list[str]:
    """What is not as expected; nothing when all is."""
    return [*_of_the_end(story, view), *_of_the_way(story, view)]


def _of_the_end(story: Story, view: TicketView) -> Iterator[str]:
    expected = story.expected
    unsent = [event.event_id for _, event in story.later if event.event_id not in view.sent]
    if view.end is None:
        yield f"did not end ({view.line() or 'nothing was heard of it'}), expected {expected.end}"
    elif view.end is not expected.end:
        yield f"ended {view.end}, expected {expected.end}"
    if unsent:
        yield f"the time for {', '.join(unsent)} never came"
    test = view.journey.test_result if view.journey is not None else None
    if test != expected.test:
        yield f"its test is {test or 'without a result'}, expected {expected.test or 'no result'}"
    if (view.status or None) != expected.problem:
        yield f"its problem is {view.status or 'missing'}, expected {expected.problem or 'none'}"


def _of_the_way(story: Story, view: TicketView) -> Iterator[str]:
    expected = story.expected
    if not is_subsequence(expected.statuses, view.statuses):
        yield f"its problem went {_arrows(view.statuses)}, expected {_arrows(expected.statuses)}"
    asked = [action.action for action in view.actions.values()]
    if not is_subsequence(expected.actions, asked):
        yield f"people were asked for {', '.join(asked) or 'nothing'}, expected {', '.join(expected.actions)}"
    missing = _missing(expected.outcomes, view.outcomes)
    if missing is not None:
        told = ", ".join(f"{outcome.command} {outcome.verdict} {outcome.reason}" for outcome in view.outcomes)
        yield f"no outcome {missing} in its place; told were: {told or 'none'}"
    violations = max((len(outcome.violations) for outcome in view.outcomes), default=0)
    if violations != expected.violations:
        yield f"{violations} violations were told, expected {expected.violations}"
    if expected.read_by_get and not view.read_by_get:
        yield "no status of its problem was found by a GET"


def is_subsequence(wanted: Sequence[str], seen: Iterable[str]) -> bool:
    """Whether everything that is wanted was seen in this order, whatever came between."""
    remaining = iter(seen)
    return all(word in remaining for word in wanted)


def _missing(wanted: Iterable[ExpectedOutcome], told: Iterable[GatewayOutcome]) -> ExpectedOutcome | None:
    """The first expected outcome that was not told after the ones before it."""
    remaining = iter(told)
    return next((each for each in wanted if not any(_fits(each, outcome) for outcome in remaining)), None)


def _fits(expected: ExpectedOutcome, outcome: GatewayOutcome) -> bool:
    same = outcome.command is expected.command and outcome.verdict is expected.verdict
    return same and expected.reason in (None, outcome.reason) and outcome.attempts >= expected.attempts


def _arrows(statuses: Sequence[str]) -> str:
    return " → ".join(statuses) or "nowhere"
