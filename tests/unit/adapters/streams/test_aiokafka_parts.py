# ruff: noqa: SLF001  # that these private parts are where the bridge looks for them is what is asserted
"""The private parts of aiokafka and Faust that the bridge uses, as they are in the pinned versions."""

import asyncio
import inspect
from importlib.metadata import version
from typing import Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.consumer.fetcher import Fetcher as AiokafkaFetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.api import Request
from aiokafka.protocol.transaction import (
    AddOffsetsToTxnRequest,
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
    TxnOffsetCommitRequest,
)
from faust.transport.consumer import Consumer, Fetcher
from faust.transport.drivers import aiokafka as driver

from bridge.adapters.streams.requests import DescribeProducers, DescribeTransactions, TxnOffsetCommit

JOIN_GROUP, CONSUMER_GROUP_HEARTBEAT = 11, 68
HOW_TO_GO_ON = "read what changed, run tests/integration/test_table.py and `make chaos`, and write the new version here"


@pytest.mark.parametrize(
    ("package", "pinned"), [("aiokafka", "0.14.0"), ("faust-streaming", "0.15.3"), ("mode-streaming", "0.7.1")]
)
def test_the_versions_are_those_that_were_proved(package: str, pinned: str) -> None:
    assert version(package) == pinned, HOW_TO_GO_ON


def test_the_producer_has_its_client_and_its_transactions_where_they_are_looked_for() -> None:
    source = inspect.getsource(AIOKafkaProducer.__init__)
    assert "self.client = AIOKafkaClient(" in source
    assert "self._txn_manager = TransactionManager(" in source
    assert isinstance(TransactionManager.producer_id, property)
    assert isinstance(TransactionManager.producer_epoch, property)


def test_the_client_sends_requests_and_finds_coordinators() -> None:
    assert list(inspect.signature(AIOKafkaClient.send).parameters) == ["self", "node_id", "request", "group"]
    assert list(inspect.signature(AIOKafkaClient.coordinator_lookup).parameters)[1:] == [
        "coordinator_type",
        "coordinator_key",
    ]
    assert {each.name for each in ConnectionGroup} == {"DEFAULT", "COORDINATION"}
    assert {each.name for each in CoordinationType} == {"GROUP", "TRANSACTION"}


def test_a_connection_that_broke_is_another_one_afterwards() -> None:
    """How a commit tells whether its coordinator was there all the time."""
    source = inspect.getsource(AIOKafkaClient._get_conn)
    assert "conn_id = (node_id, group)" in source
    assert "if not conn.connected():\n                del self._conns[conn_id]\n" in source
    assert "self._conns[conn_id] = await create_conn(" in source


def test_the_requests_take_what_they_are_given() -> None:
    assert AddOffsetsToTxnRequest("id", 1, 2, "group").prepare({25: (0, 4)}).encode()
    assert InitProducerIdRequest("id", 1000).prepare({22: (0, 5)}).encode()
    mine: dict[str, Any] = {"transactional_id": "id", "producer_id": 1, "producer_epoch": 2}
    assert AddPartitionsToTxnRequest(**mine, topics=[("t", [0, 1])]).prepare({24: (0, 5)}).encode()
    assert EndTxnRequest(**mine, transaction_result=True).prepare({26: (0, 5)}).encode()


def test_an_offset_commit_of_a_transaction_names_generation_and_member() -> None:
    """The bytes of TxnOffsetCommit v3 (Kafka protocol), written out by hand."""
    topics: list[object] = [("t", [(2, 7, -1, "", {})], {})]
    encoded = TxnOffsetCommit("x", "g", 1, 2, 3, "m", None, topics, {}).prepare({28: (0, 5)}).encode()

    assert encoded == b"".join(
        (
            b"\x02x\x02g",
            (1).to_bytes(8, "big"),
            (2).to_bytes(2, "big"),
            (3).to_bytes(4, "big"),
            b"\x02m\x00",  # the member, and no group.instance.id
            b"\x02\x02t\x02",
            (2).to_bytes(4, "big"),
            (7).to_bytes(8, "big"),
            b"\xff\xff\xff\xff\x01\x00\x00\x00",
        )
    )


