"""
Child processes with a log file each, which can be waited for, stopped, frozen and killed, and which never outlive us.

A child is in a session of its own, so a Ctrl-C at the terminal reaches the parent alone and the parent decides the
order in which children end. Every method may be called from any thread and blocks its caller; asynchronous code wraps
it in `asyncio.to_thread`.
"""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from bridge.sandbox.errors import SandboxError

LEASH = Path(__file__).with_name("leash.py")
POLL_SECONDS = 0.05
GRACE_SECONDS = 15.0
LOG_TAIL_LINES = 15


@dataclass(frozen=True)
class Program:
    """
    What to run: `environment` is added to ours without its BRIDGE_ variables, so a service sees only what it is given.

    `ready_url` is the management address that answers 200 to a GET once the program is ready.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_url: str | None = None


class Child:
    """One program, started at most once at a time; it may be started again after it ended, and its log goes on."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process id; SandboxError when the program was never started."""
        return self._started().pid

    @property
    def running(self) -> bool:
        """Whether the process exists; a suspended one does."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs or before it ran; -N when signal N ended it."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the program and return at once; SandboxError when it runs already."""
        if self.running:
            raise SandboxError(f"{self.program.name} runs already, as process {self.pid}")
        log = self.program.log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._log_start = log.stat().st_size if log.exists() else 0
        self._process = _spawner(os.getpid()).submit(_spawn, self.program).result()

    def wait_ready(self, timeout_seconds: float = 60.0) -> None:
        """Return when the program's ready_url answers 200; SandboxError with the end of its log when it does not."""
        url = self.program.ready_url
        if url is None:
            raise SandboxError(f"{self.program.name} names no address that tells when it is ready")
        self.wait_until(lambda: _answers_ok(url), f"answer at {url}", timeout_seconds)

    def wait_until(self, condition: Callable[[], bool], what: str, timeout_seconds: float) -> None:
        """Return when the condition holds; SandboxError when the program ends first or the time is over."""
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            if not self.running:
                raise SandboxError(f"{self.program.name} ended with {self.exit_code} and did not {what}{self._tail()}")
            if time.monotonic() > deadline:
                raise SandboxError(f"{self.program.name} did not {what} in {timeout_seconds:g} s{self._tail()}")
            time.sleep(POLL_SECONDS)

    def wait_ended(self, timeout_seconds: float) -> int:
        """Return the exit code; SandboxError when the program still runs after that time."""
        try:
            return self._started().wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise SandboxError(f"{self.program.name} still runs after {timeout_seconds:g} s{self._tail()}") from None

    def log_text(self) -> str:
        """What the program wrote since its latest start."""
        with self.program.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def send(self, signal_number: signal.Signals) -> None:
        """Send a signal; nothing happens when the program has ended."""
        self._started().send_signal(signal_number)

    def kill(self) -> None:
        """End the program as kill -9 does and return when it is gone; also when it is suspended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def suspend(self) -> None:
        """Freeze the program with SIGSTOP: it keeps its connections and its locks and does nothing."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended program go on, as if no time had passed for it."""
        self.send(signal.SIGCONT)

    def terminate(self, grace_seconds: float = GRACE_SECONDS) -> int | None:
        """Ask for an orderly end and kill the program when the grace is over; return the exit code, -9 if killed."""
        self.request_end()
        with suppress(SandboxError):
            if self._process is not None:
                self.wait_ended(grace_seconds)
        self.kill()
        return self.exit_code

    def request_end(self) -> None:
        """Send SIGTERM and return at once; a suspended program is resumed so that it can obey."""
        if self.running:
            self.send(signal.SIGTERM)
            self.send(signal.SIGCONT)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise SandboxError(f"{self.program.name} was not started")
        return self._process

    def _tail(self) -> str:
        lines = self.log_text().splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"; the end of {self.program.log}:", *(f"    {line}" for line in lines)])


class Fleet:
    """The children of one run: a context manager that, however it is left, leaves none of them behind."""

    def __init__(self, grace_seconds: float = GRACE_SECONDS) -> None:
        self.children: list[Child] = []
        self._grace_seconds = grace_seconds

    def start(self, program: Program) -> Child:
        """Start a program and return at once; it is stopped with the fleet."""
        child = Child(program)
        self.children.append(child)
        child.start()
        return child

    def stop(self) -> None:
        """Ask all to end at the same time, wait for the grace period in all, then kill what is left."""
        for child in self.children:
            child.request_end()
        deadline = time.monotonic() + self._grace_seconds
        for child in self.children:
            child.terminate(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Self:
        """Return the fleet itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop every child."""
        self.stop()


@cache
def _spawner(process_id: int) -> ThreadPoolExecutor:
    """
    One thread per process that starts all children and lives as long as the process.

    The parent-death signal fires when the *thread* that forked ends (prctl(2)), so a child started from a passing
    worker thread would die with that thread. Keyed by process: a forked process does not inherit the thread.
    """
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"spawner-{process_id}")


def _spawn(program: Program) -> subprocess.Popen[bytes]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("BRIDGE_")}
    with program.log.open("ab") as log:
        return subprocess.Popen(
            (sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *program.command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**inherited, **program.environment},
            start_new_session=True,
        )


def _answers_ok(url: str) -> bool:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=2)
    try:
        connection.request("GET", place.path or "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
