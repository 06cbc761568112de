from pathlib import Path

import pytest

from bridge.sandbox.broker import default_properties
from bridge.sandbox.errors import SandboxError
from bridge.sandbox.kafka import EmbeddedKafka, new_cluster_id


def test_three_brokers_form_one_quorum_with_ports_of_their_own_and_two_replicas_that_must_have_a_record(
    tmp_path: Path,
) -> None:
    kafka = EmbeddedKafka(tmp_path, 24000, brokers=3)
    properties = [default_properties(place, kafka.places) for place in kafka.places]

    assert kafka.bootstrap_servers == "127.0.0.1:24000,127.0.0.1:24002,127.0.0.1:24004"
    assert {each["controller.quorum.voters"] for each in properties} == {
        "1@127.0.0.1:24001,2@127.0.0.1:24003,3@127.0.0.1:24005"
    }
    assert {each["default.replication.factor"] for each in properties} == {"3"}
    assert {each["min.insync.replicas"] for each in properties} == {"2"}
    assert len({each["log.dirs"] for each in properties}) == 3


def test_no_listener_of_a_broker_leaves_this_machine(tmp_path: Path) -> None:
    kafka = EmbeddedKafka(tmp_path, 24000)
    properties = default_properties(kafka.places[0], kafka.places)

    hosts = {entry.partition("://")[2].rpartition(":")[0] for entry in properties["listeners"].split(",")}
    assert hosts == {"127.0.0.1"}


def test_a_broker_that_was_not_started_cannot_be_killed(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="there is no started broker 2; the brokers are none"):
        EmbeddedKafka(tmp_path, 24000).kill(2)


def test_no_cluster_id_looks_like_an_option_of_the_storage_tool() -> None:
    ids = [new_cluster_id() for _ in range(1000)]

    assert {len(each) for each in ids} == {22}
    assert [each for each in ids if each.startswith("-")] == []
