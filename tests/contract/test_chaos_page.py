"""docs/chaos.md lists the scenarios as they are."""

from tests.chaos import evidence
from tests.chaos.page import PAGE, listed
from tests.chaos.scenarios import SCENARIOS


def test_the_page_lists_the_scenarios_as_they_are() -> None:
    assert listed() in PAGE.read_text(encoding="utf-8"), (
        "docs/chaos.md differs from tests/chaos/scenarios.py: run `python -m tests.chaos.page` and commit the page"
    )


def test_each_scenario_has_a_name_of_its_own() -> None:
    slugs = [scenario.slug for scenario in SCENARIOS]
    assert len(set(slugs)) == len(slugs)


def test_the_table_of_runs_is_made_from_their_raw_output() -> None:
    assert evidence.PAGE.read_text(encoding="utf-8") == evidence.page(), (
        "docs/evidence/chaos/README.md differs from the files beside it: run `python -m tests.chaos.evidence`"
    )
