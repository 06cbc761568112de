"""Where dead letters stand, what their records tell, and which are wanted."""

from datetime import timedelta

import pytest

from bridge.domain.correlation import conversation_id
from bridge.domain.dead_letters import DeadLetterChoice, DeadLetterReason
from bridge.domain.entities import Entity, Kci, Observation, Source, Update
from bridge.domain.letters import (
    LetterState,
    Telling,
    Unread,
    Wanted,
    last_words,
    once_each,
    readable,
    state_of,
    telling,
)
from bridge.domain.record import Record
from bridge.domain.signals import EntityChanged, EntitySilent
from tests.builders import (
    NOW,
    SUPPLIER,
    TICKET,
    a_cancellation,
    a_problem,
    a_report,
    a_signal,
    a_test_request,
    an_event,
)
from tests.letters import a_decision, a_letter

UNREAD = Unread(reason=DeadLetterReason.UNDECODABLE, why="neither framing")


def a_kci(conversation: str | None, **changes: str) -> Kci:
    entity = a_problem("900", **changes)
    return Kci(
        entity=entity,
        update=Update(id="kci-1", supplier="OTHERNET"),
        conversation_id=conversation,
        request_id=None,
        received_at=NOW,
    )


OBSERVATION = Observation(
    observation_id="o-1",
    ticket_id=TICKET,
    source=Source.GET,
    entity=a_problem("900"),
    conversation_id="c",
    request_id="r",
    observed_at=NOW,
)
PROBLEM_KEY = b"SERVICE_PROBLEM:900"


@pytest.mark.parametrize(
    ("record", "key", "ticket", "supplier"),
    [
        (an_event(a_report()), TICKET.encode(), TICKET, SUPPLIER),
        (an_event(a_test_request()), TICKET.encode(), TICKET, SUPPLIER),
        (an_event(a_cancellation()), TICKET.encode(), TICKET, None),
        (a_signal(EntityChanged(entity=a_problem())), TICKET.encode(), TICKET, SUPPLIER),
        (
            a_signal(EntitySilent(entity_type="SERVICE_TEST", entity_id="1", why="SILENT")),
            TICKET.encode(),
            TICKET,
            None,
        ),
        (OBSERVATION, PROBLEM_KEY, TICKET, SUPPLIER),
        (a_kci(conversation_id("TT-9")), PROBLEM_KEY, "TT-9", SUPPLIER),
        (a_kci("somebody-elses"), PROBLEM_KEY, TICKET, SUPPLIER),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Record) else "",
)
def test_a_record_tells_its_key_its_ticket_and_its_supplier(
    record: Record, key: bytes, ticket: str | None, supplier: str | None
) -> None:
    assert telling(record) == Telling(kind=type(record).__name__, key=key, ticket_id=ticket, supplier=supplier)


def test_a_kci_without_an_entitys_supplier_tells_the_updates() -> None:
    kci = Kci(
        entity=Entity(type="SERVICE_TEST", id="5"),
        update=Update(id="kci-1", supplier="OTHERNET"),
        conversation_id=None,
        request_id=None,
        received_at=NOW,
    )

    assert telling(kci) == Telling(kind="Kci", key=b"SERVICE_TEST:5", ticket_id=None, supplier="OTHERNET")


def test_a_record_that_services_do_not_read_tells_nothing() -> None:
    with pytest.raises(TypeError, match="DeadLetter is no record of a topic that services read"):
        telling(a_letter())


def test_a_letter_that_is_there_twice_counts_once_as_it_first_was() -> None:
    first, again, other = a_letter(1), a_letter(1, error="again"), a_letter(2)

    assert once_each([first, other, again]) == [first, other]


def test_the_last_decision_that_moves_a_letter_says_where_it_stands() -> None:
    words = last_words(
        [
            a_decision("a", DeadLetterChoice.DISCARDED),
            a_decision("a", DeadLetterChoice.REPLAYED),
            a_decision("a", DeadLetterChoice.VIEWED),
            a_decision("b", DeadLetterChoice.DISCARDED),
            a_decision("c", DeadLetterChoice.VIEWED),
        ]
    )

    assert [state_of(letter_id, words) for letter_id in ("a", "b", "c", "d")] == [
        LetterState.REPLAYED,
        LetterState.DISCARDED,
        LetterState.OPEN,
        LetterState.OPEN,
    ]


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Wanted(), True),
        (Wanted(topics=frozenset({"kcis", "fault-tickets"})), True),
        (Wanted(topics=frozenset({"kcis"})), False),
        (Wanted(reasons=frozenset({"UNPROCESSABLE"})), True),
        (Wanted(reasons=frozenset({"WRONG_KEY"})), False),
        (Wanted(since=NOW), True),
        (Wanted(since=NOW + timedelta(milliseconds=1)), False),
        (Wanted(until=NOW), False),
        (Wanted(until=NOW + timedelta(milliseconds=1)), True),
        (Wanted(ids=frozenset({"fault-tickets-3-7"})), True),
        (Wanted(ids=frozenset({"fault-tickets-3-8"})), False),
        (Wanted(state=LetterState.OPEN), True),
        (Wanted(state=LetterState.REPLAYED), False),
    ],
)
def test_each_condition_lets_letters_through_or_not(wanted: Wanted, *, fits: bool) -> None:
    letter = a_letter(7)

    found = wanted.fits(
        letter.dead_letter_id, topic=letter.topic, reason=letter.reason, at=letter.failed_at, state=LetterState.OPEN
    )

    assert found is fits


def test_ticket_and_supplier_are_those_of_the_record_and_of_the_key_where_it_does_not_decode() -> None:
    told = Telling(kind="FaultTicketEvent", key=b"TT-2", ticket_id="TT-2", supplier="OPENWORLD")
    letter = a_letter(key=b"TT-1")

    assert Wanted(ticket="TT-2").fits_content(letter, told)
    assert not Wanted(ticket="TT-1").fits_content(letter, told)
    assert Wanted(ticket="TT-1").fits_content(letter, UNREAD)
    assert not Wanted(ticket="TT-2").fits_content(letter, UNREAD)
    assert Wanted(ticket="TT-2", supplier="OPENWORLD").fits_content(letter, told)
    assert not Wanted(ticket="TT-2", supplier="OTHERNET").fits_content(letter, told)
    assert not Wanted(supplier="OPENWORLD").fits_content(letter, UNREAD)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (None, "none"),
        (b"", ""),
        (b"TT-1", "TT-1"),
        ("Störung".encode(), "Störung"),
        (b"\xff\x00", "\\xff\\x00"),
        (b"\x1b[2Jgone\r\n", "\\x1b[2Jgone\\r\\n"),
        (b"x" * 81, "x" * 80 + "…"),
        ("é".encode() * 80, "é" * 80),
        ("\u202eevil".encode(), "\\u202eevil"),
    ],
)
def test_bytes_become_one_line_without_anything_that_a_terminal_obeys(raw: bytes | None, text: str) -> None:
    assert readable(raw) == text
