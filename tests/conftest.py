"""Markers by folder, and the fixtures that tests of several folders share."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings as hypothesis_settings

from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.ports import free_port as find_free_port
from tests.kafka_broker import fresh_kafka

MARKER_BY_FOLDER = {
    "unit": "offline",
    "architecture": "offline",
    "contract": "offline",
    "simulator": "offline",
    "sandbox": "offline",
    "chart": "chart",
    "image": "chart",
    "integration": "integration",
    "interop": "interop",
    "chaos": "chaos",
    "bench": "bench",
}
TESTS = Path(__file__).parent
# Of the folders that CI does not run, the files that it does.
SHORT_FORMS = ("bench/test_short.py", "chaos/test_short.py")

# A loaded machine is slow, not wrong; and CI meets the same examples each time, so that it fails for a change and not
# by chance.
hypothesis_settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis_settings.register_profile("dev", deadline=None)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_configure(config: pytest.Config) -> None:
    """
    Let the workers of pytest-xdist hear SIGINT, which they are started deaf to: Ctrl-C ends their tests and fixtures in
    order, and the programs that tests start do not inherit the deafness.
    """
    if hasattr(config, "workerinput"):
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Give each test the marker of its folder. A folder without one is an error, and so are two tests with one id, of
    which pytest-xdist runs one: no test is left out unseen.
    """
    for node_id, times in Counter(item.nodeid for item in items).items():
        if times > 1:
            raise pytest.UsageError(f"{node_id}: {times} tests have this id; give their parameters different ones")
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder not in MARKER_BY_FOLDER:
            raise pytest.UsageError(
                f"{item.path}: tests/{folder} has no marker; add it to MARKER_BY_FOLDER in {__file__}"
            )
        item.add_marker(MARKER_BY_FOLDER[folder])
        if str(item.path.relative_to(TESTS)) in SHORT_FORMS:
            item.add_marker("short")


@pytest.fixture(autouse=True)
def _no_bridge_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BRIDGE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> Iterator[EmbeddedKafka]:
    """A real Apache Kafka with one broker, shared by the whole run: tests use topics and groups of their own."""
    with fresh_kafka(pytestconfig.rootpath) as running:
        yield running


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a function that finds a free port of 127.0.0.1, another one at each call."""
    handed_out: set[int] = set()

    def find() -> int:
        while (port := find_free_port()) in handed_out:
            pass
        handed_out.add(port)
        return port

    return find
