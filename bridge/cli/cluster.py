"""What commands that need a cluster have in common: what keeps them from it is told in a sentence, not a traceback."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

from bridge.adapters.kafka_admin import ChangeFailed, KafkaUnreachable
from bridge.adapters.kafka_connection import (
    CertificateUnusable,
    KafkaAway,
    KafkaRefused,
    connection_options,
    explaining,
)
from bridge.adapters.registry import SchemaNotRegistered
from bridge.cli.screen import FOUND, UNUSABLE, fail, working
from bridge.ports import SchemaUnavailable
from bridge.schemas import SchemasError
from bridge.settings import SettingsError, read
from bridge.topics import TopicsError

T = TypeVar("T")

# Trying again will not help: the environment has to be mended.
BAD_ENVIRONMENT = (SettingsError, KafkaRefused, CertificateUnusable)
TOLD = (
    *BAD_ENVIRONMENT,
    TopicsError,
    SchemasError,
    KafkaAway,
    KafkaUnreachable,
    ChangeFailed,
    SchemaUnavailable,
    SchemaNotRegistered,
    OSError,
)


def on_cluster(work: Callable[[], Coroutine[Any, Any, T]], doing: str = "asking Kafka") -> T:
    """Run what needs the cluster of BRIDGE_KAFKA_…; a reason that it cannot is printed and ends the command."""

    async def explained() -> T:
        async with explaining(connection_options(read(os.environ, "KAFKA").kafka)):
            return await work()

    try:
        with working(doing):
            return asyncio.run(explained())
    except TOLD as error:
        stop(error)


def stop(error: Exception) -> NoReturn:
    """End the command with what an error of TOLD says, and the exit code that it stands for."""
    fail(str(error), UNUSABLE if isinstance(error, BAD_ENVIRONMENT) else FOUND)
