"""
Which fields the gateway's bodies have, and their limits: one table per body (contract 1.2 to 1.9).

The same tables check requests (`violations`) and describe the API (`openapi`), so the two cannot differ.
Rule: a message names the field and the limit, never the value, because values are personal data.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bridge.simulator import words


@dataclass(frozen=True)
class Text:
    """A string of `shortest` to `longest` characters that matches `pattern` as a whole (contract 3.7)."""

    shortest: int = 0
    longest: int | None = None
    pattern: str | None = None
    form: str | None = None  # OpenAPI's "format", for reading only
    one_of: tuple[str, ...] = ()  # an enum of the contract: another value is malformed

    def violations(self, path: str, value: object) -> Iterator[str]:
        """Say what is wrong with `value`, once per broken limit."""
        if not isinstance(value, str):
            yield f"Invalid type for field {path} - a string is required"
            return
        if len(value) < self.shortest or (self.longest is not None and len(value) > self.longest):
            yield f"Invalid length for field {path} - {self.shortest} to {self.longest} characters are accepted"
        if self.pattern is not None and not re.fullmatch(self.pattern, value, re.ASCII):
            yield f"Invalid value for field {path} - the accepted pattern is ^{self.pattern}$"
        if self.one_of and value not in self.one_of:
            yield f"Invalid value for field {path} - accepted values are {', '.join(self.one_of)}"


@dataclass(frozen=True)
class Number:
    """A JSON number; every number of the contract is an identifier or a counter, so a fraction is refused."""

    least: int | None = None

    def violations(self, path: str, value: object) -> Iterator[str]:
        """Say what is wrong with `value`."""
        if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
            yield f"Invalid type for field {path} - a whole number is required"
        elif self.least is not None and value < self.least:
            yield f"Invalid value for field {path} - the least accepted value is {self.least}"


@dataclass(frozen=True)
class Flag:
    """True or false; only in answers."""

    def violations(self, path: str, value: object) -> Iterator[str]:
        """Say what is wrong with `value`."""
        if not isinstance(value, bool):
            yield f"Invalid type for field {path} - true or false is required"


@dataclass(frozen=True)
class Listing:
    """An array of `fewest` or more `items`."""

    items: "Kind"
    fewest: int = 0

    def violations(self, path: str, value: object) -> Iterator[str]:
        """Say what is wrong with the array and with each of its items."""
        if not isinstance(value, list):
            yield f"Invalid type for field {path} - an array is required"
            return
        if len(value) < self.fewest:
            yield f"Invalid length for field {path} - at least {self.fewest} item is required"
        for place, item in enumerate(value):
            yield from self.items.violations(f"{path}[{place}]", item)


@dataclass(frozen=True)
class Field:
    """One row of a body's table."""

    name: str
    kind: "Kind"
    required: bool = False


@dataclass(frozen=True)
class Shape:
    """An object with these fields. Another field is a violation when `strict` (requests only)."""

    name: str
    fields: tuple[Field, ...]
    strict: bool = True

    def violations(self, path: str, value: object) -> Iterator[str]:
        """Say everything that is wrong with the object, field by field."""
        if not isinstance(value, dict):
            yield f"Invalid type for field {path} - an object is required"
            return
        prefix = f"{path}." if path else ""
        for field in self.fields:
            if field.name in value and value[field.name] is not None:
                yield from field.kind.violations(prefix + field.name, value[field.name])
            elif field.required:
                yield f"Missing field {prefix}{field.name} - it is required"
        if self.strict:
            known = {field.name for field in self.fields}
            yield from (
                f"Unknown field {prefix}{name[:50]} - it is not accepted here" for name in value if name not in known
            )


Kind = Text | Number | Flag | Listing | Shape


def violations(shape: Shape, body: dict[str, Any]) -> list[str]:
    """Every violation of `shape` in `body`, in the order of the table; empty when the body is good."""
    return list(shape.violations("", body))


REFERENCE = Text(1, 50)
IDENTIFIER = Number(least=1)
WHEN = Text(form="date-time")
LONG_TEXT = Text(1, 1000)
SUPPLIER = Text(pattern=r"[\w_]{1,20}")
PROBLEM_TEXT = Text(10, 80)

