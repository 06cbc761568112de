"""What every service does before it starts, and how it tells that it cannot."""

import sys
from collections.abc import Callable, Mapping

from bridge.adapters.kafka_admin import AccessMissing, KafkaUnreachable, check_access, check_topics
from bridge.adapters.kafka_connection import (
    CertificateUnusable,
    KafkaAway,
    KafkaRefused,
    connection_options,
    explaining,
)
from bridge.adapters.registry import SchemaNotRegistered
from bridge.ports import SchemaUnavailable
from bridge.settings import Settings, SettingsError
from bridge.topics import Party, Topics, TopicsError

# sysexits.h: the configuration cannot be used.
BAD_CONFIGURATION = 2
# The cluster, or something else outside, is not as it must be; a restart may find it so.
NOT_NOW = 1
NOT_THERE = (
    TopicsError,
    AccessMissing,
    KafkaAway,
    KafkaUnreachable,
    SchemaNotRegistered,
    SchemaUnavailable,
    OSError,
)


async def check_cluster(settings: Settings, topics: Topics, party: Party) -> None:
    """
    Refuse to start on a cluster whose topics are not those of topics.yaml.

    Raises:
        TopicsError: a topic is missing or has another partition count.
        KafkaRefused: the brokers do not let us in.
        KafkaUnreachable: no broker answers.

    """
    options = connection_options(settings.kafka)
    async with explaining(options):
        await check_topics(options, topics, [party], settings.kafka.topic_prefix)


async def check_worker(settings: Settings, *, group: str, transactional_id_prefix: str) -> None:
    """
    Refuse to start as a user that may not work with this group and these transactions.

    Raises:
        AccessMissing: it may not.
        KafkaRefused, KafkaAway: nobody can say.

    """
    options = connection_options(settings.kafka)
    async with explaining(options):
        await check_access(options, group=group, transactional_id_prefix=transactional_id_prefix)


def run_reporting(run: Callable[[Mapping[str, str]], int], environ: Mapping[str, str]) -> int:
    """
    Run a service's main; what it cannot start with is told on standard error, one problem a line, and becomes the
    exit code.
    """
    try:
        return run(environ)
    except (SettingsError, ValueError, KafkaRefused, CertificateUnusable) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_CONFIGURATION
    except NOT_THERE as error:
        sys.stderr.write(f"{error}\n")
        return NOT_NOW
