"""The Grafana dashboards: the files are the code's, Grafana's own SDK reads them, and each query asks what there is."""

import json

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.dashboards import BOARDS, DIRECTORY, WIDTH, board, expressions_of, panels_of, scoped
from tests.promql import faults_in

FILES = {name: DIRECTORY / f"{name}.json" for name in BOARDS}


def test_there_are_no_other_dashboards() -> None:
    assert set(FILES.values()) == set(DIRECTORY.glob("*.json"))


@pytest.mark.parametrize("name", BOARDS)
def test_the_file_is_what_the_code_makes(name: str) -> None:
    assert FILES[name].read_text() == board(name), "run `python -m tests.dashboards` and commit helm/dashboards"


@pytest.mark.parametrize("name", BOARDS)
def test_grafanas_sdk_reads_the_file_and_writes_the_same(name: str) -> None:
    register_default_plugins()
    content = json.loads(FILES[name].read_text())
    again = json.loads(json.dumps(Dashboard.from_json(content), cls=JSONEncoder))
    assert again == content


@pytest.mark.parametrize(
    ("name", "expr"), [(name, expr) for name, path in FILES.items() for expr in expressions_of(path)]
)
def test_each_query_is_promql_and_names_metrics_labels_and_values_that_there_are(name: str, expr: str) -> None:
    assert faults_in(expr) == [], name


@pytest.mark.parametrize("name", BOARDS)
def test_each_panel_says_what_it_shows_and_fits_beside_the_others(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels_of(FILES[name]):
        assert panel["title"], panel
        assert panel["description"].endswith("."), panel["title"]
        assert panel["targets"], panel["title"]
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= WIDTH, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("sum(bridge_commands)", 'sum(bridge_commands{namespace=~"$namespace"})'),
        ('bridge_journeys{phase="OPEN"} > 1', 'bridge_journeys{namespace=~"$namespace", phase="OPEN"} > 1'),
        ("bridge:raise_seconds:p95_1h", 'bridge:raise_seconds:p95_1h{namespace=~"$namespace"}'),
        (
            "max by (topic) (topic:bridge_consumer_lag_seconds:max)",
            'max by (topic) (topic:bridge_consumer_lag_seconds:max{namespace=~"$namespace"})',
        ),
        ("rate(bridge_faults_total[1h])", 'rate(bridge_faults_total{namespace=~"$namespace"}[1h])'),
    ],
)
def test_a_query_is_for_the_chosen_namespaces(expr: str, expected: str) -> None:
    assert scoped(expr) == expected
