"""
Looks at a cluster's topics and changes them, over aiokafka's admin client.

aiokafka 0.14 has no IncrementalAlterConfigs, and AlterConfigs replaces all that is set on a topic. So what is there
already is sent along (`ChangeConfigs.all_configs`); between the look and the change, somebody else's change could be
lost.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from bridge.adapters.kafka_admin.plan import AddPartitions, Change, ChangeConfigs, ClusterTopic, CreateTopic, unfit
from bridge.topics import Party, Topics, TopicsError, physical_name

# DescribeConfigs marks a value that was set on the topic itself so (Kafka protocol, ConfigSource).
SET_ON_THE_TOPIC = 1
SETTLE_SECONDS = 15.0
POLL_SECONDS = 0.2


class KafkaUnreachable(Exception):
    """No broker answered; the text says which were tried, and which settings to look at."""


class ChangeFailed(Exception):
    """The cluster refused a change; the text names the topic and the reason that it gave."""


class KafkaAdmin:
    """
    A connection to a cluster, open as long as the context is. `options` are the client's own, as
    `connection_options` makes them.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._servers = ", ".join(options["bootstrap_servers"])
        self._protocol = options["security_protocol"]
        self._options = options
        self._client: AIOKafkaAdminClient | None = None

    async def __aenter__(self) -> Self:
        """
        Connect.

        Raises:
            KafkaUnreachable: no broker answered as it should.

        """
        client = AIOKafkaAdminClient(**self._options)
        try:
            await client.start()
        except (KafkaError, OSError) as error:
            await client.close()
            raise self._unreachable(error) from error
        self._client = client
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self._connected().close()

    async def describe(self, names: Iterable[str]) -> dict[str, ClusterTopic]:
        """
        The topics of these names, without those that do not exist or that this user may not describe.

        Raises:
            KafkaUnreachable: the brokers stopped answering.

        """
        wanted = set(names)
        try:
            # All topics are asked for: a broker may create the one that it is asked for by name.
            described = {topic["topic"]: topic for topic in await self._connected().describe_topics()}
            present = sorted(name for name in wanted & set(described) if described[name]["error_code"] == 0)
            configs = await self._configs(present)
        except (KafkaError, OSError) as error:
            raise self._unreachable(error) from error
        return {name: _cluster_topic(described[name], configs[name]) for name in present}

    async def partition_counts(self, names: Iterable[str]) -> dict[str, ClusterTopic]:
        """As `describe`, without the configurations, which need rights of their own."""
        wanted = set(names)
        try:
            described = await self._connected().describe_topics()
        except (KafkaError, OSError) as error:
            raise self._unreachable(error) from error
        return {
            topic["topic"]: _cluster_topic(topic, {})
            for topic in described
            if topic["topic"] in wanted and topic["error_code"] == 0
        }

    async def apply(self, change: Change) -> None:
        """
        Carry one change out; return when the cluster shows it. Obstacles are passed over.

        Raises:
            ChangeFailed: the cluster refused it.
            KafkaUnreachable: the brokers stopped answering.

        """
        client = self._connected()
        try:
            match change:
                case CreateTopic(name, partitions, replicas, configs):
                    new = NewTopic(name, partitions, replicas, topic_configs=dict(configs))
                    _refuse_errors(await client.create_topics([new]))
                    await self._wait_for(name, partitions)
                case AddPartitions(name, _, after):
                    _refuse_errors(await client.create_partitions({name: NewPartitions(after)}))
                    await self._wait_for(name, after)
                case ChangeConfigs(name, _, all_configs):
                    resource = ConfigResource(ConfigResourceType.TOPIC, name, dict(all_configs))
                    for response in await client.alter_configs([resource]):
                        _refuse_errors(response)
                case _:
                    pass
        except (KafkaError, OSError) as error:
            raise self._unreachable(error) from error

    async def _configs(self, names: list[str]) -> dict[str, list[tuple[Any, ...]]]:
        if not names:
            return {}
        resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        configs: dict[str, list[tuple[Any, ...]]] = {}
        response: Any
        for response in await self._connected().describe_configs(resources):
            _refuse_errors(response)
            configs |= {name: entries for _, _, _, name, entries in response.resources}
        return configs

    async def _wait_for(self, name: str, partitions: int) -> None:
        """
        Brokers learn of a change one after the other; go on when one of them shows it with a leader for each
        partition.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            for topic in await self._connected().describe_topics():
                leaders = [partition["leader"] for partition in topic["partitions"]]
                if topic["topic"] == name and len(leaders) == partitions and min(leaders) >= 0:
                    return
            await asyncio.sleep(POLL_SECONDS)
        raise ChangeFailed(f"topic {name}: the cluster took the change and does not show it after {SETTLE_SECONDS:g} s")

    def _connected(self) -> AIOKafkaAdminClient:
        if self._client is None:
            raise RuntimeError("KafkaAdmin is used outside its context")
        return self._client

    def _unreachable(self, error: Exception) -> KafkaUnreachable:
        # aiokafka tells a closed port, a wrong password and an unknown authority as one and the same error.
        return KafkaUnreachable(
            f"no Kafka broker at {self._servers} answers over {self._protocol} ({type(error).__name__}); check"
            " BRIDGE_KAFKA_BOOTSTRAP_SERVERS, BRIDGE_KAFKA_SECURITY_PROTOCOL and, with TLS or SASL, the"
            " BRIDGE_KAFKA_SSL_… files and the user"
        )


async def check_topics(options: Mapping[str, Any], topics: Topics, parties: Iterable[Party], prefix: str) -> None:
    """
    What a service does before it starts: every topic that it writes or reads must be there, with the right partition
    count.

    Raises:
        TopicsError: with one sentence for each topic that is not, and the command that mends it.
        KafkaUnreachable: nobody can say.

    """
    wanted = frozenset(parties)
    needed = [topic for topic in topics.topics if topic.parties() & wanted]
    async with KafkaAdmin(options) as admin:
        cluster = await admin.partition_counts(physical_name(prefix, topic.name) for topic in needed)
    if sentences := unfit(cluster, topics, needed, prefix):
        raise TopicsError("\n".join(sentences))


def _cluster_topic(described: Mapping[str, Any], configs: Iterable[tuple[Any, ...]]) -> ClusterTopic:
    entries = [(entry[0], entry[1], entry[3]) for entry in configs]
    return ClusterTopic(
        partitions=len(described["partitions"]),
        replication_factor=min((len(partition["replicas"]) for partition in described["partitions"]), default=0),
        configs={key: value for key, value, _ in entries if value is not None},
        own_configs={key: value for key, value, source in entries if source == SET_ON_THE_TOPIC and value is not None},
    )


def _refuse_errors(response: Any) -> None:
    """ChangeFailed when an answer, in which topics are listed under one of two names, says that one failed."""
    if hasattr(response, "topic_errors"):
        verdicts = [(name, code, message) for name, code, message in response.topic_errors]
    else:
        verdicts = [(resource[3], resource[0], resource[1]) for resource in response.resources]
    for name, code, message in verdicts:
        if code != 0:
            raise ChangeFailed(f"topic {name}: {for_code(code).__name__}{f': {message}' if message else ''}")
