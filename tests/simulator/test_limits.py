"""Each field, limit and pattern of contract 1.2 to 1.8; the expectations are not read from the tables."""

from typing import Any

import pytest

from bridge.simulator import limits
from bridge.simulator.limits import Shape, violations
from tests.simulator.tenant import Json, a_problem, a_test

CONTACT = {"name": "Ada", "email": "ada@example.org", "phoneNumber": "+44 1234-567#890"}
ADDRESS = {"id": "A00000031882", "type": "NAD", "additionalIdentifiers": [{"id": "1", "type": "UPRN"}]}
PROBLEM = a_problem(
    1,
    address=ADDRESS,
    primaryContact=CONTACT,
    secondaryContact=CONTACT,
    appointmentReservationId=345,
    parentServiceProblemId=-1,
    hazards="h",
    onSiteRestrictions="o",
)
AMENDMENT = {
    "serviceProblemId": 1,
    "problemText": "x" * 10,
    "characteristics": [{"name": "n", "value": "v"}],
    "hazards": "h",
    "onSiteRestrictions": "o",
    "notes": "n",
    "primaryContact": CONTACT,
    "secondaryContact": CONTACT,
    "appointmentReservationId": 1,
}
CANCELLATION = {"serviceProblemId": 1, "reasonCode": "OTHER", "text": "t"}
ANSWER = {"status": "ACCEPTED", "tenantNotes": "n"}

GOOD: dict[str, tuple[Shape, Json]] = {
    "problem": (limits.PROBLEM_REQUEST, PROBLEM),
    "test": (limits.TEST_REQUEST, a_test()),
    "amendment": (limits.AMENDMENT_REQUEST, AMENDMENT),
    "cancellation": (limits.CANCELLATION_REQUEST, CANCELLATION),
    "answer": (limits.RESOLUTION_ANSWER, ANSWER),
}

TEXTS = [
    ("problem", "externalIdentifier", 1, 64),
    ("problem", "problemText", 10, 80),
    ("problem", "serviceId", 1, 50),
    ("problem", "serviceSpecification.id", 1, 50),
    ("problem", "characteristics.name", 1, 50),
    ("problem", "characteristics.value", 1, 50),
    ("problem", "primaryContact.name", 1, 100),
    ("problem", "secondaryContact.name", 1, 100),
    ("problem", "hazards", 1, 1000),
    ("problem", "onSiteRestrictions", 1, 1000),
    ("problem", "notes", 1, 1000),
    ("test", "serviceId", 1, 50),
    ("test", "serviceSpecification.id", 1, 50),
    ("test", "characteristics.name", 1, 50),
    ("test", "characteristics.value", 1, 50),
    ("amendment", "problemText", 10, 80),
    ("amendment", "hazards", 1, 1000),
    ("amendment", "onSiteRestrictions", 1, 1000),
    ("amendment", "notes", 1, 1000),
    ("amendment", "characteristics.value", 1, 50),
    ("amendment", "primaryContact.name", 1, 100),
    ("cancellation", "text", 1, 1000),
    ("answer", "tenantNotes", 1, 1000),
]

PATTERNS = [
    ("problem", "problemType", ["ABCDE", "a_b9_", "x" * 50], ["ABCD", "x" * 51, "ABC-DE", "ABCDÉ", "ABCDE\n", ""]),
    ("problem", "supplier", ["S", "x" * 20], ["", "x" * 21, "A B", "SUPPLIER-1"]),
    ("problem", "primaryContact.email", ["a@bc"], ["a@b", "@bc", "a b@cd", "x" * 65 + "@cd", "a@" + "x" * 255]),
    (
        "problem",
        "primaryContact.phoneNumber",
        ["12345678", "+" + "1" * 50, "01234 567-8#", " " * 8],
        ["1234567", "1" * 51, "(0123) 45678", "0123 456789 ext 2", "٠١٢٣٤٥٦٧٨"],
    ),
    ("test", "problemType", ["CPE", "x" * 15], ["AB", "x" * 16, "A-B-C"]),
    ("test", "supplier", ["S"], ["", "x" * 21]),
    ("cancellation", "reasonCode", ["OTHER", "X" * 50], ["ABCD", "X" * 51, "other", "OTHER1"]),
    ("answer", "status", ["PENDING", "ACCEPTED", "REJECTED"], ["", "accepted", "CLOSED"]),
]

