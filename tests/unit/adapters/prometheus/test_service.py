"""What every service tells of itself."""

import asyncio
import time

from tests.unit.adapters.prometheus.exposed import a_tracker, value


async def test_a_loop_that_hangs_is_seen_when_it_comes_back() -> None:
    telemetry = a_tracker()
    watch = asyncio.create_task(telemetry.watch_loop())
    await asyncio.sleep(0.1)
    time.sleep(1.2)  # noqa: ASYNC251  # what holds up the loop is what this is about
    await asyncio.sleep(0.1)
    watch.cancel()

    late, soon = (value(telemetry, "bridge_event_loop_lag_seconds_bucket", le=le) for le in ("+Inf", "0.25"))
    assert (late, soon) == (1, 0)
