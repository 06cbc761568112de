"""The whole bridge on real Kafka and real HTTP, as a test drives it, looks at it and waits for it."""

import base64
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import httpx
from msgspec.structs import replace

from bridge.adapters.avro import to_json
from bridge.domain.correlation import conversation_id
from bridge.domain.entities import Kci, Observation
from bridge.domain.journeys import JourneyStatus
from bridge.domain.outcomes import GatewayOutcome
from bridge.domain.record import Record
from bridge.domain.signals import Choice, OperatorDecision
from bridge.domain.statuses import ActionRequired, EntityStatus, StatusTransition
from bridge.domain.tickets import FaultTicketEvent, TicketEvent
from tests.builders import a_report, a_test_request, an_event
from tests.integration.running_services import BRIDGE, PASSWORD, USER, RunningServices, run_command
from tests.integration.topic_watch import CODEC, Headers, Seen, TopicWatch

__all__ = ["BRIDGE", "BridgeUnderTest", "Ticket", "run_command"]

T = TypeVar("T")
R = TypeVar("R", bound=Record)

SERVICE_ID_LIMIT = 50
WAIT_SECONDS = 40.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Ticket:
    """A fault ticket of a test: its id, and the service whose id tells the simulator what to do."""

    id: str
    service_id: str

    @property
    def conversation_id(self) -> str:
        return conversation_id(self.id)


