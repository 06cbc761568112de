"""The lifecycle tables, walked completely against a matrix written from the contract's section 6."""

import pytest

from bridge.domain.lifecycle import (
    LIFECYCLES,
    PROBLEM,
    REQUEST,
    RESOLUTION,
    TEST,
    Lifecycle,
    ProblemStatus,
    RequestStatus,
    ResolutionStatus,
    Row,
    Standing,
    TestStatus,
    judge,
)
from bridge.domain.statuses import Move

LISTED = {
    "problem": {
        "RECEIVED_BY_GATEWAY": "SENT_TO_SUPPLIER FAILED_TO_SEND ACKNOWLEDGED IN_PROGRESS REJECTED CANCELLED",
        "SENT_TO_SUPPLIER": "FAILED_TO_SEND ACKNOWLEDGED REJECTED IN_PROGRESS CANCELLED",
        "FAILED_TO_SEND": "",
        "REJECTED": "",
        "ACKNOWLEDGED": (
            "IN_PROGRESS PENDING HELD NETWORK_INCIDENT RESOLVED PENDING_AMENDMENT PENDING_CANCELLATION CANCELLED"
        ),
        "IN_PROGRESS": (
            "PENDING HELD NETWORK_INCIDENT PENDING_AMENDMENT PENDING_CANCELLATION CANCELLED RESOLVED COMPLETED"
        ),
        "PENDING": (
            "IN_PROGRESS ACKNOWLEDGED HELD NETWORK_INCIDENT PENDING_AMENDMENT PENDING_CANCELLATION CANCELLED RESOLVED"
        ),
        "HELD": "IN_PROGRESS PENDING NETWORK_INCIDENT PENDING_AMENDMENT PENDING_CANCELLATION CANCELLED RESOLVED",
        "NETWORK_INCIDENT": "IN_PROGRESS HELD PENDING RESOLVED PENDING_AMENDMENT PENDING_CANCELLATION CANCELLED",
        "PENDING_AMENDMENT": (
            "ACKNOWLEDGED IN_PROGRESS PENDING HELD NETWORK_INCIDENT PENDING_CANCELLATION CANCELLED RESOLVED"
        ),
        "PENDING_CANCELLATION": "CANCELLED ACKNOWLEDGED IN_PROGRESS PENDING HELD NETWORK_INCIDENT RESOLVED",
        "CANCELLED": "",
        "RESOLVED": "COMPLETED IN_PROGRESS CANCELLED",
        "COMPLETED": "",
    },
    "request": {
        "RECEIVED_BY_GATEWAY": "PENDING FAILED_TO_SEND COMPLETED REJECTED",
        "PENDING": "COMPLETED REJECTED FAILED_TO_SEND",
        "FAILED_TO_SEND": "",
        "REJECTED": "",
        "COMPLETED": "",
    },
    "resolution": {"PENDING": "ACCEPTED REJECTED", "ACCEPTED": "", "REJECTED": ""},
    "test": {
        "RECEIVED_BY_GATEWAY": "SENT_TO_SUPPLIER FAILED_TO_SEND IN_PROGRESS REJECTED",
        "SENT_TO_SUPPLIER": "IN_PROGRESS REJECTED FAILED FAILED_TO_SEND COMPLETED",
        "FAILED_TO_SEND": "",
        "REJECTED": "",
        "IN_PROGRESS": "COMPLETED FAILED",
        "FAILED": "",
        "COMPLETED": "",
    },
}
TABLES = {"problem": PROBLEM, "request": REQUEST, "resolution": RESOLUTION, "test": TEST}
PAIRS = [
    (name, from_status, to_status) for name, moves in LISTED.items() for from_status in moves for to_status in moves
]


@pytest.mark.parametrize(("name", "from_status", "to_status"), PAIRS)
def test_every_pair_of_known_statuses_is_listed_or_judged(name: str, from_status: str, to_status: str) -> None:
    listed = LISTED[name][from_status].split()
    if from_status == to_status or to_status in listed:
        expected = Move.EXPECTED
    else:
        expected = Move.UNLISTED if listed else Move.AFTER_END
    assert judge(TABLES[name], from_status, to_status) is expected


@pytest.mark.parametrize(
    ("name", "statuses"),
    [("problem", ProblemStatus), ("request", RequestStatus), ("resolution", ResolutionStatus), ("test", TestStatus)],
)
def test_the_tables_and_the_enums_know_the_same_statuses(name: str, statuses: type[ProblemStatus]) -> None:
    table = TABLES[name]
    assert set(statuses) == set(LISTED[name]) == set(table.statuses)
    assert {row.to_status for row in table.rows} == set(table.statuses)
    assert {row.from_status for row in table.rows} <= {None, *table.statuses}


