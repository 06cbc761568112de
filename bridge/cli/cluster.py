"""What commands that need a cluster have in common: what keeps them from it is told in a sentence, not a traceback."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from bridge.adapters.kafka_admin import ChangeFailed, KafkaUnreachable
from bridge.adapters.kafka_connection import KafkaAway, KafkaRefused, connection_options, explaining
from bridge.adapters.registry import SchemaNotRegistered
from bridge.cli.screen import fail
from bridge.ports import SchemaUnavailable
from bridge.settings import SettingsError, read
from bridge.topics import TopicsError

T = TypeVar("T")

TOLD = (
    SettingsError,
    TopicsError,
    KafkaRefused,
    KafkaAway,
    KafkaUnreachable,
    ChangeFailed,
    SchemaUnavailable,
    SchemaNotRegistered,
    OSError,
)


def on_cluster(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run what needs the cluster of BRIDGE_KAFKA_…; a reason that it cannot is printed and ends the command with 1."""

    async def explained() -> T:
        async with explaining(connection_options(read(os.environ, "KAFKA").kafka)):
            return await work()

    try:
        return asyncio.run(explained())
    except TOLD as error:
        fail(str(error))
