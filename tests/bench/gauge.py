"""What processes cost, by /proc; and what machine, versions and commit a figure belongs to."""

import os
import platform
import shutil
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PACKAGES = ("aiokafka", "aiohttp", "fastavro", "faust-streaming", "httpx", "msgspec", "uvloop")
ROOT = Path(__file__).parents[2]
# The load at which a machine has room, and how long it is waited for; the load falls to a third in a minute.
QUIET_LOAD = 1.5
QUIET_WITHIN_SECONDS = 90.0
LOOK_SECONDS = 1.0
GIT = shutil.which("git") or "/usr/bin/git"


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, all its threads; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def peak_rss_mib(pid: int) -> float:
    """The most memory a process ever had (VmHWM); 0 if it is gone."""
    return _status(pid, "VmHWM:")


def rss_mib(pid: int) -> float:
    """The memory a process has now (VmRSS); 0 if it is gone."""
    return _status(pid, "VmRSS:")


def _status(pid: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return next((round(int(line.split()[1]) / 1024, 1) for line in lines if line.startswith(name)), 0.0)


@dataclass(frozen=True)
class Reading:
    """CPU seconds by name at one moment, and the moment (monotonic)."""

    at: float
    cpu: Mapping[str, float]

    def since(self, earlier: "Reading", name: str) -> float:
        """CPU seconds that a process used between two readings."""
        return self.cpu[name] - earlier.cpu[name]


def read(pids: Mapping[str, Iterable[int]]) -> Reading:
    """Read the processes of each name at once."""
    return Reading(time.monotonic(), {name: sum(map(cpu_seconds, each)) for name, each in pids.items()})


def wait_until_quiet(longest: float = QUIET_WITHIN_SECONDS) -> None:
    """Until what ran before is out of the machine's load; not for ever, since others may keep it busy."""
    deadline = time.monotonic() + longest
    while os.getloadavg()[0] > QUIET_LOAD and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)


def circumstances() -> dict[str, object]:
    """What a figure depends on beside the code: machine, load, versions, commit."""
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit(),
        "load": round(os.getloadavg()[0], 2),
        "cpus": len(os.sched_getaffinity(0)),
        "cpu": _cpu_model(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
    }


def commit() -> str:
    """The commit that is measured, with a plus when the tree differs from it."""
    head = _git("rev-parse", "--short=10", "HEAD")
    changed = _git(
        "status", "--porcelain", "--", "bridge", "tests/bench", "schemas", "topics.yaml", "requirements.lock"
    )
    return head + ("+" if changed else "")


def _git(*arguments: str) -> str:
    done = subprocess.run((GIT, *arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
