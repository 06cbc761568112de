"""Back to where the group is: what was fetched and not handled must come again, also before the first commit."""

from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bridge.adapters.streams.consumer import seek_to_committed
from bridge.sandbox.kafka import EmbeddedKafka


async def test_a_partition_without_a_commit_is_read_from_its_beginning_again(kafka: EmbeddedKafka) -> None:
    topic = f"seek-{uuid4().hex[:8]}"
    never, once = TopicPartition(topic, 0), TopicPartition(topic, 1)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        for partition in (never, once):
            for number in range(4):
                await producer.send_and_wait(topic, str(number).encode(), partition=partition.partition)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=topic,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )

    async def read() -> dict[TopicPartition, list[int]]:
        found: dict[TopicPartition, list[int]] = {never: [], once: []}
        while not all(offsets and offsets[-1] == 3 for offsets in found.values()):
            for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
                found[partition] += [record.offset for record in records]
        return found

    async with consumer:
        await read()
        await consumer.commit({once: 2})

        assert await seek_to_committed(consumer) == {never: None, once: 2}
        assert await read() == {never: [0, 1, 2, 3], once: [2, 3]}
