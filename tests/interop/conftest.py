"""What other implementations need: a real schema registry, and programs in JavaScript."""

from collections.abc import Iterator

import pytest

from bridge.sandbox.apicurio import EmbeddedRegistry
from bridge.sandbox.ports import free_port
from tests.interop.node import Node, install


@pytest.fixture(scope="session")
def registry(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRegistry]:
    """A real registry, shared by the whole run: tests use subjects of their own."""
    cache = pytestconfig.rootpath / ".sandbox" / "jars"
    with EmbeddedRegistry(tmp_path_factory.mktemp("registry"), free_port(2), cache) as running:
        yield running


@pytest.fixture(scope="session")
def node(pytestconfig: pytest.Config) -> Node:
    """Programs in JavaScript, with their packages."""
    return install(pytestconfig.rootpath / ".sandbox")
