"""
A real Apache Kafka on 127.0.0.1 that needs no Java, Docker or root: Python packages bring the Java
runtime, and the jars.

One broker for the demo and most tests; three, with replication 3 and min.insync.replicas 2, where the loss of a broker
is the subject. Its methods block and may be called from any thread.
"""

import base64
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from bridge.sandbox.broker import BRIEF, Broker, BrokerPlace, default_properties
from bridge.sandbox.errors import SandboxError
from bridge.sandbox.jars import LOCK_FILE, Announce, install_jars, read_lock, say_nothing
from bridge.sandbox.ownership import DirectoryLock

DEFAULT_PORT = 19092
DEFAULT_JARS = Path(".sandbox", "jars")
START_SECONDS = 90.0
STOP_SECONDS = 15.0
PORTS_PER_BROKER = 2

ExtraProperties = Callable[[BrokerPlace], Mapping[str, str]]


def no_extra_properties(_: BrokerPlace) -> Mapping[str, str]:
    """Leave the configuration as it is."""
    return {}


class EmbeddedKafka:
    """
    A cluster of one or three brokers; broker n listens on `port + 2 (n - 1)`, its controller one above.

    `directory` belongs to one owner at a time and keeps the data from one start to the next. `jars` is the cache of the
    downloaded archives and may be shared; `life` says whether the brokers live for a minute or are to be measured.
    `extra_properties` may change any setting of a broker, the listeners included; `format_options` go to the storage
    tool, e.g. `--add-scram`. A broker that an interrupted run left in the directory is ended first. As a context
    manager it starts on entry and stops on exit.
    """

    def __init__(  # noqa: PLR0913  # each is a thing that a test or the demo chooses on its own
        self,
        directory: Path,
        port: int = DEFAULT_PORT,
        *,
        brokers: int = 1,
        jars: Path = DEFAULT_JARS,
        extra_properties: ExtraProperties = no_extra_properties,
        format_options: Sequence[str] = (),
        announce: Announce = say_nothing,
        life: Sequence[str] = BRIEF,
    ) -> None:
        self.directory = directory.absolute()
        self.places = [
            BrokerPlace(node, port + PORTS_PER_BROKER * (node - 1), port + PORTS_PER_BROKER * (node - 1) + 1, place)
            for node, place in ((node, self.directory / f"broker-{node}") for node in range(1, brokers + 1))
        ]
        self._jars = jars.absolute()
        self._extra_properties = extra_properties
        self._format_options = tuple(format_options)
        self._announce = announce
        self._life = life
        self._lock = DirectoryLock(self.directory)
        self._brokers: dict[int, Broker] = {}

    @property
    def bootstrap_servers(self) -> str:
        """The addresses of all brokers, as clients want them: `127.0.0.1:19092,...`."""
        return ",".join(f"127.0.0.1:{place.port}" for place in self.places)

    def start(self, timeout_seconds: float = START_SECONDS) -> None:
        """Return when every broker serves clients; SandboxError, with nothing left running, when one does not."""
        self._lock.acquire()
        try:
            classpath = install_jars(self._jars, read_lock(LOCK_FILE), announce=self._announce)
            self._brokers = {place.node: self._broker(place, classpath) for place in self.places}
            cluster_id = self._cluster_id()
            with ThreadPoolExecutor(len(self._brokers)) as pool:
                list(pool.map(lambda broker: broker.prepare(cluster_id, self._format_options), self._brokers.values()))
            for broker in self._brokers.values():
                broker.start()
            deadline = time.monotonic() + timeout_seconds
            for broker in self._brokers.values():
                broker.wait_started(max(0.0, deadline - time.monotonic()))
        except BaseException:
            self.kill_all()
            raise

    def stop(self, grace_seconds: float = STOP_SECONDS) -> None:
        """Shut all brokers down in order, by force after the grace, and give the directory back; the data stays."""
        for broker in self._brokers.values():
            broker.request_end()
        deadline = time.monotonic() + grace_seconds
        for broker in self._brokers.values():
            broker.stop(max(0.0, deadline - time.monotonic()))
        self._lock.release()

    def kill_all(self) -> None:
        """End all brokers as kill -9 does and give the directory back; the data stays as the crash left it."""
        for broker in self._brokers.values():
            broker.kill()
        self._lock.release()

    def discard(self) -> None:
        """End all brokers by force and delete the directory with all data."""
        self.kill_all()
        shutil.rmtree(self.directory, ignore_errors=True)

    def signal(self, node: int, signal_number: signal.Signals) -> None:
        """Send a signal to one broker, e.g. SIGSTOP and SIGCONT."""
        self._one(node).send(signal_number)

    def kill(self, node: int) -> None:
        """End one broker as kill -9 does, and return when it is gone."""
        self._one(node).kill()

    def stop_broker(self, node: int, grace_seconds: float = STOP_SECONDS) -> None:
        """Shut one broker down in order, by force after the grace; it first hands its partitions over."""
        self._one(node).stop(grace_seconds)

    def start_broker(self, node: int, timeout_seconds: float = START_SECONDS) -> None:
        """Start one stopped or killed broker again on its data and return when it serves clients."""
        broker = self._one(node)
        broker.start()
        broker.wait_started(timeout_seconds)

    def pid(self, node: int) -> int:
        """The process id of one broker."""
        return self._one(node).pid

    def running(self, node: int) -> bool:
        """Whether the process of one broker exists, suspended or not."""
        return self._one(node).running

    def __enter__(self) -> Self:
        """Start the brokers."""
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop the brokers."""
        self.stop()

    def _one(self, node: int) -> Broker:
        if node not in self._brokers:
            raise SandboxError(f"there is no started broker {node}; the brokers are {sorted(self._brokers) or 'none'}")
        return self._brokers[node]

    def _broker(self, place: BrokerPlace, classpath: Sequence[Path]) -> Broker:
        properties = default_properties(place, self.places) | dict(self._extra_properties(place))
        return Broker(place, properties, classpath, self._life)

    def _cluster_id(self) -> str:
        """Return the id that this directory's data was formatted with, made at its first start."""
        path = self.directory / "cluster-id"
        if not path.exists():
            path.write_text(new_cluster_id())
        return path.read_text()


def new_cluster_id() -> str:
    """16 random bytes in base64, never with a leading dash, which the storage tool takes for the name of an option."""
    while (cluster_id := base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")).startswith("-"):
        pass
    return cluster_id
