"""
The benchmark's short form, in CI: it finds out when something costs twice what it did, and nothing less.

Only ratios: of CPU seconds of two sides that run one after the other, of a step and a reference operation taken beside
it, and counts that do not depend on the machine at all. What a ratio is held to leaves room for a busy machine; the
real figures are `make bench`'s.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from bridge.adapters.streams.table import FencedTable
from bridge.ports import Kept
from bridge.sandbox.kafka import EmbeddedKafka
from bridge.services.loop import new_loop
from tests.bench.contest import Contestant, Variant
from tests.bench.deliver import DURABLE, UNWRITTEN, measure
from tests.bench.micro import Amendment, Cost, log_as_in_production, pure_costs
from tests.bench.plan import Bench
from tests.bench.rig import BenchServices, stopped_afterwards
from tests.bench.seed import PARTITIONS, TABLE, table_spec
from tests.group_member import member_of

# What each step of an amendment costs, and a KCI in the webhook, in reference operations; raise one only with its
# reason in the commit.
BUDGETS = {
    "decide": 4.0,
    "encode outcome": 1.0,
    "encode observation": 1.1,
    "encode journey": 0.8,
    "encode table value": 0.22,
    "decode table value": 0.46,
    "decode event": 1.55,
    "take a KCI without network": 7.0,
    "gateway call without network": 18.5,
}
# Below 2, or a fall by half would pass; far enough above 1 that a busy machine does not fail.
ROOM = 1.9
TRIES = 3
VARIANT = Variant(api_ms=20, in_flight=100)
SECONDS = 5.0
# A short backlog for a short run: more than a busy machine delivers.
FASTEST = 2000
# The product's bar is 0.65 (bars.py).
LEAST_SHARE = 0.33
WRITES, AT_ONCE = 3000, 300
# Some dozen writes share a transaction when 300 are under way; a marker for each would be 1.
MOST_MARKERS_PER_WRITE = 0.2


def test_no_step_costs_twice_its_budget() -> None:
    log_as_in_production()
    best: dict[str, float] = {}
    for _ in range(TRIES):
        for step, cost in pure_costs().items():
            best[step] = min(cost.references, best.get(step, cost.references))
        if all(best[step] <= ROOM * budget for step, budget in BUDGETS.items()):
            break
    assert best.keys() == BUDGETS.keys()
    dear = {step: (best[step], budget) for step, budget in BUDGETS.items() if best[step] > ROOM * budget}
    assert not dear, f"(references, budget): {dear}"


def test_a_step_that_costs_twice_its_budget_would_be_found_out() -> None:
    assert all(Cost(0, 2 * budget).references > ROOM * budget for budget in BUDGETS.values())


@pytest.mark.timeout(300)
def test_durability_leaves_at_least_half_of_its_bar(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    def per_cpu_second(contestant: Contestant, name: str) -> float:
        figures = measure(replace(contestant, fastest=FASTEST), VARIANT, Bench(kafka, SECONDS, tmp_path / name))
        wrong = {each: figures[each] for each in ("violations", "overlaps", "duplicates", "strange", "lost")}
        assert not any(wrong.values()), wrong
        return float(figures["calls_per_cpu_second"])

    shares = []
    for number in range(TRIES):
        durable = per_cpu_second(DURABLE, f"durable-{number}")
        shares.append(durable / per_cpu_second(UNWRITTEN, f"unwritten-{number}"))
        if shares[-1] >= LEAST_SHARE:
            return
    pytest.fail(f"durable calls per CPU second, of those without durability: {shares}, least {LEAST_SHARE}")


def test_writes_that_are_under_way_together_share_transactions(kafka: EmbeddedKafka, tmp_path: Path) -> None:
    services = BenchServices(kafka, tmp_path)
    with stopped_afterwards(services), asyncio.Runner(loop_factory=new_loop) as runner:
        services.make_topics()
        runner.run(_write(services))
        records = runner.run(_offsets(services))
    # Each transaction leaves a marker in each partition of the log that it wrote to, and markers take offsets.
    assert WRITES < records <= WRITES * (1 + MOST_MARKERS_PER_WRITE)


async def _write(services: BenchServices) -> None:
    spec = table_spec(services.bootstrap_servers, services.prefix)
    table, amendment = FencedTable(spec), Amendment()
    kept = Kept(seen={}, at=amendment.now, value=amendment.ticket)
    async with member_of(services.bootstrap_servers, f"{services.prefix}short", spec.topic) as membership:
        partitions = await table.open(range(PARTITIONS), membership)
        for first in range(0, WRITES, AT_ONCE):
            numbers = range(first, first + AT_ONCE)
            await asyncio.gather(*(partitions[each % PARTITIONS].write(f"TT-{each}", kept) for each in numbers))
        await table.stop()


async def _offsets(services: BenchServices) -> int:
    """How many offsets the table's partitions have used: records and markers."""
    consumer = AIOKafkaConsumer(bootstrap_servers=services.bootstrap_servers)
    await consumer.start()
    try:
        partitions = [TopicPartition(services.prefix + TABLE, number) for number in range(PARTITIONS)]
        return int(sum((await consumer.end_offsets(partitions)).values()))
    finally:
        await consumer.stop()
