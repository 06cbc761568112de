"""The rivals as contestants: how each is started on the same commands, and what it does not do."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.processes import Fleet, Program
from tests.bench.commands import ROUNDS, round_robin
from tests.bench.contest import Contestant, Running, Stage
from tests.bench.rig import delete_topics, publish
from tests.bench.rivals import install
from tests.bench.seed import PARTITIONS

PREFIX = "rival-"
TOPIC = f"{PREFIX}commands"
HERE = Path(__file__).parent
# What an authenticated tenant sends; the rivals are given a token that never ends.
AMENDMENTS = "/service-problem-amendments"

NOTHING_DURABLE = (
    "keeps no intent and no outcome; a crash sends what was under way again; no Avro, no decisions, no OAuth"
)

Command = tuple[tuple[str, ...], Mapping[str, str]]


def _delivering(command: Callable[[Stage, str], Command]) -> Callable[[Stage], Iterator[Running]]:
    def delivering(stage: Stage) -> Iterator[Running]:
        asyncio.run(make_topic(stage.kafka, TOPIC))
        fleet = Fleet(grace_seconds=1)
        try:
            records = ((each.key, each.body()) for each in round_robin(stage.commands // ROUNDS, ROUNDS))
            asyncio.run(publish(stage.kafka.bootstrap_servers, TOPIC, records))
            arguments, environment = command(stage, f"{stage.logs.name}")
            for number in range(1, stage.variant.workers + 1):
                log = stage.logs / f"rival-{number}.log"
                fleet.start(Program(f"rival-{number}", arguments, log, environment))
            yield Running(lambda: [child.pid for child in fleet.children], lambda: _restart(fleet))
        finally:
            for child in fleet.children:
                child.kill()
            asyncio.run(delete_topics(stage.kafka.bootstrap_servers, PREFIX))

    return delivering


def _restart(fleet: Fleet) -> None:
    for child in fleet.children:
        child.kill()
        child.start()


async def make_topic(kafka: EmbeddedKafka, topic: str) -> None:
    """With as many partitions as ours."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    finally:
        await admin.close()


def _parallel_consumer(stage: Stage, group: str) -> Command:
    url = stage.sink.base_url + AMENDMENTS
    arguments = (stage.kafka.bootstrap_servers, TOPIC, group, url, str(stage.variant.in_flight))
    return (*install.parallel_consumer(), *arguments), {}


def _redpanda_connect(stage: Stage, group: str) -> Command:
    return (*install.redpanda_connect(), str(HERE / "connect" / "deliver.yaml")), {
        "BOOTSTRAP": stage.kafka.bootstrap_servers,
        "TOPIC": TOPIC,
        "GROUP": group,
        "URL": stage.sink.base_url + AMENDMENTS,
        "IN_FLIGHT": str(stage.variant.in_flight),
    }


def _mq_bridge(stage: Stage, group: str) -> Command:
    program = str(HERE / "mq_bridge_deliver.py")
    url = stage.sink.base_url + AMENDMENTS
    return (*install.mq_bridge(), program, TOPIC, group, stage.kafka.bootstrap_servers, url), {}


PARALLEL_CONSUMER = Contestant(
    "Parallel Consumer", _delivering(_parallel_consumer), install.parallel_consumer, NOTHING_DURABLE, fastest=10_000
)
REDPANDA_CONNECT = Contestant(
    "Redpanda Connect",
    _delivering(_redpanda_connect),
    install.redpanda_connect,
    NOTHING_DURABLE,
    fastest=15_000,
    at_once=PARTITIONS,
)
MQ_BRIDGE = Contestant(
    "mq-bridge", _delivering(_mq_bridge), install.mq_bridge, NOTHING_DURABLE, fastest=40_000, at_once=1
)
