import hashlib
import io
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from bridge.sandbox import apicurio
from bridge.sandbox.jars import Jar, install_jars

PATIENCE_SECONDS = 0.3


def test_a_run_that_installs_jars_meanwhile_does_not_take_what_is_being_unpacked_for_abandoned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("registry.jar"))
    locked = Jar("org.example:registry:1:all:tar.gz", hashlib.sha256(packed.getvalue()).hexdigest())
    (tmp_path / locked.filename).write_bytes(packed.getvalue())
    monkeypatch.setattr(apicurio, "ARCHIVE", locked)
    other = threading.Thread(target=install_jars, args=(tmp_path, []))
    extract = tarfile.TarFile.extractall

    def extract_while_another_run_looks(self: tarfile.TarFile, *args: Any, **kwargs: Any) -> None:
        extract(self, *args, **kwargs)
        other.start()
        other.join(PATIENCE_SECONDS)

    monkeypatch.setattr(tarfile.TarFile, "extractall", extract_while_another_run_looks)

    home = apicurio.unpacked(tmp_path)
    other.join()

    assert [path.name for path in home.iterdir()] == ["registry.jar"]
