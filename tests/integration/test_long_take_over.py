"""A take-over that lasts longer than the session: the group keeps the worker, which then does its work."""

from tests.integration.conftest import RunningBridge
from tests.integration.running_services import events_in
from tests.integration.slow_dispatcher import LASTS_SECONDS

SESSION_SECONDS = 6


def test_a_worker_that_takes_over_for_longer_than_its_session_is_not_put_out(running_bridge: RunningBridge) -> None:
    assert LASTS_SECONDS > SESSION_SECONDS
    bridge = running_bridge(
        "long",
        settings={"BRIDGE_KAFKA_SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS)},
        instead={"dispatcher": "tests.integration.slow_dispatcher"},
    )

    bridge.wait_for_outcome(bridge.request_test("HAPPY_PATH"), "RUN_TEST ACCEPTED TEST_FINISHED")

    lines = events_in(bridge.log("dispatcher"))
    assert [line["generation"] for line in lines if line["event"] == "table partitions opened"] == [1]
