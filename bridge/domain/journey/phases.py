"""
Which phase of a journey may follow which, and when, as a table.

`docs/journeys.md` draws it, and the tests of the machine refuse every move that it does not list.
"""

from bridge.domain.journeys import Phase
from bridge.domain.record import Record


class PhaseMove(Record, frozen=True, kw_only=True):
    """One move; `from_phase` None is a ticket of which nothing is known."""

    from_phase: Phase | None
    to_phase: Phase
    when: str


def _move(from_phase: Phase | None, to_phase: Phase, when: str) -> PhaseMove:
    return PhaseMove(from_phase=from_phase, to_phase=to_phase, when=when)


MOVES = (
    _move(None, Phase.TESTING, "a fault is reported, or a test asked for"),
    _move(Phase.TESTING, Phase.RAISING, "the test passes the gate"),
    _move(Phase.TESTING, Phase.OPEN, "a problem of this ticket turns up"),
    _move(Phase.TESTING, Phase.ENDED, "no problem may be raised, or the fault is cancelled"),
    _move(Phase.RAISING, Phase.OPEN, "the gateway took the raise"),
    _move(Phase.RAISING, Phase.TESTING, "the test's validity is over"),
    _move(Phase.RAISING, Phase.ENDED, "the raise is refused, FAILED or cancelled"),
    _move(Phase.OPEN, Phase.RAISING, "the problem FAILED_TO_SEND, or is not ours"),
    _move(Phase.OPEN, Phase.TESTING, "the problem FAILED_TO_SEND and its test is over"),
    _move(Phase.OPEN, Phase.ENDED, "the problem ends"),
    _move(Phase.ENDED, Phase.OPEN, "a problem turns up after all"),
    _move(Phase.ENDED, Phase.TESTING, "the journey had only tested"),
)
