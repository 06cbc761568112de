import asyncio

import httpx
from prometheus_client import CollectorRegistry

from bridge.adapters.management import management_app, still_running
from bridge.adapters.prometheus import PrometheusTelemetry
from bridge.domain.outcomes import CommandName, Reason, Verdict


class Part:
    """A part of a service whose state a test sets."""

    def __init__(self) -> None:
        self.problem: str | None = None

    def check(self) -> str | None:
        return self.problem


class Bench:
    def __init__(self) -> None:
        self.loop, self.kafka = Part(), Part()
        self.telemetry = PrometheusTelemetry(CollectorRegistry(), service="ingester", version="1.2.3")
        self.app = management_app(
            alive={"loop": self.loop.check}, ready={"kafka": self.kafka.check}, metrics=self.telemetry.exposition
        )

    async def get(self, path: str) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://management") as client:
            return await client.get(path)


async def test_a_process_that_is_well_is_alive_and_ready() -> None:
    bench = Bench()

    alive, ready = await bench.get("/live"), await bench.get("/ready")

    assert (alive.status_code, alive.json()) == (200, {"status": "ok", "checks": {"loop": "ok"}})
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "checks": {"loop": "ok", "kafka": "ok"}})


async def test_a_process_without_kafka_is_alive_and_not_ready() -> None:
    bench = Bench()
    bench.kafka.problem = "no broker answers"

    alive, ready = await bench.get("/live"), await bench.get("/ready")

    assert alive.status_code == 200
    assert (ready.status_code, ready.json()["checks"]["kafka"]) == (503, "no broker answers")


async def test_a_process_that_is_not_alive_is_not_ready_either() -> None:
    bench = Bench()
    bench.loop.problem = "ended"

    assert (await bench.get("/live")).status_code == 503
    assert (await bench.get("/ready")).status_code == 503


async def test_a_task_that_ended_is_noticed() -> None:
    may_end = asyncio.Event()

    async def run() -> None:
        await may_end.wait()

    task = asyncio.create_task(run(), name="keeper")
    check = still_running(task)
    assert check() is None

    may_end.set()
    await task

    assert check() == "the task 'keeper' has ended"


async def test_metrics_are_exposed_by_the_names_that_dashboards_use() -> None:
    bench = Bench()
    telemetry = bench.telemetry
    telemetry.outcome_decided(CommandName.RUN_TEST, Verdict.ACCEPTED, Reason.ANSWERED)
    telemetry.record_handled("kcis", 0.02)
    telemetry.record_dead_lettered("kcis", "UNDECODABLE")
    telemetry.intents_found(2)
    telemetry.request_answered(None, "DISCONNECTED", 0.5)
    telemetry.requests_in_flight(3)
    telemetry.authentication_failed("WRONG")
    telemetry.published("kcis", 0.004)
    telemetry.publish_failed("kcis")
    telemetry.kafka_connected(connected=True)

    answer = await bench.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        'bridge_build_info{service="ingester",version="1.2.3"} 1.0',
        'bridge_outcomes_total{command="RUN_TEST",reason="ANSWERED",verdict="ACCEPTED"} 1.0',
        'bridge_record_seconds_count{topic="kcis"} 1.0',
        'bridge_dead_letters_total{reason="UNDECODABLE",topic="kcis"} 1.0',
        "bridge_intents_found_total 2.0",
        'bridge_webhook_requests_total{reason="DISCONNECTED",status="none"} 1.0',
        "bridge_webhook_in_flight_requests 3.0",
        'bridge_webhook_authentication_failures_total{why="WRONG"} 1.0',
        'bridge_publish_seconds_bucket{le="0.005",topic="kcis"} 1.0',
        'bridge_publish_failures_total{topic="kcis"} 1.0',
        "bridge_kafka_connected 1.0",
    ):
        assert line in answer.text.splitlines()
