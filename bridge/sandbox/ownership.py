"""
Who owns a directory of the sandbox, and which processes an earlier owner may have left behind in it.

A process is recorded with the time at which it started, so that a number which the system has given to another program
since then is never mistaken for it (proc(5), /proc/PID/stat, field 22).
"""

import fcntl
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from bridge.sandbox.errors import SandboxError

KILL_SECONDS = 10.0


class DirectoryLock:
    """The right to run things in a directory; the kernel takes it back when its holder ends, however that happens."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "owner.lock"
        self._file: TextIO | None = None

    def acquire(self) -> None:
        """Take the directory; SandboxError, naming the owner, when another process holds it."""
        if self._file is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            owner = file.read().strip() or "another process"
            file.close()
            raise SandboxError(
                f"{self._path.parent} is in use by process {owner}: end that run first, or use another directory"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Give the directory back; nothing happens when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None


def record_process(path: Path, pid: int) -> None:
    """Write down that this process belongs to the directory of the file."""
    path.write_text(f"{pid} {_start_time(pid)}\n")


def forget_process(path: Path) -> None:
    """Remove the record of a process that has ended."""
    path.unlink(missing_ok=True)


def kill_recorded_process(path: Path) -> bool:
    """Kill the recorded process if it still exists, wait until it is gone, and tell whether there was one."""
    if not path.exists():
        return False
    pid, _, started = path.read_text().strip().partition(" ")
    found = bool(pid) and _start_time(int(pid)) == started
    if found:
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
        deadline = time.monotonic() + KILL_SECONDS
        while _start_time(int(pid)) == started:
            if time.monotonic() > deadline:
                raise SandboxError(f"process {pid}, left behind by an interrupted run, cannot be killed; see {path}")
            time.sleep(0.05)
    forget_process(path)
    return found


def _start_time(pid: int) -> str:
    """Return the clock tick at which the process started, or nothing when it is gone or only waits to be reaped."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()  # the name in parentheses may hold anything; field 3 follows it
    return "" if fields[0] in "ZX" else fields[19]
