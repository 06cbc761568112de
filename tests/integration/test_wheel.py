"""
What is put into the image: the wheel, in an environment with the packages of requirements.lock and no others, away from
the source tree.
"""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
PRODUCT = "fibre-fault-bridge"
COMMAND_SECONDS = 60


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and an empty directory to run it from."""

    binaries: Path
    elsewhere: Path

    def run(self, program: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("BRIDGE_", "PYTHON"))}
        return subprocess.run(
            (str(self.binaries / program), *arguments),
            cwd=self.elsewhere,
            env={**clean, **settings},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )


def locked(lock: Path) -> Iterator[tuple[str, str, bool]]:
    """Name and version of each package, and whether it is for some platforms only."""
    for line in lock.read_text().splitlines():
        pin, _, marker = line.removesuffix("\\").partition(";")
        if "==" in pin and not line.startswith((" ", "#")):
            name, _, version = pin.strip().partition("==")
            yield name.partition("[")[0], version, bool(marker.strip())


def copy_locked(target: Path) -> None:
    """Put the packages of the lock there, from the environment that the tests run in: nothing is fetched again."""
    for name, version, is_elsewhere in locked(LOCK):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            assert is_elsewhere, f"{name} is in {LOCK.name} and not installed; run `make install`"
            continue
        assert found.version == version, f"{name} {found.version} is installed, and {LOCK.name} has {version}"
        for file in found.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                place = target / file
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), place)


def must(*command: str | Path) -> None:
    ended = subprocess.run(
        tuple(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    directory = tmp_path_factory.mktemp("wheel")
    environment, elsewhere = directory / "environment", directory / "elsewhere"
    elsewhere.mkdir()
    must(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory)
    (wheel,) = directory.glob("*.whl")
    venv.create(environment, symlinks=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    copy_locked(packages)
    pip = (sys.executable, "-m", "pip", "--python", environment / "bin" / "python", "--disable-pip-version-check")
    must(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    return Installed(environment / "bin", elsewhere)


def test_the_product_comes_from_the_wheel(installed: Installed) -> None:
    where = installed.run("python", "-c", "import bridge; print(bridge.__file__)").stdout

    assert "site-packages/bridge/__init__.py" in where
    assert str(ROOT) not in where


def test_the_command_line_answers(installed: Installed) -> None:
    told = installed.run("bridge", "--help")

    assert told.returncode == 0, told.stderr
    assert "topics" in told.stdout


def test_topics_and_schemas_are_in_the_wheel(installed: Installed) -> None:
    topics = installed.run("bridge", "topics", "list")
    schema = installed.run("bridge", "schemas", "print", "Kci")

    assert topics.returncode == 0, topics.stderr
    assert "fault-tickets" in topics.stdout
    assert schema.returncode == 0, schema.stderr
    assert json.loads(schema.stdout)["name"] == "Kci"


@pytest.mark.parametrize("service", ["dispatcher", "ingester", "tracker"])
def test_each_service_has_all_that_it_imports_and_asks_for_its_settings(installed: Installed, service: str) -> None:
    ended = installed.run("bridge", "run", service)

    assert ended.returncode == 2, ended.stderr
    assert "BRIDGE_KAFKA_BOOTSTRAP_SERVERS: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_simulator_is_in_the_image_too(installed: Installed) -> None:
    ended = installed.run("bridge", "simulator", SIMULATOR_NO_SUCH_SETTING="1")

    assert ended.returncode != 0
    assert "SIMULATOR_NO_SUCH_SETTING" in ended.stdout + ended.stderr
    assert "ModuleNotFoundError" not in ended.stderr


def test_the_bill_of_materials_names_what_is_installed(installed: Installed) -> None:
    script = str(ROOT / ".ci" / "sbom.py")

    told = installed.run("python", script, str(LOCK), PRODUCT)

    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["component"]["name"] == PRODUCT
    named = {each["purl"] for each in document["components"]}
    assert {f"pkg:pypi/{name}@{version}" for name, version, _ in locked(LOCK) if name == "aiokafka"} <= named
    assert len(named) > 30
    (product,) = (each for each in document["dependencies"] if each["ref"].startswith(f"pkg:pypi/{PRODUCT}@"))
    assert any(reference.startswith("pkg:pypi/faust-streaming@") for reference in product["dependsOn"])
    assert installed.run("python", script, str(LOCK), PRODUCT).stdout == told.stdout


def test_the_bill_of_materials_fails_on_what_the_lock_does_not_name(installed: Installed, tmp_path: Path) -> None:
    lock = tmp_path / "other.lock"
    text = LOCK.read_text()
    (version,) = (version for name, version, _ in locked(LOCK) if name == "structlog")
    lock.write_text(text.replace(f"structlog=={version}", "structlog==0.0.1"))

    told = installed.run("python", str(ROOT / ".ci" / "sbom.py"), str(lock), PRODUCT)

    assert told.returncode == 1
    assert told.stdout == ""
    assert "structlog" in told.stderr
