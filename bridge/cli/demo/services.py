"""The processes of one demo: started, watched, and described when one of them dies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bridge.cli.demo.cluster import Cluster
from bridge.cli.demo.picture import Part
from bridge.cli.demo.place import SERVICES, Place
from bridge.sandbox.errors import SandboxError
from bridge.sandbox.processes import Child, Fleet

READY_SECONDS = 60.0
TAIL_LINES = 15


@dataclass
class Services:
    """The children by name. `may_be_down` are those that are killed on purpose now."""

    cluster: Cluster
    children: dict[str, Child]
    may_be_down: set[str] = field(default_factory=set)

    def check(self) -> None:
        """
        See that all are running.

        Raises:
            SandboxError: one has died; the text names it, with the end of its log.

        """
        if not self.cluster.is_running():
            raise SandboxError(f"the Kafka broker has ended; its log is {self.cluster.log}")
        for name, child in self.children.items():
            if name not in self.may_be_down and not child.running:
                raise SandboxError(f"{name} ended with {child.exit_code}{tail(child)}")

    def parts(self) -> Iterator[Part]:
        """All of them for the legend."""
        yield Part("kafka", ",".join(self.cluster.settings.bootstrap_servers), self.cluster.is_running())
        for name, child in self.children.items():
            yield Part(name, str(child.pid), child.running)


def tail(child: Child) -> str:
    """Where a child's log is, and its end."""
    lines = child.log_text().splitlines()[-TAIL_LINES:]
    return "\n".join((f"; the end of {child.program.log}:", *(f"    {line}" for line in lines)))


@contextmanager
def running_services(
    cluster: Cluster, place: Place, simulator: Child, told: Callable[[str], None]
) -> Iterator[Services]:
    """Start the bridge's services; they and nothing of them is left when the context ends."""
    with Fleet() as fleet:
        started = {service: fleet.start(place.service_program(service)) for service in SERVICES}
        simulator.wait_ready(READY_SECONDS)
        told(f"gateway simulator at http://{place.simulator}/v1")
        for service, child in started.items():
            child.wait_ready(READY_SECONDS)
            told(f"{service}, process {child.pid}")
        yield Services(cluster, {"simulator": simulator, **started})
