"""When an entity is asked about: gaps, doubts and silence."""

from datetime import timedelta

import pytest

from bridge.domain.entities import SERVICE_TEST
from bridge.domain.tracking import forget_at, sweep, wake_at
from tests.unit.domain.tracking.story import POLICY, START, Story, information, silent, update

MINUTE = timedelta(minutes=1)


def test_a_gap_holds_nothing_back_and_is_asked_about_soon() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", 1)
    folded = story.kci("HELD", 3)
    heard_at = story.now
    assert story.status == "HELD"
    assert silent(folded) == []
    assert story.waits(timedelta(seconds=15)) == [(heard_at + timedelta(seconds=10), "GAP")]


def test_a_gap_that_closes_by_itself_is_not_asked_about() -> None:
    story = Story()
    for number in (1, 4, 3, 2):
        story.kci("IN_PROGRESS", number)
    assert story.state is not None
    assert story.state.missing == ()
    assert story.waits(timedelta(hours=3)) == []


def test_a_gap_that_closes_after_it_was_asked_about_is_not_asked_about_again() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.kci("IN_PROGRESS", 3)
    assert [why for _, why in story.waits(timedelta(seconds=15))] == ["GAP"]
    story.kci("IN_PROGRESS", 2)
    assert story.waits(timedelta(hours=3)) == []


def test_a_second_gap_does_not_put_off_the_question_about_the_first() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.kci("IN_PROGRESS", 3)
    first_heard_at = story.now
    story.now += timedelta(seconds=5)
    story.kci("IN_PROGRESS", 5)
    assert story.waits(timedelta(seconds=15)) == [(first_heard_at + timedelta(seconds=10), "GAP")]


def test_a_gap_that_closes_in_part_is_still_asked_about() -> None:
    story = Story()
    for number in (1, 4, 3):
        story.kci("IN_PROGRESS", number)
    assert [why for _, why in story.waits(MINUTE)] == ["GAP"]


def test_a_get_of_a_test_closes_a_gap_although_it_lists_no_updates() -> None:
    story = Story(SERVICE_TEST)
    story.kci("SENT_TO_SUPPLIER", 1)
    story.kci("IN_PROGRESS", 4)
    assert story.state is not None
    assert list(story.state.missing) == [2, 3]
    story.post("RECEIVED_BY_GATEWAY")
    assert list(story.state.missing) == [2, 3]
    story.get("IN_PROGRESS")
    assert list(story.state.missing) == []
    assert [why for _, why in story.waits(MINUTE)] == []


def test_a_test_that_has_ended_awaits_no_more() -> None:
    story = Story(SERVICE_TEST)
    story.kci("SENT_TO_SUPPLIER", 1)
    story.kci("COMPLETED", 4)
    assert story.state is not None
    assert list(story.state.missing) == [2, 3]
    assert story.state.awaited == ()
    assert story.waits(MINUTE) == []


def test_a_problem_that_has_ended_still_awaits_what_is_missing() -> None:
    story = Story()
    story.kci("RESOLVED", 1)
    story.kci("COMPLETED", 3)
    assert story.state is not None
    assert list(story.state.awaited) == [2]
    assert [why for _, why in story.waits(MINUTE)] == ["GAP"]


def test_a_get_closes_a_gap() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.kci("IN_PROGRESS", 4)
    story.get("IN_PROGRESS", [update(f"kci-{number}", number) for number in (1, 2, 3, 4)])
    assert story.state is not None
    assert story.state.missing == ()
    assert story.waits(timedelta(hours=3)) == []


def test_a_get_from_before_the_gap_does_not_close_it() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.kci("IN_PROGRESS", 4)
    story.get("IN_PROGRESS", [update("kci-1", 1), update("kci-2", 2)])
    assert story.state is not None
    assert story.state.missing == (3,)
    assert [why for _, why in story.waits(MINUTE)] == ["GAP"]


def test_where_counting_starts_is_not_known_so_the_first_number_is_no_gap() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 7)
    assert story.waits(timedelta(hours=3)) == []


def test_of_a_gap_beyond_all_reason_only_the_newest_numbers_are_remembered() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.kci("IN_PROGRESS", 2**62)
    assert story.state is not None
    assert story.state.missing == tuple(range(2**62 - 100, 2**62))


