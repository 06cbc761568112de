"""The chart says what the program says: what it has from the program is as `make chart` would write it now."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bridge.cli.run import MODULES
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


@pytest.mark.parametrize("service", MODULES)
def test_gives_a_service_the_groups_of_settings_that_it_reads(service: str) -> None:
    catalogue = (CHART / "templates" / "_catalogue.tpl").read_text(encoding="utf-8")
    entry = re.search(rf"^{service}:\n(?:  .*\n)+", catalogue, re.MULTILINE)
    assert entry is not None, "the catalogue has no such service"
    (read,) = groups_read(MODULES[service])  # type: ignore[index] # a Service is its name

    assert sorted(yaml.safe_load(entry[0])[service]["reads"]) == sorted(read)
    assert set(read) <= set(GROUPS)
