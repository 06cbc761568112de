"""What a scenario is: what is done to the bridge, on which stage, under which load."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.chaos.provider import MIX
from tests.chaos.stage import Setup

if TYPE_CHECKING:
    from tests.chaos.chaos import Chaos


@dataclass
class Scenario:
    """What happens to the bridge: `act` injects the faults while tickets come in; `what` says it in a few words."""

    name: str
    what: str
    act: "Callable[[Chaos], None]"
    setup: Setup = field(default_factory=Setup)
    brokers: int = 1
    # Whether each service reaches Kafka through a link of its own, which can be cut.
    through_links: bool = False
    faults_of: Callable[[str], str] = lambda _: ""
    # Scenarios of the simulator and how many of a hundred tickets have each.
    mix: Mapping[str, int] = field(default_factory=lambda: MIX)
    # A second's tickets, as long as fewer than `most_open` are in the works: a slow machine gets a slower load.
    rate: float = 40.0
    most_open: int = 250
    # So many come at once, at the beginning.
    backlog: int = 50
    settle_seconds: float = 300.0

    @property
    def slug(self) -> str:
        """The name as a part of a file's or a topic's name."""
        return self.name.lower().replace(" ", "-")