def test_aiokafka_itself_still_commits_offsets_that_nobody_checks() -> None:
    """When it does better, this project's own request can go."""
    assert [each.API_VERSION for each in TxnOffsetCommitRequest._CLASSES] == [0]


def test_transactions_are_described_by_their_ids() -> None:
    assert DescribeTransactions("x").prepare({65: (0, 0)}).encode() == b"\x02\x02x\x00"


def test_producers_are_described_by_their_partition() -> None:
    """The bytes of DescribeProducers v0 (Kafka protocol)."""
    encoded = DescribeProducers("t", 3).prepare({61: (0, 0)}).encode()
    assert encoded == b"\x02\x02t\x02" + (3).to_bytes(4, "big") + b"\x00\x00"


def test_a_consumer_tells_as_which_member_it_was_assigned_its_partitions() -> None:
    source = inspect.getsource(GroupCoordinator.__init__)
    assert "self.generation = " in source
    assert "self.member_id = " in source
    assert "self._coordinator = GroupCoordinator(" in inspect.getsource(AIOKafkaConsumer)
    assert driver.Consumer.RebalanceListener is driver.ConsumerRebalanceListener
    assert "self._rebalance_listener = consumer.RebalanceListener(self)" in inspect.getsource(
        driver.AIOKafkaConsumerThread.__post_init__
    )


def test_heartbeats_begin_only_after_the_assignment_unless_they_were_begun_before() -> None:
    """When they begin before it, the bridge need not begin them itself."""
    rejoining = inspect.getsource(GroupCoordinator.ensure_active_group)
    assert rejoining.index("await self._do_rejoin_group(") < rejoining.index("self._start_heartbeat_task()")
    assert "if self._heartbeat_task is None:" in inspect.getsource(GroupCoordinator._start_heartbeat_task)


def test_a_consumer_that_stops_still_lets_out_what_it_cancels() -> None:
    """When it does better, `stop_reading` can go."""
    assert "x.cancel()\n            await x\n" in inspect.getsource(AiokafkaFetcher.close)
    assert "await self._client.close()" in inspect.getsource(AIOKafkaConsumer.stop)


def test_faust_gives_the_loop_over_records_to_its_consumer() -> None:
    """The bridge has a loop of its own, made of these parts; what Faust's own does beside them was read, too."""
    assert "await consumer._drain_messages(self)" in inspect.getsource(Fetcher)
    assert list(inspect.signature(Consumer._drain_messages).parameters) == ["self", "fetcher"]
    assert list(inspect.signature(Consumer.getmany).parameters) == ["self", "timeout"]
    assert "self._read_offset" in inspect.getsource(Consumer._drain_messages)
    assert "self._unacked_messages.add(message)" in inspect.getsource(Consumer.track_message)
    assert "self.verify_event_path(now, tp)" in inspect.getsource(Consumer.verify_all_partitions_active)
    assert callable(driver.AIOKafkaConsumerThread.verify_recovery_event_path)


async def test_faust_throws_away_what_a_channel_holds_when_the_flow_resumes_and_lets_nothing_in_before() -> None:
    """Of what was fetched for one generation nothing is left in the next but what waited at the door."""
    app = faust.App("parts", broker="kafka://nowhere", store="memory://")
    channel = app.channel()
    reader = aiter(channel)
    app.flow_control.resume()
    await channel.send(value="old")
    app.flow_control.suspend()
    waiting = asyncio.create_task(channel.send(value="at the door"))
    await asyncio.sleep(0)
    assert not waiting.done()
    app.flow_control.resume()
    await waiting
    event = await anext(reader)
    assert event.value == "at the door"


def test_the_group_protocol_is_the_classic_one_and_gives_everything_up_at_a_rebalance() -> None:
    """What ADR 2 argues with: one generation for the whole group, nothing kept across it (no KIP-429, no KIP-848)."""
    assert "on_partitions_revoked" in inspect.getsource(GroupCoordinator._on_join_prepare)
    spoken = {each.API_KEY for each in Request.__subclasses__()}
    assert JOIN_GROUP in spoken
    assert CONSUMER_GROUP_HEARTBEAT not in spoken
