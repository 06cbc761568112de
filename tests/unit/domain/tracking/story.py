"""One entity's story told message by message: each step checks what must hold at every step."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import json

from bridge.domain.correlation import conversation_id
from bridge.domain.entities import (
    SERVICE_PROBLEM,
    Action,
    Entity,
    GatewayError,
    Information,
    Kci,
    Observation,
    Request,
    Resolution,
    Source,
    TestResult,
    Update,
)
from bridge.domain.policy import TrackingPolicy
from bridge.domain.signals import EntityChanged, EntitySilent
from bridge.domain.statuses import ActionRequired, ActionState, EntityStatus, StatusTransition
from bridge.domain.tracking import Folded, TrackedEntity, fold, sweep, wake_at

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
TICKET = "ticket-1"
POLICY = TrackingPolicy()


class Story:
    """
    An entity whose messages come a second apart, with all that was published of it.

    By default its messages carry the conversation id of its ticket.
    """

    def __init__(self, entity_type: str = SERVICE_PROBLEM, *, ticket: str | None = TICKET) -> None:
        self.type = entity_type
        self.now = START
        self.conversation = conversation_id(ticket) if ticket else None
        self.state: TrackedEntity | None = None
        self.last = Folded(state=TrackedEntity(entity=Entity(type=entity_type, id="1"), last_heard_at=START))
        self.folded: list[Folded] = []
        self._count = 0

    def entity(self, status: str | None = None, **fields: object) -> Entity:
        return Entity(type=self.type, id="1", status=status, **fields)  # type: ignore[arg-type]  # as the test gives them

    def kci(
        self,
        status: str | None,
        sequence: int | None = None,
        *,
        kci_id: str | None = None,
        entity: Entity | None = None,
        **update: object,
    ) -> Folded:
        self._count += 1
        kci_id = kci_id or (f"kci-{sequence}" if sequence is not None else f"kci-unnumbered-{self._count}")
        return self.hears(
            Kci(
                entity=entity or self.entity(status),
                update=Update(id=kci_id, sequence_number=sequence, **update),  # type: ignore[arg-type]  # as above
                conversation_id=self.conversation,
                request_id=None,
                received_at=self.now + timedelta(seconds=1),
            )
        )

    def post(self, status: str | None, *, entity: Entity | None = None, ticket: str = TICKET) -> Folded:
        return self._observed(Source.POST, entity or self.entity(status), (), ticket)

    def get(
        self, status: str | None, updates: Iterable[Update] = (), *, entity: Entity | None = None, ticket: str = TICKET
    ) -> Folded:
        return self._observed(Source.GET, entity or self.entity(status), tuple(updates), ticket)

    def hears(self, seen: Kci | Observation) -> Folded:
        """Fold one message in, and check that it is settled by it."""
        self.now = max(self.now, seen.received_at if isinstance(seen, Kci) else seen.observed_at)
        self.last = fold(self.state, seen, POLICY)
        again = fold(self.last.state, seen, POLICY)
        assert again == Folded(state=self.last.state, duplicate=True), "the same message twice gives no new output"
        self._keep(self.last)
        return self.last

    def waits(self, duration: timedelta) -> list[tuple[datetime, str]]:
        """Let time pass as a timer at `wake_at` sees it, and return when which fetch was asked for."""
        asked = []
        until = self.now + duration
        while self.state is not None:
            due_at = wake_at(self.state, POLICY)
            if due_at is None or due_at > until:
                break
            assert sweep(self.state, due_at - timedelta(microseconds=1), POLICY) is None
            swept = sweep(self.state, due_at, POLICY)
            assert swept is not None, "there is something to do at wake_at"
            self._keep(swept)
            asked += [(due_at, why) for why in silent(swept)]
        self.now = until
        return asked

    @property
    def status(self) -> str | None:
        return self.state.status if self.state is not None else None

    @property
    def transitions(self) -> list[StatusTransition]:
        return [transition for folded in self.folded for transition in folded.transitions]

    @property
    def applied(self) -> list[str]:
        return [transition.to_status for transition in self.transitions if transition.applied]

    @property
    def statuses(self) -> list[EntityStatus]:
        return [folded.status for folded in self.folded if folded.status is not None]

    @property
    def open_actions(self) -> dict[str, ActionRequired]:
        """The actions that a reader of the topic believes to be open, by name."""
        latest = {action.action_id: action for folded in self.folded for action in folded.actions}
        return {action.action: action for action in latest.values() if action.state is ActionState.REQUIRED}

    def _observed(self, source: Source, entity: Entity, updates: tuple[Update, ...], ticket: str) -> Folded:
        self._count += 1
        return self.hears(
            Observation(
                observation_id=f"observation-{self._count}",
                ticket_id=ticket,
                source=source,
                entity=entity,
                updates=updates,
                conversation_id=conversation_id(ticket),
                request_id="request",
                observed_at=self.now + timedelta(seconds=1),
            )
        )

    def _keep(self, folded: Folded) -> None:
        self.folded.append(folded)
        self.state = json.decode(json.encode(folded.state), type=TrackedEntity)
        assert self.state == folded.state, "the state survives its table"


def update(kci_id: str, sequence: int | None = None, **fields: object) -> Update:
    return Update(id=kci_id, sequence_number=sequence, **fields)  # type: ignore[arg-type]  # as the test gives them


def action(name: str, text: str | None = None) -> Action:
    return Action(type=name, text=text)


def information(name: str) -> Information:
    return Information(type=name)


def error(code: str) -> GatewayError:
    return GatewayError(uuid="uuid", code=code, messages=("it failed",))


def request(number: int, status: str, other: str | None = None) -> Request:
    return Request(id=number, status=status, other=other)


def resolution(number: int, status: str = "PENDING", resolved: str | None = None) -> Resolution:
    return Resolution(id=number, status=status, code="NETWORK_ISSUE", resolved_date=resolved)


def result(word: str) -> TestResult:
    return TestResult(result=word, code="NO_FAULT_FOUND", valid_until=START + timedelta(hours=2), other='{"x":1}')


def changed(folded: Folded) -> list[EntityChanged]:
    """What the ticket was told about its entity."""
    return [told.signal for told in folded.signals if isinstance(told.signal, EntityChanged)]


def silent(folded: Folded) -> list[str]:
    """Why the ticket was asked to fetch its entity."""
    return [told.signal.why for told in folded.signals if isinstance(told.signal, EntitySilent)]
