"""The gateway's JSON becomes records, and nothing of it gets lost on the way."""

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.entities import (
    Action,
    Entity,
    GatewayError,
    Information,
    Request,
    Resolution,
    TestResult,
    Update,
)
from bridge.domain.reading import (
    Unreadable,
    read_entity,
    read_error,
    read_kci,
    read_problem,
    read_request,
    read_resolution,
    read_update,
)

PROBLEM: dict[str, Any] = {
    "id": 42,
    "status": "IN_PROGRESS",
    "externalIdentifier": "T-1",
    "serviceId": "S-1",
    "supplier": "ACME",
    "supplierIdentifier": "ACME-9",
    "problemType": "OUTAGE",
    "serviceTestId": 11,
    "created": "2026-01-01T09:09:33.001Z",
    "updated": "2026-01-02T09:09:33.001Z",
    "notes": "It has no field",
    "characteristics": [{"name": "SERVICE_HAS_WORKED", "value": "false"}],
    "serviceProblemResolution": {
        "id": 5,
        "status": "PENDING",
        "resolvedDate": "2026-01-03T00:00:00Z",
        "closedDate": None,
        "resolutionDetails": {
            "resolutionCode": "NETWORK_CABLING",
            "resolutionCategory": "FAULTY_EQUIPMENT",
            "resolutionText": "New drop wire",
            "faultCode": ["DAMAGED_ONT"],
        },
        "slaViolation": ["EXCEEDED_SLA_TIME_TO_REPAIR"],
    },
    "serviceProblemAmendment": {"id": 6, "status": "REJECTED", "hazards": "A dog"},
    "serviceProblemCancellation": {"id": 7, "status": "COMPLETED", "reasonCode": "OTHER"},
}


def test_a_problem_fills_its_fields_and_keeps_the_rest() -> None:
    assert read_entity("SERVICE_PROBLEM", PROBLEM) == Entity(
        type="SERVICE_PROBLEM",
        id="42",
        status="IN_PROGRESS",
        external_identifier="T-1",
        service_id="S-1",
        supplier="ACME",
        supplier_reference="ACME-9",
        problem_type="OUTAGE",
        service_test_id=11,
        created="2026-01-01T09:09:33.001Z",
        updated="2026-01-02T09:09:33.001Z",
        resolution=Resolution(
            id=5,
            status="PENDING",
            code="NETWORK_CABLING",
            category="FAULTY_EQUIPMENT",
            resolved_date="2026-01-03T00:00:00Z",
            sla_violations=("EXCEEDED_SLA_TIME_TO_REPAIR",),
            other='{"resolutionDetails":{"faultCode":["DAMAGED_ONT"],"resolutionText":"New drop wire"}}',
        ),
        amendment=Request(id=6, status="REJECTED", other='{"hazards":"A dog"}'),
        cancellation=Request(id=7, status="COMPLETED", other='{"reasonCode":"OTHER"}'),
        other='{"characteristics":[{"name":"SERVICE_HAS_WORKED","value":"false"}],"notes":"It has no field"}',
    )


def test_a_finished_test_tells_its_result() -> None:
    body = {
        "id": 1,
        "supplierReference": "ACME-1",
        "result": {
            "testValidity": "2026-01-01T11:00:00.5+01:00",
            "testOutcome": {"testResult": "AMBER", "code": "NO_FAULT_FOUND", "text": "fine"},
            "testMeasures": [{"metricName": "ONT_LIGHT_LEVEL"}],
        },
    }
    entity = read_entity("SERVICE_TEST", body)
    assert entity.supplier_reference == "ACME-1"
    assert entity.result == TestResult(
        result="AMBER",
        code="NO_FAULT_FOUND",
        valid_until=datetime(2026, 1, 1, 10, 0, 0, 500_000, tzinfo=UTC),
        other='{"testMeasures":[{"metricName":"ONT_LIGHT_LEVEL"}],"testOutcome":{"text":"fine"}}',
    )


