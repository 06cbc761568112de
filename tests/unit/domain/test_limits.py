"""Every limit of the contract, at its edges, and the rules over several fields; never the value itself."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from bridge.domain.commands import (
    NAMES,
    AmendProblem,
    AnswerResolution,
    CancelProblem,
    Command,
    FetchProblem,
    FetchTest,
    RaiseProblem,
    RunTest,
)
from bridge.domain.limits import problem_type_violations, request_violations, value_class, violations
from bridge.domain.outcomes import Violation
from bridge.domain.policy import DEFAULT_PROBLEM_TYPES, JourneyPolicy, ProblemType
from bridge.domain.request_fields import FIELDS
from bridge.domain.tickets import (
    Address,
    AddressIdentifier,
    Characteristic,
    Contact,
    FaultAmended,
    FaultCancelled,
    FaultReported,
    FaultTicketEvent,
    ResolutionAnswered,
    ServiceTestRequested,
    TicketEvent,
)

POLICY = JourneyPolicy(problem_types=DEFAULT_PROBLEM_TYPES)
NEVER_WORKED = Characteristic(name="SERVICE_HAS_WORKED", value="false")
WORKED = Characteristic(name="SERVICE_HAS_WORKED", value="true")
LAST_WORKED = Characteristic(name="SERVICE_LAST_WORKED", value="2026-01-01T00:00:00Z")
ROUTER = Characteristic(name="EQUIPMENT_TYPE", value="ROUTER")
ANNA = Contact(name="Anna", phone_number="+44 20 7946 0000", email="anna@example.org")

REPORTED = FaultReported(
    service_id="S-1",
    supplier="ACME",
    service_specification_id="FTTP",
    problem_type="OUTAGE",
    problem_text="No light on the ONT",
    notes="Since Monday",
    characteristics=(NEVER_WORKED,),
    test_characteristics=(NEVER_WORKED,),
    primary_contact=ANNA,
    secondary_contact=ANNA,
    address=Address(id="1", type="UPRN", additional_identifiers=(AddressIdentifier(id="2", type="NAD"),)),
    appointment_reservation_id=1,
    parent_service_problem_id=-1,
    hazards="A dog",
    on_site_restrictions="Ring twice",
)
AMENDED = FaultAmended(notes="More")
CANCELLED = FaultCancelled(reason_code="OTHER", text="Gone")
ANSWERED = ResolutionAnswered(answer="REJECTED", resolution_id=9, notes="Still dead")
REQUESTED = ServiceTestRequested(
    service_id="S-1",
    supplier="ACME",
    service_specification_id="FTTP",
    problem_type="OUTAGE",
    characteristics=(NEVER_WORKED,),
)


def an_event(event: TicketEvent = REPORTED, **others: Any) -> FaultTicketEvent:
    return msgspec.structs.replace(
        FaultTicketEvent(event_id="e-1", ticket_id="T-1", occurred_at=datetime(2026, 1, 1, tzinfo=UTC), event=event),
        **others,
    )


def changed(event: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(event, **fields)


def broken(event: FaultTicketEvent | TicketEvent, policy: JourneyPolicy = POLICY) -> list[str]:
    return [violation.field for violation in violations(event, policy)]


@pytest.mark.parametrize("event", [REPORTED, AMENDED, CANCELLED, ANSWERED, REQUESTED], ids=lambda e: type(e).__name__)
def test_a_good_event_has_no_violations(event: TicketEvent) -> None:
    assert violations(an_event(event), POLICY) == ()
    assert violations(event, POLICY) == ()


# field, what is just allowed, what is just not
CHARACTERS_1_TO_50 = (["x", "x" * 50, "é" * 50], ["", "x" * 51])
CHARACTERS_1_TO_1000 = (["x", "x" * 1000], ["", "x" * 1001])
AT_LEAST_1 = ([1, 10**15], [0, -1])
PHONES = (
    ["12345678", "+12345678", "0" * 50, "+" + "0" * 50, "020 7946-0000#1", " " * 8],
    ["1234567", "0" * 51, "(020) 7946 0000", "020 7946 0000 ext 1", "++12345678", "١٢٣٤٥٦٧٨", "12345678\n9x"],
)
EMAILS = (
    ["a@bc", "a" * 64 + "@" + "b" * 254],
    ["@bc", "a@b", "a" * 65 + "@bc", "a@" + "b" * 255, "a b@cd", "ab", "a@bc\n", "a@bc d"],
)
SUPPLIERS = (["A", "A_1", "a" * 20], ["", "A" * 21, "A-1", "Ä", "A\n"])
FIELD_LIMITS: dict[str, tuple[list[Any], list[Any]]] = {
    "service_id": CHARACTERS_1_TO_50,
    "supplier": SUPPLIERS,
    "service_specification_id": CHARACTERS_1_TO_50,
    "problem_text": (["x" * 10, "x" * 80], ["x" * 9, "x" * 81, ""]),
    "notes": CHARACTERS_1_TO_1000,
    "hazards": CHARACTERS_1_TO_1000,
    "on_site_restrictions": CHARACTERS_1_TO_1000,
    "appointment_reservation_id": AT_LEAST_1,
    "service_test_id": AT_LEAST_1,
    "parent_service_problem_id": ([-5, 0, 5], []),
}


@pytest.mark.parametrize("field", FIELD_LIMITS)
def test_a_reported_faults_fields_keep_their_limits(field: str) -> None:
    allowed, refused = FIELD_LIMITS[field]
    for value in allowed:
        assert broken(changed(REPORTED, **{field: value})) == [], len(str(value))
    for value in refused:
        assert broken(changed(REPORTED, **{field: value})) == [f"event.{field}"], len(str(value))


@pytest.mark.parametrize("field", sorted(set(FIELD_LIMITS) & set(FaultAmended.__struct_fields__)))
def test_an_amendments_fields_keep_the_same_limits(field: str) -> None:
    allowed, refused = FIELD_LIMITS[field]
    for value in allowed:
        assert broken(FaultAmended(**{field: value})) == []
    for value in refused:
        assert broken(FaultAmended(**{field: value})) == [f"event.{field}"]


@pytest.mark.parametrize(
    ("field", "limits"),
    [("name", (["x", "x" * 100], ["", "x" * 101])), ("phone_number", PHONES), ("email", EMAILS)],
)
@pytest.mark.parametrize("contact", ["primary_contact", "secondary_contact"])
@pytest.mark.parametrize("event", [REPORTED, AMENDED], ids=lambda event: type(event).__name__)
def test_a_contacts_fields_keep_their_limits(
    event: TicketEvent, contact: str, field: str, limits: tuple[list[str], list[str]]
) -> None:
    allowed, refused = limits
    for value in allowed:
        assert broken(changed(event, **{contact: changed(ANNA, **{field: value})})) == [], len(value)
    for value in refused:
        assert broken(changed(event, **{contact: changed(ANNA, **{field: value})})) == [f"event.{contact}.{field}"]


@pytest.mark.parametrize("part", ["name", "value"])
@pytest.mark.parametrize(
    ("event", "field"),
    [
        (REPORTED, "characteristics"),
        (REPORTED, "test_characteristics"),
        (AMENDED, "characteristics"),
        (REQUESTED, "characteristics"),
    ],
)
def test_a_characteristics_parts_keep_their_limits_and_are_named_by_their_place(
    event: TicketEvent, field: str, part: str
) -> None:
    for value in CHARACTERS_1_TO_50[0]:
        listed = (NEVER_WORKED, changed(ROUTER, **{part: value}))
        assert broken(changed(event, **{field: listed})) == []
    for value in CHARACTERS_1_TO_50[1]:
        listed = (NEVER_WORKED, changed(ROUTER, **{part: value}))
        assert broken(changed(event, **{field: listed})) == [f"event.{field}[1].{part}"]


def test_the_other_events_fields_keep_their_limits() -> None:
    for code in ("OTHER", "A" * 50, "NEW_REASON_OF_TOMORROW"):
        assert broken(FaultCancelled(reason_code=code)) == []
    for code in ("OTHE", "A" * 51, "other", "OTHER1", "OTHER\n", ""):
        assert broken(FaultCancelled(reason_code=code)) == ["event.reason_code"]
    for text in CHARACTERS_1_TO_1000[1]:
        assert broken(FaultCancelled(reason_code="OTHER", text=text)) == ["event.text"]
        assert broken(ResolutionAnswered(answer="ACCEPTED", notes=text)) == ["event.notes"]
    assert broken(changed(ANSWERED, resolution_id=0)) == ["event.resolution_id"]


def test_the_envelope_keeps_its_limits() -> None:
    for ticket_id in ("T", "T" * 64):
        assert broken(an_event(ticket_id=ticket_id)) == []
    for ticket_id in ("", "T" * 65):
        assert broken(an_event(ticket_id=ticket_id)) == ["ticket_id"]
    for event_id in ("", "e" * 201):
        assert broken(an_event(event_id=event_id)) == ["event_id"]


def test_all_violations_of_an_event_are_told_together_and_none_holds_a_value() -> None:
    secret = "personal "
    event = an_event(
        changed(
            REPORTED,
            problem_text=secret * 20,
            primary_contact=Contact(name=secret * 20, phone_number=secret, email=secret),
            hazards="",
            service_test_id=0,
            characteristics=(NEVER_WORKED, Characteristic(name=secret * 9, value="")),
            problem_type=secret,
        ),
        ticket_id="",
    )
    found = violations(event, POLICY)
    assert {violation.field for violation in found} == {
        "ticket_id",
        "event.problem_text",
        "event.primary_contact.name",
        "event.primary_contact.phone_number",
        "event.primary_contact.email",
        "event.hazards",
        "event.service_test_id",
        "event.characteristics[1].name",
        "event.characteristics[1].value",
        "event.problem_type",
    }
    assert secret.strip() not in str(found)
    assert (
        Violation(field="event.problem_text", limit="10..80 characters", value_class="string of 180 characters")
        in found
    )
    assert Violation(field="event.hazards", limit="1..1000 characters", value_class="empty string") in found
    assert Violation(field="event.service_test_id", limit="whole number, at least 1", value_class="zero") in found


class TestProblemType:
    def test_it_must_be_one_of_the_configured_words(self) -> None:
        for event in (REPORTED, REQUESTED):
            (found,) = violations(changed(event, problem_type="outage"), POLICY)
            assert found.field == "event.problem_type"
            assert "OUTAGE" in found.limit

    def test_a_word_whose_mapping_breaks_a_pattern_is_refused(self) -> None:
        policy = JourneyPolicy(problem_types={"DEAD": ProblemType(test="CPE", problem="CPE")})
        assert broken(changed(REPORTED, problem_type="DEAD", test_characteristics=(NEVER_WORKED, ROUTER)), policy) == [
            "event.problem_type"
        ]

    def test_the_mapping_is_checked_when_a_service_starts(self) -> None:
        assert problem_type_violations(POLICY) == ()
        policy = JourneyPolicy(
            problem_types={
                "A": ProblemType(test="CP", problem="CPE"),
                "B": ProblemType(test="x" * 16, problem="x" * 51),
                "C": ProblemType(test="NO-SYNC", problem="NO-SYNC"),
                "D": ProblemType(test="abc", problem="abcde"),
            }
        )
        assert [violation.field for violation in problem_type_violations(policy)] == [
            f"problem_types.{word}.{part}" for word in "ABC" for part in ("test", "problem")
        ]
        assert problem_type_violations(JourneyPolicy(problem_types={})) != ()


class TestCharacteristics:
    @pytest.mark.parametrize("field", ["characteristics", "test_characteristics"])
    def test_has_worked_is_mandatory_and_last_worked_goes_with_true(self, field: str) -> None:
        assert broken(changed(REPORTED, **{field: (ROUTER,)})) == [f"event.{field}"]
        assert broken(changed(REPORTED, **{field: (WORKED,)})) == [f"event.{field}"]
        assert broken(changed(REPORTED, **{field: (LAST_WORKED, WORKED)})) == []
        assert broken(changed(REPORTED, **{field: (changed(WORKED, value="True"),)})) == [f"event.{field}[0].value"]

    def test_an_empty_list_is_refused_and_says_so(self) -> None:
        (first, *_) = violations(changed(REPORTED, characteristics=()), POLICY)
        assert first == Violation(field="event.characteristics", limit="at least 1 item", value_class="list of 0 items")
        assert "event.characteristics" in broken(changed(AMENDED, characteristics=()))
        assert "event.characteristics" in broken(changed(REQUESTED, characteristics=()))
        assert "event.test_characteristics" in broken(changed(REPORTED, test_characteristics=()))

    def test_a_ticket_with_its_own_test_needs_none_for_one_but_gives_good_ones(self) -> None:
        own = changed(REPORTED, service_test_id=11)
        assert broken(changed(own, test_characteristics=())) == []
        assert broken(changed(own, test_characteristics=(ROUTER,))) == ["event.test_characteristics"]

    def test_a_test_of_equipment_names_the_equipment(self) -> None:
        fault = changed(REPORTED, problem_type="CPE")
        assert broken(fault) == ["event.test_characteristics"]
        assert broken(changed(fault, test_characteristics=(NEVER_WORKED, ROUTER))) == []
        assert broken(changed(REQUESTED, problem_type="CPE")) == ["event.characteristics"]

    def test_an_amendments_list_is_the_whole_list(self) -> None:
        assert broken(FaultAmended(characteristics=(ROUTER,))) == ["event.characteristics"]
        assert broken(FaultAmended(characteristics=(ROUTER, NEVER_WORKED))) == []


def test_an_amendment_changes_something() -> None:
    (found,) = violations(FaultAmended(), POLICY)
    assert found.limit.startswith("at least one of problem_text, notes, ")


def test_a_resolution_is_accepted_or_rejected_and_a_rejection_has_a_reason() -> None:
    assert broken(ResolutionAnswered(answer="ACCEPTED")) == []
    for answer in ("PENDING", "accepted", "", "ACCEPTED "):
        assert broken(ResolutionAnswered(answer=answer, notes="why")) == ["event.answer"]
    assert broken(ResolutionAnswered(answer="REJECTED")) == ["event.notes"]


def test_a_missing_value_is_called_null() -> None:
    (found,) = violations(changed(REPORTED, primary_contact=None), POLICY)
    assert found == Violation(field="event.primary_contact", limit="required: object", value_class="null")


RUN = RunTest(
    service_id="S-1",
    supplier="ACME",
    service_specification_id="FTTP",
    problem_type="CPE",
    characteristics=(NEVER_WORKED, ROUTER),
)
RAISE = RaiseProblem(
    external_identifier="T-1",
    problem_type="OUTAGE",
    problem_text="No light on the ONT",
    service_id="S-1",
    service_specification_id="FTTP",
    supplier="ACME",
    service_test_id=11,
    characteristics=(NEVER_WORKED,),
    primary_contact=ANNA,
    notes="Since Monday",
)
GOOD_COMMANDS: list[Command] = [
    RUN,
    RAISE,
    AmendProblem(service_problem_id=7, notes="More"),
    CancelProblem(service_problem_id=7, reason_code="OTHER"),
    AnswerResolution(resolution_id=9, service_problem_id=7, status="ACCEPTED"),
    FetchTest(service_test_id=11),
    FetchProblem(service_problem_id=7),
]
BROKEN_COMMANDS: list[tuple[Command, list[str]]] = [
    (changed(RUN, problem_type="CP"), ["problem_type"]),
    (changed(RUN, problem_type="x" * 16), ["problem_type"]),
    (changed(RUN, characteristics=(NEVER_WORKED,)), ["characteristics"]),
    (changed(RAISE, problem_type="CPE"), ["problem_type"]),
    (changed(RAISE, external_identifier=""), ["external_identifier"]),
    (changed(RAISE, service_test_id=None), ["service_test_id"]),
    (changed(RAISE, characteristics=(WORKED,)), ["characteristics"]),
    (changed(RAISE, notes=None, hazards=""), ["notes", "hazards"]),
    (AmendProblem(service_problem_id=7), ["problem_text"]),
    (AmendProblem(service_problem_id=0, notes=""), ["service_problem_id", "notes"]),
    (CancelProblem(service_problem_id=7, reason_code="no"), ["reason_code"]),
    (AnswerResolution(resolution_id=9, service_problem_id=7, status="PENDING"), ["status"]),
    (AnswerResolution(resolution_id=9, service_problem_id=7, status="REJECTED"), ["tenant_notes"]),
    (FetchTest(service_test_id=0), ["service_test_id"]),
    (FetchProblem(service_problem_id=-1), ["service_problem_id"]),
]


def test_there_is_a_good_and_a_broken_example_of_every_command() -> None:
    assert {type(command) for command in GOOD_COMMANDS} == set(NAMES)
    assert {type(command) for command, _ in BROKEN_COMMANDS} == set(NAMES)


@pytest.mark.parametrize("command", GOOD_COMMANDS, ids=lambda command: type(command).__name__)
def test_a_good_request_has_no_violations(command: Command) -> None:
    assert request_violations(command) == ()


@pytest.mark.parametrize(("command", "fields"), BROKEN_COMMANDS)
def test_a_broken_request_is_found_before_it_is_sent(command: Command, fields: list[str]) -> None:
    assert [violation.field for violation in request_violations(command)] == fields


def test_every_field_of_every_record_has_a_limit() -> None:
    checked_elsewhere = {
        ("FaultReported", "problem_type"),
        ("ServiceTestRequested", "problem_type"),
        ("FaultTicketEvent", "occurred_at"),
        ("FaultTicketEvent", "event"),
    }
    for kind, fields in FIELDS.items():
        limited = [field.name for field in fields]
        assert len(limited) == len(set(limited)), kind.__name__
        unlimited = {(kind.__name__, name) for name in kind.__struct_fields__ if name not in limited}
        assert unlimited <= checked_elsewhere
        assert set(limited) <= set(kind.__struct_fields__)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "null"),
        ("", "empty string"),
        ("x", "string of 1 character"),
        ("xy", "string of 2 characters"),
        (0, "zero"),
        (-7, "negative integer"),
        (7, "positive integer"),
        ((), "list of 0 items"),
        ((1,), "list of 1 item"),
        (ANNA, "object"),
        (True, "object"),
        (1.5, "object"),
    ],
)
def test_of_a_value_only_kind_and_size_are_shown(value: object, shown: str) -> None:
    assert value_class(value) == shown
