"""
The gateway's operations as a table: method, path and JSON members of each command's request, and its answer's reading.

Requests are strict: nothing is sent that the contract does not list, and what is None is left out (contract 1.2, 1.5
to 1.8). Answers are read tolerantly, by `bridge.domain.reading`; only an id that is missing or is another entity's
makes one unreadable.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

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
from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Entity, Update
from bridge.domain.reading import (
    Unreadable,
    read_entity,
    read_problem,
    read_request,
    read_resolution,
)
from bridge.domain.record import Record
from bridge.domain.tickets import Address, AddressIdentifier, Characteristic, Contact

Told = tuple[Entity, tuple[Update, ...]]

_as_json = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class Operation:
    """`path` is under the base URL; `identifier` is the command's field that fills its {id}; a GET has no body."""

    method: str
    path: str
    read: Callable[[Any, Mapping[str, object]], Told]
    identifier: str | None = None
    body: bool = True


@dataclass(frozen=True)
class Asked:
    """One request, without its headers."""

    method: str
    path: str
    content: bytes | None


def request(command: Command) -> Asked:
    """The HTTP request of a command."""
    operation = OPERATIONS[type(command)]
    path = operation.path
    if operation.identifier is not None:
        path = path.format(id=getattr(command, operation.identifier))
    content = None
    if operation.body:
        content = _as_json(_members(command))
    return Asked(method=operation.method, path=path, content=content)


def read(command: Command, body: object) -> Told:
    """
    What a successful answer tells of: an entity, and its updates where a problem was fetched.

    Raises:
        Unreadable: no JSON object, no usable id, or the id of something else than was asked for.

    """
    if not isinstance(body, Mapping):
        raise Unreadable("the answer is not a JSON object")
    return OPERATIONS[type(command)].read(command, body)


# Our names and the gateway's, for each record that is sent. The ids in the paths are not sent in the body.
_CHANGES = {
    "problem_text": "problemText",
    "notes": "notes",
    "characteristics": "characteristics",
    "primary_contact": "primaryContact",
    "secondary_contact": "secondaryContact",
    "appointment_reservation_id": "appointmentReservationId",
    "hazards": "hazards",
    "on_site_restrictions": "onSiteRestrictions",
}
_SERVICE = {
    "service_id": "serviceId",
    "supplier": "supplier",
    "service_specification_id": "serviceSpecification",
    "problem_type": "problemType",
}
MEMBERS: Mapping[type[Record], Mapping[str, str]] = {
    RunTest: {**_SERVICE, "characteristics": "characteristics"},
    RaiseProblem: {
        **_SERVICE,
        **_CHANGES,
        "external_identifier": "externalIdentifier",
        "service_test_id": "serviceTestId",
        "address": "address",
        "parent_service_problem_id": "parentServiceProblemId",
    },
    AmendProblem: {"service_problem_id": "serviceProblemId", **_CHANGES},
    CancelProblem: {"service_problem_id": "serviceProblemId", "reason_code": "reasonCode", "text": "text"},
    AnswerResolution: {"status": "status", "tenant_notes": "tenantNotes"},
    Characteristic: {"name": "name", "value": "value"},
    Contact: {"name": "name", "phone_number": "phoneNumber", "email": "email"},
    Address: {"id": "id", "type": "type", "additional_identifiers": "additionalIdentifiers"},
    AddressIdentifier: {"id": "id", "type": "type"},
}


def _members(record: Record) -> dict[str, object]:
    members = {}
    for ours, theirs in MEMBERS[type(record)].items():
        value = getattr(record, ours)
        if value is None or value == ():
            continue
        members[theirs] = {"id": value} if ours == "service_specification_id" else _value(value)
    return members


def _value(value: object) -> object:
    if isinstance(value, Record):
        return _members(value)
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return value


def _read_test(command: RunTest | FetchTest, body: Mapping[str, object]) -> Told:
    entity = read_entity(SERVICE_TEST, body)
    if isinstance(command, FetchTest):
        _same(entity.id, command.service_test_id)
    return entity, ()


def _read_problem(command: RaiseProblem | FetchProblem, body: Mapping[str, object]) -> Told:
    entity, updates = read_problem(body)
    if isinstance(command, FetchProblem):
        _same(entity.id, command.service_problem_id)
    return entity, updates


def _read_amendment(command: AmendProblem, body: Mapping[str, object]) -> Told:
    request, problem_id = read_request(body)
    return Entity(type=SERVICE_PROBLEM, id=_problem(command, problem_id), amendment=request), ()


def _read_cancellation(command: CancelProblem, body: Mapping[str, object]) -> Told:
    request, problem_id = read_request(body)
    return Entity(type=SERVICE_PROBLEM, id=_problem(command, problem_id), cancellation=request), ()


def _read_resolution(command: AnswerResolution, body: Mapping[str, object]) -> Told:
    resolution, problem_id = read_resolution(body)
    _same(str(resolution.id), command.resolution_id)
    return Entity(type=SERVICE_PROBLEM, id=_problem(command, problem_id), resolution=resolution), ()


def _problem(command: AmendProblem | CancelProblem | AnswerResolution, told: int | None) -> str:
    """The answer need not repeat the problem's id, but it must not tell of another problem."""
    if told is not None:
        _same(str(told), command.service_problem_id)
    return str(command.service_problem_id)


def _same(told: str, asked: int) -> None:
    if told != str(asked):
        raise Unreadable("the answer tells of another id than was asked for")


OPERATIONS: Mapping[type[Record], Operation] = {
    RunTest: Operation("POST", "/service-tests", _read_test),
    RaiseProblem: Operation("POST", "/service-problems", _read_problem),
    AmendProblem: Operation("POST", "/service-problem-amendments", _read_amendment),
    CancelProblem: Operation("POST", "/service-problem-cancellations", _read_cancellation),
    AnswerResolution: Operation("PATCH", "/service-problem-resolutions/{id}", _read_resolution, "resolution_id"),
    FetchTest: Operation("GET", "/service-tests/{id}", _read_test, "service_test_id", body=False),
    FetchProblem: Operation("GET", "/service-problems/{id}", _read_problem, "service_problem_id", body=False),
}


def route(command: Command) -> tuple[str, str]:
    """The method of a command's request, and its path under the base URL as a template."""
    operation = OPERATIONS[type(command)]
    return operation.method, operation.path
