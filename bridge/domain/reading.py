"""
The gateway's JSON as records: tolerant, and without dropping anything.

Whatever a record has a field for goes there, if its kind fits. Every other member, and every value of an unexpected
kind, stays as compact JSON in `other` of the nearest record that has one. Unknown enum values pass (contract 3.8,
3.14: enums grow). Only an object without a usable id cannot be read at all.

Rule: nothing here raises anything but `Unreadable`, whatever the JSON is.
"""

from collections.abc import Mapping

from bridge.domain.entities import (
    SERVICE_PROBLEM,
    Action,
    Entity,
    GatewayError,
    Information,
    Request,
    Resolution,
    TestResult,
    Update,
)
from bridge.domain.members import Members, Unreadable, is_text

__all__ = [
    "Unreadable",
    "read_entity",
    "read_error",
    "read_kci",
    "read_problem",
    "read_request",
    "read_resolution",
    "read_update",
]

# A supplier's reference may come as a characteristic, whose name is not published (contract 3.6).
SUPPLIER_REFERENCE_NAMES = frozenset({"SUPPLIER_REFERENCE", "SUPPLIER_IDENTIFIER"})


def read_entity(entity_type: str, body: Mapping[str, object]) -> Entity:
    """
    A test, a problem or an order, from a POST or GET answer or from a KCI's `entity` (contract 1.3, 1.7, 4.3).

    Raises:
        Unreadable: not an object, or no usable `id`.

    """
    members = Members(body, "the entity")
    return Entity(
        type=entity_type,
        id=members.identifier("id"),
        status=members.text("status"),
        external_identifier=members.text("externalIdentifier"),
        service_id=members.text("serviceId"),
        supplier=members.text("supplier"),
        supplier_reference=_supplier_reference(members),
        problem_type=members.text("problemType"),
        service_test_id=members.whole("serviceTestId"),
        created=members.text("created"),
        updated=members.text("updated"),
        result=_test_result(members.members("result")),
        resolution=_resolution(members.members("serviceProblemResolution")),
        amendment=_request(members.members("serviceProblemAmendment")),
        cancellation=_request(members.members("serviceProblemCancellation")),
        other=members.other(),
    )


def read_problem(body: Mapping[str, object]) -> tuple[Entity, tuple[Update, ...]]:
    """
    A problem from GET with its `updates[]` (contract 1.4); an update that cannot be read stays in `other`.

    Raises:
        Unreadable: not an object, or no usable `id`.

    """
    members = Members(body, "the problem").rest()
    listed = members.pop("updates", None)
    updates, unread = [], []
    for item in listed if isinstance(listed, list) else [] if listed is None else [listed]:
        try:
            updates.append(read_update(item))
        except Unreadable:
            unread.append(item)
    if unread:
        members["updates"] = unread
    return read_entity(SERVICE_PROBLEM, members), tuple(updates)


def read_update(body: Mapping[str, object]) -> Update:
    """
    One KCI without its entity, such as an item of `updates[]` (contract 1.4).

    Raises:
        Unreadable: not an object, or no usable `id`.

    """
    members = Members(body, "the update")
    return Update(
        id=members.identifier("id"),
        supplier=members.text("supplier"),
        sequence_number=members.whole("sequenceNumber"),
        issued_on=members.text("issuedOn"),
        received_on=members.text("receivedOn"),
        delivered_on=members.text("deliveredOn"),
        delivery_status=members.text("deliveryStatus"),
        update_type=members.text("updateType"),
        information=_information(members.members("information")),
        action=_action(members.members("action")),
        error=_error(members.members("error")),
        resolution=_resolution(members.members("serviceProblemResolution")),
        amendment=_request(members.members("serviceProblemAmendment")),
        cancellation=_request(members.members("serviceProblemCancellation")),
        other=members.other(),
    )


