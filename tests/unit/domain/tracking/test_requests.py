"""Amendments, cancellations and resolutions: each told to the ticket once for each status, however they come."""

from bridge.domain.entities import Request, Resolution
from tests.unit.domain.tracking.story import Story, action, changed, request, resolution, update


def amendments(story: Story) -> list[tuple[int | None, str | None]]:
    """The amendments that the last message told the ticket of."""
    told = [signal.entity.amendment for signal in changed(story.last)]
    return [(amendment.id, amendment.status) for amendment in told if amendment is not None]


def known(story: Story) -> Request | None:
    return story.state.entity.amendment if story.state is not None else None


def test_an_amendment_is_told_from_its_answer_to_its_acceptance() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.post(None, entity=story.entity(amendment=request(5, "RECEIVED_BY_GATEWAY")))
    assert amendments(story) == [(5, "RECEIVED_BY_GATEWAY")]
    story.kci("PENDING_AMENDMENT", 2, amendment=request(5, "PENDING"))
    assert amendments(story) == [(5, "PENDING")]
    story.kci("IN_PROGRESS", 3, entity=story.entity("IN_PROGRESS", amendment=request(5, "COMPLETED")))
    assert amendments(story) == [(5, "COMPLETED")]


def test_an_answer_that_was_overtaken_by_its_acceptance_takes_nothing_back() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.kci("IN_PROGRESS", 2, amendment=request(5, "COMPLETED"))
    folded = story.post(None, entity=story.entity(amendment=request(5, "RECEIVED_BY_GATEWAY")))
    assert changed(folded) == []
    assert known(story) == request(5, "COMPLETED")


def test_a_late_kci_still_tells_of_its_amendment_and_shows_it_to_the_ticket() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    story.kci("PENDING_AMENDMENT", 4, amendment=request(6, "PENDING"))
    story.kci("IN_PROGRESS", 3, amendment=request(5, "REJECTED"))
    assert amendments(story) == [(5, "REJECTED")]
    assert story.status == "PENDING_AMENDMENT"
    assert known(story) == request(6, "PENDING")


def test_an_unlisted_move_of_a_request_counts_only_if_it_is_newer() -> None:
    story = Story()
    story.kci("PENDING_AMENDMENT", 1, amendment=request(5, "DIGGING"))
    story.kci("PENDING_AMENDMENT", 3, amendment=request(5, "PENDING"))
    assert known(story) == request(5, "PENDING")
    assert changed(story.kci("PENDING_AMENDMENT", 2, amendment=request(5, "RECEIVED_BY_GATEWAY"))) == []
    assert known(story) == request(5, "PENDING")


def test_the_same_request_in_the_entity_and_in_the_update_is_told_once() -> None:
    story = Story()
    entity = story.entity("PENDING_AMENDMENT", amendment=request(5, "PENDING"))
    folded = story.kci(None, 1, entity=entity, amendment=request(5, "PENDING"))
    assert len(changed(folded)) == 1


def test_two_requests_of_a_kind_in_one_kci_are_both_told() -> None:
    story = Story()
    entity = story.entity("PENDING_AMENDMENT", amendment=request(6, "PENDING"))
    story.kci(None, 1, entity=entity, amendment=request(5, "COMPLETED"))
    assert amendments(story) == [(6, "PENDING"), (5, "COMPLETED")]


def test_requests_that_only_a_get_tells_of_are_told_one_by_one_with_the_present_status() -> None:
    story = Story()
    story.kci("IN_PROGRESS", 1)
    updates = [
        update("lost-2", 2, amendment=request(5, "REJECTED")),
        update("lost-3", 3, cancellation=request(8, "COMPLETED")),
    ]
    folded = story.get("CANCELLED", updates)
    first, second = changed(folded)
    assert first.entity.amendment == request(5, "REJECTED")
    assert second.entity.cancellation == request(8, "COMPLETED")
    assert {first.entity.status, second.entity.status} == {"CANCELLED"}


def test_a_resolution_that_was_answered_stays_answered() -> None:
    story = Story()
    story.kci("RESOLVED", 1, resolution=resolution(3), action=action("CONFIRM"))
    story.post(None, entity=story.entity(resolution=resolution(3, "ACCEPTED")))
    assert changed(story.kci("RESOLVED", 2, resolution=resolution(3, "PENDING"))) == []
    assert story.state is not None
    assert story.state.entity.resolution is not None
    assert story.state.entity.resolution.status == "ACCEPTED"


def test_a_later_resolution_takes_the_place_of_a_rejected_one() -> None:
    story = Story()
    story.kci("RESOLVED", 1, resolution=resolution(3))
    story.post(None, entity=story.entity(resolution=Resolution(id=3, status="REJECTED")))
    assert [signal.entity.resolution for signal in changed(story.last)] == [resolution(3, "REJECTED")]
    story.kci("IN_PROGRESS", 2)
    story.kci("RESOLVED", 3, resolution=resolution(4))
    assert [signal.entity.resolution for signal in changed(story.last)] == [resolution(4, "PENDING")]


def test_a_resolution_that_comes_late_is_not_shown_as_the_one_to_answer() -> None:
    story = Story()
    story.kci("RESOLVED", 5, resolution=resolution(8))
    story.kci("RESOLVED", 2, resolution=resolution(7))
    assert [signal.entity.resolution for signal in changed(story.last)] == [resolution(8)]


def test_what_a_request_says_beside_its_status_is_kept_and_not_told() -> None:
    story = Story()
    story.kci("PENDING_AMENDMENT", 1, amendment=request(5, "PENDING", other='{"notes":"call Ada"}'))
    assert "Ada" not in repr(story.last.signals)
    story.kci("IN_PROGRESS", 2, amendment=request(5, "COMPLETED"))
    assert known(story) == request(5, "COMPLETED", other='{"notes":"call Ada"}')
