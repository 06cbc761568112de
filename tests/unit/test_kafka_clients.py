"""Where a record belongs, how a reader ends, and how a topic is asked for, whatever aiokafka makes of that."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from bridge import kafka_clients
from bridge.kafka_clients import Sending, partitions_of, stop_reading


@given(key=st.binary(max_size=60), partitions=st.integers(1, 60))
def test_a_key_has_the_partition_that_kafkas_own_clients_give_it(key: bytes, partitions: int) -> None:
    everywhere = list(range(partitions))

    assert Sending("topic", key, b"").home(partitions) == DefaultPartitioner()(key, everywhere, everywhere)


def test_a_record_that_names_its_partition_has_it_and_those_without_a_key_have_one_together() -> None:
    assert Sending("topic", b"key", b"", 7).home(12) == 7
    assert Sending("topic", None, b"one").home(12) == Sending("topic", None, b"another").home(12)


class Client:
    """Counts how often it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def close(self) -> None:
        self.closed += 1


class Consumer:
    """Stops as aiokafka's does, with fetches that are under way."""

    def __init__(self, *fetches: "asyncio.Task[None]", error: Exception | None = None) -> None:
        self._client = Client()
        self._fetches = fetches
        self._error = error

    async def stop(self) -> None:
        for fetch in self._fetches:
            fetch.cancel()
            await fetch
        if self._error is not None:
            raise self._error
        await self._client.close()

    @property
    def closed(self) -> int:
        return self._client.closed


async def test_a_fetch_that_was_cancelled_before_it_began_cancels_nobody_else() -> None:
    consumer = Consumer(asyncio.create_task(asyncio.sleep(1)))

    await stop_reading(cast("Any", consumer))

    assert consumer.closed == 1


async def test_a_consumer_without_fetches_is_stopped_once() -> None:
    consumer = Consumer()

    await stop_reading(cast("Any", consumer))

    assert consumer.closed == 1


async def test_an_error_of_the_stop_is_told() -> None:
    with pytest.raises(OSError, match="gone"):
        await stop_reading(cast("Any", Consumer(error=OSError("gone"))))


async def test_a_topic_that_no_broker_knows_is_asked_for_again() -> None:
    answers: list[set[int] | Exception] = [UnknownTopicOrPartitionError(), {0, 1, 2}]

    class Scripted:
        async def partitions_for(self, topic: str) -> set[int]:
            assert topic == "observations"
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    assert await partitions_of(cast("Any", Scripted()), "observations") == 3
    assert kafka_clients.RETRY_SECONDS < 1