def read_kci(body: Mapping[str, object]) -> tuple[Entity, Update]:
    """
    A delivered KCI (contract 4.3): its entity, of the kind that `entityType` names, and the update itself.

    A resolution, an amendment or a cancellation stays where the gateway put it: in the update if it came at the KCI's
    top level, in the entity if it came inside `entity`.

    Raises:
        Unreadable: not an object, no usable id of the KCI or of its entity, no `entity`, or no `entityType`.

    """
    members = Members(body, "the KCI").rest()
    entity_type = members.pop("entityType", None)
    entity = members.pop("entity", None)
    if not is_text(entity_type) or not str(entity_type).strip():
        raise Unreadable("the KCI has no entityType, which says what its entity is")
    if not isinstance(entity, Mapping):
        raise Unreadable("the KCI has no entity, which it tells of")
    return read_entity(str(entity_type), entity), read_update(members)


def read_request(body: Mapping[str, object]) -> tuple[Request, int | None]:
    """
    The answer to an amendment or a cancellation (contract 1.5, 1.6), and the id of its problem where that is told.

    Raises:
        Unreadable: not an object, or no usable `id`.

    """
    request = _request(Members(body, "the request"))
    if request is None or request.id is None:
        raise Unreadable("the request has no usable id: give a number without a fraction")
    return request, Members(body, "the request").whole("serviceProblemId")


def read_resolution(body: Mapping[str, object]) -> tuple[Resolution, int | None]:
    """
    The answer to PATCH of a resolution (contract 1.8), and the id of its problem where that is told.

    Raises:
        Unreadable: not an object, or no usable `id`.

    """
    resolution = _resolution(Members(body, "the resolution"))
    if resolution is None or resolution.id is None:
        raise Unreadable("the resolution has no usable id: give a number without a fraction")
    return resolution, Members(body, "the resolution").whole("serviceProblemId")


def read_error(body: object) -> GatewayError | None:
    """The gateway's Error body (contract 1.9), or None if the body has nothing of one; other members are not kept."""
    if not isinstance(body, Mapping):
        return None
    try:
        error = _error(Members(body, "the error"))
    except Unreadable:  # nested too deeply
        return None
    return None if error == GatewayError() else error


def _supplier_reference(members: Members) -> str | None:
    """By its name on a problem, its name on a test, or as a characteristic, which itself stays (contract 3.6)."""
    for name in ("supplierIdentifier", "supplierReference"):
        reference = members.text(name)
        if reference is not None:
            return reference
    characteristics = members.peek("characteristics")
    for item in characteristics if isinstance(characteristics, list) else ():
        if not isinstance(item, Mapping) or not is_text(item.get("name")) or not is_text(item.get("value")):
            continue
        if item["name"] in SUPPLIER_REFERENCE_NAMES:
            return str(item["value"])
    return None


def _test_result(members: Members | None) -> TestResult | None:
    if members is None:
        return None
    outcome = members.members("testOutcome")
    return TestResult(
        result=outcome.text("testResult") if outcome else None,
        code=outcome.text("code") if outcome else None,
        valid_until=members.moment("testValidity"),
        other=members.other(),
    )


def _resolution(members: Members | None) -> Resolution | None:
    if members is None:
        return None
    details = members.members("resolutionDetails")
    return Resolution(
        id=members.whole("id"),
        status=members.text("status"),
        code=details.text("resolutionCode") if details else None,
        category=details.text("resolutionCategory") if details else None,
        resolved_date=members.text("resolvedDate"),
        closed_date=members.text("closedDate"),
        sla_violations=members.texts("slaViolation"),
        other=members.other(),
    )


def _request(members: Members | None) -> Request | None:
    if members is None:
        return None
    return Request(id=members.whole("id"), status=members.text("status"), other=members.other())


def _information(members: Members | None) -> Information | None:
    if members is None:
        return None
    codes = members.texts("supplierCodes")
    if not codes:
        single = members.text("supplierCode")  # deprecated, but still part of the contract (1.4)
        codes = () if single is None else (single,)
    return Information(
        type=members.text("type"), code=members.text("code"), text=members.text("text"), supplier_codes=codes
    )


def _action(members: Members | None) -> Action | None:
    return None if members is None else Action(type=members.text("type"), text=members.text("text"))


def _error(members: Members | None) -> GatewayError | None:
    if members is None:
        return None
    return GatewayError(uuid=members.text("uuid"), code=members.text("code"), messages=members.messages("messages"))
