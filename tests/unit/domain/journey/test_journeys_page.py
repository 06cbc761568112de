"""docs/journeys.md shows the tables as they are."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli.journey_tables import ENDS, ITS_OUTCOME, PAGE, SITUATIONS, TABLES, WHAT_IS_DONE, app, redrawn
from bridge.domain.journey.events import RULES, Rule, Situation
from bridge.domain.journey.phases import MOVES
from bridge.domain.journeys import End
from bridge.settings import DispatcherSettings

ROOT = Path(__file__).parents[4]


def the_page() -> str:
    return (ROOT / PAGE).read_text(encoding="utf-8")


def test_the_pages_tables_are_drawn_from_the_code_as_it_is() -> None:
    assert redrawn(the_page()) == the_page(), (
        "docs/journeys.md differs from bridge/domain/journey: run `bridge journey-tables draw` and commit the page"
    )


def test_everything_that_is_drawn_has_its_words() -> None:
    assert set(SITUATIONS) == set(Situation)
    assert set(WHAT_IS_DONE) == set(ITS_OUTCOME) == set(Rule)
    assert set(ENDS) == set(End)


def test_the_events_table_shows_each_rule_in_its_cell() -> None:
    header, _, *rows = TABLES["events"]()
    names = [cell.strip() for cell in header.strip("|").split("|")[1:]]
    for row in rows:
        standing, *cells = (cell.strip() for cell in row.strip("|").split("|"))
        shown = dict(zip(names, cells, strict=True))
        assert shown == {event.__name__: rule[Situation(standing)] for event, rule in RULES.items()}


def test_each_move_of_a_phase_is_one_arrow() -> None:
    arrows = [line for line in TABLES["phases"]() if "-->" in line]

    assert len(arrows) == len(MOVES) + 1
    assert len({(move.from_phase, move.to_phase) for move in MOVES}) == len(MOVES)


def test_each_setting_that_the_page_names_exists() -> None:
    known = {name.upper() for name in DispatcherSettings.model_fields}
    named = {word.strip("`(),;.:") for word in the_page().split() if word.strip("(),;.:").startswith("`")}
    settings = {word for word in named if word.endswith(("_SECONDS", "_CODES", "_STATUSES")) or word.startswith("MAX_")}

    assert settings
    assert settings <= known


def test_draw_writes_the_tables_and_keeps_the_text(tmp_path: Path) -> None:
    page = tmp_path / "journeys.md"
    page.write_text(the_page().replace("| rule |", "| role |"), encoding="utf-8")

    result = CliRunner().invoke(app, ["draw", "--page", str(page)])

    assert result.exit_code == 0
    assert page.read_text(encoding="utf-8") == the_page()


@pytest.mark.parametrize("content", [None, "# Journeys\n"])
def test_draw_says_what_is_wrong_with_the_page(tmp_path: Path, content: str | None) -> None:
    page = tmp_path / "journeys.md"
    if content is not None:
        page.write_text(content, encoding="utf-8")

    result = CliRunner().invoke(app, ["draw", "--page", str(page)])

    assert result.exit_code == 1
    assert "cannot be read" in result.output or "has no place" in result.output
