"""What logs and spans may show of an entity."""

import pytest

from bridge.domain.entities import shown_key


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("SERVICE_PROBLEM:123", "SERVICE_PROBLEM:123"),
        ("CEASE_ORDER:A:7", "CEASE_ORDER:A:7"),
        ("Mrs Miller, 1 High Street:7", "OTHER"),
        ("service_problem:123", "OTHER"),
        ("", "OTHER"),
    ],
)
def test_the_key_of_an_entity_is_shown_only_if_its_type_is_one_that_the_contract_names(key: str, shown: str) -> None:
    assert shown_key(key) == shown
