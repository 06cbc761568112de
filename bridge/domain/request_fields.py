"""
The limits of the gateway's requests as data: one table per kind of record (contract 1.2, 1.5 to 1.8).

The published patterns have no end anchor (contract 3.7); here every pattern must fit the whole value, with ASCII
meanings of letter, digit and blank. Where the contract gives no limit (an address, its identifiers), none is made up.
"""

import re
from collections.abc import Mapping

from bridge.domain.commands import (
    AmendProblem,
    AnswerResolution,
    CancelProblem,
    FetchProblem,
    FetchTest,
    RaiseProblem,
    RunTest,
)
from bridge.domain.record import Record
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
)


class Text(Record, frozen=True, kw_only=True):
    """A text of so many characters, or of a pattern that must fit all of it."""

    at_least: int = 0
    at_most: int | None = None
    pattern: str | None = None

    def allows(self, value: object) -> bool:
        """Whether the value keeps this limit."""
        if not isinstance(value, str) or len(value) < self.at_least:
            return False
        if self.at_most is not None and len(value) > self.at_most:
            return False
        return self.pattern is None or re.fullmatch(self.pattern, value, re.ASCII) is not None

    def __str__(self) -> str:
        if self.pattern is not None:
            return f"pattern ^{self.pattern}$"
        return "text" if self.at_most is None else f"{self.at_least}..{self.at_most} characters"


class Number(Record, frozen=True, kw_only=True):
    """A whole number."""

    at_least: int | None = None

    def allows(self, value: object) -> bool:
        """Whether the value keeps this limit."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        return self.at_least is None or value >= self.at_least

    def __str__(self) -> str:
        return "whole number" if self.at_least is None else f"whole number, at least {self.at_least}"


class Listed(Record, frozen=True, kw_only=True):
    """A list, each item of which has its own table."""

    at_least: int = 0

    def allows(self, value: object) -> bool:
        """Whether the value keeps this limit."""
        return isinstance(value, tuple | list) and len(value) >= self.at_least

    def __str__(self) -> str:
        return f"at least {self.at_least} item" if self.at_least else "list"


class Nested(Record, frozen=True, kw_only=True):
    """An object with its own table."""

    def allows(self, value: object) -> bool:
        """Whether the value keeps this limit."""
        return type(value) in FIELDS

    def __str__(self) -> str:
        return "object"


Limit = Text | Number | Listed | Nested


class Field(Record, frozen=True):
    """One row: the field's name in our records, its limit, and whether it must be there."""

    name: str
    limit: Limit
    required: bool = False


TICKET_ID = Text(at_least=1, at_most=64)  # becomes the externalIdentifier
EVENT_ID = Text(at_least=1, at_most=200)
IDENTIFIER = Text(at_least=1, at_most=50)
SUPPLIER = Text(pattern=r"\w{1,20}")
TEST_TYPE = Text(pattern=r"\w{3,15}")
PROBLEM_TYPE = Text(pattern=r"\w{5,50}")
PROBLEM_TEXT = Text(at_least=10, at_most=80)
LONG_TEXT = Text(at_least=1, at_most=1000)
REASON_CODE = Text(pattern=r"[A-Z_]{5,50}")
EMAIL = Text(pattern=r"\S{1,64}@\S{2,254}")
PHONE = Text(pattern=r"\+?[\d\s\-#]{8,50}")
ANSWER = Text(
    pattern=r"ACCEPTED|REJECTED"
)  # PENDING is in the gateway's enum, but has no stated meaning (contract 3.9)
POSITIVE = Number(at_least=1)
SOME = Listed(at_least=1)

_SERVICE = (
    Field("service_id", IDENTIFIER, required=True),
    Field("supplier", SUPPLIER, required=True),
    Field("service_specification_id", IDENTIFIER, required=True),
)
# What an amendment may change (contract 1.5); a raise has the same fields, most of them required (contract 1.2).
CHANGES = (
    Field("problem_text", PROBLEM_TEXT),
    Field("notes", LONG_TEXT),
    Field("characteristics", SOME),
    Field("primary_contact", Nested()),
    Field("secondary_contact", Nested()),
    Field("appointment_reservation_id", POSITIVE),
    Field("hazards", LONG_TEXT),
    Field("on_site_restrictions", LONG_TEXT),
)
_REQUIRED_TO_RAISE = frozenset({"problem_text", "notes", "characteristics", "primary_contact"})
_RAISE = (
    *_SERVICE,
    *(Field(field.name, field.limit, required=field.name in _REQUIRED_TO_RAISE) for field in CHANGES),
    Field("address", Nested()),
    Field("parent_service_problem_id", Number()),
)

# The limits, by kind of record. A problem type of an event is the provider's word and is checked against the policy.
FIELDS: Mapping[type[Record], tuple[Field, ...]] = {
    Characteristic: (Field("name", IDENTIFIER, required=True), Field("value", IDENTIFIER, required=True)),
    Contact: (
        Field("name", Text(at_least=1, at_most=100), required=True),
        Field("phone_number", PHONE, required=True),
        Field("email", EMAIL),
    ),
    AddressIdentifier: (Field("id", Text(), required=True), Field("type", Text(), required=True)),
    Address: (
        Field("id", Text(), required=True),
        Field("type", Text(), required=True),
        Field("additional_identifiers", Listed()),
    ),
    FaultReported: (*_RAISE, Field("test_characteristics", Listed()), Field("service_test_id", POSITIVE)),
    FaultAmended: CHANGES,
    FaultCancelled: (Field("reason_code", REASON_CODE, required=True), Field("text", LONG_TEXT)),
    ResolutionAnswered: (
        Field("answer", ANSWER, required=True),
        Field("resolution_id", POSITIVE),
        Field("notes", LONG_TEXT),
    ),
    ServiceTestRequested: (*_SERVICE, Field("characteristics", SOME, required=True)),
    FaultTicketEvent: (Field("ticket_id", TICKET_ID, required=True), Field("event_id", EVENT_ID, required=True)),
    RunTest: (
        *_SERVICE,
        Field("problem_type", TEST_TYPE, required=True),
        Field("characteristics", SOME, required=True),
    ),
    RaiseProblem: (
        *_RAISE,
        Field("external_identifier", TICKET_ID, required=True),
        Field("problem_type", PROBLEM_TYPE, required=True),
        Field("service_test_id", POSITIVE, required=True),
    ),
    AmendProblem: (Field("service_problem_id", POSITIVE, required=True), *CHANGES),
    CancelProblem: (
        Field("service_problem_id", POSITIVE, required=True),
        Field("reason_code", REASON_CODE, required=True),
        Field("text", LONG_TEXT),
    ),
    AnswerResolution: (
        Field("resolution_id", POSITIVE, required=True),
        Field("service_problem_id", POSITIVE, required=True),
        Field("status", ANSWER, required=True),
        Field("tenant_notes", LONG_TEXT),
    ),
    FetchTest: (Field("service_test_id", POSITIVE, required=True),),
    FetchProblem: (Field("service_problem_id", POSITIVE, required=True),),
}
