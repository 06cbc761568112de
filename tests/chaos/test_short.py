"""The chaos suite in its short form: one fault of each kind on one bridge, and the proof that it would be found out."""

from pathlib import Path

import pytest

from bridge.sandbox.kafka import EmbeddedKafka
from tests.chaos.chaos import run_scenario
from tests.chaos.form import form_of
from tests.chaos.scenarios import SHORT, SHORT_UNFENCED

FORM = form_of(tickets=100, scale=0.1)


@pytest.mark.timeout(420)
def test_nothing_is_lost_or_doubled_when_every_service_is_killed_and_one_wakes_up_late(
    kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    result = run_scenario(SHORT, kafka, tmp_path, form=FORM)
    assert not result.broken, result.complaint()


@pytest.mark.timeout(300)
def test_the_same_faults_are_seen_to_send_commands_twice_when_nobody_fences(
    kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    result = run_scenario(SHORT_UNFENCED, kafka, tmp_path, form=FORM)
    assert result.found["no command accepted twice"], result.line()
