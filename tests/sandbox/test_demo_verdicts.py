"""What the demo calls a difference: from the story, from the gateway's truth, and from its ledger."""

from typing import Any

import pytest

from bridge.cli.demo.board import Board, TicketView
from bridge.cli.demo.books import Call, TrueProblem, differs_from_ledger, differs_from_truth
from bridge.cli.demo.crash import Crash, findings
from bridge.cli.demo.stories import When
from bridge.cli.demo.verdicts import differences, is_subsequence
from bridge.domain.correlation import conversation_id
from bridge.domain.entities import Source
from bridge.domain.journeys import End
from bridge.domain.outcomes import Basis, CommandName, Reason, Verdict, Violation
from bridge.domain.record import Record
from tests.demo_records import (
    TICKET,
    a_journey,
    a_status,
    a_story,
    a_transition,
    an_action,
    an_answer_event,
    an_ended_journey,
    an_outcome,
    expected_outcome,
)

RAISE, TEST = CommandName.RAISE_PROBLEM, CommandName.RUN_TEST


def a_board(*records: Record) -> Board:
    board = Board([TICKET])
    for record in records:
        board.apply(record)
    return board


def a_view(*records: Record) -> TicketView:
    return a_board(*records).views[TICKET]


def a_call(operation: str, *, accepted: bool = True, ticket: str = TICKET, seq: int = 1) -> Call:
    conversation = conversation_id(ticket)
    return Call(
        seq=seq,
        operation=operation,
        conversation_id=conversation,
        accepted=accepted,
        finished=1.0,
        status=201,
        fault=None,
    )


def test_a_ticket_that_went_as_its_story_says_has_no_difference() -> None:
    records = (
        an_outcome(TEST, Verdict.UNKNOWN),
        an_outcome(TEST, attempts=2),
        an_outcome(RAISE, reason=Reason.FOUND),
        a_transition("IN_PROGRESS"),
        a_transition("HELD", Source.GET),
        a_transition("COMPLETED"),
        an_action("CONFIRM"),
        an_ended_journey(),
    )
    story = a_story(
        statuses=("IN_PROGRESS", "COMPLETED"),
        actions=("CONFIRM",),
        outcomes=(
            expected_outcome(TEST, Verdict.UNKNOWN),
            expected_outcome(TEST, attempts=2),
            expected_outcome(RAISE, reason=Reason.FOUND),
        ),
        read_by_get=True,
    )

    assert differences(story, a_view(*records)) == []


@pytest.mark.parametrize(
    ("expect", "records", "sentence"),
    [
        ({}, (a_journey(problem_status="COMPLETED"),), "did not end (OPEN · test RED · problem 9 COMPLETED), expected"),
        ({"test": None, "problem": None}, (), "did not end (nothing was heard of it), expected COMPLETED"),
        ({}, (an_ended_journey(End.CANCELLED),), "ended CANCELLED, expected COMPLETED"),
        ({"test": "GREEN"}, (an_ended_journey(),), "its test is RED, expected GREEN"),
        ({"problem": None}, (an_ended_journey(),), "its problem is COMPLETED, expected none"),
        (
            {"statuses": ("HELD", "IN_PROGRESS")},
            (an_ended_journey(), a_transition("IN_PROGRESS"), a_transition("HELD")),
            "its problem went IN_PROGRESS → HELD, expected HELD → IN_PROGRESS",
        ),
        (
            {"statuses": ("HELD",)},
            (an_ended_journey(), a_transition("HELD", applied=False)),
            "its problem went nowhere, expected HELD",
        ),
        ({"actions": ("RESUBMIT",)}, (an_ended_journey(),), "people were asked for nothing, expected RESUBMIT"),
        (
            {"outcomes": (expected_outcome(RAISE), expected_outcome(TEST))},
            (an_ended_journey(), an_outcome(TEST), an_outcome(RAISE)),
            "no outcome RUN_TEST ACCEPTED in its place",
        ),
        (
            {"outcomes": (expected_outcome(RAISE, attempts=2),)},
            (an_ended_journey(), an_outcome(RAISE)),
            "no outcome RAISE_PROBLEM ACCEPTED after 2 attempts in its place",
        ),
        ({"violations": 1}, (an_ended_journey(),), "0 violations were told, expected 1"),
        ({"read_by_get": True}, (an_ended_journey(), a_transition("COMPLETED")), "no status of its problem was found"),
    ],
)
def test_each_difference_is_one_sentence(expect: dict[str, Any], records: tuple[Record, ...], sentence: str) -> None:
    (told,) = differences(a_story(**expect), a_view(*records))

    assert told.startswith(sentence)


