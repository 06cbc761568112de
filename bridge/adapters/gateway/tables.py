"""`python -m bridge.adapters.gateway.tables` prints the verdict tables of docs/gateway.md; a test compares the two."""

import sys
from collections.abc import Iterable, Iterator

from bridge.adapters.gateway.errors import EXCEPTIONS, STATUSES, Kind, Rule

# The answer that reaches the journey, by kind.
ANSWERS = {
    Kind.TAKEN: "Taken",
    Kind.REFUSED: "Refused",
    Kind.NOT_TAKEN: "NotTaken",
    Kind.NEW_TOKEN: "new token, once; then NotTaken",
    Kind.AMBIGUOUS: "Ambiguous",
    Kind.CONFIGURED: "Ambiguous, or NotTaken if so configured",
}


def verdict_tables() -> str:
    """Both tables in Markdown, statuses first."""
    statuses = _table("status", ((row.label, row.rule) for row in STATUSES))
    exceptions = _table("exception", ((f"`{kind.__name__}`", rule) for kind, rule in EXCEPTIONS.items()))
    return "\n".join([*statuses, "", *exceptions]) + "\n"


def _table(first: str, rows: Iterable[tuple[str, Rule]]) -> Iterator[str]:
    yield f"| {first} | answer | why | alarm | because |"
    yield "|---|---|---|---|---|"
    for label, rule in rows:
        yield f"| {label} | {ANSWERS[rule.kind]} | {rule.why} | {'yes' if rule.alarm else ''} | {rule.because} |"


if __name__ == "__main__":
    sys.stdout.write(verdict_tables())
