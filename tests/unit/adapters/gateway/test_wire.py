"""Each command's request as the contract writes it (1.2, 1.5 to 1.8)."""

import json

import pytest

from bridge.adapters.gateway.wire import MEMBERS, OPERATIONS, request
from bridge.domain import commands
from bridge.domain.commands import (
    AmendProblem,
    AnswerResolution,
    CancelProblem,
    Command,
    FetchProblem,
    FetchTest,
    RaiseProblem,
    RunTest,
)
from bridge.domain.tickets import Address, AddressIdentifier, Characteristic, Contact

WORKED = Characteristic(name="SERVICE_HAS_WORKED", value="false")
ANNA = Contact(name="Anna", phone_number="+44 20 7946 0000", email="anna@example.org")
BOB = Contact(name="Bob", phone_number="020 7946 0001")

WHOLE_RAISE = RaiseProblem(
    external_identifier="T-1",
    problem_type="OUTAGE",
    problem_text="No light on the ONT",
    service_id="S-1",
    service_specification_id="FTTP",
    supplier="ACME",
    service_test_id=11,
    characteristics=(WORKED,),
    primary_contact=ANNA,
    secondary_contact=BOB,
    notes="Since Monday: naïve ☎",
    address=Address(id="1", type="UPRN", additional_identifiers=(AddressIdentifier(id="2", type="NAD"),)),
    appointment_reservation_id=12,
    parent_service_problem_id=13,
    hazards="A dog",
    on_site_restrictions="Ring twice",
)

REQUESTS: list[tuple[Command, str, str, dict[str, object] | None]] = [
    (
        RunTest(
            service_id="S-1",
            supplier="ACME",
            service_specification_id="FTTP",
            problem_type="CPE",
            characteristics=(WORKED,),
        ),
        "POST",
        "/service-tests",
        {
            "serviceId": "S-1",
            "supplier": "ACME",
            "serviceSpecification": {"id": "FTTP"},
            "problemType": "CPE",
            "characteristics": [{"name": "SERVICE_HAS_WORKED", "value": "false"}],
        },
    ),
    (
        WHOLE_RAISE,
        "POST",
        "/service-problems",
        {
            "externalIdentifier": "T-1",
            "problemType": "OUTAGE",
            "problemText": "No light on the ONT",
            "serviceId": "S-1",
            "serviceSpecification": {"id": "FTTP"},
            "supplier": "ACME",
            "serviceTestId": 11,
            "characteristics": [{"name": "SERVICE_HAS_WORKED", "value": "false"}],
            "primaryContact": {"name": "Anna", "phoneNumber": "+44 20 7946 0000", "email": "anna@example.org"},
            "secondaryContact": {"name": "Bob", "phoneNumber": "020 7946 0001"},
            "notes": "Since Monday: naïve ☎",
            "address": {"id": "1", "type": "UPRN", "additionalIdentifiers": [{"id": "2", "type": "NAD"}]},
            "appointmentReservationId": 12,
            "parentServiceProblemId": 13,
            "hazards": "A dog",
            "onSiteRestrictions": "Ring twice",
        },
    ),
    (
        AmendProblem(service_problem_id=7, notes="More", primary_contact=BOB),
        "POST",
        "/service-problem-amendments",
        {"serviceProblemId": 7, "notes": "More", "primaryContact": {"name": "Bob", "phoneNumber": "020 7946 0001"}},
    ),
    (
        CancelProblem(service_problem_id=7, reason_code="OTHER", text="Gone"),
        "POST",
        "/service-problem-cancellations",
        {"serviceProblemId": 7, "reasonCode": "OTHER", "text": "Gone"},
    ),
    (
        AnswerResolution(resolution_id=9, service_problem_id=7, status="REJECTED", tenant_notes="Still dead"),
        "PATCH",
        "/service-problem-resolutions/9",
        {"status": "REJECTED", "tenantNotes": "Still dead"},
    ),
    (FetchTest(service_test_id=11), "GET", "/service-tests/11", None),
    (FetchProblem(service_problem_id=7), "GET", "/service-problems/7", None),
]


@pytest.mark.parametrize(("command", "method", "path", "body"), REQUESTS, ids=lambda part: type(part).__name__)
def test_a_request_is_what_the_contract_says(
    command: Command, method: str, path: str, body: dict[str, object] | None
) -> None:
    asked = request(command)
    assert (asked.method, asked.path) == (method, path)
    assert (None if asked.content is None else json.loads(asked.content)) == body


def test_every_command_has_an_operation() -> None:
    assert set(OPERATIONS) == set(commands.NAMES)


def test_every_field_of_every_record_is_sent_or_stands_in_the_path() -> None:
    in_no_body = {("AnswerResolution", "resolution_id"), ("AnswerResolution", "service_problem_id")}
    for kind, members in MEMBERS.items():
        unsent = {(kind.__name__, field) for field in kind.__struct_fields__ if field not in members}
        assert unsent <= in_no_body
