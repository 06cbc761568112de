"""What a measurement runs on: a real Apache Kafka, the sink, and our services as in production."""

import asyncio
import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from bridge.sandbox.kafka import EmbeddedKafka
from bridge.sandbox.ports import free_port
from bridge.sandbox.processes import Child, Program
from tests.bench.gauge import ROOT
from tests.bench.plan import Json
from tests.integration.running_services import NOTHING_MORE, RunningServices

SUPERVISED_EVERY_SECONDS = 0.2
HTTP_SECONDS = 10.0
# The limits that would otherwise be measured in place of the bridge.
UNLIMITED = {"BRIDGE_GATEWAY_SUPPLIER_RATE": "1000000"}
_numbers = count(1)


class BenchServices(RunningServices):
    """
    Services without the limits that would otherwise be measured.

    They are begun by name: `dispatcher-1` and `dispatcher-2` are two workers.
    """

    def __init__(
        self,
        kafka: EmbeddedKafka,
        logs: Path,
        *,
        settings: Mapping[str, str] = NOTHING_MORE,
        simulator: Mapping[str, str] = NOTHING_MORE,
        instead: Mapping[str, str] = NOTHING_MORE,
    ) -> None:
        logs.mkdir(parents=True, exist_ok=True)
        super().__init__(
            kafka.bootstrap_servers,
            f"bench-{next(_numbers)}",
            logs,
            settings={**UNLIMITED, **settings},
            simulator=simulator,
            instead=instead,
        )
        # Those that were killed to stay away.
        self.gone: set[str] = set()

    @property
    def prefix(self) -> str:
        """What stands before each topic."""
        return self.kafka["BRIDGE_KAFKA_TOPIC_PREFIX"]

    @property
    def bootstrap_servers(self) -> str:
        return self.kafka["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"]

    def make_topics(self) -> None:
        """As an operator does."""
        applied = self.run("topics", "apply", "--replication-factor", "1")
        assert applied.returncode == 0, applied.stdout + applied.stderr

    def pids(self, service: str) -> list[int]:
        """The processes of a service."""
        return [child.pid for name, child in self.children.items() if name.startswith(service)]

    def port(self, name: str) -> int:
        """The port that belongs to a name, the same at each call."""
        return self._port(name)

    @contextmanager
    def supervised(self) -> Iterator[list[str]]:
        """Start again whatever ends, as Kubernetes does; the names of what ended by itself are yielded as they come."""
        ended: list[str] = []
        over = threading.Event()

        def watch() -> None:
            while not over.wait(SUPERVISED_EVERY_SECONDS):
                for name, child in list(self.children.items()):
                    if name not in self.gone and not child.running:
                        ended.append(name)
                        child.start()

        watcher = threading.Thread(target=watch, name="supervisor", daemon=True)
        watcher.start()
        try:
            yield ended
        finally:
            over.set()
            watcher.join()

    def stop(self) -> None:
        """End everything at once, and delete the topics: the next measurement has the disk and the broker to itself."""
        for child in self.children.values():
            child.kill()
        super().stop()
        asyncio.run(delete_topics(self.bootstrap_servers, self.prefix))


async def delete_topics(bootstrap_servers: str, prefix: str) -> None:
    """Delete every topic that begins so."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([topic for topic in await admin.list_topics() if topic.startswith(prefix)])
    finally:
        await admin.close()


async def publish(bootstrap_servers: str, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Write records of (key, value), as fast as it goes."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=5, max_batch_size=262_144)
    await producer.start()
    try:
        for key, value in records:
            await producer.send(topic, value, key=key)
        await producer.flush()
    finally:
        await producer.stop()


def run_module(module: str, *arguments: object) -> str:
    """Run a module of the bench to its end, in a process whose memory is then given back; what it printed."""
    command = (sys.executable, "-m", module, *map(str, arguments))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{module} ended with {done.returncode}:\n{done.stderr[-2000:]}"
    return done.stdout


@dataclass
class Sink:
    """The counting gateway in a process of its own."""

    port: int
    child: Child

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def counts(self, *, latencies: bool = False) -> Json:
        """What it saw so far."""
        return self._ask("GET", "/latencies" if latencies else "/counts")

    def forget_latencies(self) -> None:
        """Begin the latencies anew."""
        self._ask("DELETE", "/latencies")

    def _ask(self, method: str, path: str) -> Json:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HTTP_SECONDS)
        try:
            connection.request(method, path)
            told: Json = json.loads(connection.getresponse().read())
            return told
        finally:
            connection.close()


@contextmanager
def running_sink(logs: Path, delay_seconds: float) -> Iterator[Sink]:
    """Start a sink with this mean delay, and end it."""
    logs.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = (sys.executable, "-m", "tests.bench.sink", str(port), str(delay_seconds))
    child = Child(Program("sink", command, logs / "sink.log", ready_url=f"http://127.0.0.1:{port}/counts"))
    child.start()
    try:
        child.wait_ready(HTTP_SECONDS)
        yield Sink(port, child)
    finally:
        child.kill()


@contextmanager
def stopped_afterwards(services: BenchServices) -> Iterator[BenchServices]:
    """End the services however the block ends."""
    try:
        yield services
    finally:
        services.stop()
