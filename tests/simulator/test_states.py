"""The lifecycles against contract section 6, written here anew from the contract's rows."""

import pytest

from bridge.simulator import states, words
from bridge.simulator.states import IllegalMove, Moves, check, is_final

LIVE = {
    "RECEIVED_BY_GATEWAY",
    "SENT_TO_SUPPLIER",
    "ACKNOWLEDGED",
    "IN_PROGRESS",
    "PENDING",
    "HELD",
    "NETWORK_INCIDENT",
    "PENDING_AMENDMENT",
    "PENDING_CANCELLATION",
    "RESOLVED",
}
PREVIOUS = {"ACKNOWLEDGED", "IN_PROGRESS", "PENDING", "HELD", "NETWORK_INCIDENT"}
PROBLEM_ROWS = {
    *[
        ("RECEIVED_BY_GATEWAY", to)
        for to in ("SENT_TO_SUPPLIER", "FAILED_TO_SEND", "ACKNOWLEDGED", "IN_PROGRESS", "REJECTED")
    ],
    *[("SENT_TO_SUPPLIER", to) for to in ("FAILED_TO_SEND", "ACKNOWLEDGED", "REJECTED", "IN_PROGRESS")],
    *[("ACKNOWLEDGED", to) for to in ("IN_PROGRESS", "PENDING", "HELD", "NETWORK_INCIDENT", "RESOLVED")],
    *[("IN_PROGRESS", to) for to in ("PENDING", "HELD", "NETWORK_INCIDENT", "RESOLVED", "COMPLETED")],
    *[("PENDING", to) for to in ("IN_PROGRESS", "ACKNOWLEDGED", "HELD", "NETWORK_INCIDENT", "RESOLVED")],
    *[("HELD", to) for to in ("IN_PROGRESS", "PENDING", "NETWORK_INCIDENT", "RESOLVED")],
    *[("NETWORK_INCIDENT", to) for to in ("IN_PROGRESS", "HELD", "PENDING", "RESOLVED")],
    *[(state, "PENDING_AMENDMENT") for state in (*PREVIOUS, "PENDING_AMENDMENT")],
    *[("PENDING_AMENDMENT", to) for to in (*PREVIOUS, "RESOLVED")],
    *[(state, "PENDING_CANCELLATION") for state in (*PREVIOUS, "PENDING_AMENDMENT")],
    *[("PENDING_CANCELLATION", to) for to in (*PREVIOUS, "RESOLVED", "CANCELLED")],
    *[(state, "CANCELLED") for state in LIVE],
    ("RESOLVED", "COMPLETED"),
    ("RESOLVED", "IN_PROGRESS"),
}
REQUEST_ROWS = {
    *[("RECEIVED_BY_GATEWAY", to) for to in ("PENDING", "FAILED_TO_SEND", "COMPLETED", "REJECTED")],
    *[("PENDING", to) for to in ("COMPLETED", "REJECTED", "FAILED_TO_SEND")],
}
RESOLUTION_ROWS = {("PENDING", "ACCEPTED"), ("PENDING", "REJECTED")}
TEST_ROWS = {
    *[("RECEIVED_BY_GATEWAY", to) for to in ("SENT_TO_SUPPLIER", "FAILED_TO_SEND", "IN_PROGRESS", "REJECTED")],
    *[("SENT_TO_SUPPLIER", to) for to in ("IN_PROGRESS", "REJECTED", "FAILED", "FAILED_TO_SEND", "COMPLETED")],
    *[("IN_PROGRESS", to) for to in ("COMPLETED", "FAILED")],
}


@pytest.mark.parametrize(
    ("moves", "rows", "all_states"),
    [
        (states.PROBLEM_MOVES, PROBLEM_ROWS, words.PROBLEM_STATUSES),
        (states.REQUEST_MOVES, REQUEST_ROWS, words.REQUEST_STATUSES),
        (states.RESOLUTION_MOVES, RESOLUTION_ROWS, words.RESOLUTION_STATUSES),
        (states.TEST_MOVES, TEST_ROWS, words.TEST_STATUSES),
    ],
)
def test_a_lifecycle_has_exactly_the_moves_of_the_contract(
    moves: Moves, rows: set[tuple[str, str]], all_states: tuple[str, ...]
) -> None:
    assert set(moves) == set(all_states)
    for start in all_states:
        for target in all_states:
            if start == target or (start, target) in rows:
                check(moves, start, target)
            else:
                with pytest.raises(IllegalMove, match=f"{start} -> {target}"):
                    check(moves, start, target)


def test_final_states_are_the_contracts() -> None:
    assert {each for each in words.PROBLEM_STATUSES if is_final(states.PROBLEM_MOVES, each)} == {
        "FAILED_TO_SEND",
        "REJECTED",
        "COMPLETED",
        "CANCELLED",
    }
    assert {each for each in words.TEST_STATUSES if is_final(states.TEST_MOVES, each)} == {
        "FAILED_TO_SEND",
        "REJECTED",
        "COMPLETED",
        "FAILED",
    }
