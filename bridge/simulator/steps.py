"""
What a scenario is made of: steps, each one thing that the supplier (or the gateway for it) does to a test or a problem.

All of it is frozen data; `supplier` carries the steps out.
"""

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True)
class Information:
    """An INFORMATIONAL KCI: something happened, nobody has to act."""

    type: str
    code: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Action:
    """An ACTION_REQUIRED KCI: the tenant has to act."""

    type: str
    text: str


@dataclass(frozen=True)
class Failure:
    """An ERROR KCI: the request did not get through."""

    code: str
    text: str


Announcement = Information | Action | Failure


@dataclass(frozen=True)
class Say:
    """Announce something; the status stays."""

    what: Announcement


@dataclass(frozen=True)
class Move:
    """Move to the status `to` and announce it. A KCI that the gateway makes itself carries no issuedOn."""

    to: str
    what: Announcement
    by_gateway: bool = False


@dataclass(frozen=True)
class Conclude:
    """Finish a test with a result; `silent` means that no KCI says so and only GET shows it."""

    result: str
    code: str
    valid_for: float | None = None  # seconds; None = the setting
    silent: bool = False


@dataclass(frozen=True)
class Resolve:
    """Move the problem to RESOLVED with a new resolution and ask the tenant to CONFIRM; then wait for the answer."""

    code: str = "NETWORK_ISSUE"
    text: str = "Supplier has repaired the line."
    closes_early: bool = False  # closes by itself after the short period of SILENT_ACCEPTANCE

    def ask(self) -> Action:
        """The question to the tenant."""
        return Action("CONFIRM", self.text)


@dataclass(frozen=True)
class Await:
    """Wait for the verdict on a request of the tenant; `needs` names a field that the amendment must bring."""

    what: str
    accepted: bool = False
    needs: str | None = None


Step = Say | Move | Conclude | Resolve | Await
Script = tuple[Step, ...]


class Verdict(StrEnum):
    """What the supplier makes of an amendment or a cancellation."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    NOT_SENT = "NOT_SENT"
    OVERTAKEN = "OVERTAKEN"  # cancellation only: the problem was resolved first


@dataclass(frozen=True)
class Scenario:
    """
    How the stub suppliers treat one service.

    The nth test (problem) of a service walks the nth script of `tests` (`problems`), the last one again and again.
    `ends` are the statuses in which a problem of this scenario can come to rest; none when no problem is possible.
    """

    name: str
    promise: str
    tests: tuple[Script, ...]
    problems: tuple[Script, ...]
    ends: tuple[str, ...]
    amendments: Verdict = Verdict.ACCEPTED
    cancellations: Verdict = Verdict.ACCEPTED
    after_rejection: Script = field(
        default=(
            Move("IN_PROGRESS", Information("RESUMED", text="Supplier works on the problem again.")),
            Resolve("NETWORK_CABLING", "Supplier has replaced the cable."),
        )
    )
