"""
The chaos suite in its short form (`make short`, and part of CI): one fault of each kind on one bridge, and the
proof that the suite would find out a bridge that is wrong.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.sandbox.kafka import EmbeddedKafka
from tests.chaos.form import form_of
from tests.chaos.run import run_scenario
from tests.chaos.scenarios import SHORT, UNFENCED, UNPERMITTED
from tests.chaos.tampering import blind
from tests.kafka_broker import fresh_kafka

FORM = form_of(tickets=150, scale=0.1)
# The load of a control goes on until its fault has done harm.
CONTROL = form_of(tickets=30, scale=0.1)


@pytest.fixture(scope="module")
def kafka(pytestconfig: pytest.Config) -> Iterator[EmbeddedKafka]:
    """A broker of our own: it is killed, which other tests need not see."""
    with fresh_kafka(pytestconfig.rootpath) as running:
        yield running


@pytest.mark.timeout(420)
def test_nothing_is_lost_or_doubled_and_each_check_would_see_it(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    result = run_scenario(SHORT, kafka, tmp_path, form=FORM)
    assert not result.broken, result.complaint()
    assert not blind(result.run)


@pytest.mark.timeout(240)
def test_a_zombie_that_nobody_fences_is_seen_to_send_commands_twice(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    result = run_scenario(UNFENCED, kafka, tmp_path, form=CONTROL)
    assert result.found["no command accepted twice"], result.line()


@pytest.mark.timeout(240)
def test_a_kill_without_durable_intents_is_seen_to_send_commands_twice(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    result = run_scenario(UNPERMITTED, kafka, tmp_path, form=CONTROL)
    assert result.found["every request permitted"], result.line()
    assert result.found["one live problem"], result.line()
