"""What `bridge journeys show` prints of an outcome: the gateway's own words stay on the topic."""

from msgspec.structs import replace

from bridge.adapters.avro import RECORDS, from_json, to_json
from bridge.cli import journeys
from bridge.domain.entities import TestResult
from bridge.domain.outcomes import GatewayOutcome
from tests.schema_examples import EXAMPLES

REFUSED = next(example for example in EXAMPLES if str(example) == "GatewayOutcome.refused")


def test_an_error_is_shown_by_what_is_quoted_at_the_service_desk() -> None:
    outcome = from_json(RECORDS["GatewayOutcome"], REFUSED.text)
    assert isinstance(outcome, GatewayOutcome)
    assert outcome.error is not None
    (message,) = outcome.error.messages

    shown = journeys._error(outcome.error)  # noqa: SLF001  # the line that the command prints
    machine = to_json(journeys._without_texts(outcome))  # noqa: SLF001  # and what --output json does

    assert shown == f" (INVALID_REQUEST, {outcome.error.uuid}; 1 messages on gateway-outcomes)"
    assert message not in shown + machine
    assert str(outcome.error.uuid) in machine


def test_a_tests_measures_are_not_shown_and_its_result_is() -> None:
    outcome = from_json(RECORDS["GatewayOutcome"], REFUSED.text)
    assert isinstance(outcome, GatewayOutcome)
    tested = replace(outcome, test=TestResult(result="RED", other='{"note":"ask for Ada"}'))

    machine = to_json(journeys._without_texts(tested))  # noqa: SLF001  # what --output json prints

    assert '"RED"' in machine
    assert "Ada" not in machine
