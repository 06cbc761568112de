"""Which claims move the status, which are only history, and what is published of each."""

from datetime import timedelta

import pytest

from bridge.domain.correlation import conversation_id
from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Entity, Kci, Observation, Source, Update
from bridge.domain.statuses import Cause, Move
from bridge.domain.tracking import fold, is_tracked
from tests.unit.domain.tracking.story import (
    POLICY,
    START,
    TICKET,
    Story,
    changed,
    error,
    information,
    resolution,
    result,
    silent,
    update,
)


def test_tests_and_problems_are_tracked_and_orders_are_not() -> None:
    assert is_tracked("SERVICE_PROBLEM")
    assert is_tracked("SERVICE_TEST")
    assert not is_tracked("PROVIDE_ORDER")
    assert not is_tracked("SOMETHING_NEW")


def test_a_problem_is_followed_from_its_post_to_its_end() -> None:
    story = Story()
    story.post("RECEIVED_BY_GATEWAY")
    walked = ["SENT_TO_SUPPLIER", "ACKNOWLEDGED", "IN_PROGRESS", "RESOLVED", "COMPLETED"]
    for number, status in enumerate(walked, start=1):
        folded = story.kci(status, number)
        assert [transition.move for transition in folded.transitions] == [Move.EXPECTED]
        assert [signal.entity.status for signal in changed(folded)] == [status]
    assert story.applied == ["RECEIVED_BY_GATEWAY", *walked]
    final = story.statuses[-1]
    assert (final.status, final.previous_status, final.terminal) == ("COMPLETED", "RESOLVED", True)
    assert (final.transitions, final.last_sequence_number, final.last_kci_id) == (6, 5, "kci-5")
    assert (final.ticket_id, final.since) == (TICKET, START + timedelta(seconds=6))


def test_a_transition_tells_its_cause_and_what_came_with_it() -> None:
    story = Story()
    story.kci("RECEIVED_BY_GATEWAY", 1)
    folded = story.kci(
        "FAILED_TO_SEND", 2, update_type="ERROR", error=error("SUPPLIER_TIMED_OUT"), information=information("UPDATE")
    )
    (transition,) = folded.transitions
    assert (transition.from_status, transition.to_status) == ("RECEIVED_BY_GATEWAY", "FAILED_TO_SEND")
    assert transition.cause == Cause(source=Source.KCI, id="kci-2", sequence_number=2, update_type="ERROR")
    assert (transition.error, transition.information) == (error("SUPPLIER_TIMED_OUT"), information("UPDATE"))
    assert [signal.error for signal in changed(folded)] == [error("SUPPLIER_TIMED_OUT")]


def test_what_is_first_heard_of_late_in_its_life_is_expected() -> None:
    folded = Story().kci("HELD", 17)
    assert [(moved.from_status, moved.move, moved.applied) for moved in folded.transitions] == [
        (None, Move.EXPECTED, True)
    ]
    assert silent(folded) == []


def test_a_kci_that_comes_twice_changes_nothing() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 4)
    before = story.state
    folded = story.kci("PENDING", 4, kci_id="kci-4")
    assert folded.duplicate
    assert story.state == before
    assert (folded.transitions, folded.status, folded.actions, folded.signals) == ((), None, (), ())


def test_the_same_status_again_is_no_transition_but_a_newer_record() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    folded = story.kci("IN_PROGRESS", 2, entity=story.entity("IN_PROGRESS", supplier_reference="S-9"))
    assert folded.transitions == ()
    assert folded.status is not None
    assert (folded.status.entity.supplier_reference, folded.status.transitions) == ("S-9", 1)
    assert changed(folded) == []


def test_a_kci_with_a_lower_number_is_history() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 3)
    folded = story.kci("ACKNOWLEDGED", 2, entity=story.entity("ACKNOWLEDGED", supplier_reference="S-1", supplier="OLD"))
    (transition,) = folded.transitions
    assert (transition.from_status, transition.to_status) == ("IN_PROGRESS", "ACKNOWLEDGED")
    assert (transition.move, transition.applied) == (Move.LATE, False)
    assert story.status == "IN_PROGRESS"
    assert story.statuses[-1].transitions == 1
    assert story.statuses[-1].last_kci_id == "kci-3"


