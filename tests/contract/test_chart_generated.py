"""The chart says what the program says: what it has from the program is as `make chart` would write it now."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.cli.run import MODULES, Service
from bridge.settings import GROUPS
from tests.chart.generated import CHART, outdated, values

ROOT = Path(__file__).parents[2]


def test_is_as_the_program_is_now() -> None:
    assert not [str(path.relative_to(ROOT)) for path in outdated()], "run `make chart`"


def test_every_value_has_a_comment() -> None:
    assert len(list(values())) > 50


def groups_read(module: str) -> Iterator[list[str]]:
    """The groups of each `read(environ, …)` in a service."""
    source = ROOT.joinpath(*module.split("."), "__init__.py").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="read"), args=[ast.Name(id="environ"), *names]):
                yield [str(name.value) for name in names if isinstance(name, ast.Constant)]


def entry(service: str) -> dict[str, Any]:
    """What the chart's catalogue has of a service."""
    catalogue = (CHART / "templates" / "_catalogue.tpl").read_text(encoding="utf-8")
    found = re.search(rf"^{service}:\n(?:  .*\n)+", catalogue, re.MULTILINE)
    assert found is not None, f"the catalogue has no {service}"
    content: dict[str, Any] = yaml.safe_load(found[0])[service]
    return content


@pytest.mark.parametrize("service", MODULES)
def test_gives_a_service_the_groups_of_settings_that_it_reads(service: Service) -> None:
    (read,) = groups_read(MODULES[service])

    assert sorted(entry(service)["reads"]) == sorted(read)
    assert set(read) <= set(GROUPS)


@pytest.mark.parametrize("service", [*MODULES, "simulator"])
def test_probes_a_service_where_it_answers(service: str) -> None:
    module = "simulator/control.py" if service == "simulator" else "adapters/management.py"
    routes = re.findall(r'Route\("([^"]+)"', (ROOT / "bridge" / module).read_text(encoding="utf-8"))
    probes = entry(service)["probes"]

    assert {probes["live"], probes["ready"]} <= set(routes)
