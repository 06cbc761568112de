"""
The gateway's side: tests and problems as they were seen, and the updates (KCIs) that told of them.

Everything but an entity's type and id is optional, because the gateway's pages disagree on what is always there
(contract 3.2, 3.16); what has no field of its own is kept as JSON in `other`, so nothing is dropped.
"""

from datetime import datetime
from enum import StrEnum

from bridge.domain.record import Record

SERVICE_PROBLEM = "SERVICE_PROBLEM"
SERVICE_TEST = "SERVICE_TEST"
# All that the contract's pages name (contract 2.12); any other text may come as a type.
NAMED_ENTITY_TYPES = frozenset((SERVICE_TEST, SERVICE_PROBLEM, "PROVIDE_ORDER", "MODIFY_ORDER", "CEASE_ORDER"))
UNNAMED = "OTHER"


def shown_key(key: str) -> str:
    """The key of an entity as logs and spans may show it: what has a type that nobody named may hold anything."""
    return key if key.partition(":")[0] in NAMED_ENTITY_TYPES else UNNAMED


class TestResult(Record, frozen=True, kw_only=True):
    """What a finished test found (contract 4.4). `valid_until` bounds the raise of a problem: 2 h after the test."""

    __test__ = False  # pytest would take it for a test class

    result: str | None = None
    code: str | None = None
    valid_until: datetime | None = None
    other: str | None = None


class Request(Record, frozen=True, kw_only=True):
    """An amendment or a cancellation as the gateway holds it (contract 1.5, 1.6); `other` is its remaining JSON."""

    id: int | None = None
    status: str | None = None
    other: str | None = None


class Resolution(Record, frozen=True, kw_only=True):
    """How the supplier says it fixed the problem, and whether that is accepted (contract 1.8)."""

    id: int | None = None
    status: str | None = None
    code: str | None = None
    category: str | None = None
    resolved_date: str | None = None
    closed_date: str | None = None
    sla_violations: tuple[str, ...] = ()
    other: str | None = None


class GatewayError(Record, frozen=True, kw_only=True):
    """The gateway's Error body (contract 1.9), also found inside an ERROR KCI."""

    uuid: str | None = None
    code: str | None = None
    messages: tuple[str, ...] = ()


class Information(Record, frozen=True, kw_only=True):
    """The informational part of a KCI (contract 1.4, enums 2.5 and 2.6; both grow)."""

    type: str | None = None
    code: str | None = None
    text: str | None = None
    supplier_codes: tuple[str, ...] = ()


class Action(Record, frozen=True, kw_only=True):
    """What a KCI asks the provider to do (contract 2.7)."""

    type: str | None = None
    text: str | None = None


class Update(Record, frozen=True, kw_only=True):
    """
    One KCI without its entity: what `updates[]` of a GET holds, and what the webhook delivers (contract 1.4, 4.3).

    Times stay as the gateway wrote them: nothing is ever ordered by them alone (contract 3.30).
    """

    id: str
    supplier: str | None = None
    sequence_number: int | None = None
    issued_on: str | None = None
    received_on: str | None = None
    delivered_on: str | None = None
    delivery_status: str | None = None
    update_type: str | None = None
    information: Information | None = None
    action: Action | None = None
    error: GatewayError | None = None
    resolution: Resolution | None = None
    amendment: Request | None = None
    cancellation: Request | None = None
    other: str | None = None


class Entity(Record, frozen=True, kw_only=True):
    """
    A test, a problem or (from KCIs only) an order, as one message showed it. `id` is decimal, without a fraction
    (contract 3.15).
    """

    type: str
    id: str
    status: str | None = None
    external_identifier: str | None = None
    service_id: str | None = None
    supplier: str | None = None
    supplier_reference: str | None = None
    problem_type: str | None = None
    service_test_id: int | None = None
    created: str | None = None
    updated: str | None = None
    result: TestResult | None = None
    resolution: Resolution | None = None
    amendment: Request | None = None
    cancellation: Request | None = None
    other: str | None = None

    @property
    def key(self) -> str:
        """The record key of every topic that is keyed by entity, such as `SERVICE_PROBLEM:123`."""
        return f"{self.type}:{self.id}"


class Kci(Record, frozen=True, kw_only=True):
    """One record of `kcis`: the update, the entity that came with it, and the request that delivered it."""

    entity: Entity
    update: Update
    conversation_id: str | None
    request_id: str | None
    received_at: datetime


class Source(StrEnum):
    """Where an observation came from."""

    KCI = "KCI"
    POST = "POST"
    GET = "GET"


class Observation(Record, frozen=True, kw_only=True):
    """One record of `observations`: what a POST or a GET answered about an entity, and whose ticket it is."""

    observation_id: str
    ticket_id: str
    source: Source
    entity: Entity
    updates: tuple[Update, ...] = ()
    conversation_id: str
    request_id: str
    observed_at: datetime
