"""
The bridge of a chaos run: several processes of each service, started again when they end as Kubernetes does, behind
links that can be cut.
"""

import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from bridge.sandbox.errors import SandboxError
from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.ports import free_port
from bridge.sandbox.processes import Program
from tests.chaos.hold import HOLD, NAME, Hold
from tests.chaos.link import Link
from tests.integration.bridge_under_test import BridgeUnderTest

SETTINGS = {
    "BRIDGE_KAFKA_SESSION_TIMEOUT_SECONDS": "6",
    "BRIDGE_KAFKA_REBALANCE_TIMEOUT_SECONDS": "20",
    "BRIDGE_KAFKA_TRANSACTION_TIMEOUT_SECONDS": "10",
    "BRIDGE_GATEWAY_CONNECT_TIMEOUT_SECONDS": "2",
    "BRIDGE_GATEWAY_READ_TIMEOUT_SECONDS": "4",
    "BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS": "6",
    "BRIDGE_GATEWAY_SUPPLIER_RATE": "1000",
    "BRIDGE_GATEWAY_BREAKER_OPEN_SECONDS": "2",
    "BRIDGE_DISPATCHER_TEST_RESULT_WAIT_SECONDS": "15",
    "BRIDGE_DISPATCHER_UNKNOWN_TEST_WAIT_SECONDS": "5",
    "BRIDGE_DISPATCHER_UNKNOWN_CHECK_WAIT_SECONDS": "1",
    "BRIDGE_DISPATCHER_RETRY_FIRST_SECONDS": "0.2",
    "BRIDGE_DISPATCHER_RETRY_LONGEST_SECONDS": "2",
    "BRIDGE_DISPATCHER_ACCEPT_RESOLUTION_CODES": "NETWORK_ISSUE",
    "BRIDGE_TRACKER_PROBLEM_SILENCE_SECONDS": "30",
    "BRIDGE_TRACKER_TEST_SILENCE_SECONDS": "30",
}
SIMULATOR = {
    "SIMULATOR_KCI_DELAY": "0.2",
    "SIMULATOR_DELIVERY_ATTEMPTS": "1000",
    "SIMULATOR_DELIVERY_LONGEST_PAUSE": "2",
}
SERVICES = ("dispatcher", "ingester", "tracker")
SUPERVISED_EVERY_SECONDS = 0.2
HTTP_SECONDS = 5.0
NUMBER = re.compile(r" ([0-9.e+]+)$", re.MULTILINE)
# Of a process's metrics, what tells why nothing goes on: how far its group is behind, and what is under way.
OF_INTEREST = re.compile(
    r"bridge_(consumer_lag_(records|seconds)|unsettled_records|gateway_calls_in_flight|supplier_breaker|commands|"
    r"oldest_command_seconds|webhook_requests_in_flight)\b\S* (?!0\.0$)"
)


@dataclass
class Setup:
    """What a scenario wants of its stage."""

    replicas: Mapping[str, int] = field(default_factory=lambda: {"dispatcher": 2, "ingester": 2, "tracker": 2})
    settings: Mapping[str, str] = field(default_factory=dict)
    simulator: Mapping[str, str] = field(default_factory=dict)
    # The module that runs instead of a service, by service.
    instead: Mapping[str, str] = field(default_factory=dict)


