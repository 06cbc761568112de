"""What `make audit` makes of pip-audit's words, which alone would call packages clean of which nothing is known."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".ci" / "audit.py"
GOOD = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
BAD = {
    "name": "httpx",
    "version": "0.28.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.28.1"], "aliases": ["CVE-2026-1"], "description": "long"}],
}
SKIPPED = {"name": "mode-streaming", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def audited(tmp_path: Path, stdout: str, *, stderr: str = "", exit_code: int = 0) -> tuple[int, str]:
    """The exit code and the words of the script over a pip-audit that says this."""
    (tmp_path / "stdout").write_text(stdout)
    (tmp_path / "stderr").write_text(stderr)
    pip_audit = tmp_path / "pip-audit"
    pip_audit.write_text(f"#!/bin/sh\ncat {tmp_path}/stdout\ncat {tmp_path}/stderr >&2\nexit {exit_code}\n")
    pip_audit.chmod(0o755)
    command = (sys.executable, str(SCRIPT), str(pip_audit), "requirements.lock")
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def dependencies(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_clean_bill_counts_the_packages(tmp_path: Path) -> None:
    code, text = audited(tmp_path, dependencies(GOOD))

    assert (code, text) == (0, "No known vulnerability in the 1 packages of requirements.lock.\n")


def test_a_vulnerability_is_told_with_what_mends_it(tmp_path: Path) -> None:
    code, text = audited(tmp_path, dependencies(GOOD, BAD), exit_code=1)

    assert code == 1
    assert "httpx 0.28.0: PYSEC-1 (CVE-2026-1), mended by 0.28.1" in text


@pytest.mark.parametrize("packages", [(SKIPPED,), (GOOD, SKIPPED), ()])
def test_packages_of_which_nothing_is_known_are_no_clean_bill(tmp_path: Path, packages: tuple[object, ...]) -> None:
    code, text = audited(tmp_path, dependencies(*packages))

    assert code == 2
    assert "Nothing could be learned of" in text


def test_where_there_is_no_network_the_sentence_says_what_is_needed(tmp_path: Path) -> None:
    trace = "Traceback (most recent call last):\nrequests.exceptions.ConnectionError: Failed to resolve 'api.osv.dev'\n"

    code, text = audited(tmp_path, "", stderr=trace, exit_code=1)

    assert code == 2
    assert text.splitlines()[0].endswith("ConnectionError: Failed to resolve 'api.osv.dev'")
    assert "Traceback" not in text
    assert "Run it where that can be reached" in text