@pytest.mark.parametrize(
    ("text", "moment", "kept"),
    [
        ("2026-01-01T10:00:00Z", datetime(2026, 1, 1, 10, tzinfo=UTC), False),
        ("2026-01-01T10:00:00.123456Z", datetime(2026, 1, 1, 10, 0, 0, 123_456, tzinfo=UTC), False),
        ("2026-01-01 10:00+0000", datetime(2026, 1, 1, 10, tzinfo=UTC), False),
        ("2026-01-01T10:00:00", datetime(2026, 1, 1, 10, tzinfo=UTC), True),
        ("2026-01-01T10:00:00.123456789Z", datetime(2026, 1, 1, 10, 0, 0, 123_456, tzinfo=UTC), True),
        ("2026-01-01", None, True),
        ("tomorrow", None, True),
        ("2026-13-01T10:00:00Z", None, True),
        ("0001-01-01T00:00:00+23:59", None, True),
        ("", None, True),
    ],
)
def test_a_validity_is_read_as_far_as_it_can_be_and_its_text_kept_where_that_is_not_all(
    text: str, moment: datetime | None, *, kept: bool
) -> None:
    result = read_entity("SERVICE_TEST", {"id": 1, "result": {"testValidity": text}}).result
    assert result is not None
    assert result.valid_until == moment
    assert result.other == (json.dumps({"testValidity": text}, separators=(",", ":")) if kept else None)


@pytest.mark.parametrize(
    ("given_id", "text"), [(123, "123"), (123.0, "123"), ("123", "123"), ("123.0", "123"), ("a-uuid", "a-uuid")]
)
def test_an_id_is_decimal_text_without_a_fraction(given_id: object, text: str) -> None:
    assert read_entity("SERVICE_PROBLEM", {"id": given_id}).id == text
    assert read_update({"id": given_id}).id == text


@pytest.mark.parametrize("given_id", [None, True, 1.5, "", "  ", [], {}, "x" * 201, "\ud800", float("nan"), 2**64])
def test_without_a_usable_id_nothing_can_be_read(given_id: object) -> None:
    for read in (lambda body: read_entity("SERVICE_PROBLEM", body), read_update, read_problem, read_request):
        with pytest.raises(Unreadable, match="id"):
            read({"id": given_id})


def test_a_supplier_reference_can_come_as_a_characteristic_which_is_kept() -> None:
    body = {"id": 1, "characteristics": [7, {"name": "SUPPLIER_REFERENCE", "value": "R"}]}
    entity = read_entity("SERVICE_PROBLEM", body)
    assert entity.supplier_reference == "R"
    assert json.loads(entity.other or "") == {"characteristics": body["characteristics"]}


def test_values_of_an_unexpected_kind_are_kept_and_refuse_nothing() -> None:
    body = {"id": 1, "status": ["HELD"], "serviceTestId": "eleven", "result": "GREEN", "created": 5}
    entity = read_entity("SERVICE_PROBLEM", body)
    assert (entity.status, entity.service_test_id, entity.result, entity.created) == (None, None, None, None)
    assert json.loads(entity.other or "") == {key: value for key, value in body.items() if key != "id"}


def test_enum_values_of_tomorrow_pass() -> None:
    assert read_entity("SERVICE_PROBLEM", {"id": 1, "status": "ON_THE_MOON"}).status == "ON_THE_MOON"


UPDATE: dict[str, Any] = {
    "id": "0b7c",
    "supplier": "ACME",
    "sequenceNumber": 3.0,
    "issuedOn": "a",
    "receivedOn": "b",
    "deliveredOn": "c",
    "deliveryStatus": "PENDING",
    "updateType": "ACTION_REQUIRED",
    "information": {"type": "DELAY", "code": "WAYLEAVE_ISSUE", "text": "t", "supplierCodes": ["R9"], "more": 1},
    "action": {"type": "CONFIRM", "text": "please"},
    "error": {"uuid": "u", "code": "SUPPLIER_FAULT", "messages": ["m"]},
    "serviceProblemResolution": {"id": 5},
    "serviceProblemAmendment": {"id": 6},
    "serviceProblemCancellation": {"id": 7},
    "supplierNotes": [{"note": "n"}],
}