CHARACTERISTIC = Shape(
    "Characteristic", (Field("name", REFERENCE, required=True), Field("value", REFERENCE, required=True))
)
CHARACTERISTICS = Listing(CHARACTERISTIC, fewest=1)

CONTACT = Shape(
    "Contact",
    (
        Field("name", Text(1, 100), required=True),
        Field("email", Text(pattern=r"\S{1,64}@\S{2,254}")),
        Field("phoneNumber", Text(pattern=r"\+?[\d\s\-#]{8,50}"), required=True),
    ),
)

ADDITIONAL_IDENTIFIER = Shape(
    "AdditionalIdentifier", (Field("id", Text(), required=True), Field("type", Text(), required=True))
)
ADDRESS = Shape(
    "AddressIdentifier",
    (
        Field("id", Text(), required=True),
        Field("type", Text(), required=True),
        Field("additionalIdentifiers", Listing(ADDITIONAL_IDENTIFIER)),
    ),
)

SPECIFICATION = Shape("ServiceSpecificationReference", (Field("id", REFERENCE, required=True),))
NAMED_SPECIFICATION = Shape("ServiceSpecification", (*SPECIFICATION.fields, Field("name", REFERENCE)))

# What a tenant sends. ----------------------------------------------------------------------------------------------

PROBLEM_REQUEST = Shape(  # contract 1.2
    "CreateServiceProblem",
    (
        Field("externalIdentifier", Text(1, 64)),
        Field("problemType", Text(pattern=r"[\w_]{5,50}"), required=True),
        Field("problemText", PROBLEM_TEXT, required=True),
        Field("serviceId", REFERENCE, required=True),
        Field("serviceSpecification", SPECIFICATION, required=True),
        Field("address", ADDRESS),
        Field("supplier", SUPPLIER, required=True),
        Field("serviceTestId", IDENTIFIER, required=True),
        Field("characteristics", CHARACTERISTICS, required=True),
        Field("primaryContact", CONTACT, required=True),
        Field("secondaryContact", CONTACT),
        Field("appointmentReservationId", IDENTIFIER),
        Field("parentServiceProblemId", Number()),
        Field("hazards", LONG_TEXT),
        Field("onSiteRestrictions", LONG_TEXT),
        Field("notes", LONG_TEXT, required=True),
    ),
)

AMENDMENT_REQUEST = Shape(  # contract 1.5
    "CreateServiceProblemAmendment",
    (
        Field("serviceProblemId", IDENTIFIER, required=True),
        Field("problemText", PROBLEM_TEXT),
        Field("characteristics", CHARACTERISTICS),
        Field("hazards", LONG_TEXT),
        Field("onSiteRestrictions", LONG_TEXT),
        Field("notes", LONG_TEXT),
        Field("primaryContact", CONTACT),
        Field("secondaryContact", CONTACT),
        Field("appointmentReservationId", IDENTIFIER),
    ),
)

CANCELLATION_REQUEST = Shape(  # contract 1.6
    "CreateServiceProblemCancellation",
    (
        Field("serviceProblemId", IDENTIFIER, required=True),
        Field("reasonCode", Text(pattern=r"[A-Z_]{5,50}"), required=True),
        Field("text", LONG_TEXT),
    ),
)

RESOLUTION_ANSWER = Shape(  # contract 1.8
    "UpdateServiceProblemResolution",
    (Field("status", Text(one_of=words.RESOLUTION_STATUSES), required=True), Field("tenantNotes", LONG_TEXT)),
)

TEST_REQUEST = Shape(  # contract 1.7
    "CreateServiceTest",
    (
        Field("serviceId", REFERENCE, required=True),
        Field("problemType", Text(pattern=r"[\w_]{3,15}"), required=True),
        Field("serviceSpecification", SPECIFICATION, required=True),
        Field("supplier", SUPPLIER, required=True),
        Field("characteristics", CHARACTERISTICS, required=True),
    ),
)
