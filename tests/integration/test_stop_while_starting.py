"""A service that is told to stop ends with 0 and soon, however far its start has come."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.ports import free_port
from bridge.sandbox.processes import Child, Program
from tests.integration.running_services import BRIDGE, MANAGED, RunningServices

# How far a start has come, and how long after that the signal is sent: there is a handler; Faust or the webhook is
# being started, with the management server first; all is ready.
HANDLED, LISTENING, READY = "handled", "listening", "ready"
MOMENTS = (
    *((HANDLED, seconds) for seconds in (0.0, 0.4, 1.0)),
    *((LISTENING, seconds) for seconds in (0.0, 0.1, 0.3, 0.6, 1.2, 2.0)),
    (READY, 0.0),
)
START_SECONDS = 60.0
ENDS_SECONDS = 10.0
POLL_SECONDS = 0.005
# By then a start asks a broker that never answers.
NOBODY_ANSWERS = 3.0


@pytest.fixture(scope="module")
def services(kafka: EmbeddedKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServices]:
    running = RunningServices(kafka.bootstrap_servers, "stop", tmp_path_factory.mktemp("stop"))
    with running.fleet:
        assert running.run("topics", "apply", "--replication-factor", "1").returncode == 0
        yield running


def catches_sigterm(child: Child) -> bool:
    """Whether the process has a handler for it, as the kernel knows."""
    status = Path(f"/proc/{child.pid}/status").read_text()
    mask = int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)
    return bool(mask >> (signal.SIGTERM - 1) & 1)


def answers(child: Child) -> int:
    """What the process says when it is asked whether it is ready; 0 when it does not listen yet."""
    try:
        return httpx.get(child.program.ready_url or "", trust_env=False, timeout=2).status_code
    except httpx.TransportError:
        return 0


REACHED: dict[str, Callable[[Child], bool]] = {
    HANDLED: catches_sigterm,
    LISTENING: lambda child: answers(child) != 0,
    READY: lambda child: answers(child) == httpx.codes.OK,
}


def tell_each(children: list[Child], number: signal.Signals, milestone: str, seconds: float) -> None:
    """Send each the signal when it has come so far and this much time has passed since."""
    deadline = time.monotonic() + START_SECONDS
    due: dict[str, float] = {}
    left = list(children)
    while left:
        for child in list(left):
            assert child.running, f"{child.program.name} ended with {child.exit_code}:\n{child.log_text()}"
            assert time.monotonic() < deadline, f"{child.program.name} is not {milestone}:\n{child.log_text()}"
            if child.program.name not in due and REACHED[milestone](child):
                due[child.program.name] = time.monotonic() + seconds
            if time.monotonic() >= due.get(child.program.name, deadline):
                child.send(number)
                left.remove(child)
        time.sleep(POLL_SECONDS)


def ends_of(children: list[Child]) -> dict[str, int]:
    """The exit codes of processes that were told to stop."""
    deadline = time.monotonic() + ENDS_SECONDS
    return {child.program.name: child.wait_ended(deadline - time.monotonic()) for child in children}


def begun(services: RunningServices) -> list[Child]:
    for service in MANAGED:
        services.begin(service)
    return [services.children[service] for service in MANAGED]


@pytest.mark.parametrize(("milestone", "seconds"), MOMENTS)
def test_sigterm_at_any_moment_of_the_start_ends_each_service_with_0(
    services: RunningServices, milestone: str, seconds: float
) -> None:
    children = begun(services)

    tell_each(children, signal.SIGTERM, milestone, seconds)

    assert ends_of(children) == dict.fromkeys(MANAGED, 0), services.why()
    assert "Traceback" not in "".join(child.log_text() for child in children), services.why()


@pytest.mark.parametrize("milestone", [HANDLED, LISTENING])
def test_ctrl_c_does_the_same(services: RunningServices, milestone: str) -> None:
    children = begun(services)

    tell_each(children, signal.SIGINT, milestone, 0.2)

    assert ends_of(children) == dict.fromkeys(MANAGED, 0), services.why()


def test_a_start_that_waits_for_a_broker_which_never_answers_is_ended_too(
    services: RunningServices, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", free_port()), backlog=64) as silent:
        mute = RunningServices(f"127.0.0.1:{silent.getsockname()[1]}", "mute", tmp_path)
        with mute.fleet:
            children = begun(mute)

            tell_each(children, signal.SIGTERM, HANDLED, NOBODY_ANSWERS)

            assert ends_of(children) == dict.fromkeys(MANAGED, 0), mute.why()


def test_a_command_that_is_ended_is_not_done_and_does_not_say_so(services: RunningServices, tmp_path: Path) -> None:
    """The handlers are for what runs until it is told to stop; a script must see that `topics plan` was cut off."""
    with socket.create_server(("127.0.0.1", free_port()), backlog=64) as silent:
        mute = RunningServices(f"127.0.0.1:{silent.getsockname()[1]}", "mute", tmp_path)
        with mute.fleet:
            child = mute.fleet.start(
                Program("topics", (*BRIDGE, "topics", "plan"), tmp_path / "topics.log", mute.kafka)
            )
            time.sleep(NOBODY_ANSWERS)
            child.send(signal.SIGTERM)

            assert ends_of([child]) == {"topics": -signal.SIGTERM}
