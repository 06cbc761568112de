"""
Prometheus' server and its tool for rules: those on the PATH, or Debian's package unpacked into `.sandbox`.

Nothing is installed: apt downloads the package into directories of its own, checks its signature as always, and dpkg
unpacks it. So it works without root and on a machine where nothing may change.
"""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from bridge.sandbox.errors import SandboxError

DEFAULT_DIRECTORY = Path(".sandbox", "prometheus")
PROGRAMS = ("prometheus", "promtool")
DOWNLOAD_SECONDS = 300
REMEDY = (
    "install Prometheus 2.40 or later (Debian, Ubuntu: apt install prometheus; elsewhere: prometheus.io/download)"
    " so that `prometheus` and `promtool` are on the PATH"
)


def find_programs(directory: Path = DEFAULT_DIRECTORY) -> dict[str, Path] | None:
    """Where the programs are, by name, or None: on the PATH, or unpacked before."""
    on_path = {name: shutil.which(name) for name in PROGRAMS}
    if all(on_path.values()):
        return {name: Path(place) for name, place in on_path.items() if place is not None}
    unpacked = {name: (directory / "usr" / "bin" / name).absolute() for name in PROGRAMS}
    return unpacked if all(place.is_file() for place in unpacked.values()) else None


def install_programs(directory: Path = DEFAULT_DIRECTORY, *, announce: Callable[[str], None]) -> dict[str, Path]:
    """
    Find the programs, or download and unpack them.

    Raises:
        SandboxError: they cannot be had here; the text says what to install.

    """
    found = find_programs(directory)
    if found is not None:
        return found
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise SandboxError(f"Prometheus is not here, and this machine has no apt to get it with: {REMEDY}")
    announce(f"downloading Debian's prometheus into {directory} (once)")
    state = (directory / "apt").absolute()
    for each in ("lists/partial", "archives/partial"):
        (state / each).mkdir(parents=True, exist_ok=True)
    own = [f"Dir::State::Lists={state / 'lists'}", f"Dir::Cache={state}", "Debug::NoLocking=1", "APT::Sandbox::User="]
    options = [argument for option in own for argument in ("-o", option)]
    _run(["apt-get", *options, "-qq", "update"], directory)
    _run(["apt-get", *options, "-qq", "download", "prometheus"], directory)
    packages = sorted(directory.glob("prometheus_*.deb"))
    if not packages:
        raise SandboxError(f"apt has no package prometheus for this machine: {REMEDY}")
    _run(["dpkg-deb", "-x", packages[-1].name, "."], directory)
    for package in packages:
        package.unlink()
    shutil.rmtree(state, ignore_errors=True)
    found = find_programs(directory)
    if found is None:
        raise SandboxError(f"Debian's package has no {' or '.join(PROGRAMS)}: {REMEDY}")
    return found


def _run(command: list[str], directory: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise SandboxError(f"`{command[0]}` did not end within {DOWNLOAD_SECONDS} s: {REMEDY}") from None
    if done.returncode:
        raise SandboxError(f"`{command[0]}` failed: {done.stderr.strip() or done.stdout.strip()}\n{REMEDY}")
