"""docs/lifecycles.md shows the tables as they are."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli.lifecycles import app, lifecycles_page
from bridge.domain.lifecycle import LIFECYCLES, Lifecycle

PAGE = Path(__file__).parents[3] / "docs" / "lifecycles.md"


def test_the_page_is_drawn_from_the_tables_as_they_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == lifecycles_page(), (
        "docs/lifecycles.md differs from bridge/domain/lifecycle.py: run `bridge lifecycles draw` and commit the page"
    )


@pytest.mark.parametrize("table", LIFECYCLES, ids=lambda table: table.title)
def test_each_row_is_one_arrow_of_its_diagram(table: Lifecycle) -> None:
    section = lifecycles_page().split(f"## {table.title}\n")[1]
    diagram = section.split("```mermaid\n")[1].split("```")[0].splitlines()[1:]
    arrows = {tuple(line.split(" : ")[0].strip().split(" --> ")) for line in diagram}
    rows = {(row.from_status or "[*]", row.to_status) for row in table.rows}
    assert arrows == rows | {(status, "[*]") for status in table.terminal}
    assert len(diagram) == len(table.rows) + len(table.terminal)


def test_draw_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "lifecycles.md"
    outcome = CliRunner().invoke(app, ["draw", "--page", str(page)])
    assert outcome.exit_code == 0
    assert page.read_text(encoding="utf-8") == lifecycles_page()


def test_draw_says_where_it_cannot_write(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(app, ["draw", "--page", str(tmp_path / "missing" / "page.md")])
    assert outcome.exit_code == 1
    assert "cannot be written" in outcome.output