def test_what_an_ended_problem_missed_is_fetched_and_what_an_ended_test_missed_is_not() -> None:
    problem, test = Story(), Story(SERVICE_TEST)
    for story in (problem, test):
        story.kci("IN_PROGRESS", 1)
        story.kci("COMPLETED", 3)
    assert [why for _, why in problem.waits(MINUTE)] == ["GAP"]
    assert test.waits(MINUTE) == []


def test_a_doubt_that_brought_no_observation_is_repeated_ever_more_slowly_and_then_left_to_silence() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", 1)
    story.kci("DIGGING", 2)
    heard_at = story.now
    asked = story.waits(timedelta(hours=5))
    assert asked == [
        (heard_at + 1 * MINUTE, "UNLISTED"),
        (heard_at + 3 * MINUTE, "UNLISTED"),
        (heard_at + 7 * MINUTE, "UNLISTED"),
        (heard_at + 15 * MINUTE, "UNLISTED"),
        (heard_at + 31 * MINUTE, "UNLISTED"),
        (heard_at + timedelta(hours=4), "SILENCE"),
    ]


def test_an_ended_entity_is_not_asked_about_for_ever() -> None:
    story = Story()
    story.kci("COMPLETED", 1)
    story.kci("IN_PROGRESS", 2)
    assert len(story.waits(timedelta(days=20))) == 5


def test_a_newer_doubt_is_asked_about_at_once() -> None:
    story = Story()
    story.kci("HELD", 1)
    assert silent(story.kci("DIGGING", 3)) == ["UNLISTED"]
    assert silent(story.kci(None, 4)) == ["NO_STATUS"]
    assert silent(story.kci("DIGGING", 6)) == []
    assert [(when - story.now, why) for when, why in story.waits(timedelta(seconds=15))] != []


def test_a_doubt_is_not_settled_by_an_older_get_that_contradicts() -> None:
    story = Story()
    story.kci("HELD", 2)
    story.kci("DIGGING", 3)
    story.get("HELD", [update("kci-2", 2)])
    assert [why for _, why in story.waits(2 * MINUTE)] == ["UNLISTED"]


@pytest.mark.parametrize(
    ("entity_type", "limit"),
    [("SERVICE_PROBLEM", POLICY.problem_silence), ("SERVICE_TEST", POLICY.test_silence)],
)
def test_silence_is_told_after_its_limit_and_then_ever_more_slowly_but_daily(
    entity_type: str, limit: timedelta
) -> None:
    story = Story(entity_type)
    story.kci("IN_PROGRESS", 1)
    since = story.now
    asked = story.waits(timedelta(days=6))
    assert {why for _, why in asked} == {"SILENCE"}
    assert [when - since for when, _ in asked[:3]] == [limit, 3 * limit, 7 * limit]
    assert asked[-1][0] - asked[-2][0] == timedelta(hours=24)


def test_whatever_is_heard_ends_the_silence() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    assert len(story.waits(timedelta(days=3))) > 3
    story.get("IN_PROGRESS")
    since = story.now
    asked = story.waits(timedelta(hours=13))
    assert asked == [(since + timedelta(hours=4), "SILENCE"), (since + timedelta(hours=12), "SILENCE")]


def test_a_repetition_does_not_end_the_silence() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.now += timedelta(hours=3)
    story.kci("IN_PROGRESS", 1)
    assert story.state is not None
    assert wake_at(story.state, POLICY) == START + timedelta(seconds=1) + timedelta(hours=4)


def test_an_entity_whose_status_nobody_told_is_live() -> None:
    story = Story()
    story.post(None)
    assert [why for _, why in story.waits(timedelta(hours=5))] == ["SILENCE"]


def test_an_entity_without_a_ticket_waits_for_its_link() -> None:
    story = Story(ticket=None)
    story.kci("IN_PROGRESS", 1)
    assert story.state is not None
    assert wake_at(story.state, POLICY) is None
    assert sweep(story.state, START + timedelta(days=9), POLICY) is None


def test_an_ended_entity_is_silent_for_good_and_is_forgotten_in_the_end() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    assert story.state is not None
    assert forget_at(story.state, POLICY) is None
    story.kci("COMPLETED", 2, information=information("COMPLETED"))
    assert story.state is not None
    assert wake_at(story.state, POLICY) is None
    assert forget_at(story.state, POLICY) == story.now + POLICY.remember_ended


def test_each_signal_has_an_id_of_its_own() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.kci("DIGGING", 2)
    story.kci(None, 3)
    story.waits(timedelta(days=4))
    ids = [told.signal_id for folded in story.folded for told in folded.signals]
    assert len(ids) > 8
    assert len(ids) == len(set(ids))
