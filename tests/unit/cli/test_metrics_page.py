"""docs/metrics.md shows the metrics as they are."""

from pathlib import Path

from typer.testing import CliRunner

from bridge.adapters.prometheus.definitions import DEFINITIONS
from bridge.cli.metrics import app
from bridge.cli.metrics_page import metrics_page

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_is_made_from_the_definitions_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == metrics_page(), (
        "docs/metrics.md differs from the definitions: run `bridge metrics docs` and commit the page"
    )


def test_each_metric_is_one_row_and_each_link_has_its_heading() -> None:
    page = metrics_page()
    rows = [line for line in page.splitlines() if line.startswith("| `bridge_")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(each.name for each in DEFINITIONS)
    anchors = {line[4:].replace(" ", "-") for line in page.splitlines() if line.startswith("### ")}
    assert {link.split(")")[0] for link in page.split("(#")[1:]} == anchors


def test_docs_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "metrics.md"
    assert CliRunner().invoke(app, ["docs", "--page", str(page)]).exit_code == 0
    assert page.read_text(encoding="utf-8") == metrics_page()


def test_docs_says_where_it_cannot_write(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["docs", "--page", str(tmp_path / "missing" / "page.md")])
    assert outcome.exit_code == 1
    assert "cannot be written" in outcome.output
