"""A Dockerfile as its instructions, and its build stage carried out in a folder instead of a container."""

import os
import re
import shutil
import subprocess
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"


class StepFailed(Exception):
    """A step of the Dockerfile ended with another exit code than 0; the text has the step and what it said."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: its word, and all behind it on one line."""

    word: str
    rest: str


def stages(text: str) -> list[list[Instruction]]:
    """The stages, each from its FROM on; what stands before the first is left out."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    found: list[list[Instruction]] = []
    for line in re.sub(r"\\\n\s*", "", lines).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            found.append([])
        if word and found:
            found[-1].append(Instruction(word, rest.strip()))
    return found


class Build:
    """
    A stage's COPY, ENV, WORKDIR and RUN in a folder that stands for the root directory.

    The steps' absolute paths are moved below it; a virtual environment of this Python stands for the base image's.
    """

    def __init__(self, folder: Path) -> None:
        """Take an empty folder."""
        self.root = folder / "root"
        self.base = folder / "base"
        self.root.mkdir()
        venv.create(self.base, with_pip=True, symlinks=True)
        self._directory = self.root
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "PYTHON"))},
            "PATH": f"{self.base / 'bin'}:/usr/bin:/bin",
        }

    def carry_out(self, instructions: list[Instruction]) -> None:
        """
        Carry them out in order.

        Raises:
            StepFailed: one did not work.

        """
        for instruction in instructions:
            match instruction.word:
                case "WORKDIR":
                    self._directory = self._inside(instruction.rest)
                    self._directory.mkdir(parents=True, exist_ok=True)
                case "ENV":
                    pairs = (pair.partition("=") for pair in instruction.rest.split())
                    self._environment.update((name, value) for name, _, value in pairs)
                case "COPY":
                    self._copy(*instruction.rest.split())
                case "RUN":
                    self._run(instruction.rest)
                case "FROM":
                    continue
                case other:
                    raise StepFailed(f"{other} is not known here; teach it to {__name__}")

    def _inside(self, path: str) -> Path:
        return self.root / path.removeprefix("/")

    def _copy(self, *paths: str) -> None:
        *sources, target = paths
        for source in sources:
            found = ROOT / source
            if found.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(found, self._directory / target, dirs_exist_ok=True, ignore=ignored)
            else:
                shutil.copy2(found, self._directory / target)

    def _run(self, command: str) -> None:
        moved = re.sub(r"(?<![\w/.])/opt/", f"{self.root}/opt/", command)
        done = subprocess.run(
            ["/bin/sh", "-c", moved],
            cwd=self._directory,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise StepFailed(f"RUN {command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def packages(python: Path) -> Iterator[str]:
    """The packages of an environment."""
    command = [
        str(python),
        "-c",
        "from importlib.metadata import distributions as d; print(*(e.name for e in d()), sep='\\n')",
    ]
    yield from subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
