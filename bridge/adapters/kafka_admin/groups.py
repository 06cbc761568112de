"""A consumer group as the brokers see it: who is in it, and how far it has come."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError, for_code

from bridge.adapters.kafka_admin.access import MEND, AccessMissing

Place = tuple[str, int]

# The first question about any group has a new cluster make the topic of all groups' offsets; after a failure that topic
# has a new leader.
COORDINATOR_SECONDS = 15.0
ASK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True)
class GroupState:
    """
    What is known of a group. `state` is Kafka's word, such as Stable, PreparingRebalance, Empty or Dead; `committed`
    are the offsets up to which records are settled, by topic and partition.
    """

    group: str
    state: str
    members: int
    committed: Mapping[Place, int]


async def look_at_group(options: Mapping[str, Any], group: str, places: Iterable[Place]) -> GroupState:
    """
    Look at a group and its offsets at these places; those without one are left out.

    Raises:
        AccessMissing: this user may not describe the group.
        KafkaConnectionError: nobody can say.

    """
    client = AIOKafkaAdminClient(**options)
    try:
        await client.start()
        coordinator = await _coordinator(client, group)
        responses: list[Any] = await client.describe_consumer_groups([group], coordinator)
        error, _, state, _, _, members, *_ = responses[0].groups[0]
        if error != 0:
            raise for_code(error)(f"group {group}")
        partitions = [TopicPartition(topic, partition) for topic, partition in places]
        offsets = await client.list_consumer_group_offsets(group, coordinator, partitions)
    except GroupAuthorizationFailedError as error:
        raise AccessMissing(f"this user may not describe the group {group}; {MEND}") from error
    finally:
        await client.close()
    committed = {
        (partition.topic, partition.partition): found.offset
        for partition, found in offsets.items()
        if found.offset >= 0
    }
    return GroupState(group, state or "Dead", len(members), committed)


async def _coordinator(client: AIOKafkaAdminClient, group: str) -> int:
    deadline = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            return await client.find_coordinator(group)
        except GroupCoordinatorNotAvailableError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(ASK_AGAIN_SECONDS)
