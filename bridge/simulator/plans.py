"""
How a tenant chooses what happens to a service: one scenario and any number of faults, in a service id or a header.

    SIM-HAPPY_PATH-0001                               a scenario; what follows the second hyphen is free
    SIM-HAPPY_PATH+KCI_LOST-0001                      ... with a fault
    SIM-HAPPY_PATH+HTTP_503x2@problems-0001           ... of the first two POST /service-problems
    SIM-HAPPY_PATH.HTTP_503x2~problems-0001           the same, with signs that need no escaping in a URL
    X-Scenario: AMENDMENT_REFUSED+ANSWER_LOST@amend   the same in a header; the header goes before the service id

An operation may be shortened as long as it stays clear (`@a`, `@cancel`), because a service id has 50 characters.
A refusing or hiding fault without an operation strikes every POST and PATCH of the service, each n times.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from bridge.simulator.faults import FAULTS, Effect, Fault
from bridge.simulator.scenarios import SCENARIOS
from bridge.simulator.steps import Scenario

COMMANDS: Final = ("tests", "problems", "amendments", "cancellations", "resolutions")
READS: Final = ("get_test", "get_problem")
OPERATIONS: Final = (*COMMANDS, *READS)

_SERVICE_ID: Final = re.compile(r"SIM-([^-]+)(?:-.*)?", re.DOTALL)
_FAULT: Final = re.compile(r"([A-Z0-9_]+)(?:x(\d{1,4}))?(?:[@~]([a-z_]+))?")


class UnknownPlan(Exception):
    """The service id or the header names what does not exist; the text says what does."""


@dataclass(frozen=True)
class PlannedFault:
    """
    A fault, how often (or how strongly) it strikes, and at which operations.

    For faults of KCIs the operation is the one that created the entity: `tests` or `problems`.
    """

    fault: Fault
    count: int
    operations: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What happens to a service; `kci_delay` (seconds before each step) only when a header gave one."""

    scenario: Scenario
    faults: tuple[PlannedFault, ...] = ()
    kci_delay: float | None = None

    def upset(self, name: str, operation: str) -> int:
        """How strongly the KCI fault `name` disturbs the KCIs of what `operation` created; 0 = not at all."""
        planned = (each for each in self.faults if each.fault.name == name and operation in each.operations)
        return next((each.count for each in planned), 0)

    def paced(self, kci_delay: float) -> "Plan":
        """The same plan with another pause before each step."""
        return replace(self, kci_delay=kci_delay)

    def strikes(self, operation: str) -> tuple[PlannedFault, ...]:
        """The faults that may strike a request of `operation`, in the order in which they were written."""
        return tuple(
            each for each in self.faults if each.fault.effect is not Effect.UPSET and operation in each.operations
        )


def plan_of(service_id: str, header: str | None, kci_delay: float | None, default: str) -> Plan:
    """
    The plan that a request asks for: the header's, else the service id's, else the scenario named `default`.

    Raises UnknownPlan.
    """
    matched = _SERVICE_ID.fullmatch(service_id)
    text = header or (matched.group(1) if matched else default)
    scenario, *faults = re.split(r"[+.]", text)
    return Plan(_scenario(scenario), tuple(_fault(part) for part in faults), kci_delay)


def _scenario(name: str) -> Scenario:
    if name not in SCENARIOS:
        raise UnknownPlan(f"Unknown scenario {name[:50]!r} - the simulator knows {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def _fault(text: str) -> PlannedFault:
    matched = _FAULT.fullmatch(text)
    if matched is None or matched.group(1) not in FAULTS:
        raise UnknownPlan(
            f"Unknown fault {text[:50]!r} - write NAME, NAMEx2 or NAMEx2@operation; known are {', '.join(FAULTS)}"
        )
    fault = FAULTS[matched.group(1)]
    count = int(matched.group(2) or fault.default_count)
    if matched.group(3) is None:
        return PlannedFault(fault, count, COMMANDS)
    return PlannedFault(fault, count, (_operation(matched.group(3)),))


def _operation(shortened: str) -> str:
    if shortened in OPERATIONS:
        return shortened
    meant = [operation for operation in OPERATIONS if operation.startswith(shortened)]
    if len(meant) != 1:
        raise UnknownPlan(
            f"Unknown operation {shortened[:50]!r} - write one of {', '.join(OPERATIONS)} or a clear beginning of it"
        )
    return meant[0]
