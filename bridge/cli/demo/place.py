"""Where the parts of one demo run: addresses on 127.0.0.1, log files, and the environment that configures each part."""

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bridge.sandbox.ports import free_port
from bridge.sandbox.processes import Program

SERVICES = ("dispatcher", "ingester", "tracker")
# What the contract counts in minutes and hours, in seconds, so that all that can happen happens within a minute.
QUICK = {
    "BRIDGE_KAFKA_SESSION_TIMEOUT_SECONDS": "6",
    "BRIDGE_LOG_FORMAT": "console",
}
QUICK_DISPATCHER = {
    "BRIDGE_DISPATCHER_TEST_RESULT_WAIT_SECONDS": "5",
    "BRIDGE_DISPATCHER_UNKNOWN_TEST_WAIT_SECONDS": "4",
    "BRIDGE_DISPATCHER_UNKNOWN_CHECK_WAIT_SECONDS": "2",
    "BRIDGE_DISPATCHER_RETRY_FIRST_SECONDS": "0.5",
    "BRIDGE_DISPATCHER_RETRY_LONGEST_SECONDS": "5",
}
QUICK_TRACKER = {"BRIDGE_TRACKER_PROBLEM_SILENCE_SECONDS": "6"}
KCI_DELAY_SECONDS = 1.3
CLIENT_ID = "tenant"
WEBHOOK_USER = "gateway"


@dataclass(frozen=True)
class Place:
    """
    Everything that one run needs to know of itself. `kafka` are the BRIDGE_KAFKA_ variables of its cluster.

    `first_id` is the simulator's: 0 lets the clock choose, so that ids are new on a cluster that saw a demo before.
    """

    kafka: Mapping[str, str]
    logs: Path
    first_id: int
    simulator: str
    webhook: str
    management: Mapping[str, str]
    client_secret: str
    webhook_password: str

    def simulator_program(self) -> Program:
        """The gateway; it needs nothing of the others."""
        settings = {
            "LISTEN": self.simulator,
            "CLIENT_ID": CLIENT_ID,
            "CLIENT_SECRET": self.client_secret,
            "WEBHOOK_URL": f"http://{self.webhook}/kcis",
            "WEBHOOK_AUTH": "basic",
            "WEBHOOK_USERNAME": WEBHOOK_USER,
            "WEBHOOK_PASSWORD": self.webhook_password,
            "KCI_DELAY": str(KCI_DELAY_SECONDS),
            "FIRST_ID": str(self.first_id),
        }
        return self._program(
            "simulator",
            ("-m", "bridge.simulator"),
            {f"SIMULATOR_{name}": value for name, value in settings.items()},
            f"http://{self.simulator}/live",
        )

    def service_program(self, service: str) -> Program:
        """One of the bridge's services, started as in production."""
        environment = {**self._own(service), "BRIDGE_MANAGEMENT_LISTEN": self.management[service]}
        ready = f"http://{self.management[service]}/ready"
        return self._program(service, ("-m", "bridge", "run", service), environment, ready)

    def command(self, name: str, *arguments: str) -> Program:
        """A `bridge` command of a person, with what it needs to find the cluster."""
        return self._program(name, ("-m", "bridge", *arguments), self.kafka, None)

    def _own(self, service: str) -> dict[str, str]:
        match service:
            case "dispatcher":
                gateway = {
                    "BRIDGE_GATEWAY_BASE_URL": f"http://{self.simulator}/v1",
                    "BRIDGE_GATEWAY_CLIENT_ID": CLIENT_ID,
                    "BRIDGE_GATEWAY_CLIENT_SECRET": self.client_secret,
                }
                return {**QUICK, **self.kafka, **gateway, **QUICK_DISPATCHER}
            case "ingester":
                webhook = {
                    "BRIDGE_WEBHOOK_LISTEN": self.webhook,
                    "BRIDGE_WEBHOOK_AUTH": "basic",
                    "BRIDGE_WEBHOOK_USERNAME": WEBHOOK_USER,
                    "BRIDGE_WEBHOOK_PASSWORD": self.webhook_password,
                }
                return {**QUICK, **self.kafka, **webhook}
            case _:
                return {**QUICK, **self.kafka, **QUICK_TRACKER}

    def _program(
        self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str], ready_url: str | None
    ) -> Program:
        return Program(name, (sys.executable, *arguments), self.logs / f"{name}.log", environment, ready_url)


def find_place(kafka: Mapping[str, str], logs: Path, first_id: int) -> Place:
    """A place on free ports, with secrets that nobody else knows."""
    first = free_port(2 + len(SERVICES))
    return Place(
        kafka=kafka,
        logs=logs,
        first_id=first_id,
        simulator=f"127.0.0.1:{first}",
        webhook=f"127.0.0.1:{first + 1}",
        management={service: f"127.0.0.1:{first + 2 + number}" for number, service in enumerate(SERVICES)},
        client_secret=secrets.token_urlsafe(16),
        webhook_password=secrets.token_urlsafe(16),
    )