@pytest.mark.parametrize("table", LIFECYCLES, ids=lambda table: table.title)
def test_every_row_is_there_once_and_names_its_source(table: Lifecycle) -> None:
    moves = [(row.from_status, row.to_status) for row in table.rows]
    assert len(moves) == len(set(moves))
    assert all(row.source for row in table.rows)


@pytest.mark.parametrize("table", LIFECYCLES, ids=lambda table: table.title)
def test_no_row_leaves_an_end_and_every_live_status_has_a_way_on(table: Lifecycle) -> None:
    froms = {row.from_status for row in table.rows}
    assert {status for status in table.statuses if status not in froms} == set(table.terminal)


@pytest.mark.parametrize("table", LIFECYCLES, ids=lambda table: table.title)
def test_what_is_first_heard_of_may_be_anywhere(table: Lifecycle) -> None:
    assert {judge(table, None, status) for status in (*table.statuses, "NEVER_SEEN")} == {Move.EXPECTED}


@pytest.mark.parametrize("table", LIFECYCLES, ids=lambda table: table.title)
def test_unknown_statuses_are_live_and_their_moves_unlisted(table: Lifecycle) -> None:
    live = next(status for status in table.statuses if status not in table.terminal)
    end = next(iter(table.terminal))
    assert judge(table, live, "NEVER_SEEN") is Move.UNLISTED
    assert judge(table, "NEVER_SEEN", live) is Move.UNLISTED
    assert judge(table, "NEVER_SEEN", end) is Move.UNLISTED
    assert judge(table, "NEVER_SEEN", "NEVER_SEEN") is Move.EXPECTED
    assert judge(table, end, "NEVER_SEEN") is Move.AFTER_END


@pytest.mark.parametrize(
    ("table", "from_status", "to_status", "standing"),
    [
        (PROBLEM, "SENT_TO_SUPPLIER", "REJECTED", Standing.STATED),
        (PROBLEM, "SENT_TO_SUPPLIER", "FAILED_TO_SEND", Standing.INFERRED),
        (PROBLEM, "ACKNOWLEDGED", "PENDING_AMENDMENT", Standing.STATED_FOR_ORDERS),
        (PROBLEM, "HELD", "PENDING_AMENDMENT", Standing.INFERRED),
        (PROBLEM, "PENDING_AMENDMENT", "PENDING_AMENDMENT", Standing.STATED_FOR_ORDERS),
        (PROBLEM, "PENDING", "ACKNOWLEDGED", Standing.STATED),
        (PROBLEM, "RESOLVED", "IN_PROGRESS", Standing.STATED),
        (PROBLEM, "RESOLVED", "CANCELLED", Standing.STATED_FOR_ORDERS),
        (PROBLEM, "PENDING_CANCELLATION", "CANCELLED", Standing.STATED),
        (REQUEST, "RECEIVED_BY_GATEWAY", "FAILED_TO_SEND", Standing.STATED_FOR_ORDERS),
        (RESOLUTION, "PENDING", "ACCEPTED", Standing.STATED),
        (TEST, None, "RECEIVED_BY_GATEWAY", Standing.STATED),
        (TEST, "IN_PROGRESS", "FAILED", Standing.INFERRED),
    ],
)
def test_rows_carry_the_standing_of_the_contract(
    table: Lifecycle, from_status: str | None, to_status: str, standing: Standing
) -> None:
    rows: list[Row] = [row for row in table.rows if (row.from_status, row.to_status) == (from_status, to_status)]
    assert [row.standing for row in rows] == [standing]


def test_the_ends_carry_the_standing_of_the_contract() -> None:
    assert PROBLEM.terminal == {
        "FAILED_TO_SEND": Standing.STATED,
        "REJECTED": Standing.STATED,
        "COMPLETED": Standing.STATED,
        "CANCELLED": Standing.STATED_FOR_ORDERS,
    }
    assert set(REQUEST.terminal) == {"FAILED_TO_SEND", "REJECTED", "COMPLETED"}
    assert set(RESOLUTION.terminal) == {"ACCEPTED", "REJECTED"}
    assert TEST.terminal == {
        "FAILED_TO_SEND": Standing.STATED,
        "REJECTED": Standing.STATED,
        "COMPLETED": Standing.INFERRED,
        "FAILED": Standing.INFERRED,
    }
