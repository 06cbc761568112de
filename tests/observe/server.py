"""A real Prometheus beside a running bridge: it scrapes every second and evaluates the shortened rules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from bridge.sandbox.ports import free_port
from bridge.sandbox.processes import Fleet, Program
from bridge.sandbox.prometheus import install_programs
from tests.observe.rules import INTERVAL, write_shortened

Labels = dict[str, str]


class PrometheusServer:
    """Prometheus in a directory of its own, without anything of it that outlives the run."""

    def __init__(self, directory: Path, fleet: Fleet, targets: Mapping[str, str]) -> None:
        """`targets` are the addresses to scrape, by the name that becomes their label `instance`."""
        self._directory = directory
        self._fleet = fleet
        self._targets = targets
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{free_port()}", timeout=10, trust_env=False)

    def start(self) -> None:
        """Return when it answers."""
        programs = install_programs(announce=lambda _: None)
        rules = write_shortened(self._directory)
        config = self._directory / "prometheus.yaml"
        config.write_text(yaml.safe_dump(self._config(rules)))
        address = f"{self._http.base_url.host}:{self._http.base_url.port}"
        command = (
            str(programs["prometheus"]),
            f"--config.file={config}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address={address}",
        )
        log = self._directory / "prometheus.log"
        program = Program("prometheus", command, log, {}, ready_url=f"http://{address}/-/ready")
        self._fleet.start(program).wait_ready(30)

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """The answer to a query now: for each series its labels (`metric`) and `value`."""
        return self._get("/api/v1/query", query=expr)["result"]  # type: ignore[no-any-return]  # JSON

    def course(self, expr: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The answer over a time: for each series its labels (`metric`) and `values`."""
        data = self._get("/api/v1/query_range", query=expr, start=str(start), end=str(end), step=str(step))
        return data["result"]  # type: ignore[no-any-return]  # JSON

    def firing(self) -> dict[str, list[Labels]]:
        """The alerts that fire, by name: of each its labels and annotations in one."""
        found: dict[str, list[Labels]] = {}
        for alert in self._get("/api/v1/alerts")["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append({**alert["labels"], **alert["annotations"]})
        return found

    def unhealthy_rules(self) -> list[str]:
        """Rules whose last evaluation failed, with the error."""
        groups = self._get("/api/v1/rules")["groups"]
        return [
            f"{rule['name']}: {rule['lastError']}"
            for group in groups
            for rule in group["rules"]
            if rule["health"] == "err"
        ]

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        answer = self._http.get(path, params=parameters)
        assert answer.is_success, answer.text
        return answer.json()["data"]  # type: ignore[no-any-return]  # JSON

    def _config(self, rules: list[Path]) -> dict[str, Any]:
        scraped = [{"targets": [address], "labels": {"instance": name}} for name, address in self._targets.items()]
        return {
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": "900ms", "evaluation_interval": INTERVAL},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": "bridge", "static_configs": scraped}],
        }
