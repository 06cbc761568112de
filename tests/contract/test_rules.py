"""
The alerting and recording rules: promtool's word on them, a test of each alert, and what their expressions name.

promtool is on the PATH, or `make prometheus` has fetched it.
"""

import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from bridge.cli import app
from bridge.sandbox.prometheus import REMEDY, find_programs
from tests.dashboards import expressions_of
from tests.observe.outages import ALERTS as OUTAGE_ALERTS
from tests.promql import RECORDED, Selector, faults_in, rules_in, selectors_of

ROOT = Path(__file__).parents[2]
RULES = (ROOT / "helm" / "rules" / "alerts.yaml", ROOT / "helm" / "rules" / "recording.yaml")
TESTS = ROOT / "tests" / "rules" / "alerts.yaml"
RUNBOOK = ROOT / "docs" / "runbook.md"
ALERTS = [rule for rule in rules_in(RULES[0]) if "alert" in rule]
SEVERITIES = {"critical", "warning"}


@pytest.fixture(scope="module")
def promtool() -> Path:
    programs = find_programs(ROOT / ".sandbox" / "prometheus")
    if programs is None:
        pytest.fail(f"promtool is not here: run `make prometheus` (needs apt, not root), or {REMEDY}")
    return programs["promtool"]


def run(promtool: Path, *arguments: str | Path) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_no_fault_in_the_rules(promtool: Path) -> None:
    run(promtool, "check", "rules", *RULES)


def test_each_alert_fires_where_it_must_and_never_where_it_must_not(promtool: Path) -> None:
    run(promtool, "test", "rules", TESTS)


def test_each_alert_has_one_case_where_it_fires_and_one_where_it_stays_silent() -> None:
    cases = yaml.safe_load(TESTS.read_text())["tests"]
    kinds = Counter(tuple(case["name"].split(":")[0].split(" ", 1)) for case in cases)
    assert kinds == {(alert["alert"], kind): 1 for alert in ALERTS for kind in ("fires", "stays silent")}
    for case in cases:
        (check,) = case["promql_expr_test"]
        assert (" fires: " in case["name"]) == bool(check["exp_samples"]), case["name"]


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_says_what_it_means_and_where_to_read_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in SEVERITIES
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert (page, anchor) == ("docs/runbook.md", alert["alert"].lower())


def test_the_runbook_has_a_part_for_each_alert_and_none_for_another() -> None:
    parts = [line.removeprefix("## ") for line in RUNBOOK.read_text().splitlines() if line.startswith("## Bridge")]
    assert parts == [alert["alert"] for alert in ALERTS]


@pytest.mark.parametrize("words", sorted(set(re.findall(r"`bridge ([a-z][^`]*)`", RUNBOOK.read_text()))))
def test_each_command_that_the_runbook_names_is_there_with_its_options(words: str) -> None:
    command: Any = typer.main.get_command(app)
    for word in words.split():
        if word.startswith("--"):
            assert word in {name for parameter in command.params for name in parameter.opts}, words
        elif getattr(command, "commands", None):
            assert word in command.commands, words
            command = command.commands[word]


@pytest.mark.parametrize(
    "expr", [rule["expr"] for path in RULES for rule in rules_in(path)], ids=lambda expr: " ".join(expr.split())[:60]
)
def test_each_expression_names_metrics_labels_and_values_that_there_are(expr: str) -> None:
    assert faults_in(expr) == []


def test_each_recorded_series_is_used() -> None:
    used = {selector.metric for alert in ALERTS for selector in selectors_of(alert["expr"])}
    used |= {selector.metric for board in (ROOT / "helm" / "dashboards").glob("*.json") for selector in on(board)}
    assert set(RECORDED) - used == set()


def on(board: Path) -> list[Selector]:
    """What the panels of a dashboard ask."""
    return [selector for expr in expressions_of(board) for selector in selectors_of(expr)]


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("bridge_no_such_metric", "there is no metric bridge_no_such_metric"),
        ("rate(bridge_faults_total{colour='red'}[5m])", "bridge_faults_total has no label colour"),
        ("bridge_journeys{phase='GONE'}", "phase of bridge_journeys is never GONE"),
        ("bridge_journeys{phase=~'OPEN|GONE'}", "phase of bridge_journeys is never GONE"),
        ("sum by (colour) (bridge_journeys)", "bridge_journeys has no label colour"),
        ("topic:no_such:rule", "there is no metric topic:no_such:rule"),
        ("rate(bridge_record_seconds[5m])", "there is no metric bridge_record_seconds"),
    ],
)
def test_what_there_is_not_is_seen(expr: str, fault: str) -> None:
    assert fault in faults_in(expr)


def test_each_alert_is_fired_by_an_outage_of_make_observe() -> None:
    assert sorted(OUTAGE_ALERTS) == sorted(alert["alert"] for alert in ALERTS)
