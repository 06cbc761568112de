"""The docs' tables, written out of the tables that the program uses."""

from collections.abc import Iterable
from typing import get_args

from bridge.simulator.faults import FAULTS
from bridge.simulator.scenarios import SCENARIOS
from bridge.simulator.settings import PREFIX, rows


def every_table() -> str:
    """The three tables of docs/simulator.md, in Markdown, each followed by an empty line."""
    return f"{settings_table()}\n{scenario_table()}\n{fault_table()}"


def settings_table() -> str:
    """Every setting."""
    each = ((f"`{PREFIX}{row.name.upper()}`", _default(row.default), _kind(row.kind), row.meaning) for row in rows())
    return _table(("variable", "default", "kind", "meaning"), each)


def scenario_table() -> str:
    """Every scenario."""
    rows = ((f"`{each.name}`", each.promise, ", ".join(each.ends) or "no problem") for each in SCENARIOS.values())
    return _table(("scenario", "what happens", "problem comes to rest in"), rows)


def fault_table() -> str:
    """Every fault."""
    rows = ((f"`{each.name}`", each.effect.value, each.promise, str(each.default_count)) for each in FAULTS.values())
    return _table(("fault", "strikes", "what happens", "n by default"), rows)


def _default(value: object) -> str:
    shown = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{shown}`" if shown else "(empty)"


def _kind(kind: object) -> str:
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names[kind] if isinstance(kind, type) and kind in names else " / ".join(get_args(kind))


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
