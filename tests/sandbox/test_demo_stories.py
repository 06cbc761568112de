"""The files of the demo: what is in ours, and what is said about files that cannot be used."""

from pathlib import Path

import pytest

from bridge.cli.demo import TICKETS
from bridge.cli.demo.stories import StoriesError, load_stories
from bridge.domain.journeys import End
from bridge.domain.limits import violations
from bridge.domain.policy import DEFAULT_PROBLEM_TYPES, JourneyPolicy
from bridge.domain.tickets import FaultAmended, FaultCancelled, FaultReported, ResolutionAnswered, ServiceTestRequested
from bridge.simulator.plans import plan_of

EVENT = (
    '{"event_id": "T/1", "ticket_id": "T", "occurred_at": "2026-03-02T08:00:00Z",'
    ' "event": {"type": "FaultCancelled", "reason_code": "OTHER"}}'
)
EXPECTED = "tickets:\n  - {ticket: T, story: a story, expect: {end: COMPLETED}}\n"


def write(directory: Path, events: str = EVENT, expected: str = EXPECTED) -> Path:
    (directory / "some.expected.yaml").write_text(expected)
    tickets = directory / "some.jsonl"
    tickets.write_text(events)
    return tickets


def test_our_tickets_tell_every_kind_of_event_and_of_end() -> None:
    stories = load_stories(TICKETS)
    events = [event for story in stories for event in (*story.at_once, *(event for _, event in story.later))]

    assert {type(event.event) for event in events} == {
        FaultReported,
        FaultAmended,
        FaultCancelled,
        ResolutionAnswered,
        ServiceTestRequested,
    }
    assert {event.event.answer for event in events if isinstance(event.event, ResolutionAnswered)} == {
        "ACCEPTED",
        "REJECTED",
    }
    assert {End.COMPLETED, End.CANCELLED, End.TEST_GREEN, End.REJECTED, End.INVALID, End.TESTED} == {
        story.expected.end for story in stories
    }
    assert len(stories) >= 12


def test_every_event_of_ours_keeps_the_limits_but_the_one_that_is_there_to_break_them() -> None:
    policy = JourneyPolicy(problem_types=DEFAULT_PROBLEM_TYPES)
    for story in load_stories(TICKETS):
        broken = [
            violation
            for event in (*story.at_once, *(event for _, event in story.later))
            for violation in violations(event, policy)
        ]

        assert len(broken) == story.expected.violations, story.ticket_id


def test_every_service_of_ours_is_known_to_the_simulator() -> None:
    for story in load_stories(TICKETS):
        for event in story.at_once:
            if isinstance(event.event, FaultReported | ServiceTestRequested):
                plan_of(event.event.service_id, None, None, "no scenario but the one that is named")


@pytest.mark.parametrize(
    ("events", "expected", "complaint"),
    [
        ("{", EXPECTED, "some.jsonl: line 1: "),
        (
            EVENT,
            EXPECTED.replace("ticket: T,", "ticket: U,"),
            "ticket T has events and no expectation",
        ),
        (EVENT + "\n" + EVENT, EXPECTED, "event T/1 of ticket T is in the file 2 times"),
        (EVENT, EXPECTED + EXPECTED.partition("\n")[2], "ticket T is listed 2 times"),
        (EVENT, EXPECTED.replace("COMPLETED", "DONE"), "tickets.0.expect.end: "),
        (EVENT, EXPECTED.replace("story: a", "stories: a"), "tickets.0.stories: "),
        (EVENT, "tickets: [", "some.expected.yaml: not YAML"),
        ("", EXPECTED, "there is no event for it"),
        (
            EVENT,
            EXPECTED.replace("expect:", "follow_ups: [{event: T/2, when: {status: OPEN}}], expect:"),
            "ticket T has no event T/2",
        ),
        (
            EVENT,
            EXPECTED.replace("expect:", "follow_ups: [{event: T/1, when: {status: OPEN}}], expect:"),
            "ticket T has no event that is sent at once",
        ),
        (
            EVENT,
            EXPECTED.replace("expect:", "follow_ups: [{event: T/1, when: {}}], expect:"),
            "say a status, an action, or both",
        ),
    ],
)
def test_files_that_do_not_fit_are_told_with_what_does_not(
    tmp_path: Path, events: str, expected: str, complaint: str
) -> None:
    with pytest.raises(StoriesError) as refused:
        load_stories(write(tmp_path, events, expected))

    assert complaint in str(refused.value)


def test_a_missing_file_is_told_with_the_option_that_names_another(tmp_path: Path) -> None:
    with pytest.raises(StoriesError, match=r"none\.jsonl cannot be read: .* --tickets"):
        load_stories(tmp_path / "none.jsonl")


def test_files_that_fit_are_a_story_for_each_ticket(tmp_path: Path) -> None:
    (story,) = load_stories(write(tmp_path))

    assert (story.ticket_id, story.expected.end) == ("T", End.COMPLETED)
    assert [event.event_id for event in story.at_once] == ["T/1"]
    assert story.later == ()
