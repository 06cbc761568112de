import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bridge.sandbox.errors import SandboxError
from bridge.sandbox.jars import KAFKA, LOCK_FILE, LOG_BACKEND, Jar, install_jars, read_lock

GOOD = b"the archive that was locked"
JAR = Jar("org.example:toaster:1.2", hashlib.sha256(GOOD).hexdigest())


def delivers(content: bytes, fetched: list[str] | None = None) -> Callable[[Jar, Path], Path]:
    """A Maven Central where every archive has this content; it notes what it was asked for."""

    def download(jar: Jar, directory: Path) -> Path:
        if fetched is not None:
            fetched.append(jar.coordinate)
        path = directory / jar.filename
        path.write_bytes(content)
        return path

    return download


def test_a_jar_is_downloaded_once_and_found_in_the_cache_afterwards(tmp_path: Path) -> None:
    fetched: list[str] = []

    first = install_jars(tmp_path, [JAR], delivers(GOOD, fetched))
    second = install_jars(tmp_path, [JAR], delivers(GOOD, fetched))

    assert first == second == [tmp_path / "toaster-1.2.jar"]
    assert first[0].read_bytes() == GOOD
    assert fetched == ["org.example:toaster:1.2"]


def test_a_jar_with_another_checksum_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"toaster-1.2.jar is not the archive that kafka-jars.lock names: SHA-256"):
        install_jars(tmp_path, [JAR], delivers(b"something else"))

    assert not (tmp_path / "toaster-1.2.jar").exists()


def test_a_cached_jar_that_was_changed_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (path,) = install_jars(tmp_path, [JAR], delivers(GOOD))
    path.write_bytes(GOOD + b"!")

    with pytest.raises(SandboxError, match=f"Delete {path} and run again"):
        install_jars(tmp_path, [JAR], delivers(GOOD))


def test_a_download_that_fails_once_is_tried_again(tmp_path: Path) -> None:
    answers = iter([OSError("reset"), None])

    def download(jar: Jar, directory: Path) -> Path:
        error = next(answers)
        if error is not None:
            raise error
        return delivers(GOOD)(jar, directory)

    (path,) = install_jars(tmp_path, [JAR], download)

    assert path.read_bytes() == GOOD


def test_a_download_that_keeps_failing_names_the_jar_and_leaves_no_remains(tmp_path: Path) -> None:
    def download(jar: Jar, directory: Path) -> Path:
        (directory / jar.filename).write_bytes(GOOD[:3])
        raise OSError("no route to host")

    with pytest.raises(SandboxError, match=r"cannot download org.example:toaster:1.2 .*no route to host"):
        install_jars(tmp_path, [JAR], download)

    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_what_an_interrupted_download_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "incoming-abandoned").mkdir()

    install_jars(tmp_path, [JAR], delivers(GOOD))

    assert not (tmp_path / "incoming-abandoned").exists()


def test_two_runs_that_share_a_cache_download_a_jar_once(tmp_path: Path) -> None:
    fetched: list[str] = []
    runs = [threading.Thread(target=install_jars, args=(tmp_path, [JAR], delivers(GOOD, fetched))) for _ in range(2)]

    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert fetched == ["org.example:toaster:1.2"]


def test_the_committed_lock_names_kafka_and_its_log_backend_with_checksums_and_no_file_twice() -> None:
    jars = read_lock(LOCK_FILE)

    assert {KAFKA, LOG_BACKEND} <= {jar.coordinate for jar in jars}
    assert {len(bytes.fromhex(jar.sha256)) for jar in jars} == {32}
    assert len({jar.filename for jar in jars}) == len(jars)
