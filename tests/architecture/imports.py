"""What the modules of the bridge import, read from their source without running it."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Import:
    """One imported name: `importer` is the module that asks, `name` the dotted name that it asks for."""

    importer: str
    name: str
    line: int

    @property
    def package(self) -> str:
        """The top-level package."""
        return self.name.partition(".")[0]

    @property
    def is_third_party(self) -> bool:
        """Whether it comes neither from the standard library nor from the bridge."""
        return self.package not in sys.stdlib_module_names and self.package != "bridge"

    def __str__(self) -> str:
        return f"{self.importer}, line {self.line}, imports {self.name}"


def imports_of_bridge() -> list[Import]:
    """All imports of all modules under bridge/, also those inside functions and under TYPE_CHECKING."""
    found = [
        each
        for path in sorted((ROOT / "bridge").rglob("*.py"))
        for each in imports_in(path.read_text(), module_name(path), is_package=path.name == "__init__.py")
    ]
    assert found, f"no module found under {ROOT / 'bridge'}"
    return found


def module_name(path: Path) -> str:
    """`bridge/domain/__init__.py` is bridge.domain."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_in(source: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    """`from a.b import c` counts as a.b.c, so that a module imported as a member of its package is seen as itself."""
    for node in ast.walk(ast.parse(source, filename=module)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: None if is_package else -1]
            start = above[: len(above) - node.level + 1] if node.level else []
            for alias in node.names:
                yield Import(module, ".".join([*start, *filter(None, [node.module]), alias.name]), node.lineno)


def is_within(name: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a dotted name is one of the prefixes or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)