def test_an_update_fills_its_fields_and_keeps_the_rest() -> None:
    assert read_update(UPDATE) == Update(
        id="0b7c",
        supplier="ACME",
        sequence_number=3,
        issued_on="a",
        received_on="b",
        delivered_on="c",
        delivery_status="PENDING",
        update_type="ACTION_REQUIRED",
        information=Information(type="DELAY", code="WAYLEAVE_ISSUE", text="t", supplier_codes=("R9",)),
        action=Action(type="CONFIRM", text="please"),
        error=GatewayError(uuid="u", code="SUPPLIER_FAULT", messages=("m",)),
        resolution=Resolution(id=5),
        amendment=Request(id=6),
        cancellation=Request(id=7),
        other='{"information":{"more":1},"supplierNotes":[{"note":"n"}]}',
    )


def test_the_deprecated_supplier_code_counts_where_the_list_is_missing() -> None:
    update = read_update({"id": "u", "information": {"type": "DELAY", "supplierCode": "R9"}})
    assert update.information == Information(type="DELAY", supplier_codes=("R9",))
    assert update.other is None


def test_a_delivered_kci_is_its_entity_and_its_update_wherever_the_resolution_stands() -> None:
    entity, update = read_kci(UPDATE | {"entityType": "SERVICE_PROBLEM", "entity": PROBLEM})
    assert entity == read_entity("SERVICE_PROBLEM", PROBLEM)
    assert update == read_update(UPDATE)


def test_an_order_passes_as_a_kci() -> None:
    entity, _ = read_kci({"id": "k", "entityType": "PROVIDE_ORDER", "entity": {"id": 3, "orderItems": [1]}})
    assert entity == Entity(type="PROVIDE_ORDER", id="3", other='{"orderItems":[1]}')


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        None,
        {"id": "k", "entityType": "SERVICE_PROBLEM"},
        {"id": "k", "entityType": "SERVICE_PROBLEM", "entity": []},
        {"id": "k", "entityType": "", "entity": {"id": 1}},
        {"id": "k", "entity": {"id": 1}},
        {"entityType": "SERVICE_PROBLEM", "entity": {"id": 1}},
        {"id": "k", "entityType": "SERVICE_PROBLEM", "entity": {}},
    ],
)
def test_what_cannot_be_a_kci_is_unreadable(body: Any) -> None:
    with pytest.raises(Unreadable):
        read_kci(body)


def test_a_problem_gives_its_updates_and_keeps_those_that_cannot_be_read() -> None:
    problem, updates = read_problem({"id": 1, "updates": [{"id": "a"}, {"x": 1}, 7]})
    assert [update.id for update in updates] == ["a"]
    assert problem.other == '{"updates":[{"x":1},7]}'
    assert read_problem({"id": 1, "updates": None}) == (Entity(type="SERVICE_PROBLEM", id="1"), ())


def test_answers_to_requests_tell_their_problem_too() -> None:
    assert read_request({"id": 6, "serviceProblemId": "42"}) == (Request(id=6, other='{"serviceProblemId":"42"}'), 42)
    assert read_resolution({"id": 5, "serviceProblemId": 42.0})[1] == 42
    with pytest.raises(Unreadable):
        read_resolution({"serviceProblemId": 42})


def test_an_error_body_is_read_as_far_as_it_is_one() -> None:
    assert read_error({"uuid": "u", "code": "NEW_CODE", "messages": ["a", {"b": 1}, 2]}) == GatewayError(
        uuid="u", code="NEW_CODE", messages=("a", '{"b":1}', "2")
    )
    assert read_error({"messages": "one"}) == GatewayError(messages=("one",))
    nothings: list[object] = [None, [], "text", {}, {"detail": "no"}, {"uuid": None}, {"code": 7}]
    for nothing in nothings:
        assert read_error(nothing) is None


