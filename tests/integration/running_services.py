"""
The services of a bridge as in production: each a process of its own, told everything by the environment, on a real
Apache Kafka and against the simulator.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from bridge.sandbox.ports import free_port
from bridge.sandbox.processes import Child, Fleet, Program
from tests.integration.simulated_gateway import SimulatedGateway

BRIDGE = (sys.executable, "-m", "bridge")
USER, PASSWORD = "gateway", "gateway-secret"
READY_SECONDS = 60.0
COMMAND_SECONDS = 60.0
LOG_TAIL_LINES = 12
LOG_LINE_LENGTH = 400
NOTHING_MORE: Mapping[str, str] = MappingProxyType({})
MANAGED = ("dispatcher", "ingester", "tracker")


class RunningServices:
    """
    One bridge with topics of its own; `settings` are BRIDGE_ variables, `simulator` are SIMULATOR_ variables, and
    `instead` names the module that runs in place of a service.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        name: str,
        logs: Path,
        *,
        settings: Mapping[str, str] = NOTHING_MORE,
        simulator: Mapping[str, str] = NOTHING_MORE,
        instead: Mapping[str, str] = NOTHING_MORE,
    ) -> None:
        self.name = name
        self._instead = instead
        self.fleet = Fleet()
        self.children: dict[str, Child] = {}
        self._ports: dict[str, int] = {}
        self._logs = logs
        self.gateway = SimulatedGateway(self._port("simulator"))
        self.kafka = {
            "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "BRIDGE_KAFKA_TOPIC_PREFIX": f"{name}-{os.getpid()}-",
            "BRIDGE_KAFKA_SESSION_TIMEOUT_SECONDS": "6",
            "BRIDGE_KAFKA_REBALANCE_TIMEOUT_SECONDS": "30",
        }
        self._settings = {
            **self.kafka,
            "BRIDGE_GATEWAY_BASE_URL": f"http://127.0.0.1:{self.gateway.port}/v1",
            "BRIDGE_GATEWAY_CLIENT_ID": "tenant",
            "BRIDGE_GATEWAY_CLIENT_SECRET": "tenant-secret",
            "BRIDGE_GATEWAY_READ_TIMEOUT_SECONDS": "6",
            "BRIDGE_GATEWAY_TOTAL_TIMEOUT_SECONDS": "10",
            "BRIDGE_WEBHOOK_LISTEN": f"127.0.0.1:{self._port('webhook')}",
            "BRIDGE_WEBHOOK_AUTH": "basic",
            "BRIDGE_WEBHOOK_USERNAME": USER,
            "BRIDGE_WEBHOOK_PASSWORD": PASSWORD,
            **settings,
        }
        self._simulator = {
            "SIMULATOR_LISTEN": f"127.0.0.1:{self.gateway.port}",
            "SIMULATOR_WEBHOOK_URL": self.webhook_url,
            "SIMULATOR_WEBHOOK_AUTH": "basic",
            "SIMULATOR_WEBHOOK_USERNAME": USER,
            "SIMULATOR_WEBHOOK_PASSWORD": PASSWORD,
            "SIMULATOR_KCI_DELAY": "0.1",
            "SIMULATOR_DELIVERY_LONGEST_PAUSE": "1",
            "SIMULATOR_DELIVERY_ATTEMPTS": "60",
            **simulator,
        }

    # -- its life

    def start(self) -> None:
        """Make the topics, start every process, and return when all of them are ready."""
        applied = self.run("topics", "apply", "--replication-factor", "1")
        assert applied.returncode == 0, applied.stderr
        self.begin("simulator")
        for service in MANAGED:
            self.begin(service)
        for service in MANAGED:
            self.wait_ready(service)

    def stop(self) -> None:
        """End everything, by force if need be."""
        self.gateway.close()
        self.fleet.stop()

    def begin(self, service: str, *, name: str | None = None) -> None:
        """Start a process and return at once; `name` tells a second one of the same service from the first."""
        name = name or service
        self.children[name] = self.fleet.start(self._program(service, name))

    def wait_ready(self, name: str) -> None:
        self.children[name].wait_ready(READY_SECONDS)

    def restart(self, *names: str) -> None:
        """Start processes that have ended again, and return when all of them are ready."""
        for name in names:
            self.children[name].start()
        for name in names:
            self.wait_ready(name)

    def kill(self, name: str) -> None:
        """End a process as kill -9 does."""
        self.children[name].kill()

    def terminate(self, name: str) -> int | None:
        """End a process as Kubernetes does, and return its exit code."""
        return self.children[name].terminate(grace_seconds=25)

    def log(self, name: str) -> str:
        """What a process wrote since its latest start."""
        return self.children[name].log_text()

    def logs(self) -> str:
        """What every process of the bridge ever wrote."""
        return "\n".join(path.read_text(errors="replace") for path in self._logs.glob("*.log"))

    def log_tails(self) -> dict[str, str]:
        """The end of each log, for whoever has to find out why a test failed."""
        return {
            name: "\n".join(line[:LOG_LINE_LENGTH] for line in self.log(name).splitlines()[-LOG_TAIL_LINES:])
            for name in self.children
        }

    def metrics(self, name: str) -> str:
        """The metrics of a process as they are now."""
        return httpx.get(f"http://127.0.0.1:{self._port(name)}/metrics", timeout=10, trust_env=False).text

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command of the bridge, as a person would, and wait for its end."""
        return run_command(self.kafka, *arguments, stdin=stdin)

    @property
    def webhook_url(self) -> str:
        return f"http://127.0.0.1:{self._port('webhook')}/kcis"

    def management_url(self, name: str) -> str:
        """Where a service tells of itself."""
        return f"http://127.0.0.1:{self._port(name)}"

    def why(self) -> str:
        """Which processes run, and the end of each log."""
        lines = []
        for name, tail in self.log_tails().items():
            child = self.children[name]
            state = "runs" if child.running else f"ended with {child.exit_code}"
            lines.append(f"-- {name} {state}; the end of its log:\n{tail}")
        return "\n".join(lines)

    # -- processes

    def _program(self, service: str, name: str) -> Program:
        log = self._logs / f"{name}.log"
        if service == "simulator":
            url = f"http://127.0.0.1:{self.gateway.port}/live"
            simulator = (sys.executable, "-m", "bridge.simulator")
            return Program(name, simulator, log, self._simulator, ready_url=url)
        management = f"127.0.0.1:{self._port(name)}"
        environment = {**self._settings, "BRIDGE_MANAGEMENT_LISTEN": management}
        module = self._instead.get(service)
        command = (sys.executable, "-m", module, service) if module else (*BRIDGE, "run", service)
        return Program(name, command, log, environment, ready_url=f"http://{management}/ready")

    def _port(self, name: str) -> int:
        while name not in self._ports:
            port = free_port()
            if port not in self._ports.values():
                self._ports[name] = port
        return self._ports[name]


def events_in(log: str) -> list[dict[str, Any]]:
    """The lines that services wrote to a log, without what else is in it."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def run_command(settings: Mapping[str, str], *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of the bridge with these BRIDGE_ variables and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    return subprocess.run(
        (*BRIDGE, *arguments),
        env={**environment, **settings},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
