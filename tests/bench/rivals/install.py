"""
The rivals, each installed once into .sandbox/rivals from its registry, by name and version, with its ordinary client.

A rival whose toolchain is missing is `Missing`, with the sentence that its row shows.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from jgo.env import EnvironmentBuilder, LinkStrategy
from jgo.maven import MavenContext

from tests.bench.gauge import ROOT
from tests.bench.plan import Missing

HERE = Path(__file__).parent
RIVALS = ROOT / ".sandbox" / "rivals"
PARALLEL_CONSUMER = "io.confluent.parallelconsumer:parallel-consumer-vertx:0.5.3.3"
NO_LOG = "org.slf4j:slf4j-nop:2.0.13"
REDPANDA_CONNECT = "github.com/redpanda-data/connect/v4@v4.100.0"
MQ_BRIDGE = "mq-bridge==1.2.0"


def parallel_consumer() -> tuple[str, ...]:
    """The command that runs it, without its arguments. Needs a JDK: a Java runtime alone has no compiler."""
    java, javac = shutil.which("java"), shutil.which("javac")
    if java is None or javac is None:
        raise Missing("Parallel Consumer needs a JDK, java and javac (Debian: apt install default-jdk-headless)")
    place = RIVALS / "parallel-consumer"
    classpath = f"{place}:{place / 'jars'}/*"
    if not (place / "ParallelConsumerSide.class").exists():
        _jars(place / "jars")
        source = HERE / "ParallelConsumerSide.java"
        _run((javac, "-nowarn", "-cp", classpath, "-d", str(place), str(source)), place)
    return (java, "-cp", classpath, "ParallelConsumerSide")


def redpanda_connect() -> tuple[str, ...]:
    """The command that runs it; built from its Go module, which takes some minutes the first time."""
    place = RIVALS / "connect"
    program = place / "connect"
    if not program.exists():
        go = shutil.which("go")
        if go is None:
            raise Missing("Redpanda Connect needs Go 1.24 or later (https://go.dev/doc/install)")
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "connect" / "main.go", place)
        if not (place / "go.mod").exists():
            _run((go, "mod", "init", "bench"), place)
        _run((go, "get", REDPANDA_CONNECT), place)
        _run((go, "build", "-mod=mod", "-trimpath", "-o", str(program), "."), place)
    return (str(program), "run")


def mq_bridge() -> tuple[str, ...]:
    """The Python that has it, in an environment of its own."""
    place = RIVALS / "mq-bridge"
    python = place / "bin" / "python"
    if not (place / "installed").exists():
        _run((sys.executable, "-m", "venv", str(place)), ROOT)
        _run((str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", MQ_BRIDGE), ROOT)
        (place / "installed").touch()
    return (str(python),)


def _jars(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    context = MavenContext(repo_cache=directory.parent / "repository", timeout=60)
    builder = EnvironmentBuilder(context, cache_dir=directory.parent / "environment", link_strategy=LinkStrategy.COPY)
    for coordinate in (PARALLEL_CONSUMER, NO_LOG):
        builder.from_endpoint(coordinate)
    for jar in (directory.parent / "environment").rglob("*.jar"):
        shutil.copy(jar, directory / jar.name)


def _run(command: Sequence[str], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(command[:3])} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