class Stage(BridgeUnderTest):
    """One bridge with replicas `dispatcher-1`, `dispatcher-2`, ...; what ends by itself is started again."""

    def __init__(
        self, kafka: EmbeddedKafka, name: str, logs: Path, setup: Setup, to_broker: Mapping[str, Link]
    ) -> None:
        """`to_broker` are the ways to Kafka of those services whose way is not the direct one."""
        self.setup = setup
        self.webhooks = {f"ingester-{number}": free_port() for number in range(1, 10)}
        self.webhook = Link("gateway to ingester", free_port(), list(self.webhooks.values()))
        self.broker = kafka
        self.to_broker = to_broker
        self.crashes: Counter[str] = Counter()
        self.killed: set[str] = set()
        self._held: set[str] = set()
        self._starting: dict[str, float] = {}
        self._over = threading.Event()
        self._lock = threading.RLock()
        self._supervisor = threading.Thread(target=self._supervise, name="supervisor", daemon=True)
        super().__init__(
            kafka.bootstrap_servers,
            name,
            logs,
            settings={**SETTINGS, **setup.settings},
            simulator={**SIMULATOR, **setup.simulator},
            instead=setup.instead,
        )
        self.clock = logs / "clock"
        self.clock.write_text("0")
        self.hold_of_calls = Hold(logs / "hold")
        self.hold_of_calls.lift()
        self.to_gateway = Link("dispatcher to gateway", free_port(), [self.gateway.port])
        self._settings["BRIDGE_GATEWAY_BASE_URL"] = f"http://127.0.0.1:{self.to_gateway.port}/v1"

    @property
    def webhook_url(self) -> str:
        """Where the gateway delivers, before all ingesters."""
        return f"http://127.0.0.1:{self.webhook.port}/kcis"

    @property
    def prefix(self) -> str:
        """What stands before each topic of this run."""
        return self.kafka["BRIDGE_KAFKA_TOPIC_PREFIX"]

    def start(self) -> None:
        """Make the topics, start every process, and return when all of them are ready."""
        replication = str(min(3, len(self.broker.places)))
        arguments = ["topics", "apply", "--replication-factor", replication]
        applied = self.run(*arguments)
        assert applied.returncode == 0, applied.stdout + applied.stderr
        self.webhook.start()
        self.to_gateway.start()
        self.begin("simulator")
        for service in SERVICES:
            for number in range(1, self.setup.replicas[service] + 1):
                self.begin(service, name=f"{service}-{number}")
        for name in self.names():
            self.wait_ready(name)
        self._supervisor.start()

    def stop(self) -> None:
        self._over.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        super().stop()
        for link in (self.webhook, self.to_gateway):
            if link._thread.is_alive():  # noqa: SLF001  # a stage that did not start has links that did not
                link.stop()

    def names(self, service: str = "") -> list[str]:
        """The processes of a service, or of all services, that are meant to run."""
        with self._lock:
            found = [name for name in self.children if name != "simulator" and name not in self._held]
        return [name for name in found if name.startswith(service)]

    def hold(self, name: str) -> None:
        """Do not start this process again."""
        with self._lock:
            self._held.add(name)

    def release(self, name: str) -> None:
        """Start a process again that was held back, and from now on whenever it ends."""
        with self._lock:
            if not self.children[name].running:
                self.children[name].start()
            self._held.discard(name)

    def wait_all_ready(self, service: str = "", seconds: float = 60.0) -> None:
        """Return when every process that is meant to run takes part."""
        deadline = time.monotonic() + seconds
        for name in self.names(service):
            while True:
                try:
                    self.children[name].wait_ready(max(1.0, deadline - time.monotonic()))
                    break
                except SandboxError:
                    # It ended meanwhile, and the supervisor starts it again.
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(SUPERVISED_EVERY_SECONDS)

    def revoke_tokens(self) -> None:
        """Have the gateway forget every access token."""
        url = f"http://127.0.0.1:{self.gateway.port}/control/tokens"
        httpx.delete(url, timeout=HTTP_SECONDS, trust_env=False).raise_for_status()

    def struck(self) -> list[int]:
        """How often each of the rules of the weather in force has struck."""
        url = f"http://127.0.0.1:{self.gateway.port}/control/faults"
        return list(httpx.get(url, timeout=HTTP_SECONDS, trust_env=False).json()["struck"])

    def metric(self, name: str, metric: str) -> float:
        """The sum of a metric over its labels, as a process tells it now; 0 if it does not answer."""
        text = self._told(name, "metrics")
        lines = "\n".join(line for line in text.splitlines() if line.startswith((f"{metric} ", f"{metric}{{")))
        return sum(float(found) for found in NUMBER.findall(lines))

    def why(self) -> str:
        """What each process tells of itself, and the end of its log."""
        told = []
        for name in self.names():
            of_interest = [line for line in self._told(name, "metrics").splitlines() if OF_INTEREST.match(line)]
            health = [self._told(name, path).strip() for path in ("live", "ready")]
            told.append("\n    ".join((f"-- {name} tells:", *health, *of_interest)))
        return "\n".join((*told, super().why()))

    def _told(self, name: str, path: str) -> str:
        try:
            return httpx.get(f"http://{self.management(name)}/{path}", timeout=HTTP_SECONDS, trust_env=False).text
        except httpx.HTTPError:
            return ""

    def management(self, name: str) -> str:
        """Where a process tells of itself."""
        return f"127.0.0.1:{self._port(name)}"

    def _program(self, service: str, name: str) -> Program:
        program = super()._program(service, name)
        own = {"CHAOS_CLOCK": str(self.clock), HOLD: str(self.hold_of_calls.file), NAME: name}
        if service in self.to_broker:
            own["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{self.to_broker[service].port}"
        if service == "ingester":
            own["BRIDGE_WEBHOOK_LISTEN"] = f"127.0.0.1:{self.webhooks[name]}"
        return replace(program, environment={**program.environment, **own})

    def _supervise(self) -> None:
        while not self._over.wait(SUPERVISED_EVERY_SECONDS):
            with self._lock:
                ended = [name for name in self.names() if not self.children[name].running]
                for name in ended:
                    if name in self.killed:
                        self.killed.discard(name)
                    else:
                        self.crashes[f"{name} ended with {self.children[name].exit_code}"] += 1
                    self.children[name].start()
