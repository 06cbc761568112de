"""
The image, as far as it can be seen without a Docker engine: its linter, its final stage as text, and its build stage
carried out step by step in an empty folder. What comes of that is run without any right to write to it.

Not seen here: the base image, and the final stage's own RUN.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import CHART
from tests.image.dockerfile import DOCKERFILE, Build, Instruction, packages, stages
from tests.tools import HADOLINT

STAGES = stages(DOCKERFILE.read_text(encoding="utf-8"))
FINAL = STAGES[-1]
# The first test waits for all packages to be installed anew.
pytestmark = pytest.mark.timeout(400)
# Root may write anywhere; without its capabilities it is bound by the modes of files like everybody.
WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.getuid() == 0 else ()


def only(word: str, instructions: list[Instruction]) -> str:
    (found,) = (each.rest for each in instructions if each.word == word)
    return found


def test_the_linter_has_nothing_to_say() -> None:
    done = subprocess.run(
        [str(HADOLINT.path), "--no-color", str(DOCKERFILE)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_the_linter_finds_what_is_wrong() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8").replace('ENTRYPOINT ["bridge"]', "ENTRYPOINT bridge")
    done = subprocess.run([str(HADOLINT.path), "-"], input=text, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "DL3025" in done.stdout


def test_both_stages_have_one_base() -> None:
    """What was built for one C library would not run on another."""
    assert [stage[0].rest.removesuffix(" AS build") for stage in STAGES] == ["${BASE}", "${BASE}"]


def test_the_final_stage_installs_nothing() -> None:
    runs = " ".join(each.rest for each in FINAL if each.word == "RUN")

    assert "apt" not in runs
    assert " install" not in runs
    assert all(each.rest.startswith("--from=build ") for each in FINAL if each.word == "COPY")


def test_runs_as_the_user_that_the_chart_names() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["podSecurityContext"]

    assert only("USER", FINAL) == f"{values['runAsUser']}:{values['runAsGroup']}"


def test_gets_its_signals_itself() -> None:
    """A shell before the program would be the one that gets SIGTERM."""
    assert json.loads(only("ENTRYPOINT", FINAL)) == ["bridge"]


def test_is_labelled_as_the_open_container_initiative_has_it() -> None:
    labels = only("LABEL", FINAL)

    for key in ("title", "description", "licenses", "version", "revision", "created"):
        assert f"org.opencontainers.image.{key}=" in labels


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The root directory after the build stage, with nothing in it that its user may write."""
    folder = tmp_path_factory.mktemp("image")
    build = Build(folder)
    build.carry_out(STAGES[0])
    for path in (build.root, *build.root.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & ~0o222)
    yield build.root
    for path in (build.root, *build.root.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(root: Path) -> Start:
    """Return a function that starts a program of the image, without the right to write to any of it."""

    def run(program: str, *arguments: str, **settings: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*WITHOUT_RIGHTS, str(root / "opt/bridge/bin" / program), *arguments],
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent", **settings},
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return run


def test_is_run_here_without_the_right_to_write_to_it(root: Path, start: Start) -> None:
    """What the tests below rest on."""
    process = start("python", "-c", f"open({str(root / 'opt/bridge/written')!r}, 'w')")
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "PermissionError" in errors


def test_has_the_program_without_an_installer(root: Path) -> None:
    found = set(packages(root / "opt/bridge/bin/python"))

    assert {"fibre-fault-bridge", "aiokafka", "faust-streaming"} <= found
    assert not found & {"pip", "setuptools", "wheel", "pytest", "hatchling"}


def test_has_a_bill_of_materials(root: Path) -> None:
    bill = json.loads((root / "build/doc/sbom.cdx.json").read_text(encoding="utf-8"))

    assert {component["name"] for component in bill["components"]} >= {"aiokafka", "faust-streaming"}


def test_needs_no_place_to_write_to_but_what_it_is_given(start: Start) -> None:
    process = start("bridge", "topics", "list")
    output, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    assert "fault-tickets" in output


def test_tells_what_it_lacks(start: Start) -> None:
    process = start("bridge", "run", "dispatcher")
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "BRIDGE_KAFKA_BOOTSTRAP_SERVERS" in errors


def test_ends_on_sigterm(start: Start, free_port: Callable[[], int]) -> None:
    """The ingester listens before it has a broker, so a process without one can be asked to stop."""
    port = free_port()
    process = start(
        "bridge",
        "run",
        "ingester",
        BRIDGE_KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{free_port()}",
        BRIDGE_WEBHOOK_AUTH="none",
        BRIDGE_WEBHOOK_LISTEN=f"127.0.0.1:{port}",
        BRIDGE_MANAGEMENT_LISTEN=f"127.0.0.1:{free_port()}",
    )
    deadline = time.monotonic() + 60
    while not listens(port) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)

    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 0, errors


def listens(port: int) -> bool:
    """Whether somebody accepts connections there, told without connecting."""
    return f":{port:04X} 00000000:0000 0A" in Path("/proc/net/tcp").read_text(encoding="ascii")
