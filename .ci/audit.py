"""
Ask for known vulnerabilities of the packages that lock files name, and tell what was found.

    python .ci/audit.py path/to/pip-audit requirements.lock requirements-dev.lock

Exit code 0: none is known; 1: at least one is; 2: nobody could be asked, or not about every package. pip-audit itself
ends with 0 when its source knows nothing of a package, so a mirror without advisories looks like a clean bill: that is
exit code 2 here. Python's standard library is all it needs.
"""
# ruff: noqa: INP001, S603  # a script that is run by its path; it starts the program it is given, without a shell

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2
# Open, keyless, and with the advisories of PyPI and of GitHub.
SOURCE = "osv"
# The locks have hashes and all dependencies, so nothing is resolved and pip is not needed.
OPTIONS = ("--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json", "--timeout", "30")


def main(pip_audit: str, *locks: str) -> int:
    """Audit the locks together."""
    command = [pip_audit, *OPTIONS, "--vulnerability-service", SOURCE]
    for lock in locks:
        command += ["--requirement", lock]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = next((line for line in reversed(ended.stderr.splitlines()) if line.strip()), "no reason was given")
        return told(
            UNKNOWN,
            f"The audit could not be made: {last}",
            "It asks api.osv.dev over HTTPS. Run it where that can be reached (behind a proxy, set HTTPS_PROXY).",
        )
    skipped = [str(each["name"]) for each in packages if "skip_reason" in each]
    found = list(vulnerabilities(packages))
    if found:
        return told(VULNERABLE, *found, f"{len(found)} known vulnerabilities in {', '.join(locks)}.")
    if skipped or not packages:
        return told(UNKNOWN, f"Nothing could be learned of {len(skipped)} packages: {', '.join(skipped) or 'all'}.")
    sys.stdout.write(f"No known vulnerability in the {len(packages)} packages of {', '.join(locks)}.\n")
    return CLEAN


def vulnerabilities(packages: list[dict[str, Any]]) -> Iterator[str]:
    """One line for each: the package, the advisory, and the versions that mend it."""
    for package in packages:
        for each in package.get("vulns", ()):
            mended = ", ".join(each.get("fix_versions", ())) or "no version yet"
            aliases = ", ".join(each.get("aliases", ()))
            yield f"{package['name']} {package['version']}: {each['id']} ({aliases}), mended by {mended}"


def told(code: int, *lines: str) -> int:
    """Write lines for people, and return the exit code."""
    sys.stderr.write("\n".join(lines) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
