"""
What the bridge asks of the gateway, as requests in the imperative: the content, not the transport.

`bridge.adapters.gateway` turns each into one HTTP request (contract 1.1); `limits.py` says what may be in it.
"""

from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST
from bridge.domain.outcomes import CommandName
from bridge.domain.record import Record
from bridge.domain.tickets import Address, Characteristic, Contact


class RunTest(Record, frozen=True, kw_only=True, tag=True):
    """POST /service-tests (contract 1.7)."""

    service_id: str
    supplier: str
    service_specification_id: str
    problem_type: str
    characteristics: tuple[Characteristic, ...]


class RaiseProblem(Record, frozen=True, kw_only=True, tag=True):
    """POST /service-problems (contract 1.2). `external_identifier` is the ticket id."""

    external_identifier: str
    problem_type: str
    problem_text: str
    service_id: str
    service_specification_id: str
    supplier: str
    service_test_id: int
    characteristics: tuple[Characteristic, ...]
    primary_contact: Contact
    notes: str
    address: Address | None = None
    secondary_contact: Contact | None = None
    appointment_reservation_id: int | None = None
    parent_service_problem_id: int | None = None
    hazards: str | None = None
    on_site_restrictions: str | None = None


class AmendProblem(Record, frozen=True, kw_only=True, tag=True):
    """POST /service-problem-amendments (contract 1.5). Characteristics replace the whole array (contract 3.23)."""

    service_problem_id: int
    problem_text: str | None = None
    notes: str | None = None
    characteristics: tuple[Characteristic, ...] | None = None
    primary_contact: Contact | None = None
    secondary_contact: Contact | None = None
    appointment_reservation_id: int | None = None
    hazards: str | None = None
    on_site_restrictions: str | None = None


class CancelProblem(Record, frozen=True, kw_only=True, tag=True):
    """POST /service-problem-cancellations (contract 1.6)."""

    service_problem_id: int
    reason_code: str
    text: str | None = None


class AnswerResolution(Record, frozen=True, kw_only=True, tag=True):
    """
    PATCH /service-problem-resolutions/{id} (contract 1.8): `status` is ACCEPTED or REJECTED, never PENDING (contract
    3.9).
    """

    resolution_id: int
    service_problem_id: int
    status: str
    tenant_notes: str | None = None


class FetchTest(Record, frozen=True, kw_only=True, tag=True):
    """GET /service-tests/{id}."""

    service_test_id: int


class FetchProblem(Record, frozen=True, kw_only=True, tag=True):
    """GET /service-problems/{id}."""

    service_problem_id: int


Command = RunTest | RaiseProblem | AmendProblem | CancelProblem | AnswerResolution | FetchTest | FetchProblem

NAMES: dict[type[Command], CommandName] = {
    RunTest: CommandName.RUN_TEST,
    RaiseProblem: CommandName.RAISE_PROBLEM,
    AmendProblem: CommandName.AMEND_PROBLEM,
    CancelProblem: CommandName.CANCEL_PROBLEM,
    AnswerResolution: CommandName.ANSWER_RESOLUTION,
    FetchTest: CommandName.FETCH_TEST,
    FetchProblem: CommandName.FETCH_PROBLEM,
}

# A GET changes nothing, so it may be repeated freely and needs no durable intent.
SAFE = frozenset({CommandName.FETCH_TEST, CommandName.FETCH_PROBLEM})

# The kind of entity each command is about.
ENTITY_TYPES: dict[CommandName, str] = {
    CommandName.RUN_TEST: SERVICE_TEST,
    CommandName.FETCH_TEST: SERVICE_TEST,
    CommandName.RAISE_PROBLEM: SERVICE_PROBLEM,
    CommandName.AMEND_PROBLEM: SERVICE_PROBLEM,
    CommandName.CANCEL_PROBLEM: SERVICE_PROBLEM,
    CommandName.ANSWER_RESOLUTION: SERVICE_PROBLEM,
    CommandName.FETCH_PROBLEM: SERVICE_PROBLEM,
}


def name_of(command: Command) -> CommandName:
    """The command's name, as outcomes and metrics show it."""
    return NAMES[type(command)]
