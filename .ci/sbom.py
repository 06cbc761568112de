"""
Print what is installed beside this Python as a CycloneDX 1.6 bill of materials, in JSON.

    python .ci/sbom.py requirements.lock fibre-fault-bridge > sbom.cdx.json

It tells what is there, not what should be: a package that the lock file does not name in this version ends it with exit
code 1. The output depends on nothing else, so equal images have equal ones. Python's standard library is all it needs.
"""
# ruff: noqa: INP001  # a script that is run by its path

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

# What Python's own venv brings along; nothing of the product uses it.
INSTALLERS = frozenset({"pip", "setuptools", "wheel"})
PIN = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[^]]*])?==(?P<version>[^\s;\\]+)")
REQUIRED = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")


def main(lock: str, product: str) -> int:
    """Print the bill of materials, or what does not fit."""
    pinned = dict(pins(Path(lock).read_text(encoding="utf-8")))
    installed = {plain(each.name): each for each in distributions() if plain(each.name) not in INSTALLERS}
    problems = [
        f"{name} {each.version} is installed, and {lock} has {pinned.get(name, 'none of that name')}"
        for name, each in sorted(installed.items())
        if name != plain(product) and pinned.get(name) != each.version
    ]
    if plain(product) not in installed:
        problems.append(f"{product} is not installed beside {sys.executable}")
    if problems:
        sys.stderr.write("\n".join(problems) + "\n")
        return 1
    sys.stdout.write(json.dumps(bill(installed, plain(product)), indent=2, sort_keys=True) + "\n")
    return 0


def bill(installed: dict[str, Distribution], product: str) -> dict[str, Any]:
    """The document: the product as its subject, everything else as a component, and who needs whom."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component(installed[product], "application")},
        "components": [component(each, "library") for name, each in sorted(installed.items()) if name != product],
        "dependencies": [
            {
                "ref": reference(each),
                "dependsOn": sorted({reference(installed[name]) for name in needed_by(each) if name in installed}),
            }
            for _, each in sorted(installed.items())
        ],
    }


def component(each: Distribution, kind: str) -> dict[str, Any]:
    """One package, by its name on the package index."""
    described: dict[str, Any] = {
        "type": kind,
        "bom-ref": reference(each),
        "name": each.name,
        "version": each.version,
        "purl": reference(each),
    }
    if licence := next(iter(each.metadata.get_all("License-Expression") or ()), None):
        described["licenses"] = [{"expression": licence}]
    elif names := [text.rpartition(" :: ")[2] for text in classifiers(each) if text.startswith("License :: ")]:
        described["licenses"] = [{"license": {"name": name}} for name in sorted(names)]
    return described


def reference(each: Distribution) -> str:
    """The package URL (purl), which is the reference to it within the document too."""
    return f"pkg:pypi/{plain(each.name)}@{each.version}"


def classifiers(each: Distribution) -> list[str]:
    """Its trove classifiers."""
    return each.metadata.get_all("Classifier") or []


def needed_by(each: Distribution) -> Iterator[str]:
    """What a package asks for; extras that nobody asked for are not installed, and so fall out later."""
    for requirement in each.requires or ():
        if match := REQUIRED.match(requirement):
            yield plain(match["name"])


def pins(lock: str) -> Iterator[tuple[str, str]]:
    """Every name and version of a lock file."""
    for line in lock.splitlines():
        if match := PIN.match(line):
            yield plain(match["name"]), match["version"]


def plain(name: str) -> str:
    """A name as the package index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
