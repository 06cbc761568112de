"""
The provider's side: what its ticketing system tells the bridge, as facts in the past tense.

Values here are what the provider wrote, unchecked: `limits.py` checks them, so that all violations of an event are
told together.
"""

from datetime import datetime

from bridge.domain.record import Record


class Characteristic(Record, frozen=True, kw_only=True):
    """A name and a value, both 1..50 characters (contract 1.2, 1.7)."""

    name: str
    value: str


class Contact(Record, frozen=True, kw_only=True):
    """A person to reach; personal data (contract 1.2)."""

    name: str
    phone_number: str
    email: str | None = None


class AddressIdentifier(Record, frozen=True, kw_only=True):
    """An identifier of an address, such as UPRN or NAD (contract 1.2)."""

    id: str
    type: str


class Address(Record, frozen=True, kw_only=True):
    """Where the fault is; personal data (contract 1.2)."""

    id: str
    type: str
    additional_identifiers: tuple[AddressIdentifier, ...] = ()


class FaultReported(Record, frozen=True, kw_only=True, tag=True):
    """
    A customer's service is faulty.

    `problem_type` is the provider's own word; the policy maps it to the gateway's two sets (contract 3.4).
    With `service_test_id` the ticket brings a finished test of its own and the bridge runs none.
    """

    service_id: str
    supplier: str
    service_specification_id: str
    problem_type: str
    problem_text: str
    notes: str
    characteristics: tuple[Characteristic, ...]
    test_characteristics: tuple[Characteristic, ...]
    primary_contact: Contact
    secondary_contact: Contact | None = None
    address: Address | None = None
    appointment_reservation_id: int | None = None
    parent_service_problem_id: int | None = None
    hazards: str | None = None
    on_site_restrictions: str | None = None
    service_test_id: int | None = None


class FaultAmended(Record, frozen=True, kw_only=True, tag=True):
    """Something about the fault changed; a field that is None stays as it was (contract 1.5)."""

    problem_text: str | None = None
    notes: str | None = None
    characteristics: tuple[Characteristic, ...] | None = None
    primary_contact: Contact | None = None
    secondary_contact: Contact | None = None
    appointment_reservation_id: int | None = None
    hazards: str | None = None
    on_site_restrictions: str | None = None


class FaultCancelled(Record, frozen=True, kw_only=True, tag=True):
    """The fault needs no more work (contract 1.6)."""

    reason_code: str
    text: str | None = None


class ResolutionAnswered(Record, frozen=True, kw_only=True, tag=True):
    """
    The provider accepts or rejects the supplier's resolution (contract 1.8).

    Without `resolution_id` the answer is for the resolution that waits for one.
    """

    answer: str
    resolution_id: int | None = None
    notes: str | None = None


class ServiceTestRequested(Record, frozen=True, kw_only=True, tag=True):
    """A test alone, with no fault behind it (contract 1.7)."""

    service_id: str
    supplier: str
    service_specification_id: str
    problem_type: str
    characteristics: tuple[Characteristic, ...]


TicketEvent = FaultReported | FaultAmended | FaultCancelled | ResolutionAnswered | ServiceTestRequested


class FaultTicketEvent(Record, frozen=True, kw_only=True):
    """One record of `fault-tickets`. `event_id` is unique within its ticket; `ticket_id` is the record's key."""

    event_id: str
    ticket_id: str
    occurred_at: datetime
    event: TicketEvent
