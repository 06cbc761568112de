"""Where Prometheus comes from, and what a person is told who cannot have it."""

from pathlib import Path

import pytest

from bridge.sandbox.errors import SandboxError
from bridge.sandbox.prometheus import PROGRAMS, find_programs, install_programs


def silent(_: str) -> None:
    pass


def a_program(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)


def test_programs_on_the_path_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROGRAMS:
        a_program(tmp_path / "bin" / name)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    assert install_programs(tmp_path / "none", announce=silent) == {name: tmp_path / "bin" / name for name in PROGRAMS}


def test_what_was_unpacked_before_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert find_programs(tmp_path) is None

    for name in PROGRAMS:
        a_program(tmp_path / "usr" / "bin" / name)

    assert install_programs(tmp_path, announce=silent) == {name: tmp_path / "usr" / "bin" / name for name in PROGRAMS}


def test_without_apt_a_person_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(SandboxError, match=r"no apt .* install Prometheus 2\.40 or later"):
        install_programs(tmp_path, announce=silent)


def test_an_apt_that_fails_is_told_with_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("apt-get", "dpkg-deb"):
        a_program(tmp_path / "bin" / name)
        (tmp_path / "bin" / name).write_text("#!/bin/sh\necho no route to the mirror >&2\nexit 100\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    monkeypatch.setattr("bridge.sandbox.prometheus.find_programs", lambda _directory: None)

    with pytest.raises(SandboxError, match=r"no route to the mirror\n.*install Prometheus"):
        install_programs(tmp_path, announce=silent)
