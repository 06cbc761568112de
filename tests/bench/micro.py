"""
The case micro: what one step of the hot path costs, in microseconds of CPU and in reference operations.

The reference (`reference.py`) is taken again beside each step: a slow or busy machine slows both, so the ratio is
steadier than the time. Steps are those of an amendment, as in the case deliver.
"""

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from msgspec.structs import replace
from pydantic import SecretStr

from bridge.adapters import logging
from bridge.adapters.clock import WallClock
from bridge.adapters.gateway.client import HttpGateway
from bridge.adapters.streams.table import FencedTable
from bridge.domain.answers import Taken
from bridge.domain.commands import AmendProblem
from bridge.domain.entities import SERVICE_PROBLEM, Entity, Observation, Request
from bridge.domain.journey.answers import answered
from bridge.domain.journey.calls import attention, next_call, sending, time_passed
from bridge.domain.journey.draft import Context
from bridge.domain.journey.events import event_arrived
from bridge.domain.journey.state import TicketState, view
from bridge.domain.outcomes import GatewayOutcome
from bridge.ports import Kept, Outgoing
from bridge.services.loop import new_loop
from bridge.settings import GatewayProfile, GatewaySettings, LogSettings
from tests import webhook_doubles
from tests.bench import deliveries
from tests.bench.commands import Numbered
from tests.bench.figures import median
from tests.bench.plan import Bench, Json, Planned
from tests.bench.reference import cpu_of, reference_seconds
from tests.bench.rig import BenchServices, running_sink, stopped_afterwards
from tests.bench.seed import PARTITIONS, POLICY, open_journey, table_spec
from tests.group_member import member_of
from tests.integration.topic_watch import CODEC

WIDE = replace(webhook_doubles.LIMITS, max_body_bytes=65_536)
ROUNDS = 7
ROUND_SECONDS = 0.05
TOGETHER = 100


@dataclass(frozen=True)
class Cost:
    """CPU of one operation, in microseconds and in reference operations."""

    microseconds: float
    references: float


def measure(bench: Bench) -> Json:
    """Every step."""
    log_as_in_production()
    costs = {**pure_costs(), **costs_with_kafka(bench)}
    return {"steps": {name: {"us": cost.microseconds, "references": cost.references} for name, cost in costs.items()}}


def log_as_in_production() -> None:
    """The dispatcher logs each call; written here, and kept nowhere."""
    stream = Path(os.devnull).open("w")  # noqa: SIM115  # open as long as this process
    logging.configure(LogSettings(), service="bench", stream=stream, secrets=("bench-secret",))


def pure_costs() -> dict[str, Cost]:
    """The steps that need nobody else."""
    amendment = Amendment()
    encoded = CODEC.encode("fault-tickets", amendment.event)
    kept = Kept(seen={"fault-tickets": 1}, at=amendment.now, value=amendment.ticket)
    spec = table_spec("", "")
    value = spec.to_bytes(kept)
    steps: dict[str, Callable[[], object]] = {
        "decide": amendment.decide,
        "encode outcome": lambda: CODEC.encode("gateway-outcomes", amendment.outcome),
        "encode observation": lambda: CODEC.encode("observations", amendment.observation),
        "encode journey": lambda: CODEC.encode("journeys", amendment.status),
        "encode table value": lambda: spec.to_bytes(kept),
        "decode table value": lambda: spec.from_bytes(value),
        "decode event": lambda: _finish(CODEC.decode("fault-tickets", encoded)),
        "take a KCI without network": Delivered().take,
    }
    return {name: cost_of(step) for name, step in steps.items()} | _gateway_costs()


class Delivered:
    """A KCI on its way through the webhook, from its head to the bytes that Kafka would get."""

    def __init__(self) -> None:
        webhook = webhook_doubles.Bench(outbox=_EncodingOutbox(), limits=WIDE)
        self._app = webhook.app
        head, _, self._body = deliveries.request(1, 1000, 1).partition(b"\r\n\r\n")
        fields = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
        headers = [(name.lower(), value) for name, value in fields]
        self._scope = {
            "type": "http",
            "method": "POST",
            "path": "/kcis",
            "headers": headers,
            "client": ("127.0.0.1", 1),
        }

    def take(self) -> None:
        """Begin to end, since nothing on the way waits."""
        _finish(self._app(self._scope, self._receive, self._send))

    async def _receive(self) -> dict[str, object]:
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        assert message.get("status", 200) == 200


class _EncodingOutbox(webhook_doubles.RecordingOutbox):
    """Encodes, and keeps nothing."""

    async def publish(self, records: Iterable[Outgoing]) -> None:
        for record in records:
            assert record.value is not None
            CODEC.encode(record.topic, record.value)


def _gateway_costs() -> dict[str, Cost]:
    """A gateway call on a transport that answers at once."""
    answer = b'{"id":1,"status":"RECEIVED_BY_GATEWAY","serviceProblemId":1}'
    token = b'{"access_token":"bench","token_type":"Bearer","expires_in":3600}'

    def respond(request: httpx.Request) -> httpx.Response:
        asked_for_token = request.url.path.endswith("access-token")
        return httpx.Response(200 if asked_for_token else 201, content=token if asked_for_token else answer)

    async def measure() -> Cost:
        gateway = HttpGateway(
            gateway_settings("http://gateway.invalid/v1"), WallClock(), transport=httpx.MockTransport(respond)
        )
        try:
            return await cost_of_async(lambda: call(gateway))
        finally:
            await gateway.aclose()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        return {"gateway call without network": runner.run(measure())}


