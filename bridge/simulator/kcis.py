"""KCIs: what one says (contract 1.4 and 4.3), made from an entity and an announcement at the moment it happens."""

import time
import uuid
from dataclasses import dataclass

from bridge.simulator.entities import Entity, Json, Problem, Request, Resolution, now, stamp
from bridge.simulator.ledger import KciEntry
from bridge.simulator.steps import Action, Announcement, Failure, Information

Subject = Request | Resolution


@dataclass(eq=False)
class Kci:
    """
    One KCI. `update` is what GET shows in updates[] and changes with the delivery; `body` is what the webhook gets,
    the entity as it stood when the KCI was made.
    """

    entity: Entity
    update: Json
    body: Json
    entry: KciEntry

    def delivered(self) -> None:
        """Record that the tenant has it."""
        self.update["deliveryStatus"] = "DELIVERED"
        self.update["deliveredOn"] = stamp(now())


def make(
    entity: Entity, what: Announcement, subjects: tuple[Subject, ...], *, by_gateway: bool, nested: bool, seq: int
) -> Kci:
    """
    The entity's next KCI, counted in its `sequence`.

    `subjects` are the resolution or request that it is about, shown beside `entity` and, when `nested`, inside it too.
    """
    entity.sequence += 1
    moment = stamp(now())
    about = {_field(subject): subject.shown() for subject in subjects}
    said = _said(what)
    core: Json = {
        "id": str(uuid.uuid4()),
        "supplier": entity.fields["supplier"],
        "sequenceNumber": entity.sequence,
        **({} if by_gateway else {"issuedOn": moment}),
        "receivedOn": moment,
        "updateType": UPDATE_TYPES[type(what)],
        **said,
        **about,
    }
    body = {**core, "entityType": entity.kind, "entity": {**entity.shown(), **(about if nested else {})}}
    update = {**core, "deliveryStatus": "PENDING"}
    if isinstance(entity, Problem):
        entity.updates.append(update)
    return Kci(entity, update, body, _entry(entity, core, seq))


UPDATE_TYPES = {Information: "INFORMATIONAL", Action: "ACTION_REQUIRED", Failure: "ERROR"}


def _field(subject: Subject) -> str:
    if isinstance(subject, Resolution):
        return "serviceProblemResolution"
    return "serviceProblemAmendment" if subject.what == "amendment" else "serviceProblemCancellation"


def _said(what: Announcement) -> Json:
    match what:
        case Information():
            told = {"type": what.type, "code": what.code, "text": what.text}
            return {"information": {name: value for name, value in told.items() if value is not None}}
        case Action():
            return {"action": {"type": what.type, "text": what.text}}
        case Failure():
            return {"error": {"uuid": str(uuid.uuid4()), "code": what.code, "messages": [what.text]}}


def _entry(entity: Entity, core: Json, seq: int) -> KciEntry:
    said = core.get("information") or core.get("action") or {"type": core.get("error", {}).get("code")}
    return KciEntry(
        seq=seq,
        id=core["id"],
        entity_type=entity.kind,
        entity_id=entity.id,
        sequence_number=entity.sequence,
        update_type=core["updateType"],
        what=said["type"],
        entity_status=entity.status,
        service_id=entity.service_id,
        conversation_id=entity.conversation_id,
        external_identifier=entity.external_identifier,
        made_at=core["receivedOn"],
        made=time.monotonic(),
    )