def test_a_late_kci_fills_in_what_nobody_told_and_overwrites_nothing() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 3, entity=story.entity("IN_PROGRESS", supplier="NEW"))
    story.kci("IN_PROGRESS", 2, entity=story.entity("IN_PROGRESS", supplier="OLD", supplier_reference="S-1"))
    assert story.state is not None
    assert (story.state.entity.supplier, story.state.entity.supplier_reference) == ("NEW", "S-1")


def test_a_late_kci_with_the_present_status_is_no_transition() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 3)
    assert story.kci("IN_PROGRESS", 2).transitions == ()


def test_kcis_without_numbers_count_as_they_arrive_whatever_their_times_say() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", issued_on="2026-03-02T10:00:00Z")
    story.kci("IN_PROGRESS", issued_on="2026-03-01T10:00:00Z")
    assert story.applied == ["ACKNOWLEDGED", "IN_PROGRESS"]


def test_kcis_with_equal_numbers_count_as_they_arrive() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", 3, kci_id="one")
    story.kci("IN_PROGRESS", 3, kci_id="two")
    assert story.applied == ["ACKNOWLEDGED", "IN_PROGRESS"]


def test_an_unlisted_move_is_applied_flagged_and_checked() -> None:
    story = Story()
    story.kci("HELD", 1)
    folded = story.kci("COMPLETED", 2)
    assert [(moved.move, moved.applied) for moved in folded.transitions] == [(Move.UNLISTED, True)]
    assert story.status == "COMPLETED"
    assert silent(folded) == ["UNLISTED"]


def test_an_unknown_status_is_kept_and_checked() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    folded = story.kci("DIGGING", 2)
    assert story.status == "DIGGING"
    assert silent(folded) == ["UNLISTED"]
    confirmed = story.get("DIGGING", [update("kci-1", 1), update("kci-2", 2)])
    assert (confirmed.transitions, silent(confirmed)) == ((), [])
    assert story.waits(timedelta(hours=3)) == []


def test_an_ended_problem_is_never_reopened_and_each_claim_is_checked_once() -> None:
    story = Story()
    story.kci("COMPLETED", 5)
    first = story.kci("IN_PROGRESS", 6)
    assert [(moved.move, moved.applied) for moved in first.transitions] == [(Move.AFTER_END, False)]
    assert silent(first) == ["AFTER_END"]
    again = story.kci("IN_PROGRESS", 7)
    assert [moved.move for moved in again.transitions] == [Move.AFTER_END]
    assert silent(again) == []
    other = story.kci("HELD", 8)
    assert silent(other) == ["AFTER_END"]
    assert (story.status, story.statuses[-1].transitions) == ("COMPLETED", 1)


def test_a_get_that_confirms_the_end_closes_the_question() -> None:
    story = Story()
    story.kci("COMPLETED", 5)
    story.kci("IN_PROGRESS", 6)
    folded = story.get("COMPLETED", [update("kci-5", 5)])
    assert folded.transitions == ()
    assert story.waits(timedelta(days=3)) == []


def test_a_get_that_shows_life_after_the_end_is_flagged_and_not_asked_again() -> None:
    story = Story()
    story.kci("COMPLETED", 5)
    story.kci("IN_PROGRESS", 6)
    folded = story.get("IN_PROGRESS", [update("kci-5", 5), update("kci-6", 6)])
    assert [(moved.move, moved.cause.source) for moved in folded.transitions] == [(Move.AFTER_END, Source.GET)]
    assert silent(folded) == []
    assert silent(story.kci("IN_PROGRESS", 7)) == []
    assert story.waits(timedelta(days=3)) == []
    assert story.status == "COMPLETED"


def test_a_kci_without_a_status_moves_nothing_and_asks() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    folded = story.kci(None, 2, information=information("COMPLETED"))
    assert folded.transitions == ()
    assert story.status == "IN_PROGRESS"
    assert silent(folded) == ["NO_STATUS"]