class BridgeUnderTest(RunningServices):
    """Running services with the provider before them, the gateway behind them, and their topics in sight."""

    def __init__(self, bootstrap_servers: str, name: str, logs: Path, **variables: Mapping[str, str]) -> None:
        super().__init__(bootstrap_servers, name, logs, **variables)
        self._tickets = count(1)
        self._watch = TopicWatch(bootstrap_servers, self.kafka["BRIDGE_KAFKA_TOPIC_PREFIX"])

    def start(self) -> None:
        """Start every service and watch the topics; all of them are ready when it returns."""
        super().start()
        self._watch.start()

    def stop(self) -> None:
        """End everything, by force if need be."""
        try:
            self._watch.stop()
        finally:
            super().stop()

    # -- the provider's side

    def ticket(self, plan: str) -> Ticket:
        """A ticket nobody has told of yet, about a service to which this plan of the simulator happens."""
        number = next(self._tickets)
        service_id = f"SIM-{plan}-{number:03d}"
        assert len(service_id) <= SERVICE_ID_LIMIT, f"{service_id} is longer than a service id may be"
        return Ticket(f"{self.name}-{number:03d}", service_id)

    def report(self, plan: str, **changes: Any) -> Ticket:
        """Report a fault of a new ticket."""
        ticket = self.ticket(plan)
        self.tell(ticket, a_report(service_id=ticket.service_id, **changes))
        return ticket

    def request_test(self, plan: str, **changes: Any) -> Ticket:
        """Ask for a test alone, under a new ticket."""
        ticket = self.ticket(plan)
        self.tell(ticket, a_test_request(service_id=ticket.service_id, **changes))
        return ticket

    def tell(self, ticket: Ticket, *contents: TicketEvent, headers: Headers = ()) -> list[FaultTicketEvent]:
        """Publish events of one ticket, in this order, as they happen."""
        now = datetime.now(UTC)
        events = [replace(an_event(content, ticket_id=ticket.id), occurred_at=now) for content in contents]
        self.send(events, headers)
        return events

    def send(self, events: Iterable[FaultTicketEvent], headers: Headers = ()) -> None:
        """Publish ticket events, as the provider's ticketing system does."""
        records = [(event.ticket_id.encode(), CODEC.encode("fault-tickets", event)) for event in events]
        self.write("fault-tickets", records, headers)

    def decide(self, ticket: Ticket, command_id: str, choice: Choice) -> None:
        """Publish what a person decided about a command whose outcome is UNKNOWN, as `bridge journeys resolve` does."""
        decision = OperatorDecision(
            decision_id=str(uuid.uuid4()),
            ticket_id=ticket.id,
            command_id=command_id,
            choice=choice,
            entity_id=None,
            decided_by="grace",
            why="the gateway's service desk found nothing",
            decided_at=datetime.now(UTC),
        )
        self.write("operator-decisions", [(ticket.id.encode(), CODEC.encode("operator-decisions", decision))])

    def write(
        self, topic: str, records: Iterable[tuple[bytes | None, bytes]], headers: Headers = ()
    ) -> list[tuple[int, int]]:
        """Write raw records of (key, value); return the partition and the offset of each."""
        return self._watch.publish(topic, records, headers)

    # -- the gateway's side

    def deliver(self, body: bytes, **headers: str) -> httpx.Response:
        """Deliver bytes to the webhook as the gateway does; a header that is empty is left out."""
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        given = {
            "Authorization": f"Basic {basic}",
            "Content-Type": "application/json",
            "X-Request-ID": "delivery",
            "X-Conversation-ID": "somebody-elses",
        }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in given.items() if value}
        return httpx.post(self.webhook_url, content=body, headers=sent, timeout=15, trust_env=False)

    # -- what is on the topics

    def records(self, topic: str) -> list[Seen]:
        """Every record of a topic that was read so far."""
        return self._watch.records(topic)

    def values(self, topic: str, kind: type[R]) -> list[R]:
        """The values of a topic so far."""
        return [seen.value for seen in self.records(topic) if isinstance(seen.value, kind)]

    def catch_up(self) -> None:
        """Have everything that is committed by now among the records."""
        self._watch.catch_up()

    def outcomes(self, ticket: Ticket) -> list[GatewayOutcome]:
        """Every verdict about a ticket, in order."""
        return [told for told in self.values("gateway-outcomes", GatewayOutcome) if told.ticket_id == ticket.id]

    def told(self, ticket: Ticket) -> list[str]:
        """Every verdict about a ticket in short: command, verdict and reason."""
        return [f"{told.command} {told.verdict} {told.reason}" for told in self.outcomes(ticket)]

    def journeys(self) -> dict[str, JourneyStatus]:
        """The latest state of each journey, by ticket id."""
        return {told.ticket_id: told for told in self.values("journeys", JourneyStatus)}

    def statuses(self, topic: str) -> dict[str, EntityStatus]:
        """The latest of each entity, by its id."""
        return {told.entity.id: told for told in self.values(topic, EntityStatus)}

    def transitions(self, topic: str, entity_id: str) -> list[StatusTransition]:
        return [move for move in self.values(topic, StatusTransition) if move.entity_id == entity_id]

    def observations(self, ticket: Ticket) -> list[Observation]:
        return [told for told in self.values("observations", Observation) if told.ticket_id == ticket.id]

    def kcis(self, entity_type: str, entity_id: str) -> list[Kci]:
        return [kci for kci in self.values("kcis", Kci) if (kci.entity.type, kci.entity.id) == (entity_type, entity_id)]

    def actions(self, ticket: Ticket) -> list[ActionRequired]:
        return [told for told in self.values("actions-required", ActionRequired) if told.ticket_id == ticket.id]

    # -- waiting

    def wait_until(self, condition: Callable[[], T], what: str, *, seconds: float = WAIT_SECONDS) -> T:
        """Return the first true answer; AssertionError with the ends of the logs when none comes in time."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"not in {seconds:g} s: {what}\n{self.why()}")
            time.sleep(POLL_SECONDS)
        return found

    def wait_for_outcome(self, ticket: Ticket, wanted: str, *, nth: int = 1) -> GatewayOutcome:
        """Wait for the nth outcome `COMMAND VERDICT REASON` of a ticket; a beginning of that is enough."""

        def found() -> GatewayOutcome | None:
            outcomes = zip(self.told(ticket), self.outcomes(ticket), strict=False)
            fitting = [outcome for text, outcome in outcomes if text.startswith(wanted)]
            return fitting[nth - 1] if len(fitting) >= nth else None

        return self._wait_about(ticket, found, f"outcome {nth} of {wanted}")

    def wait_for_journey(self, ticket: Ticket, **wanted: object) -> JourneyStatus:
        """Wait until the journey's fields equal what is wanted."""

        def found() -> JourneyStatus | None:
            journey = self.journeys().get(ticket.id)
            fits = journey is not None and all(getattr(journey, name) == value for name, value in wanted.items())
            return journey if fits else None

        return self._wait_about(ticket, found, f"a journey with {wanted}")

    def _wait_about(self, ticket: Ticket, found: Callable[[], T | None], what: str) -> T:
        try:
            answer = self.wait_until(found, f"{what}, of ticket {ticket.id} ({ticket.service_id})")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.story(ticket)}") from None
        assert answer is not None
        return answer

    def story(self, ticket: Ticket) -> str:
        """All that is known of a ticket, for people."""
        journey = self.journeys().get(ticket.id)
        lines = ["-- outcomes", *self.told(ticket), "-- journey", to_json(journey) if journey else "none"]
        lines += ["-- ledger"]
        for each in self.gateway.entries(conversation_id=ticket.conversation_id):
            seen = (
                each["operation"],
                each["status"],
                "accepted" if each["accepted"] else "not accepted",
                each["fault"],
            )
            lines.append(f"{each['arrived']:.2f} " + " ".join(str(word) for word in seen if word is not None))
        return "\n".join(lines)
