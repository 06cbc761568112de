import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.sandbox.errors import SandboxError
from bridge.sandbox.processes import Child, Fleet, Program

SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/ready" else 503)
        self.end_headers()
print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
)
# Starts a sleeper from a thread that ends at once, tells its process id, and waits.
PARENT = """
import sys, threading, time
from pathlib import Path
from bridge.sandbox.processes import Child, Program
child = Child(Program("sleeper", (sys.executable, "-c", "import time; time.sleep(600)"), Path(sys.argv[1])))
thread = threading.Thread(target=child.start)
thread.start()
thread.join()
print(child.pid, flush=True)
time.sleep(600)
"""


def program(tmp_path: Path, source: str, *arguments: str, ready_url: str | None = None) -> Program:
    return Program("probe", (sys.executable, "-c", source, *arguments), tmp_path / "probe.log", ready_url=ready_url)


def started(fleet: Fleet, program: Program) -> Child:
    child = fleet.start(program)
    child.wait_until(lambda: "up" in child.log_text(), "come up", 20)
    return child


def state_of(pid: int) -> str:
    """`S`, `T` (stopped), `Z`, ... from proc(5), or nothing when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"not in 20 s: {what}"
        time.sleep(0.02)


def test_a_service_is_ready_once_its_management_address_answers_200(
    tmp_path: Path, free_port: Callable[[], int]
) -> None:
    port = free_port()
    with Fleet() as fleet:
        child = fleet.start(program(tmp_path, SERVER, str(port), ready_url=f"http://127.0.0.1:{port}/ready"))

        child.wait_ready(20)

        assert child.running
    assert not child.running


def test_an_address_that_answers_503_is_not_ready(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    with Fleet() as fleet:
        child = fleet.start(program(tmp_path, SERVER, str(port), ready_url=f"http://127.0.0.1:{port}/live"))

        with pytest.raises(SandboxError, match=r"did not answer at .*/live in 1 s"):
            child.wait_ready(1)


def test_a_service_that_ends_before_it_is_ready_is_reported_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    with Fleet() as fleet:
        child = fleet.start(
            program(tmp_path, "raise SystemExit('topic kcis is missing')", ready_url="http://127.0.0.1:1/ready")
        )

        with pytest.raises(SandboxError, match=r"(?s)probe ended with 1 .*topic kcis is missing"):
            child.wait_ready(20)


def test_a_program_that_does_not_exist_is_reported_by_name(tmp_path: Path) -> None:
    child = Child(Program("probe", ("no-such-program",), tmp_path / "probe.log"))
    child.start()

    assert child.wait_ended(20) == 127
    assert "cannot start no-such-program" in child.log_text()


def test_a_program_that_obeys_ends_by_the_signal_it_was_asked_with(tmp_path: Path) -> None:
    with Fleet() as fleet:
        assert started(fleet, program(tmp_path, SLEEPER)).terminate() == -signal.SIGTERM


def test_a_program_that_does_not_obey_is_killed_after_the_grace(tmp_path: Path) -> None:
    with Fleet() as fleet:
        assert started(fleet, program(tmp_path, STUBBORN)).terminate(grace_seconds=0.3) == -signal.SIGKILL


def test_a_suspended_program_is_frozen_until_it_is_resumed(tmp_path: Path) -> None:
    with Fleet() as fleet:
        child = started(fleet, program(tmp_path, SLEEPER))

        child.suspend()
        wait_until(lambda: state_of(child.pid) == "T", "the program is frozen")
        child.resume()
        wait_until(lambda: state_of(child.pid) != "T", "the program goes on")


def test_a_suspended_program_can_be_stopped_and_killed(tmp_path: Path) -> None:
    with Fleet() as fleet:
        stopped, killed = (started(fleet, program(tmp_path / name, SLEEPER)) for name in ("stopped", "killed"))
        stopped.suspend()
        killed.suspend()

        killed.kill()

        assert stopped.terminate() == -signal.SIGTERM
        assert killed.exit_code == -signal.SIGKILL


def test_a_killed_program_can_be_started_again_and_its_log_goes_on(tmp_path: Path) -> None:
    with Fleet() as fleet:
        child = started(fleet, program(tmp_path, SLEEPER))
        first = child.pid
        child.kill()

        child.start()
        child.wait_until(lambda: "up" in child.log_text(), "come up", 20)

        assert child.pid != first
        assert child.program.log.read_text() == "up\nup\n"


def test_a_running_program_is_not_started_a_second_time(tmp_path: Path) -> None:
    with Fleet() as fleet:
        child = started(fleet, program(tmp_path, SLEEPER))

        with pytest.raises(SandboxError, match=f"runs already, as process {child.pid}"):
            child.start()


def test_a_fleet_that_is_left_by_an_error_leaves_no_child(tmp_path: Path) -> None:
    children: list[Child] = []

    def run_and_fail() -> None:
        with Fleet(grace_seconds=1) as fleet:
            children.extend(started(fleet, program(tmp_path / name, source)) for name, source in sources.items())
            raise RuntimeError("the run failed")

    sources = {"one": SLEEPER, "two": STUBBORN}
    with pytest.raises(RuntimeError, match="the run failed"):
        run_and_fail()

    assert [state_of(child.pid) for child in children] == ["", ""]


def test_a_child_sees_only_the_bridge_settings_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_KAFKA_BOOTSTRAP_SERVERS", "somewhere.else:9092")
    monkeypatch.setenv("LANG", "C.UTF-8")
    show = "import os; print(sorted(n for n in os.environ if n.startswith('BRIDGE_')), os.environ['LANG'])"
    child = Child(
        Program("probe", (sys.executable, "-c", show), tmp_path / "probe.log", environment={"BRIDGE_TOPIC_PREFIX": "x"})
    )
    child.start()

    assert child.wait_ended(20) == 0
    assert child.log_text() == "['BRIDGE_TOPIC_PREFIX'] C.UTF-8\n"


async def test_a_child_started_from_a_worker_thread_outlives_that_thread(tmp_path: Path) -> None:
    with Fleet() as fleet:
        child = await asyncio.to_thread(started, fleet, program(tmp_path, SLEEPER))
        await asyncio.get_running_loop().shutdown_default_executor()  # ends the worker threads

        wait_until(lambda: state_of(child.pid) == "S", "the child sleeps")
        assert child.running


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_child_dies_with_its_parent_however_the_parent_ends(ending: signal.Signals, tmp_path: Path) -> None:
    command = (sys.executable, "-c", PARENT, str(tmp_path / "child.log"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        alive = state_of(child)

        parent.send_signal(ending)
        parent.wait(20)

    assert alive not in {"", "Z"}

    wait_until(lambda: state_of(child) in {"", "Z"}, "the child is gone")
