"""
What this user may do with topics, as the brokers say it (KIP-430).

aiokafka 0.14 asks for metadata in version 5; the rights came with version 8, so that request is written down here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

# Bits of `authorized_operations` (Apache Kafka, AclOperation).
BITS = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Alter": 7, "Describe": 8, "DescribeConfigs": 10}


class _MetadataResponse(Response):
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8"))),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataStruct(RequestStruct):
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _RightsRequest(Request[_MetadataStruct]):
    API_KEY = 3

    def __init__(self, topics: list[str]) -> None:
        self._topics = topics

    def build(self, request_struct_class: type[_MetadataStruct]) -> _MetadataStruct:
        return request_struct_class(self._topics, False, False, True)  # noqa: FBT003  # the protocol's order


async def rights_on(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, frozenset[str]]:
    """
    The operations that this user may do with each topic, by Kafka's names; none for one that it may not see.

    Raises:
        KafkaConnectionError: nobody can say.

    """
    wanted = sorted(names)
    client = AIOKafkaAdminClient(**options)
    try:
        await client.start()
        node = client._client.get_random_node()  # noqa: SLF001  # its own methods ask for older versions only
        answer: Any = await client._client.send(node, _RightsRequest(wanted))  # noqa: SLF001  # see above
    finally:
        await client.close()
    bits = {name: operations for error, name, _, _, operations in answer.topics if error == 0}
    return {
        name: frozenset(operation for operation, bit in BITS.items() if bits.get(name, 0) >> bit & 1) for name in wanted
    }