def test_after_the_end_a_kci_without_a_status_raises_no_question() -> None:
    story = Story()
    story.kci("COMPLETED", 1)
    assert silent(story.kci(None, 2)) == []


def test_a_result_stays_when_a_later_message_leaves_it_out() -> None:
    story = Story(SERVICE_TEST)
    story.kci(None, 1, entity=story.entity("COMPLETED", result=result("RED")))
    folded = story.kci("COMPLETED", 2)
    assert story.statuses[-1].entity.result == result("RED")
    assert changed(folded) == []


def test_an_entity_nobody_told_the_status_of_has_no_status_record() -> None:
    story = Story()
    folded = story.kci(None, 1)
    assert (folded.status, folded.transitions) == (None, ())
    assert silent(folded) == ["NO_STATUS"]
    assert story.get("IN_PROGRESS").status is not None


def test_a_post_answer_that_was_overtaken_by_kcis_fills_in_fields_only() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", 2)
    folded = story.post(None, entity=story.entity("RECEIVED_BY_GATEWAY", service_id="SVC-1"))
    assert folded.transitions == ()
    assert story.status == "ACKNOWLEDGED"
    assert story.state is not None
    assert story.state.entity.service_id == "SVC-1"


def test_a_get_applies_what_no_kci_told() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", 1)
    updates = [update("kci-1", 1), update("lost-2", 2), update("lost-3", 3, information=information("DELAY"))]
    folded = story.get("HELD", reversed(updates))
    (transition,) = folded.transitions
    assert (transition.from_status, transition.to_status, transition.move) == ("ACKNOWLEDGED", "HELD", Move.EXPECTED)
    assert transition.cause == Cause(source=Source.GET, id="lost-3", sequence_number=3)
    assert transition.information == information("DELAY")
    assert story.kci("HELD", 3, kci_id="lost-3").duplicate
    assert story.kci("ACKNOWLEDGED", 2, kci_id="lost-2").duplicate


def test_a_transition_found_by_a_get_without_updates_is_caused_by_the_answer() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", 1)
    (transition,) = story.get("HELD").transitions
    assert transition.cause.id.startswith("observation-")


def test_a_get_older_than_what_is_known_fills_in_fields_only() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", 1)
    story.kci("RESOLVED", 3)
    folded = story.get(
        None, [update("kci-1", 1), update("kci-2", 2)], entity=story.entity("IN_PROGRESS", service_id="SVC-1")
    )
    assert folded.transitions == ()
    assert story.status == "RESOLVED"
    assert story.state is not None
    assert story.state.entity.service_id == "SVC-1"
    assert story.state.last_sequence_number == 3


def test_a_pending_delivery_is_not_a_loss() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    folded = story.get("IN_PROGRESS", [update("kci-1", 1), update("kci-2", 2, delivery_status="PENDING")])
    assert (folded.transitions, changed(folded), silent(folded)) == ((), [], [])


def test_a_tests_get_has_no_updates_and_tells_status_and_result() -> None:
    story = Story(SERVICE_TEST)
    story.post("RECEIVED_BY_GATEWAY")
    story.kci("SENT_TO_SUPPLIER", 1)
    folded = story.get(None, entity=story.entity("COMPLETED", result=result("AMBER")))
    assert [(moved.to_status, moved.move) for moved in folded.transitions] == [("COMPLETED", Move.EXPECTED)]
    (signal,) = changed(folded)
    assert signal.entity.result is not None
    assert signal.entity.result.result == "AMBER"


def test_a_finished_test_is_told_without_its_result_and_again_with_it() -> None:
    story = Story(SERVICE_TEST)
    story.kci("IN_PROGRESS", 1)
    (signal,) = changed(story.kci("COMPLETED", 2))
    assert signal.entity.result is None
    folded = story.get(None, entity=story.entity("COMPLETED", result=result("RED")))
    assert [told.entity.result.result for told in changed(folded) if told.entity.result] == ["RED"]
    assert folded.transitions == ()
    assert changed(story.get(None, entity=story.entity("COMPLETED", result=result("RED")))) == []


