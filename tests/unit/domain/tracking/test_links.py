"""How an entity finds its ticket, and what its ticket is told then."""

from datetime import timedelta

import pytest

from bridge.domain.entities import SERVICE_TEST
from tests.unit.domain.tracking.story import TICKET, Story, action, changed, error, silent


def test_a_kci_that_overtakes_the_answer_finds_its_ticket_by_its_conversation() -> None:
    story = Story()
    folded = story.kci("SENT_TO_SUPPLIER", 1)
    assert [told.ticket_id for told in folded.signals] == [TICKET]
    assert folded.transitions[0].ticket_id == TICKET


def test_a_problem_finds_its_ticket_by_its_external_identifier() -> None:
    story = Story(ticket=None)
    folded = story.kci(None, 1, entity=story.entity("SENT_TO_SUPPLIER", external_identifier="ticket-9"))
    assert [told.ticket_id for told in folded.signals] == ["ticket-9"]


@pytest.mark.parametrize("external_identifier", ["", "  "])
def test_an_empty_external_identifier_names_no_ticket(external_identifier: str) -> None:
    story = Story(ticket=None)
    folded = story.kci(None, 1, entity=story.entity("SENT_TO_SUPPLIER", external_identifier=external_identifier))
    assert folded.signals == ()


def test_a_test_has_no_external_identifier() -> None:
    story = Story(SERVICE_TEST, ticket=None)
    folded = story.kci(None, 1, entity=story.entity("IN_PROGRESS", external_identifier="ticket-9"))
    assert folded.signals == ()


def test_somebody_elses_conversation_names_no_ticket() -> None:
    story = Story(ticket=None)
    story.conversation = "7a5e6d9c-0000-4000-8000-000000000000"
    assert story.kci("SENT_TO_SUPPLIER", 1).signals == ()


def test_the_answer_to_us_counts_more_than_the_conversation_and_that_more_than_the_identifier() -> None:
    story = Story(ticket=None)
    story.kci(None, 1, entity=story.entity("SENT_TO_SUPPLIER", external_identifier="by-identifier"))
    story.conversation = "ffb.YnktY29udmVyc2F0aW9u"
    story.kci(None, 2, entity=story.entity("ACKNOWLEDGED", external_identifier="by-identifier"))
    assert story.statuses[-1].ticket_id == "by-conversation"
    story.post("RECEIVED_BY_GATEWAY", ticket="by-answer")
    assert story.statuses[-1].ticket_id == "by-answer"
    story.kci("IN_PROGRESS", 3)
    assert story.statuses[-1].ticket_id == "by-answer"


def test_until_its_ticket_is_known_an_entity_waits_visibly_and_then_tells_everything() -> None:
    story = Story(ticket=None)
    waiting = story.kci("PENDING", 1, action=action("REAPPOINT", "please"))
    assert (waiting.transitions[0].ticket_id, waiting.signals) == (None, ())
    assert waiting.status is not None
    assert waiting.status.ticket_id is None
    assert story.open_actions["REAPPOINT"].ticket_id is None

    linked = story.post("RECEIVED_BY_GATEWAY")
    assert linked.transitions == ()
    assert linked.status is not None
    assert (linked.status.ticket_id, linked.status.status) == (TICKET, "PENDING")
    (signal,) = changed(linked)
    assert (signal.entity.status, signal.previous_status, signal.action) == ("PENDING", None, "REAPPOINT")
    reappoint = story.open_actions["REAPPOINT"]
    assert (reappoint.ticket_id, reappoint.text) == (TICKET, "please")
    assert len({told.action_id for folded in story.folded for told in folded.actions}) == 1


def test_the_error_behind_the_present_status_is_told_when_the_ticket_is_found() -> None:
    story = Story(ticket=None)
    story.kci("FAILED_TO_SEND", 1, error=error("SUPPLIER_TIMED_OUT"))
    (signal,) = changed(story.post("RECEIVED_BY_GATEWAY"))
    assert signal.error is not None
    assert signal.error.code == "SUPPLIER_TIMED_OUT"


def test_an_error_of_an_earlier_status_is_not() -> None:
    story = Story(ticket=None)
    story.kci("IN_PROGRESS", 1, error=error("SUPPLIER_FAULT"))
    story.kci("RESOLVED", 2)
    (signal,) = changed(story.post("RECEIVED_BY_GATEWAY"))
    assert signal.error is None


def test_a_fetch_that_was_wanted_before_the_ticket_was_known_is_asked_for_then() -> None:
    story = Story(ticket=None)
    story.kci("HELD", 1)
    assert silent(story.kci("COMPLETED", 2)) == []
    assert story.waits(timedelta(days=2)) == []
    assert silent(story.post("RECEIVED_BY_GATEWAY")) == ["UNLISTED"]


def test_a_link_that_is_told_again_is_not_news() -> None:
    story = Story()
    story.post("RECEIVED_BY_GATEWAY")
    assert story.post(None).signals == ()
