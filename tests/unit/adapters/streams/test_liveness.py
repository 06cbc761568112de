"""When a streaming service says that only a new process helps, and when it does not."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bridge.adapters.streams import app as streams
from bridge.adapters.streams.app import StreamService
from bridge.adapters.streams.lanes import Lanes
from bridge.adapters.streams.table import FencedTable
from bridge.settings import KafkaSettings


class SetLanes:
    """Stands for the lanes, in a state that a test sets."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.submitted_at: float | None = 0.0

    def fault(self, _stuck_after: float) -> str | None:
        return self.problem


class AskingConsumer:
    """Stands for Faust's consumer, which asked for records some time ago."""

    def __init__(self) -> None:
        self.polled_at = time.monotonic()


class Service(StreamService):
    """A service of which nothing runs; it takes part when the test says so."""

    takes_part = True

    @property
    def assigned(self) -> bool:
        return self.takes_part


@pytest.fixture
def consumer() -> AskingConsumer:
    return AskingConsumer()


@pytest.fixture
def lanes() -> SetLanes:
    return SetLanes()


@pytest.fixture
def service(tmp_path: Path, lanes: SetLanes, consumer: AskingConsumer) -> Service:
    made = Service(
        group="dispatcher",
        topics={"fault-tickets": "fault-tickets"},
        table=cast("FencedTable", None),
        connection={"bootstrap_servers": ["127.0.0.1:1"]},
        kafka=KafkaSettings(bootstrap_servers=("127.0.0.1:1",)),
        max_pulled=1,
        stuck_after=timedelta(seconds=90),
        data_directory=str(tmp_path),
    )
    made._lanes = cast("Lanes", lanes)  # noqa: SLF001  # they start with the app, and the app runs nowhere here
    made.app._consumer = cast("Any", consumer)  # noqa: SLF001  # as above
    return made


def long_ago() -> float:
    return time.monotonic() - streams.POLL_SECONDS - 1


def test_a_service_that_asks_for_records_and_gets_none_is_alive(service: Service) -> None:
    assert service.fault() is None


def test_a_service_that_takes_part_and_asks_for_no_records_is_stuck(service: Service, consumer: AskingConsumer) -> None:
    consumer.polled_at = long_ago()

    assert service.fault() == "no records have been asked for since 61 s"


def test_a_rebalance_however_long_is_no_fault(service: Service, consumer: AskingConsumer) -> None:
    consumer.polled_at = long_ago()
    service.takes_part = False

    assert service.fault() is None


def test_a_full_window_asks_for_no_records_and_is_no_fault(
    service: Service, consumer: AskingConsumer, lanes: SetLanes
) -> None:
    consumer.polled_at = long_ago()
    lanes.submitted_at = None

    assert service.fault() is None

    lanes.submitted_at = time.monotonic()
    assert service.fault() is None


def test_a_fault_of_the_lanes_is_the_services(service: Service, lanes: SetLanes) -> None:
    lanes.problem = "the task 'commits' has ended"

    assert service.fault() == "the task 'commits' has ended"
