"""The bridge that is observed: two dispatchers, two trackers, an ingester, and links to the gateway and back."""

import itertools
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import httpx

from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.ports import free_port
from tests.builders import a_report
from tests.chaos.link import Link
from tests.integration.bridge_under_test import BridgeUnderTest, Ticket
from tests.integration.running_services import PASSWORD

SETTINGS = {
    "BRIDGE_KAFKA_SESSION_TIMEOUT_SECONDS": "25",
    "BRIDGE_KAFKA_TRANSACTION_TIMEOUT_SECONDS": "10",
    "BRIDGE_WEBHOOK_PUBLISH_TIMEOUT_SECONDS": "3",
    "BRIDGE_GATEWAY_BREAKER_FAILURES": "5",
    "BRIDGE_GATEWAY_BREAKER_OPEN_SECONDS": "2",
    "BRIDGE_DISPATCHER_ACCEPT_RESOLUTION_CODES": "NETWORK_ISSUE,NETWORK_UPLIFT",
    "BRIDGE_DISPATCHER_RETRY_FIRST_SECONDS": "0.5",
    "BRIDGE_DISPATCHER_RETRY_LONGEST_SECONDS": "2",
    "BRIDGE_DISPATCHER_TEST_RESULT_WAIT_SECONDS": "10",
    "BRIDGE_TRACKER_SILENT_ACCEPTANCE_SECONDS": "30",
    "BRIDGE_TRACKER_ACTION_DUE_SECONDS": "7200",
}
SIMULATOR = {
    "SIMULATOR_KCI_DELAY": "0.3",
    "SIMULATOR_DELIVERY_ATTEMPTS": "1000",
    "SIMULATOR_DELIVERY_LONGEST_PAUSE": "2",
}
# What happens to the faults that are reported all the time.
EVERYDAY = ("HAPPY_PATH", "HELD_AND_RESUMED", "TEST_GREEN", "NETWORK_INCIDENT", "PROBLEM_REJECTED", "TEST_FAILED")
SUPPLIERS = ("OPENWORLD", "CITYFIBRE", "OPENWORLD")
TYPES = ("OUTAGE", "PERFORMANCE", "STABILITY", "CPE")
PAUSE_SECONDS = 1.5


class ObservedBridge(BridgeUnderTest):
    """Its processes are named `dispatcher-1` and so on; those that end are started again by `revive`."""

    def __init__(self, kafka: EmbeddedKafka, logs: Path) -> None:
        super().__init__(kafka.bootstrap_servers, "observe", logs, settings=SETTINGS, simulator=SIMULATOR)
        self.broker = kafka
        self.to_gateway = Link("gateway", free_port(), [self.gateway.port])
        self._webhook_port = free_port()
        self.to_webhook = Link("webhook", self._port("webhook"), [self._webhook_port])
        self._settings["BRIDGE_GATEWAY_BASE_URL"] = f"http://127.0.0.1:{self.to_gateway.port}/v1"
        self._settings["BRIDGE_WEBHOOK_LISTEN"] = f"127.0.0.1:{self._webhook_port}"
        self.held: set[str] = set()
        # The ticket whose resolution waits for an answer.
        self.waiting: Ticket | None = None
        self._over = threading.Event()
        self._everyday = threading.Thread(target=self._report_all_the_time, name="everyday", daemon=True)

    @property
    def processes(self) -> dict[str, str]:
        """The management address of every process there is or may be."""
        names = ("dispatcher-1", "dispatcher-2", "dispatcher-3", "ingester-1", "tracker-1", "tracker-2")
        return {name: f"127.0.0.1:{self._port(name)}" for name in names}

    def start(self) -> None:
        """Start everything but `dispatcher-3`, and report faults all the time."""
        applied = self.run("topics", "apply", "--replication-factor", "1")
        assert applied.returncode == 0, applied.stdout + applied.stderr
        self.to_gateway.start()
        self.to_webhook.start()
        self.begin("simulator")
        for name in list(self.processes)[:2] + list(self.processes)[3:]:
            self.begin(name.partition("-")[0], name=name)
        for name in self.children:
            self.wait_ready(name)
        self._watch.start()
        self._everyday.start()

    def stop(self) -> None:
        self._over.set()
        self._everyday.join()
        super().stop()
        self.to_gateway.stop()
        self.to_webhook.stop()

    def revive(self) -> None:
        """Start again what ended, as Kubernetes does."""
        for name, child in self.children.items():
            if name not in self.held and not child.running:
                child.start()

    def freeze_kafka(self) -> None:
        self.broker.signal(1, signal.SIGSTOP)

    def thaw_kafka(self) -> None:
        self.broker.signal(1, signal.SIGCONT)

    def revoke_tokens(self) -> None:
        httpx.delete(f"http://127.0.0.1:{self.gateway.port}/control/tokens", trust_env=False).raise_for_status()

    def knock(self, times: int) -> None:
        """Ask the webhook with a wrong password."""
        for _ in range(times):
            httpx.post(self.webhook_url, content=b"{}", auth=("gateway", PASSWORD[::-1]), timeout=15, trust_env=False)

    def report_many(self, plans: Iterable[str], **changes: str) -> list[Ticket]:
        return [self.report(plan, **changes) for plan in plans]

    def _report_all_the_time(self) -> None:
        turns = zip(itertools.cycle(EVERYDAY), itertools.cycle(SUPPLIERS), itertools.cycle(TYPES), strict=False)
        for plan, supplier, problem_type in turns:
            if self._over.wait(PAUSE_SECONDS):
                return
            ticket = self.ticket(plan)
            report = a_report(service_id=ticket.service_id, supplier=supplier, problem_type=problem_type)
            try:
                self.tell(ticket, report)
            except Exception as error:  # noqa: BLE001  # Kafka is frozen now and then, and the ticketing system waits
                sys.stdout.write(f"  (a fault could not be reported: {type(error).__name__})\n")
