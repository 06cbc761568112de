"""What the webhook's answers tell."""

from datetime import timedelta
from http import HTTPStatus

from tests.builders import NOW
from tests.unit.adapters.prometheus.exposed import a_clock, an_ingester, value


def test_an_answer_is_counted_by_code_and_reason_and_a_refusal_that_was_kept_is_quarantined() -> None:
    telemetry = an_ingester()
    telemetry.request_answered(HTTPStatus.UNPROCESSABLE_ENTITY, "NOT_A_KCI", 0.2)
    telemetry.request_answered(HTTPStatus.SERVICE_UNAVAILABLE, "KAFKA_UNAVAILABLE", 0.2)
    telemetry.request_answered(None, "DISCONNECTED", 0.2)

    assert value(telemetry, "bridge_webhook_answers_total", code="422", reason="NOT_A_KCI") == 1
    assert value(telemetry, "bridge_webhook_answers_total", code="503", reason="KAFKA_UNAVAILABLE") == 1
    assert value(telemetry, "bridge_webhook_answers_total", code="NONE", reason="DISCONNECTED") == 1
    assert value(telemetry, "bridge_quarantined_total", reason="NOT_A_KCI") == 1


def test_the_latest_kci_is_that_of_the_start_until_one_is_taken() -> None:
    clock = a_clock()
    telemetry = an_ingester(clock)
    clock.advance(timedelta(minutes=5))
    telemetry.request_answered(HTTPStatus.UNAUTHORIZED, "UNAUTHENTICATED", 0.1)
    assert value(telemetry, "bridge_webhook_last_kci_timestamp_seconds") == NOW.timestamp()

    telemetry.request_answered(HTTPStatus.OK, "PUBLISHED", 0.1)
    assert value(telemetry, "bridge_webhook_last_kci_timestamp_seconds") == NOW.timestamp() + 300
