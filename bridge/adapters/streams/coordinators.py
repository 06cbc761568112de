"""
Questions to the coordinators of transactions and of groups, which aiokafka 0.14 asks none of or not with what they need
(`requests.py`).
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request

from bridge.adapters.streams.requests import DescribeTransactions
from bridge.kafka_clients import RETRY_SECONDS

log = structlog.get_logger(__name__)

# How long a transaction's markers usually take; those that take longer are asked for less and less often. Meanwhile
# nothing is written, and who waits to write costs CPU: with 3 ms in place of 1 a call costs a tenth more.
MARKERS_SECONDS = 0.001

# Errors that pass by themselves (Kafka protocol, error codes).
NOT_COORDINATOR = frozenset({15, 16})  # COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR
CONCURRENT_TRANSACTIONS = 51
# UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT, NETWORK_EXCEPTION,
# COORDINATOR_LOAD_IN_PROGRESS, NOT_ENOUGH_REPLICAS and the same after append.
PASSING = NOT_COORDINATOR | {CONCURRENT_TRANSACTIONS, 3, 5, 6, 7, 13, 14, 19, 20}
# The states in which a transaction has ended, and not all of its markers are written (KIP-664).
BEING_DECIDED = frozenset({"PrepareCommit", "PrepareAbort", "PrepareEpochFence"})


class Refused(Exception):
    """The transaction was aborted or cannot be committed any more: nothing of it is or will be visible."""


@dataclass(frozen=True)
class Told:
    """How far the latest transaction of a transactional id is; the state is KIP-664's, empty for an unknown id."""

    state: str
    producer_id: int
    partitions: frozenset[TopicPartition]


class Coordinators:
    """The coordinators as one client knows them."""

    def __init__(self, client: AIOKafkaClient) -> None:
        """Find none yet."""
        self._client = client
        self._nodes: dict[tuple[CoordinationType, str], int] = {}

    async def of_group(self, group: str, request: Request[Any], codes: Callable[[Any], list[int]]) -> Any:
        """Ask a group's coordinator; see `_ask`."""
        return await self._ask(CoordinationType.GROUP, group, request, codes)

    async def of_transactions(
        self,
        transactional_id: str,
        request: Request[Any],
        codes: Callable[[Any], list[int]] = lambda response: [response.error_code],
    ) -> Any:
        """Ask the coordinator of an id's transactions; see `_ask`."""
        return await self._ask(CoordinationType.TRANSACTION, transactional_id, request, codes)

    async def told(self, transactional_id: str, *, decided: bool = False) -> Told:
        """How far an id's latest transaction is; with `decided` not before its end is written in all its partitions."""

        def passing(response: Any) -> list[int]:
            ((code, _, state, *_),) = response.transaction_states
            return [CONCURRENT_TRANSACTIONS if decided and state in BEING_DECIDED else code if code in PASSING else 0]

        response = await self.of_transactions(transactional_id, DescribeTransactions(transactional_id), passing)
        ((_, _, state, _, _, producer_id, _, topics, _),) = response.transaction_states
        places = (TopicPartition(topic, number) for topic, numbers, _ in topics for number in numbers)
        return Told(state, producer_id, frozenset(places))

    def connection(self, transactional_id: str) -> object:
        """The connection to the coordinator of an id's transactions; one that breaks is another one afterwards."""
        node = self._nodes.get((CoordinationType.TRANSACTION, transactional_id))
        connections = self._client._conns  # noqa: SLF001  # it has no accessor
        return connections.get((node, ConnectionGroup.COORDINATION))

    async def _ask(
        self, kind: CoordinationType, key: str, request: Request[Any], codes: Callable[[Any], list[int]]
    ) -> Any:
        """
        Ask a coordinator, again while the cluster is busy or away; all these requests may be repeated.

        Raises:
            Refused: it says no.

        """
        client = self._client
        pause = MARKERS_SECONDS
        while True:
            try:
                node = self._nodes.get((kind, key))
                if node is None:
                    node = self._nodes[kind, key] = await client.coordinator_lookup(kind, key)
                response = await client.send(node, request, group=ConnectionGroup.COORDINATION)
            except KafkaError as error:
                if not error.retriable:
                    raise Refused(repr(error)) from error
                log.debug("a coordinator did not answer", request=type(request).__name__, error=repr(error))
                self._nodes.pop((kind, key), None)
                with contextlib.suppress(KafkaError):
                    await client.force_metadata_update()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            errors = {code for code in codes(response) if code}
            if not errors:
                return response
            if not errors <= PASSING:
                raise Refused(", ".join(for_code(code).__name__ for code in sorted(errors - PASSING)))
            if errors & NOT_COORDINATOR:
                self._nodes.pop((kind, key), None)
            await asyncio.sleep(pause if errors == {CONCURRENT_TRANSACTIONS} else RETRY_SECONDS)
            pause = min(2 * pause, RETRY_SECONDS)
