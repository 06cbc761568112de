"""The scenarios as docs/chaos.md lists them: `python -m tests.chaos.page` writes the list, a test compares it."""

from collections.abc import Iterator
from pathlib import Path

from tests.chaos.scenarios import SCENARIOS

PAGE = Path(__file__).parents[2] / "docs" / "chaos.md"
BEGIN = "<!-- written by `python -m tests.chaos.page` from tests/chaos/scenarios.py -->\n"
END = "<!-- end of the list -->\n"


def listed() -> str:
    """The list, with the lines that stand around it."""
    return "".join((BEGIN, *_rows(), END))


def _rows() -> Iterator[str]:
    yield "| scenario | what is done, while tickets come in |\n| --- | --- |\n"
    for scenario in SCENARIOS:
        yield f"| {scenario.name} | {scenario.what} |\n"


def written(page: str) -> str:
    """A page with its list as it is to be now; ValueError if it has no place for one."""
    before, found, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"the page needs the lines {BEGIN!r} and {END!r}")
    return before + listed() + after


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
