"""The tickets of the demo and how each of them must go: a file of events, and beside it a file of expectations."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from bridge.adapters.avro import NotThatRecord
from bridge.cli.tickets import read_events
from bridge.domain.journeys import End
from bridge.domain.outcomes import CommandName, Reason, Verdict
from bridge.domain.tickets import FaultTicketEvent

EXPECTED_SUFFIX = ".expected.yaml"


class StoriesError(Exception):
    """The two files cannot be used; the text says which ticket or event is wrong, and what would be right."""


class Strict(BaseModel):
    """Frozen, and strict about keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class When(Strict):
    """What the ticketing system must see before it sends an event."""

    status: str | None = None
    action: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.status is None and self.action is None:
            raise ValueError("say a status, an action, or both")
        return self


class FollowUp(Strict):
    """An event that is sent later than at once."""

    event: str
    when: When


class ExpectedOutcome(Strict):
    """An outcome that must have been told; `attempts` is the least number of sends."""

    command: CommandName
    verdict: Verdict
    reason: Reason | None = None
    attempts: int = 0

    def __str__(self) -> str:
        words = [self.command, self.verdict, *([self.reason] if self.reason else [])]
        return " ".join(words) + (f" after {self.attempts} attempts" if self.attempts else "")


class Expected(Strict):
    """How a ticket ends, and what must have been seen on its way."""

    end: End
    test: str | None = None
    problem: str | None = None
    statuses: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    outcomes: tuple[ExpectedOutcome, ...] = ()
    violations: int = 0
    read_by_get: bool = False


class Scenario(Strict):
    """One entry of the file of expectations."""

    ticket: str
    story: str
    follow_ups: tuple[FollowUp, ...] = ()
    expect: Expected


class Scenarios(Strict):
    """The file of expectations."""

    tickets: tuple[Scenario, ...]


@dataclass(frozen=True)
class Story:
    """One ticket: what is sent at once, what is sent later and when, and how it must end."""

    scenario: Scenario
    at_once: tuple[FaultTicketEvent, ...]
    later: tuple[tuple[When, FaultTicketEvent], ...]

    @property
    def ticket_id(self) -> str:
        """The ticket's id."""
        return self.scenario.ticket

    @property
    def expected(self) -> Expected:
        """How it must end."""
        return self.scenario.expect


def load_stories(tickets: Path) -> tuple[Story, ...]:
    """
    Read the events and the expectations beside them, in the order of the events.

    Raises:
        StoriesError: with every problem, one a line.

    """
    expectations = tickets.with_name(tickets.stem + EXPECTED_SUFFIX)
    try:
        events = read_events(tickets.read_text(encoding="utf-8"))
        scenarios = Scenarios.model_validate(yaml.safe_load(expectations.read_text(encoding="utf-8"))).tickets
    except OSError as error:
        raise StoriesError(
            f"{error.filename} cannot be read: {error.strerror}; name a file of ticket events with --tickets, and put"
            f" NAME{EXPECTED_SUFFIX} beside it"
        ) from error
    except NotThatRecord as error:
        raise StoriesError(f"{tickets}: {error}") from error
    except yaml.YAMLError as error:
        raise StoriesError(f"{expectations}: not YAML: {error}") from error
    except ValidationError as error:
        raise StoriesError("\n".join(f"{expectations}: {line}" for line in _lines(error))) from error
    problems = tuple(_problems(events, scenarios))
    if problems:
        raise StoriesError("\n".join(f"{expectations}: {problem}" for problem in problems))
    by_ticket = {scenario.ticket: scenario for scenario in scenarios}
    return tuple(_story(by_ticket[ticket], events) for ticket in dict.fromkeys(event.ticket_id for event in events))


def _story(scenario: Scenario, events: list[FaultTicketEvent]) -> Story:
    own = {event.event_id: event for event in events if event.ticket_id == scenario.ticket}
    later = {follow_up.event for follow_up in scenario.follow_ups}
    return Story(
        scenario=scenario,
        at_once=tuple(event for event_id, event in own.items() if event_id not in later),
        later=tuple((follow_up.when, own[follow_up.event]) for follow_up in scenario.follow_ups),
    )


def _problems(events: list[FaultTicketEvent], scenarios: tuple[Scenario, ...]) -> Iterator[str]:
    """What does not fit together."""
    if not events:
        yield "there is no event for it"
    for (ticket, event_id), count in Counter((event.ticket_id, event.event_id) for event in events).items():
        if count > 1:
            yield f"event {event_id} of ticket {ticket} is in the file {count} times"
    tickets, listed = {event.ticket_id for event in events}, Counter(scenario.ticket for scenario in scenarios)
    yield from (f"ticket {ticket} has events and no expectation" for ticket in sorted(tickets - set(listed)))
    yield from (f"ticket {ticket} is listed {count} times" for ticket, count in listed.items() if count > 1)
    for scenario in scenarios:
        yield from _problems_of(scenario, {event.event_id for event in events if event.ticket_id == scenario.ticket})


def _problems_of(scenario: Scenario, own: set[str]) -> Iterator[str]:
    later = [follow_up.event for follow_up in scenario.follow_ups]
    yield from (f"ticket {scenario.ticket} has no event {event}" for event in later if event not in own)
    if own <= set(later):
        yield f"ticket {scenario.ticket} has no event that is sent at once"


def _lines(error: ValidationError) -> Iterator[str]:
    for detail in error.errors():
        place = ".".join(str(part) for part in detail["loc"])
        yield f"{place}: {detail['msg'].removeprefix('Value error, ')}"
