import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.sandbox.errors import SandboxError
from bridge.sandbox.ownership import DirectoryLock, kill_recorded_process, record_process


@pytest.fixture
def left_behind() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen((sys.executable, "-c", "import time; time.sleep(600)")) as process:
        yield process
        process.kill()


def test_a_process_that_an_interrupted_run_left_behind_is_killed(
    tmp_path: Path, left_behind: subprocess.Popen[bytes]
) -> None:
    record_process(tmp_path / "broker.pid", left_behind.pid)

    assert kill_recorded_process(tmp_path / "broker.pid")

    assert left_behind.wait(10) == -9
    assert not (tmp_path / "broker.pid").exists()


def test_another_program_that_was_given_the_recorded_number_is_left_alone(
    tmp_path: Path, left_behind: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "broker.pid").write_text(f"{left_behind.pid} 1\n")

    assert not kill_recorded_process(tmp_path / "broker.pid")

    assert left_behind.poll() is None


@pytest.mark.parametrize("record", ["", "4194303 17\n"])
def test_a_record_of_a_process_that_is_gone_is_removed(record: str, tmp_path: Path) -> None:
    (tmp_path / "broker.pid").write_text(record)

    assert not kill_recorded_process(tmp_path / "broker.pid")

    assert not (tmp_path / "broker.pid").exists()


def test_a_directory_has_one_owner_at_a_time_and_names_it(tmp_path: Path) -> None:
    first, second = DirectoryLock(tmp_path), DirectoryLock(tmp_path)
    first.acquire()

    with pytest.raises(SandboxError, match=f"is in use by process {os.getpid()}"):
        second.acquire()

    first.release()
    second.acquire()
    second.release()


def test_a_directory_is_free_again_when_its_owner_was_killed(tmp_path: Path) -> None:
    source = (
        "import os, sys; from pathlib import Path; from bridge.sandbox.ownership import DirectoryLock;"
        "DirectoryLock(Path(sys.argv[1])).acquire(); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run((sys.executable, "-c", source, str(tmp_path)), check=False).returncode == -9

    lock = DirectoryLock(tmp_path)
    lock.acquire()
    lock.release()