def costs_with_kafka(bench: Bench) -> dict[str, Cost]:
    """The steps that need a broker or a socket; the CPU of this process alone is counted."""
    services = BenchServices(bench.kafka, bench.logs)
    with (
        stopped_afterwards(services),
        running_sink(bench.logs, 0) as sink,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        services.make_topics()

        async def write() -> Cost:
            spec = table_spec(services.bootstrap_servers, services.prefix)
            table = FencedTable(spec)
            amendment = Amendment()
            kept = Kept(seen={"fault-tickets": 1}, at=amendment.now, value=amendment.ticket)
            async with member_of(services.bootstrap_servers, f"{services.prefix}micro", spec.topic) as membership:
                partitions = await table.open(range(PARTITIONS), membership)

                async def write_one(number: int) -> None:
                    await partitions[number % PARTITIONS].write(f"TT-{number}", kept)

                try:
                    return await cost_of_async(lambda: _together(write_one), each=TOGETHER)
                finally:
                    await table.stop()

        async def post() -> Cost:
            gateway = HttpGateway(gateway_settings(sink.base_url), WallClock())
            try:
                return await cost_of_async(lambda: _together(lambda _: call(gateway)), each=TOGETHER)
            finally:
                await gateway.aclose()

        return {"table write": runner.run(write()), "gateway call over loopback": runner.run(post())}


class Amendment:
    """One amendment of an open problem, and what each step makes of it."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.context = Context(now=self.now, cause="bench", policy=POLICY)
        self.ticket = open_journey(1)
        self.event = Numbered(1, 1).event()
        request = Request(id=4711, status="RECEIVED_BY_GATEWAY")
        self.answer = Taken(http_status=201, entity=Entity(type=SERVICE_PROBLEM, id="1", amendment=request))
        self._request_id = str(uuid.uuid4())
        self.after, self.outcome, self.observation = self._step()
        status = view(self.after, attention(self.after))
        assert status is not None
        self.status = status

    def decide(self) -> TicketState:
        """All decisions of one amendment, from the event to the answer."""
        ticket = time_passed(event_arrived(self.ticket, self.event, self.context).ticket, self.context).ticket
        planned = next_call(ticket, self.now)
        assert planned is not None
        ticket, sent = sending(ticket, planned, self._request_id, self.now)
        view(ticket, attention(ticket))
        self._last = answered(ticket, sent, self.answer, self.context)
        view(self._last.ticket, attention(self._last.ticket))
        return self._last.ticket

    def _step(self) -> tuple[TicketState, GatewayOutcome, Observation]:
        ticket = self.decide()
        return ticket, self._last.outcomes[0], self._last.observations[0]


def gateway_settings(base_url: str) -> GatewaySettings:
    """As a deployment's, without its limits."""
    return GatewaySettings(
        profile=GatewayProfile.CUSTOM, base_url=base_url, client_id="bench", client_secret=SecretStr("bench-secret")
    )


async def call(gateway: HttpGateway) -> None:
    """One amendment at the gateway."""
    command = AmendProblem(service_problem_id=1, problem_text="amendment 1", notes="0.0 some notes about the fault")
    answer = await gateway.call(command, supplier="OPENWORLD", request_id=str(uuid.uuid4()), conversation_id="bench")
    assert isinstance(answer, Taken), answer


async def _together(step: Callable[[int], Awaitable[None]]) -> None:
    await asyncio.gather(*(step(number) for number in range(TOGETHER)))


def cost_of(step: Callable[[], object]) -> Cost:
    """The median over some rounds; each round takes the reference beside it."""
    times = _times_for(step)
    return _cost([(cpu_of(step, times), reference_seconds()) for _ in range(ROUNDS)])


async def cost_of_async(step: Callable[[], Awaitable[None]], each: int = 1) -> Cost:
    """The same for a step that waits; `each` is how many operations a step makes."""
    await step()
    rounds = []
    for _ in range(ROUNDS):
        started, until, times = time.process_time(), time.monotonic() + 2 * ROUND_SECONDS, 0
        while time.monotonic() < until:
            await step()
            times += each
        rounds.append(((time.process_time() - started) / times, reference_seconds()))
    return _cost(rounds)


def _cost(rounds: list[tuple[float, float]]) -> Cost:
    return Cost(
        microseconds=round(1e6 * median([own for own, _ in rounds]), 2),
        references=round(median([own / reference for own, reference in rounds]), 3),
    )


def _times_for(step: Callable[[], object]) -> int:
    step()
    times = 1
    while (taken := cpu_of(step, times) * times) < ROUND_SECONDS / 4:
        times *= 4
    return max(1, int(times * ROUND_SECONDS / taken))


def _finish(coroutine: Awaitable[object]) -> object:
    """Run a coroutine that never waits."""
    steps = coroutine.__await__()
    try:
        next(steps)
    except StopIteration as stopped:
        return stopped.value
    raise AssertionError("the step waited")


RUNS = (Planned("amendment", "bridge", measure),)
