"""
The Java archives of Apache Kafka, exactly those that `kafka-jars.lock` names, from Maven Central.

Rule: a jar is used only if its SHA-256 is the one in the lock file; this is checked at every start, not just once.
"""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jgo.env import EnvironmentBuilder, LinkStrategy
from jgo.maven import MavenContext

from bridge.sandbox.errors import SandboxError

LOCK_FILE = Path(__file__).with_name("kafka-jars.lock")
KAFKA_VERSION = "4.3.1"
KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Kafka logs through slf4j, and its published dependencies leave the choice of a backend open; without one, a broker
# that cannot start says nothing.
LOG_BACKEND = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
DOWNLOADS_AT_ONCE = 4
INCOMING = "incoming-"
DOWNLOAD_ATTEMPTS = 3


@dataclass(frozen=True)
class Jar:
    """
    One archive: its Maven coordinate `group:artifact:version`, with `:classifier:packaging` behind it where it is no
    plain jar, and the SHA-256 of its bytes, in hex.
    """

    coordinate: str
    sha256: str

    @property
    def filename(self) -> str:
        """`artifact-version.jar`, or `artifact-version-classifier.packaging`; unique within the lock file."""
        _, artifact, version, *kind = self.coordinate.split(":")
        classifier, packaging = kind or ("", "jar")
        return f"{'-'.join(filter(None, (artifact, version, classifier)))}.{packaging}"


Download = Callable[[Jar, Path], Path]
Announce = Callable[[str], None]


def say_nothing(_: str) -> None:
    """Announce to nobody."""


def read_lock(path: Path) -> tuple[Jar, ...]:
    """Return the jars of a lock file: one `coordinate sha256` a line, `#` starts a comment line."""
    lines = (line.split() for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return tuple(Jar(coordinate, sha256) for coordinate, sha256 in lines)


def download_from_maven_central(jar: Jar, directory: Path) -> Path:
    """Fetch one archive, without what it depends on, into the directory, laid out as a Maven repository."""
    group, artifact, version, *kind = jar.coordinate.split(":")
    context = MavenContext(repo_cache=directory, timeout=60)
    return Path(context.project(group, artifact).at_version(version).artifact(*kind).resolve())


def install_jars(
    cache: Path,
    jars: Sequence[Jar],
    download: Download = download_from_maven_central,
    announce: Announce = say_nothing,
    what: str = f"jars of Apache Kafka {KAFKA_VERSION}",
) -> list[Path]:
    """
    Return the path of each jar in the cache, in the given order, after downloading those that are not there.

    Runs that share the cache wait for each other. An interrupted download leaves nothing under a jar's name.
    SandboxError when a jar cannot be fetched, or is not the one that the lock file names.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with exclusive(cache):
        for abandoned in cache.glob(f"{INCOMING}*"):
            shutil.rmtree(abandoned)
        missing = [jar for jar in jars if not (cache / jar.filename).exists()]
        if missing:
            announce(f"downloading {len(missing)} {what} into {cache} (once)")
            with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
                list(pool.map(lambda jar: _fetch(jar, cache, download), missing))
        for jar in jars:
            _verify(jar, cache / jar.filename)
    return [cache / jar.filename for jar in jars]


def write_lock(path: Path, announce: Announce = say_nothing) -> None:
    """Resolve Kafka's dependencies anew and write their coordinates and checksums; for maintainers (`make lock`)."""
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch, "repository"))
        builder = EnvironmentBuilder(context, cache_dir=Path(scratch, "environment"), link_strategy=LinkStrategy.COPY)
        # The log backend is resolved on its own: together with it, jgo lets the parent pom of log4j choose older
        # versions of Kafka's own parts. What it depends on (log4j-api, log4j-core) is among Kafka's dependencies.
        resolved = builder.from_endpoint(KAFKA).lockfile
        if resolved is None:
            raise SandboxError(
                f"jgo resolved {KAFKA} and wrote no lock file; is its version the one in requirements-dev.lock?"
            )
        jars = {f"{d.groupId}:{d.artifactId}:{d.version}": str(d.sha256) for d in resolved.dependencies}
        backend = download_from_maven_central(Jar(LOG_BACKEND, ""), context.repo_cache)
        jars[LOG_BACKEND] = _sha256(backend)
    header = f"# The jars of {KAFKA} and their SHA-256. Written by `make lock`; do not edit.\n"
    path.write_text(header + "".join(f"{coordinate} {sha256}\n" for coordinate, sha256 in sorted(jars.items())))
    announce(f"{path}: {len(jars)} jars")


def _fetch(jar: Jar, cache: Path, download: Download) -> None:
    for attempt in range(1, DOWNLOAD_ATTEMPTS + 1):
        with tempfile.TemporaryDirectory(dir=cache, prefix=INCOMING) as scratch:
            try:
                fetched = download(jar, Path(scratch))
            except Exception as error:  # jgo lets the errors of its HTTP client, its parser and the disk through
                if attempt == DOWNLOAD_ATTEMPTS:
                    raise SandboxError(
                        f"cannot download {jar.coordinate} from Maven Central ({error}); check the network and, behind"
                        " a proxy, the variable HTTPS_PROXY, then run the same command again"
                    ) from error
                continue
            _verify(jar, fetched)
            fetched.replace(cache / jar.filename)
            return


def _verify(jar: Jar, path: Path) -> None:
    actual = _sha256(path)
    if actual != jar.sha256:
        raise SandboxError(
            f"{path.name} is not the archive that {LOCK_FILE.name} names: SHA-256 {actual}, expected {jar.sha256}."
            f" Delete {path} and run again; if it differs again, what the network delivers is not to be trusted"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as archive:
        return hashlib.file_digest(archive, "sha256").hexdigest()


@contextmanager
def exclusive(cache: Path) -> Iterator[None]:
    """Wait for other runs that change the cache, and keep them waiting; they take any `INCOMING` for abandoned."""
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
