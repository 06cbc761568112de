"""The chaos suite in its long form (`make chaos`): each scenario on a cluster of its own."""

from pathlib import Path

import pytest

from tests.chaos.form import form_of
from tests.chaos.run import run_on_a_cluster_of_its_own
from tests.chaos.scenario import Scenario
from tests.chaos.scenarios import SCENARIOS

FORM = form_of(tickets=2000, scale=1.0)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.slug)
def test_nothing_is_lost_and_nothing_doubled(scenario: Scenario, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    result = run_on_a_cluster_of_its_own(scenario, pytestconfig.rootpath, tmp_path, FORM)
    assert not result.broken, result.complaint()