def test_json_nested_too_deeply_is_unreadable() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Unreadable, match="deep"):
        read_entity("SERVICE_PROBLEM", {"id": 1, "x": deep})
    assert read_error({"messages": [deep]}) is None


# The members that the readers know, so that random objects meet them often.
KNOWN = (
    "result testOutcome testResult code testValidity resolutionDetails resolutionCode resolutionCategory resolvedDate "
    "closedDate slaViolation type text supplierCodes supplierCode uuid messages name value updates supplierReference"
)
NAMES = st.sampled_from([*PROBLEM, *UPDATE, *KNOWN.split()])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from(
        ["\ud800", "2026-01-01T10:00:00Z", "2026-01-01T10:00:00.1234567", "123", "7.0", "SUPPLIER_REFERENCE"]
    )
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(), inner, max_size=6),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES | st.text(), JSON, max_size=10)

READERS: list[Callable[[Any], Any]] = [
    lambda body: read_entity("SERVICE_PROBLEM", body),
    read_problem,
    read_update,
    read_request,
    read_resolution,
    read_error,
    lambda body: read_kci({"id": "k", "entityType": "SERVICE_TEST", "entity": body}),
    read_kci,
]


@settings(deadline=None)  # the machine may be busy
@given(st.sampled_from(READERS), JSON | OBJECTS)
def test_no_json_makes_a_reader_fail_in_any_other_way(read: Callable[[Any], Any], body: Any) -> None:
    with contextlib.suppress(Unreadable):
        read(body)


def leaves(value: Any) -> Iterator[str]:
    """The texts by which a value's leaves can be found again: numbers as decimals, times in UTC."""
    if isinstance(value, dict):
        for item in value.values():
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif value is not None:
        yield canonical(value)


def canonical(value: Any) -> str:
    """One text for what JSON and the reader may write differently: true, 1e16 and 1.0 among them."""
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    try:
        number = float(text)
    except ValueError:
        return as_moment(text)
    return str(int(number)) if number.is_integer() else text


def as_moment(text: str) -> str:
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat() if "T" in text else text
    except (ValueError, OverflowError):
        return text


def held(record: Any) -> Iterator[str]:
    """The leaves of a record's fields and of the JSON in its `other`."""
    for name, value in msgspec.structs.asdict(record).items():
        if name == "other":
            yield from leaves(json.loads(value)) if value is not None else ()
        elif isinstance(value, msgspec.Struct):
            yield from held(value)
        elif isinstance(value, tuple):
            yield from (canonical(item) for item in value)
        elif isinstance(value, datetime):
            yield value.isoformat()
        elif value is not None:
            yield canonical(value)


@settings(deadline=None)  # the machine may be busy
@given(OBJECTS, st.integers(0, 10**15) | st.text(min_size=1, max_size=20))
def test_every_leaf_of_an_entity_is_in_a_field_or_in_other(body: dict[str, Any], identifier: int | str) -> None:
    body = {**body, "id": identifier}
    try:
        entity, updates = read_problem(body)
    except Unreadable:
        return
    found = [*held(entity), *(leaf for update in updates for leaf in held(update))]
    assert_nothing_missing(leaves(body), found)


@settings(deadline=None)  # the machine may be busy
@given(OBJECTS, st.uuids())
def test_every_leaf_of_an_update_is_in_a_field_or_in_other(body: dict[str, Any], identifier: Any) -> None:
    body = {**body, "id": str(identifier)}
    assert_nothing_missing(leaves(body), held(read_update(body)))


def assert_nothing_missing(expected: Iterator[str], found: Any) -> None:
    left = list(found)
    for leaf in expected:
        assert leaf in left
        left.remove(leaf)
