"""The cluster of one demo: one of its own, or the one that the environment names, with topics of the demo's own."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from bridge.adapters.kafka_admin import KafkaAdmin, Obstacle, plan
from bridge.adapters.kafka_connection import connection_options
from bridge.adapters.kafka_reader import read_topic
from bridge.flows.handle_ticket import JOURNEYS
from bridge.sandbox.ports import free_port
from bridge.settings import KafkaSettings, read
from bridge.topics import Topics, physical_name

SERVERS = "BRIDGE_KAFKA_BOOTSTRAP_SERVERS"
TOPIC_PREFIX = "BRIDGE_KAFKA_TOPIC_PREFIX"
KAFKA_VARIABLES = "BRIDGE_KAFKA_"
MOST_REPLICAS = 3
STOP_SECONDS = 10.0


class NotUsable(Exception):
    """The cluster cannot be used for a demo; the text says why, and what to do."""


def always() -> bool:
    """A cluster of somebody else is theirs to watch."""
    return True


@dataclass(frozen=True)
class Cluster:
    """
    A cluster and how its clients are configured.

    `embedded`: it was started for this demo and ends with it, and `log` is where it says what ails it. `own_topics`:
    their prefix was made up for this demo, so nobody will miss them.
    """

    kafka: Mapping[str, str]
    embedded: bool
    own_topics: bool
    is_running: Callable[[], bool] = always
    log: Path | None = None

    @property
    def settings(self) -> KafkaSettings:
        """The settings, read as every part of the bridge reads them."""
        return read(self.kafka, "KAFKA").kafka


@contextmanager
def open_cluster(environ: Mapping[str, str], directory: Path, announce: Callable[[str], None]) -> Iterator[Cluster]:
    """
    The cluster that the environment names, or an Apache Kafka that lives as long as the context.

    Its logs stay in `directory` when the context is left by an error, and nothing stays otherwise.
    """
    given = {name: value for name, value in environ.items() if name.startswith(KAFKA_VARIABLES)}
    if SERVERS in given:
        own = TOPIC_PREFIX not in given
        prefix = {TOPIC_PREFIX: f"demo-{secrets.token_hex(3)}."} if own else {}
        yield Cluster({**given, **prefix}, embedded=False, own_topics=own)
        return
    try:
        # Its packages bring a Java runtime, which nobody needs who has a cluster.
        embedded = import_module("bridge.sandbox.kafka")
    except ModuleNotFoundError as error:
        raise NotUsable(
            f"the package {error.name} is missing, with which the demo starts an Apache Kafka of its own: run `make"
            f" demo` in a checkout, or pip install 'fibre-fault-bridge[sandbox]', or name a cluster with {SERVERS}"
        ) from error
    kafka = embedded.EmbeddedKafka(directory, free_port(embedded.PORTS_PER_BROKER), announce=announce)
    announce("Starting an Apache Kafka")
    kafka.start()
    try:
        yield Cluster(
            {SERVERS: kafka.bootstrap_servers},
            embedded=True,
            own_topics=True,
            is_running=lambda: kafka.running(kafka.places[0].node),
            log=kafka.places[0].directory / "broker.log",
        )
    finally:
        kafka.stop(STOP_SECONDS)
    kafka.discard()


async def apply_topics(cluster: Cluster, topics: Topics) -> int:
    """
    Make the cluster's topics match topics.yaml, with as many replicas as it has brokers, three at most.

    Returns how many there are.

    Raises:
        ChangeFailed: the cluster refused one.
        KafkaUnreachable: no broker answered.

    """
    settings = cluster.settings
    options = connection_options(settings)
    async with KafkaAdmin(options) as admin:
        replicas = min(MOST_REPLICAS, await _count_brokers(cluster))
        names = [physical_name(settings.topic_prefix, topic.name) for topic in topics.topics]
        changes = plan(await admin.describe(names), topics, settings.topic_prefix, replicas)
        # What cannot be mended from here is for the services to judge: they refuse topics that they cannot use.
        wanted = [change for change in changes if not isinstance(change, Obstacle)]
        await asyncio.gather(*(admin.apply(change) for change in wanted))
    return len(names)


async def refuse_known_tickets(cluster: Cluster, tickets: frozenset[str]) -> None:
    """
    See that no ticket of the demo is known already, as it is where a demo was run on the same topics.

    Raises:
        NotUsable: one is.

    """
    if cluster.own_topics:
        return
    settings = cluster.settings
    topic = physical_name(settings.topic_prefix, JOURNEYS)
    async for arrived in read_topic(connection_options(settings), topic, JOURNEYS):
        if (arrived.key or b"").decode("utf-8", "replace") in tickets:
            raise NotUsable(
                f"{topic} on {', '.join(settings.bootstrap_servers)} knows the demo's tickets from an earlier run:"
                f" give another {TOPIC_PREFIX}, or none, and the demo makes one up"
            )


async def delete_topics(cluster: Cluster, topics: Topics) -> bool:
    """Delete the demo's own topics from somebody else's cluster; whether it let us."""
    settings = cluster.settings
    client = AIOKafkaAdminClient(**connection_options(settings))
    try:
        await client.start()
        answer: Any = await client.delete_topics(
            [physical_name(settings.topic_prefix, topic.name) for topic in topics.topics]
        )
        return all(code == 0 for _, code in answer.topic_error_codes)
    except (KafkaError, OSError):
        return False
    finally:
        with suppress(KafkaError, OSError):
            await client.close()


async def _count_brokers(cluster: Cluster) -> int:
    client = AIOKafkaAdminClient(**connection_options(cluster.settings))
    try:
        await client.start()
        described = await client.describe_cluster()
        return len(described["brokers"])
    finally:
        await client.close()
