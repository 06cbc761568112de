# ruff: noqa: SLF001  # what aiokafka answers is scripted in its own place
"""A transaction waits for brokers that are away, whatever aiokafka makes of it."""

from aiokafka.errors import UnknownTopicOrPartitionError

from bridge.adapters.streams import transactions
from bridge.adapters.streams.transactions import GroupProducer


async def test_a_topic_that_no_broker_knows_is_asked_for_again() -> None:
    producer = GroupProducer(
        "id",
        connection={"bootstrap_servers": "127.0.0.1:1"},
        transaction_timeout_seconds=1,
        max_record_bytes=1000,
    )
    answers: list[set[int] | Exception] = [UnknownTopicOrPartitionError(), {0, 1, 2}]

    async def partitions_for(topic: str) -> set[int]:
        assert topic == "observations"
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    producer._producer.partitions_for = partitions_for  # type: ignore[method-assign]

    assert await producer._partitions_of("observations") == 3
    assert transactions.RETRY_SECONDS < 1
    await producer.stop()
