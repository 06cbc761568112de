"""What the outbox decides by itself; what it does with a broker is in tests/integration."""

from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from bridge.adapters.kafka_outbox import partition_for


@given(key=st.binary(max_size=60), partitions=st.integers(1, 60))
def test_a_key_has_the_partition_that_kafkas_own_clients_give_it(key: bytes, partitions: int) -> None:
    everywhere = list(range(partitions))

    assert partition_for(key, everywhere, []) == DefaultPartitioner()(key, everywhere, [])


def test_a_record_without_a_key_goes_where_a_leader_is() -> None:
    assert partition_for(None, [0, 1, 2], [1]) == 1
    assert partition_for(None, [0, 1, 2], []) in {0, 1, 2}
