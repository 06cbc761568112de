"""The chaos suite judged: a bridge without its fence, or without its intents, must be found out by the same runs."""

from pathlib import Path

import pytest

from tests.chaos.chaos import run_on_a_cluster_of_its_own
from tests.chaos.form import form_of
from tests.chaos.scenarios import UNFENCED, UNPERMITTED

FORM = form_of(tickets=500, scale=0.5)


@pytest.mark.timeout(1800)
def test_a_worker_that_nobody_fences_is_found_to_send_twice(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    result = run_on_a_cluster_of_its_own(UNFENCED, pytestconfig.rootpath, tmp_path, FORM)
    assert result.found["no command accepted twice"], result.line()


@pytest.mark.timeout(1800)
def test_a_worker_without_durable_intents_is_found_to_send_twice(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    result = run_on_a_cluster_of_its_own(UNPERMITTED, pytestconfig.rootpath, tmp_path, FORM)
    assert result.found["every request permitted"], result.line()
    assert result.found["one live problem"], result.line()
