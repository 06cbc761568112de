"""The real Apache Kafka of one test run: its own port, its own fresh directory, nothing of it left afterwards."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bridge.sandbox.broker import BRIEF
from bridge.sandbox.errors import SandboxError
from bridge.sandbox.kafka import PORTS_PER_BROKER, EmbeddedKafka, ExtraProperties, no_extra_properties
from bridge.sandbox.ownership import DirectoryLock
from bridge.sandbox.ports import free_port

PREFIX = "test-"


@contextmanager
def fresh_kafka(
    root: Path,
    *,
    brokers: int = 1,
    extra_properties: ExtraProperties = no_extra_properties,
    format_options: Sequence[str] = (),
    life: Sequence[str] = BRIEF,
) -> Iterator[EmbeddedKafka]:
    """
    Start a cluster under `root/.sandbox` and delete it at the end, whatever the end is.

    A run that was killed leaves no process (they die with it) but its directory; that is removed here by the next run.
    """
    sandbox = root / ".sandbox"
    sandbox.mkdir(exist_ok=True)
    remove_abandoned_runs(sandbox)
    kafka = EmbeddedKafka(
        Path(tempfile.mkdtemp(prefix=PREFIX, dir=sandbox)),
        free_port(brokers * PORTS_PER_BROKER),
        brokers=brokers,
        jars=sandbox / "jars",
        extra_properties=extra_properties,
        format_options=format_options,
        life=life,
    )
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.discard()


def remove_abandoned_runs(sandbox: Path) -> None:
    """Delete the directories of earlier runs whose owner is gone."""
    for directory in sandbox.glob(f"{PREFIX}*"):
        lock = DirectoryLock(directory)
        try:
            lock.acquire()
        except SandboxError:
            continue  # another test run is using it now
        lock.release()
        shutil.rmtree(directory, ignore_errors=True)