def test_a_get_without_numbers_that_was_overtaken_by_a_kci_takes_nothing_back() -> None:
    story = Story(SERVICE_TEST)
    story.kci("IN_PROGRESS", 1)
    asked_at = story.now
    story.kci("COMPLETED", 2)
    answered = Observation(
        observation_id="overtaken",
        ticket_id=TICKET,
        source=Source.GET,
        entity=story.entity("IN_PROGRESS"),
        conversation_id=conversation_id(TICKET),
        request_id="request",
        observed_at=asked_at,
    )
    folded = story.hears(answered)
    assert (folded.transitions, silent(folded)) == ((), [])
    assert folded.state.last_heard_at == story.now


def test_an_unlisted_move_shown_by_a_get_without_numbers_is_checked_once_more() -> None:
    story = Story(SERVICE_TEST)
    story.kci("IN_PROGRESS", 1)
    folded = story.get("SENT_TO_SUPPLIER")
    assert [moved.move for moved in folded.transitions] == [Move.UNLISTED]
    assert silent(folded) == ["UNLISTED"]
    assert silent(story.get("SENT_TO_SUPPLIER")) == []


def test_the_error_behind_a_status_is_told_with_it_even_if_a_get_found_both() -> None:
    story = Story()
    story.kci("SENT_TO_SUPPLIER", 1)
    folded = story.get(
        "FAILED_TO_SEND",
        [
            update("kci-1", 1),
            update("lost-2", 2, resolution=resolution(4)),
            update("lost-3", 3, error=error("SUPPLIER_TIMED_OUT")),
        ],
    )
    assert len(changed(folded)) == 2
    assert {signal.entity.status for signal in changed(folded)} == {"FAILED_TO_SEND"}
    assert {signal.error.code for signal in changed(folded) if signal.error} == {"SUPPLIER_TIMED_OUT"}
    assert all(signal.error for signal in changed(folded))


def test_signals_hold_nothing_personal() -> None:
    story = Story()
    secret = '{"primaryContact":{"name":"Ada"}}'
    entity = story.entity("RESOLVED", other=secret, external_identifier="ticket-1", service_id="SVC-1")
    folded = story.kci("RESOLVED", 1, entity=entity, amendment=None, resolution=resolution(3))
    assert [signal.entity.service_id for signal in changed(folded)] == ["SVC-1"]
    assert "Ada" not in repr(folded.signals)
    assert folded.status is not None
    assert folded.status.entity.other == secret


def test_what_a_newer_message_leaves_out_is_kept() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1, entity=story.entity("IN_PROGRESS", other='{"notes":"n","hazards":"h"}'))
    story.get(
        None, [update("kci-1", 1)], entity=story.entity("IN_PROGRESS", other='{"notes":"m","address":{"id":"1"}}')
    )
    assert story.state is not None
    assert story.state.entity.other == '{"notes":"m","hazards":"h","address":{"id":"1"}}'


@pytest.mark.parametrize("other", ["[1]", "not json", pytest.param('{"a":' * 100_000, id="too deep")])
def test_other_that_is_no_json_object_is_replaced_whole(other: str) -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1, entity=story.entity("IN_PROGRESS", other='{"notes":"n"}'))
    story.kci("IN_PROGRESS", 2, entity=story.entity("IN_PROGRESS", other=other))
    assert story.state is not None
    assert story.state.entity.other == other


def test_ids_are_the_same_for_the_same_cause_and_differ_for_another() -> None:
    def first(entity_id: str, kci_id: str) -> str:
        kci = Kci(
            entity=Entity(type=SERVICE_PROBLEM, id=entity_id, status="HELD"),
            update=Update(id=kci_id),
            conversation_id=None,
            request_id=None,
            received_at=START,
        )
        return fold(None, kci, POLICY).transitions[0].transition_id

    assert first("1", "a") == first("1", "a")
    assert len({first("1", "a"), first("2", "a"), first("1", "b")}) == 3
