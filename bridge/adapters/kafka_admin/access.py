"""Whether a worker may use its consumer group and its transactions, asked before it depends on them."""

from collections.abc import Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    TransactionalIdAuthorizationFailed,
)

# FindCoordinator's types (Kafka protocol, FindCoordinator request).
GROUP, TRANSACTION = 0, 1
MEND = "the commands that `bridge topics acls` prints give it"


class AccessMissing(Exception):
    """The cluster lets this user in, and does not give it what the service needs; the text names it."""


async def check_access(options: Mapping[str, Any], *, group: str, transactional_id_prefix: str) -> None:
    """
    What a worker does before it joins: Faust waits in silence for a group that it may not join.

    The brokers check a right before anything else, so a coordinator that is not there yet tells that the right is.

    Raises:
        AccessMissing: with one sentence for each right that this user does not have.
        KafkaConnectionError: nobody can say.

    """
    client = AIOKafkaAdminClient(**options)
    try:
        await client.start()
        sentences = [
            sentence
            for kind, name in ((GROUP, group), (TRANSACTION, transactional_id_prefix))
            if (sentence := await _lacking(client, kind, name)) is not None
        ]
    finally:
        await client.close()
    if sentences:
        raise AccessMissing("\n".join(sentences))


async def _lacking(client: AIOKafkaAdminClient, kind: int, name: str) -> str | None:
    try:
        await client.find_coordinator(name, kind)
    except GroupAuthorizationFailedError:
        return f"this user may not read in the group {name}; {MEND}"
    except TransactionalIdAuthorizationFailed:
        return f"this user may not write with a transactional-id that begins with {name}; {MEND}"
    except KafkaConnectionError:
        raise
    except KafkaError:
        return None
    return None
