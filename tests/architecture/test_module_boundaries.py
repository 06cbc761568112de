"""The boundaries that a list of layers cannot say; the layers themselves are checked by import-linter (`make lint`)."""

import ast
from collections.abc import Callable

import pytest

from tests.architecture.imports import ROOT, Import, imports_in, imports_of_bridge, is_within, module_name

# What a part may import of the bridge. A part that is not listed is bound by its layer alone.
PARTNERS: dict[str, tuple[str, ...]] = {
    "bridge.domain": ("bridge.domain",),
    "bridge.ports": ("bridge.domain",),
    "bridge.flows": ("bridge.domain", "bridge.ports", "bridge.flows"),
    "bridge.settings": ("bridge.settings",),
    "bridge.schemas": (),
    "bridge.topics": ("bridge.schemas",),
    "bridge.sandbox": ("bridge.sandbox", "bridge.simulator"),
    # A program of its own: knowing nothing of the bridge, it can contradict it.
    "bridge.simulator": ("bridge.simulator",),
}
CORE = ("bridge.domain", "bridge.ports", "bridge.flows")
IMPURE = (
    "asyncio",
    "logging",
    "os",
    "random",
    "time",
)  # the domain is told the time and the chance, and says what to do
CLOCK_READINGS = {"now", "utcnow", "today"}


def crosses_a_boundary(found: Import) -> bool:
    parts = [part for part in PARTNERS if is_within(found.importer, (part,))]
    return found.package == "bridge" and any(not is_within(found.name, PARTNERS[part]) for part in parts)


def meddles_with_the_simulator(found: Import) -> bool:
    starters = ("bridge.cli", "bridge.sandbox", "bridge.simulator")
    return is_within(found.name, ("bridge.simulator",)) and not is_within(found.importer, starters)


def knows_another_service(found: Import) -> bool:
    services = [f"bridge.services.{path.name}" for path in (ROOT / "bridge" / "services").glob("*/")]
    own = [service for service in services if is_within(found.importer, (service,))]
    others = tuple(service for service in services if service not in own)
    return bool(own) and is_within(found.name, others)


def is_impure(found: Import) -> bool:
    return is_within(found.importer, ("bridge.domain",)) and found.package in IMPURE


def is_foreign_to_the_core(found: Import) -> bool:
    # Flows say what happens in the log; the domain and the ports have nothing to say.
    welcome = {"msgspec", "structlog"} if is_within(found.importer, ("bridge.flows",)) else {"msgspec"}
    return is_within(found.importer, CORE) and found.is_third_party and found.package not in welcome


@pytest.mark.parametrize(
    "refused",
    [crosses_a_boundary, meddles_with_the_simulator, knows_another_service, is_impure, is_foreign_to_the_core],
)
def test_no_import_of_the_bridge_is_refused(refused: Callable[[Import], bool]) -> None:
    assert [str(each) for each in imports_of_bridge() if refused(each)] == []


def test_the_domain_never_reads_the_clock() -> None:
    readings = [
        f"{module_name(path)}, line {node.lineno}"
        for path in sorted((ROOT / "bridge" / "domain").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_READINGS
    ]

    assert readings == []


@pytest.mark.parametrize(
    ("source", "importer"),
    [
        ("from bridge.adapters.kafka import KafkaOutbox", "bridge.flows.settle"),
        ("from bridge import settings", "bridge.domain.journey.state"),
        ("from ..settings import Settings", "bridge.domain.journey"),
        ("from bridge.domain import lifecycle", "bridge.simulator.states"),
        ("import bridge.domain", "bridge.settings"),
    ],
)
def test_a_crossed_boundary_is_seen(source: str, importer: str) -> None:
    assert all(crosses_a_boundary(each) for each in imports_in(source, importer))


def test_the_other_refusals_can_be_seen() -> None:
    assert meddles_with_the_simulator(Import("bridge.services.dispatcher.wiring", "bridge.simulator.gateway", 1))
    assert is_impure(Import("bridge.domain.retries", "random.Random", 1))
    assert is_foreign_to_the_core(Import("bridge.domain.retries", "structlog.get_logger", 1))
    assert is_foreign_to_the_core(Import("bridge.flows.settle", "httpx.AsyncClient", 1))
    assert not is_foreign_to_the_core(Import("bridge.flows.settle", "msgspec.Struct", 1))
