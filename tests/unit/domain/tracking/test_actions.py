"""What people must do, by when, and what settles it."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.domain.entities import Kci
from bridge.domain.policy import TrackingPolicy
from bridge.domain.statuses import ActionState
from bridge.domain.tracking import fold
from tests.unit.domain.tracking.story import (
    POLICY,
    TICKET,
    Story,
    action,
    changed,
    information,
    request,
    resolution,
    update,
)

OTHERS = ["INFORMATION_REQUIRED", "REAPPOINT", "CONTACT_CUSTOMER", "CONTACT_REAPPOINT", "SOMETHING_NEW"]
RESOLVED_AT = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
RESOLVED_DATE = "2026-03-02T08:30:00.000Z"


@pytest.mark.parametrize("name", OTHERS)
def test_an_action_is_published_with_its_due_time_and_told_to_the_ticket(name: str) -> None:
    story = Story()
    folded = story.kci("PENDING", 1, action=action(name, "Which door?"))
    (required,) = folded.actions
    assert (required.action, required.state, required.text, required.ticket_id) == (
        name,
        ActionState.REQUIRED,
        "Which door?",
        TICKET,
    )
    assert required.due_at == required.raised_at + timedelta(hours=24)
    assert required.due_because == "24 hours after it was raised"
    assert [signal.action for signal in changed(folded)] == [name]


def test_an_action_has_no_due_time_where_the_policy_gives_none() -> None:
    story = Story()
    kci = Kci(
        entity=story.entity("PENDING"),
        update=update("kci-1", 1, action=action("REAPPOINT")),
        conversation_id=None,
        request_id=None,
        received_at=story.now,
    )
    folded = fold(None, kci, TrackingPolicy(action_due=None))
    assert [(required.due_at, required.due_because) for required in folded.actions] == [(None, None)]


@pytest.mark.parametrize(
    "fields",
    [
        {"action": action("RESUBMIT")},
        {"information": information("RESUBMIT")},
        {"action": action("RESUBMIT"), "information": information("RESUBMIT")},
    ],
)
def test_resubmit_is_asked_for_by_action_or_by_information(fields: dict[str, object]) -> None:
    story = Story()
    folded = story.kci("IN_PROGRESS", 1, entity=None, kci_id=None, **fields)
    assert [required.action for required in folded.actions] == ["RESUBMIT"]


def test_an_action_that_is_required_but_not_named_is_not_lost() -> None:
    folded = Story().kci("PENDING", 1, update_type="ACTION_REQUIRED")
    assert [required.action for required in folded.actions] == ["UNSPECIFIED"]


def test_confirm_is_due_when_silence_counts_as_acceptance() -> None:
    story = Story()
    folded = story.kci("RESOLVED", 1, action=action("CONFIRM"), resolution=resolution(7, resolved=RESOLVED_DATE))
    (required,) = folded.actions
    assert (required.resolution_id, required.due_at) == (7, RESOLVED_AT + POLICY.silent_acceptance)
    assert required.due_because == (
        "silent acceptance: the gateway takes the resolution as accepted 5 days "
        "after the supplier resolved it at 2026-03-02 08:30 UTC"
    )


def test_confirm_finds_its_resolution_in_the_entity_too() -> None:
    story = Story()
    entity = story.entity("RESOLVED", resolution=resolution(7, resolved=RESOLVED_DATE))
    (required,) = story.kci(None, 1, entity=entity, action=action("CONFIRM")).actions
    assert (required.resolution_id, required.due_at) == (7, RESOLVED_AT + POLICY.silent_acceptance)


@pytest.mark.parametrize("resolved", [None, "yesterday", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"])
def test_confirm_counts_from_when_it_was_heard_where_the_resolution_has_no_usable_date(resolved: str | None) -> None:
    story = Story()
    folded = story.kci("RESOLVED", 1, action=action("CONFIRM"), resolution=resolution(7, resolved=resolved))
    (required,) = folded.actions
    assert required.due_at == required.raised_at + POLICY.silent_acceptance
    assert "after it was raised at 2026-03-02 09:00 UTC" in (required.due_because or "")


def test_the_warning_moves_the_due_time_of_a_confirm_to_a_day_after_it() -> None:
    story = Story()
    story.kci("RESOLVED", 1, action=action("CONFIRM"), resolution=resolution(7))
    story.now += timedelta(days=1)
    (moved,) = story.kci("RESOLVED", 2, information=information("ADDITIONAL")).actions
    assert (moved.state, moved.due_at) == (ActionState.REQUIRED, story.now + timedelta(hours=24))
    assert moved.action_id == story.folded[0].actions[0].action_id
    assert "warned" in (moved.due_because or "")


def test_a_warning_that_came_late_counts_from_when_it_was_issued() -> None:
    story = Story()
    story.kci("RESOLVED", 1, action=action("CONFIRM"), resolution=resolution(7))
    story.now += timedelta(days=1)
    issued = story.now - timedelta(hours=5)
    story.kci("RESOLVED", 2, information=information("ADDITIONAL"), issued_on=issued.isoformat())
    assert story.open_actions["CONFIRM"].due_at == issued + timedelta(hours=24)


def test_a_warning_never_gives_more_time_and_touches_no_other_action() -> None:
    story = Story()
    story.kci("RESOLVED", 1, action=action("CONFIRM"), resolution=resolution(7))
    story.now += timedelta(days=4, hours=20)
    assert story.kci("RESOLVED", 2, information=information("ADDITIONAL")).actions == ()
    pending = Story()
    pending.kci("PENDING", 1, action=action("REAPPOINT"))
    assert pending.kci("PENDING", 2, information=information("ADDITIONAL")).actions == ()


@pytest.mark.parametrize("name", [*OTHERS, "CONFIRM", "RESUBMIT"])
def test_the_end_settles_every_action(name: str) -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1, action=action(name, "text"))
    (settled,) = story.kci("CANCELLED", 2).actions
    assert (settled.state, settled.action_id, settled.text) == (
        ActionState.SETTLED,
        story.folded[0].actions[0].action_id,
        None,
    )
    assert [signal.action for signal in changed(story.last)] == [None]


@pytest.mark.parametrize("answer", ["ACCEPTED", "REJECTED"])
def test_an_answered_resolution_settles_its_confirm(answer: str) -> None:
    story = Story()
    story.kci("RESOLVED", 1, action=action("CONFIRM"), resolution=resolution(7))
    story.post(None, entity=story.entity(resolution=resolution(7, answer)))
    assert story.open_actions == {}
    assert story.kci("RESOLVED", 2).actions == ()


def test_leaving_resolved_settles_confirm() -> None:
    story = Story()
    story.kci("RESOLVED", 1, action=action("CONFIRM"), resolution=resolution(7))
    story.kci("IN_PROGRESS", 2)
    assert story.open_actions == {}


def test_a_newer_resolution_takes_the_place_of_the_confirm_before() -> None:
    story = Story()
    story.kci("RESOLVED", 1, action=action("CONFIRM"), resolution=resolution(7))
    story.kci("RESOLVED", 3, action=action("CONFIRM"), resolution=resolution(8))
    assert story.open_actions["CONFIRM"].resolution_id == 8
    assert len(story.last.actions) == 2


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("following", ["IN_PROGRESS", "ACKNOWLEDGED", "HELD", "NETWORK_INCIDENT", "RESOLVED"])
def test_leaving_pending_settles_what_was_asked_in_it(name: str, following: str) -> None:
    story = Story()
    story.kci("PENDING", 1, action=action(name))
    story.kci(following, 2)
    assert story.open_actions == {}


def test_a_request_on_its_way_settles_nothing_until_it_is_through() -> None:
    story = Story()
    story.kci("PENDING", 1, action=action("INFORMATION_REQUIRED"))
    story.kci("PENDING_AMENDMENT", 2, amendment=request(5, "PENDING"))
    assert set(story.open_actions) == {"INFORMATION_REQUIRED"}
    story.kci("PENDING", 3, amendment=request(5, "REJECTED"))
    assert set(story.open_actions) == {"INFORMATION_REQUIRED"}
    story.kci("PENDING_AMENDMENT", 4, amendment=request(6, "PENDING"))
    story.kci("PENDING_AMENDMENT", 5, amendment=request(6, "COMPLETED"))
    assert story.open_actions == {}


def test_an_amendment_from_before_the_question_does_not_answer_it() -> None:
    story = Story()
    story.kci("PENDING_AMENDMENT", 1, amendment=request(5, "PENDING"))
    story.kci("PENDING", 2, action=action("INFORMATION_REQUIRED"))
    story.kci("PENDING", 3, amendment=request(5, "COMPLETED"))
    assert set(story.open_actions) == {"INFORMATION_REQUIRED"}


def test_an_action_outside_pending_is_not_settled_by_the_status_it_came_in() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1, action=action("CONTACT_CUSTOMER"))
    story.kci("IN_PROGRESS", 2)
    story.kci("HELD", 3)
    assert set(story.open_actions) == {"CONTACT_CUSTOMER"}


def test_resubmit_is_settled_by_the_next_request() -> None:
    story = Story()
    story.kci("PENDING_AMENDMENT", 1, amendment=request(5, "PENDING"))
    story.kci("IN_PROGRESS", 2, action=action("RESUBMIT"), amendment=request(5, "REJECTED"))
    story.post(None, entity=story.entity(amendment=request(5, "RECEIVED_BY_GATEWAY")))
    assert set(story.open_actions) == {"RESUBMIT"}
    story.post(None, entity=story.entity(amendment=request(6, "RECEIVED_BY_GATEWAY")))
    assert story.open_actions == {}


def test_a_late_kci_may_hold_the_only_copy_of_an_action() -> None:
    story = Story()
    story.kci("PENDING", 3)
    folded = story.kci("PENDING", 2, action=action("REAPPOINT"))
    assert [required.action for required in folded.actions] == ["REAPPOINT"]
    assert [signal.action for signal in changed(folded)] == ["REAPPOINT"]


@pytest.mark.parametrize("later", [["IN_PROGRESS"], ["IN_PROGRESS", "PENDING"]])
def test_a_late_action_that_was_settled_after_it_is_not_revived(later: list[str]) -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", 1)
    for number, status in enumerate(later, start=3):
        story.kci(status, number)
    assert story.kci("PENDING", 2, action=action("REAPPOINT")).actions == ()


def test_a_late_kci_settles_an_action_from_before_it() -> None:
    story = Story()
    story.kci("PENDING", 2, action=action("REAPPOINT"))
    story.kci("PENDING", 4)
    assert set(story.open_actions) == {"REAPPOINT"}
    story.kci("IN_PROGRESS", 3)
    assert story.open_actions == {}
    assert story.status == "PENDING"


def test_after_the_end_nothing_is_asked_of_anybody() -> None:
    story = Story()
    story.kci("COMPLETED", 9)
    assert story.kci("RESOLVED", 8, action=action("CONFIRM")).actions == ()
    assert story.kci("PENDING", 10, action=action("REAPPOINT")).actions == ()


def test_a_get_finds_the_action_that_still_waits_and_not_those_that_are_over() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", 1)
    updates = [
        update("kci-1", 1),
        update("lost-2", 2, action=action("INFORMATION_REQUIRED")),
        update("lost-3", 3, information=information("RESUMED")),
        update("lost-4", 4, action=action("CONFIRM"), resolution=resolution(7)),
    ]
    story.get("RESOLVED", updates)
    assert set(story.open_actions) == {"CONFIRM"}
    story.kci("IN_PROGRESS", 5)
    assert story.open_actions == {}


def test_a_get_finds_an_action_behind_which_more_was_said() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED", 1)
    updates = [update("lost-2", 2, action=action("REAPPOINT")), update("lost-3", 3, information=information("UPDATE"))]
    folded = story.get("PENDING", updates)
    assert set(story.open_actions) == {"REAPPOINT"}
    assert [signal.action for signal in changed(folded)] == ["REAPPOINT"]


def test_a_person_is_rather_asked_for_too_much_than_not_at_all() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.get("IN_PROGRESS", [update("lost-2", 2, action=action("CONTACT_CUSTOMER")), update("lost-3", 3)])
    assert set(story.open_actions) == {"CONTACT_CUSTOMER"}


def test_what_a_get_shows_as_the_status_comes_after_its_updates_even_without_numbers() -> None:
    story = Story()
    story.kci("ACKNOWLEDGED")
    story.get("IN_PROGRESS", [update("lost-1", action=action("REAPPOINT")), update("lost-2")])
    assert story.open_actions == {}


def test_a_late_action_is_settled_if_the_entity_waited_and_went_on_even_if_it_waits_again() -> None:
    story = Story()
    for number, status in ((1, "IN_PROGRESS"), (3, "PENDING"), (4, "IN_PROGRESS"), (5, "PENDING")):
        story.kci(status, number)
    assert story.kci("IN_PROGRESS", 2, action=action("CONTACT_CUSTOMER")).actions == ()


def test_a_warning_from_before_a_confirm_does_not_shorten_it() -> None:
    story = Story()
    story.kci("RESOLVED", 5, action=action("CONFIRM"), resolution=resolution(7))
    assert story.kci("IN_PROGRESS", 4, information=information("ADDITIONAL")).actions == ()