def test_a_report_that_cannot_be_used_ends_without_a_journey() -> None:
    violation = Violation(field="event.notes", limit="1..1000 characters", value_class="empty string")
    outcome = an_outcome(RAISE, Verdict.NOT_SENT, reason=Reason.INVALID, violations=(violation,))
    story = a_story(end=End.INVALID, test=None, problem=None, violations=1)

    assert differences(story, a_view(outcome)) == []


def test_an_event_whose_time_never_came_is_named() -> None:
    story = a_story((When(status="RESOLVED"), an_answer_event(2)))

    assert differences(story, a_view(an_ended_journey())) == [f"the time for {TICKET}/2 never came"]


@pytest.mark.parametrize(
    ("wanted", "seen", "fits"),
    [("", "ab", True), ("ab", "xaxb", True), ("aa", "a", False), ("ab", "ba", False)],
)
def test_what_is_wanted_must_be_seen_in_its_order(wanted: str, seen: str, *, fits: bool) -> None:
    assert is_subsequence(wanted, seen) is fits


def test_equal_statuses_are_no_difference_from_the_truth() -> None:
    problems = [TrueProblem(id=9, status="COMPLETED", external_identifier=TICKET)]

    assert list(differs_from_truth(a_board(a_status("COMPLETED")), problems)) == []


@pytest.mark.parametrize(
    ("told", "true", "sentence"),
    [
        (("9", "RESOLVED"), ("9", "COMPLETED"), "problem 9 is RESOLVED in problem-status and COMPLETED at the gateway"),
        (None, ("9", "COMPLETED"), "problem 9 is COMPLETED at the gateway, and not in problem-status"),
        (("9", "RESOLVED"), None, "problem 9 is unknown at the gateway"),
    ],
)
def test_a_status_that_is_not_the_gateways_is_a_difference(
    told: tuple[str, str] | None, true: tuple[str, str] | None, sentence: str
) -> None:
    board = a_board(*([a_status(told[1], told[0])] if told else []))
    problems = [TrueProblem(id=int(true[0]), status=true[1], external_identifier=TICKET)] if true else []

    assert list(differs_from_truth(board, problems)) == [(TICKET, sentence)]


def test_two_problems_of_one_ticket_are_a_difference() -> None:
    problems = [TrueProblem(id=number, status="COMPLETED", external_identifier=TICKET) for number in (9, 10)]
    board = a_board(a_status("COMPLETED", "9"), a_status("COMPLETED", "10"))

    assert list(differs_from_truth(board, problems)) == [(TICKET, "the gateway has 2 problems of it")]


def test_a_command_that_was_accepted_as_often_as_told_is_no_difference() -> None:
    calls = [a_call("tests"), a_call("problems", accepted=False), a_call("problems"), a_call("get_problem")]
    board = a_board(an_outcome(TEST), an_outcome(TEST, reason=Reason.TEST_FINISHED), an_outcome(RAISE))

    assert list(differs_from_ledger(board, calls)) == []


@pytest.mark.parametrize("accepted", [0, 2])
def test_a_raise_that_was_accepted_twice_or_never_is_a_difference(accepted: int) -> None:
    board = a_board(an_outcome(RAISE, Verdict.UNKNOWN), an_outcome(RAISE))

    ((ticket, sentence),) = differs_from_ledger(board, [a_call("problems")] * accepted)

    assert ticket == TICKET
    assert sentence == f"the gateway accepted {accepted} problems, and 1 RAISE_PROBLEM were told ACCEPTED"


def test_a_test_may_be_run_again_only_when_its_fate_was_unknown() -> None:
    calls = [a_call("tests"), a_call("tests")]

    assert list(differs_from_ledger(a_board(an_outcome(TEST)), calls)) != []
    assert list(differs_from_ledger(a_board(an_outcome(TEST, Verdict.UNKNOWN), an_outcome(TEST)), calls)) == []


def test_a_crash_must_be_found_again_in_the_outcomes() -> None:
    unknown = an_outcome(RAISE, Verdict.UNKNOWN, reason=Reason.INTERRUPTED)
    settled = an_outcome(RAISE, basis=Basis.EVIDENCE, reason=Reason.FOUND)
    crash = Crash(killed_during=[a_call("problems")], restarted=True)

    assert list(crash.shortcomings(a_board(unknown, settled))) == []
    assert list(findings(a_board(unknown, settled))) == [(unknown, settled)]
    assert list(findings(a_board(unknown))) == [(unknown, None)]
    (overlooked,) = crash.shortcomings(a_board(settled))
    assert overlooked[0] == TICKET
    (never,) = Crash().shortcomings(a_board())
    assert never == ("crash", "the time was over before the dispatcher was killed and back")
