import asyncio

import httpx

from bridge.adapters.management import management_app, still_running


class Part:
    """A part of a service whose state a test sets."""

    def __init__(self) -> None:
        self.problem: str | None = None

    def check(self) -> str | None:
        return self.problem


class Bench:
    def __init__(self) -> None:
        self.loop, self.kafka = Part(), Part()
        self.app = management_app(
            alive={"loop": self.loop.check},
            ready={"kafka": self.kafka.check},
            metrics=lambda: ("text/plain", b"bridge_build_info 1\n"),
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


async def test_the_metrics_are_what_the_service_says_when_it_is_asked() -> None:
    answer = await Bench().get("/metrics")

    assert (answer.headers["content-type"], answer.text) == ("text/plain", "bridge_build_info 1\n")
