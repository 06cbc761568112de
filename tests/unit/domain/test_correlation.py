from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.correlation import conversation_id, ticket_of


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64))
def test_the_ticket_can_be_read_back(ticket: str) -> None:
    conversation = conversation_id(ticket)

    assert conversation.isascii()
    assert conversation.isprintable()
    assert " " not in conversation
    assert ticket_of(conversation) == ticket


@given(st.text())
def test_anybody_elses_conversation_belongs_to_no_ticket(text: str) -> None:
    found = ticket_of(text)

    assert found is None or conversation_id(found).rstrip("=") == text.rstrip("=") or text.startswith("ffb.")


def test_no_conversation_belongs_to_no_ticket() -> None:
    assert ticket_of(None) is None
    assert ticket_of("") is None
    assert ticket_of("ffb.") is None
    assert ticket_of("ffb.%%%") is None
    assert ticket_of("ffb._w") is None
