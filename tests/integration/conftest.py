"""The running bridge, one for each module of tests; what its services logged is told with each test that fails."""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack

import pytest

from bridge.sandbox.kafka import EmbeddedKafka
from tests.integration.bridge_under_test import BridgeUnderTest

RunningBridge = Callable[..., BridgeUnderTest]


@pytest.fixture(scope="module")
def running_bridge(kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBridge]:
    """
    Return a function that starts a bridge of a name, with `settings` (BRIDGE_ variables) and `simulator` (SIMULATOR_
    variables) beside what every bridge here has. All of them are stopped at the end of the module.
    """
    with ExitStack() as stack:

        def start(name: str, **variables: Mapping[str, str]) -> BridgeUnderTest:
            bridge = BridgeUnderTest(kafka.bootstrap_servers, name, tmp_path_factory.mktemp(name), **variables)
            stack.callback(bridge.stop)
            stack.enter_context(bridge.fleet)
            bridge.start()
            return bridge

        yield start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the end of each service's log to the report of a test that failed."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, BridgeUnderTest):
                report.sections += [(f"end of the log of {name}", tail) for name, tail in value.log_tails().items()]
    return report