REQUIRED = {
    "problem": {
        "problemType",
        "problemText",
        "serviceId",
        "serviceSpecification",
        "serviceSpecification.id",
        "supplier",
        "serviceTestId",
        "characteristics",
        "characteristics.name",
        "characteristics.value",
        "primaryContact",
        "primaryContact.name",
        "primaryContact.phoneNumber",
        "secondaryContact.name",
        "secondaryContact.phoneNumber",
        "address.id",
        "address.type",
        "notes",
    },
    "test": {
        "serviceId",
        "problemType",
        "serviceSpecification",
        "serviceSpecification.id",
        "supplier",
        "characteristics",
        "characteristics.name",
        "characteristics.value",
    },
    "amendment": {
        "serviceProblemId",
        "characteristics.name",
        "characteristics.value",
        "primaryContact.name",
        "primaryContact.phoneNumber",
        "secondaryContact.name",
        "secondaryContact.phoneNumber",
    },
    "cancellation": {"serviceProblemId", "reasonCode"},
    "answer": {"status"},
}
NUMBERS = [
    ("problem", "serviceTestId", 1),
    ("problem", "appointmentReservationId", 1),
    ("problem", "parentServiceProblemId", None),
    ("amendment", "serviceProblemId", 1),
    ("amendment", "appointmentReservationId", 1),
    ("cancellation", "serviceProblemId", 1),
]
REMOVED = object()


def changed(body: Any, path: str, value: object) -> Any:
    """A copy of the body with the field at `path` (through the first item of an array) replaced or removed."""
    head, _, rest = path.partition(".")
    copy = dict(body)
    if rest and isinstance(copy[head], list):
        copy[head] = [changed(copy[head][0], rest, value), *copy[head][1:]]
    elif rest:
        copy[head] = changed(copy[head], rest, value)
    elif value is REMOVED:
        del copy[head]
    else:
        copy[head] = value
    return copy


def broken(name: str, path: str, value: object) -> list[str]:
    shape, body = GOOD[name]
    return violations(shape, changed(body, path, value))


def paths(body: Json, prefix: str = "") -> list[str]:
    """Every field of the body, arrays by their first item."""
    found = []
    for name, value in body.items():
        found.append(prefix + name)
        inner = value[0] if isinstance(value, list) else value
        if isinstance(inner, dict):
            found += paths(inner, f"{prefix}{name}.")
    return found


@pytest.mark.parametrize("name", GOOD)
def test_a_good_body_breaks_nothing(name: str) -> None:
    assert violations(*GOOD[name]) == []


@pytest.mark.parametrize(("name", "path", "shortest", "longest"), TEXTS)
def test_a_text_keeps_its_length(name: str, path: str, shortest: int, longest: int) -> None:
    for length in (shortest, longest):
        assert broken(name, path, "x" * length) == []
    for length in (shortest - 1, longest + 1):
        messages = broken(name, path, "x" * length)
        assert len(messages) == 1
        assert path.rpartition(".")[2] in messages[0]
        assert f"{shortest} to {longest}" in messages[0]


@pytest.mark.parametrize(("name", "path", "good", "bad"), PATTERNS)
def test_a_text_matches_its_whole_pattern(name: str, path: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        assert broken(name, path, text) == []
    for text in bad:
        assert len(broken(name, path, text)) == 1, text


@pytest.mark.parametrize(("name", "path", "least"), NUMBERS)
def test_a_number_is_whole_and_not_too_small(name: str, path: str, least: int | None) -> None:
    for value in (1, 2.0, 10**15):
        assert broken(name, path, value) == []
    for wrong in (1.5, "1", True, [1], float("inf")):
        assert len(broken(name, path, wrong)) == 1, wrong
    assert len(broken(name, path, 0)) == (0 if least is None else 1)


@pytest.mark.parametrize("name", GOOD)
def test_exactly_the_required_fields_are_required(name: str) -> None:
    needed = {path for path in paths(GOOD[name][1]) if broken(name, path, REMOVED)}
    assert needed - {"address.additionalIdentifiers.id", "address.additionalIdentifiers.type"} == REQUIRED[name]


@pytest.mark.parametrize("name", GOOD)
def test_every_field_has_a_type(name: str) -> None:
    for path in paths(GOOD[name][1]):
        wrongs: tuple[object, ...] = (3.5, {"a": 1}, [[]])
        for wrong in wrongs:
            assert broken(name, path, wrong), (path, wrong)


@pytest.mark.parametrize("name", ["problem", "test", "amendment"])
def test_characteristics_are_not_empty(name: str) -> None:
    assert len(broken(name, "characteristics", [])) == 1


@pytest.mark.parametrize(
    "field",
    ["problemType", "serviceId", "supplier", "serviceSpecification", "address", "serviceTestId", "externalIdentifier"],
)
def test_an_amendment_cannot_bring_a_field_that_cannot_be_amended(field: str) -> None:
    messages = violations(limits.AMENDMENT_REQUEST, {**AMENDMENT, field: PROBLEM[field]})
    assert len(messages) == 1
    assert field in messages[0]


def test_all_violations_come_together_and_show_no_value() -> None:
    body = {**PROBLEM, "notes": "", "supplier": "no such-supplier", "primaryContact": {"phoneNumber": "secret"}}
    messages = violations(limits.PROBLEM_REQUEST, body)
    assert len(messages) == 4
    assert "secret" not in " ".join(messages)
    assert "such" not in " ".join(messages)
