"""The chart as helm renders it, and its objects by kind and name."""

import functools
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tools import Tool

CHART = Path(__file__).parents[2] / "helm"
SCENARIOS = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))

Objects = dict[tuple[str, str], Any]
Render = Callable[..., Objects]


class Refused(Exception):
    """Helm did not render; the text is what it said."""


def scenario(name: str) -> Path:
    """The values of a scenario."""
    return CHART / "ci" / f"{name}-values.yaml"


@functools.cache
def text_of(tool: Tool, chart: Path, *values: Path, release: str = "bridge") -> str:
    """What helm renders."""
    if not tool.path.is_file():
        pytest.fail(f"{tool.path} is not there; run `make tools`")
    command = [str(tool.path), "template", release, str(chart), "--namespace", "faults"]
    done = subprocess.run(
        [*command, *(f"--values={path}" for path in values)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Refused(done.stderr)
    return done.stdout


def objects_of(text: str) -> Objects:
    """
    The rendered objects by kind and name; the release's name is cut off theirs.

    Two of one kind and name are an error: the second would take the first one's place in the cluster.
    """
    objects: Objects = {}
    for document in yaml.safe_load_all(text):
        if document:
            name = document["metadata"]["name"].removeprefix("bridge-fibre-fault-bridge").removeprefix("-")
            assert (document["kind"], name) not in objects
            objects[document["kind"], name] = document
    return objects


def pod_specs(objects: Objects) -> Iterator[tuple[str, Any]]:
    """Every pod spec that the objects have, with its object's kind and name."""
    for (kind, name), each in objects.items():
        match each:
            case {"kind": "Pod", "spec": spec}:
                yield f"{kind}/{name}", spec
            case {"spec": {"template": {"spec": spec}}}:
                yield f"{kind}/{name}", spec


def containers(spec: Any) -> list[Any]:
    """All containers of a pod."""
    return [*spec.get("initContainers", []), *spec["containers"]]
