"""Stand-ins for the ports, each kept honest by the suite in tests/contract that its real adapter passes too."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Generic, TypeVar

import msgspec

from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.commands import (
    ENTITY_TYPES,
    AmendProblem,
    AnswerResolution,
    CancelProblem,
    Command,
    FetchProblem,
    FetchTest,
    RaiseProblem,
    RunTest,
    name_of,
)
from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Entity, GatewayError, Request, Resolution
from bridge.domain.journey.calls import Found
from bridge.domain.limits import request_violations
from bridge.domain.outcomes import CommandName, Reason, Verdict
from bridge.domain.record import Record
from bridge.ports import Kept, Outgoing, PublishFailed, TableLost

T = TypeVar("T")


@dataclass(frozen=True)
class GatewayCall:
    """One call as the gateway met it."""

    command: Command
    supplier: str
    request_id: str
    conversation_id: str


@dataclass(frozen=True)
class TakenButLost:
    """A step of a script: the command is taken, and its answer gets lost."""


@dataclass
class Held:
    """A step of a script: the call tells by `arrived` that it is there, waits for `release`, and goes on as usual."""

    arrived: asyncio.Event
    release: asyncio.Event


Step = Answer | TakenButLost | Held


class ScriptedGateway:
    """
    A gateway that takes every command and makes up ids, unless its script has another answer for the call's turn.

    An answer in the script is given as it is, and nothing is taken. `accepted` is the ledger: what was really taken, in
    order. `show` sets what a GET finds.
    """

    def __init__(self, *script: Step) -> None:
        self.calls: list[GatewayCall] = []
        self.accepted: list[Command] = []
        self._script: deque[Step] = deque(script)
        self._entities: dict[str, Entity] = {}
        self._last_id = 0

    def then(self, *steps: Step) -> None:
        """Add to the script."""
        self._script.extend(steps)

    def show(self, entity: Entity) -> None:
        """From now on a GET finds this."""
        self._entities[entity.key] = entity

    def entity(self, entity_type: str, entity_id: str) -> Entity:
        return self._entities[f"{entity_type}:{entity_id}"]

    async def call(self, command: Command, *, supplier: str, request_id: str, conversation_id: str) -> Answer:
        self.calls.append(GatewayCall(command, supplier, request_id, conversation_id))
        if request_violations(command):
            return NotTaken(why="INVALID_REQUEST", alarm=True)
        step = self._script.popleft() if self._script else None
        if isinstance(step, Taken | Refused | NotTaken | Ambiguous):
            return step
        if isinstance(step, Held):
            step.arrived.set()
            await step.release.wait()
        answer = self._take(command)
        if isinstance(step, TakenButLost):
            answer = Ambiguous(reason=Reason.NO_ANSWER, why="DISCONNECTED")
        return msgspec.structs.replace(answer, request_id=request_id)

    def _take(self, command: Command) -> Answer:
        found = self._found(command)
        if found is None:
            error = GatewayError(uuid=f"error-{len(self.calls)}", code="NOT_FOUND", messages=("Nothing has this id",))
            return Refused(http_status=404, error=error)
        if isinstance(command, FetchTest | FetchProblem):
            return Taken(http_status=200, entity=found)
        self.accepted.append(command)
        answer = Entity(type=found.type, id=found.id)
        match command:
            case RunTest() | RaiseProblem():
                self.show(found)
                answer = found
            case AmendProblem():
                answer = msgspec.structs.replace(answer, amendment=self._new_request())
                self.show(msgspec.structs.replace(found, amendment=answer.amendment))
            case CancelProblem():
                answer = msgspec.structs.replace(answer, cancellation=self._new_request())
                self.show(msgspec.structs.replace(found, cancellation=answer.cancellation))
            case AnswerResolution():
                resolution = Resolution(id=command.resolution_id, status=command.status)
                answer = msgspec.structs.replace(answer, resolution=resolution)
                self.show(msgspec.structs.replace(found, resolution=resolution))
        return Taken(http_status=200 if isinstance(command, AnswerResolution) else 201, entity=answer)

    def _found(self, command: Command) -> Entity | None:
        """What the command is about: a new entity, a known one, or None."""
        match command:
            case RunTest():
                return self._new(SERVICE_TEST, command, None)
            case RaiseProblem():
                return self._new(SERVICE_PROBLEM, command, command.external_identifier)
            case FetchTest():
                return self._entities.get(f"{SERVICE_TEST}:{command.service_test_id}")
            case _:
                return self._entities.get(f"{ENTITY_TYPES[name_of(command)]}:{command.service_problem_id}")

    def _new(self, entity_type: str, command: RunTest | RaiseProblem, external_identifier: str | None) -> Entity:
        return Entity(
            type=entity_type,
            id=str(self._new_id()),
            status="RECEIVED_BY_GATEWAY",
            external_identifier=external_identifier,
            service_id=command.service_id,
            supplier=command.supplier,
            problem_type=command.problem_type,
            service_test_id=command.service_test_id if isinstance(command, RaiseProblem) else None,
        )

    def _new_request(self) -> Request:
        return Request(id=self._new_id(), status="RECEIVED_BY_GATEWAY")

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id


class Crashed(BaseException):
    """The worker's process ended here; nothing after it happened. No handler catches it, as none catches kill -9."""


class Fault(Enum):
    """What befalls a write."""

    NONE = auto()
    # The worker does not own the partition any more.
    LOST = auto()
    # It was written, but the worker cannot know.
    LOST_AFTER = auto()
    # The process ends before or after the commit.
    CRASHED = auto()
    CRASHED_AFTER = auto()


class FakeTable(Generic[T]):
    """
    One partition of a table, all in memory: values go through JSON as the real ones do, and a lost one stays lost.

    `published` holds what was committed beside the values, in order. `faults` befall the next writes, one each.
    """

    def __init__(self, kept: Any, number: int = 0) -> None:
        self._kept = kept
        self._number = number
        self._values: dict[str, bytes] = {}
        self._lost = False
        self.published: list[Outgoing] = []
        self.writes = 0
        self.faults: deque[Fault] = deque()

    @property
    def number(self) -> int:
        return self._number

    def get(self, key: str) -> Kept[T] | None:
        data = self._values.get(key)
        return None if data is None else msgspec.json.decode(data, type=self._kept)

    def items(self) -> Iterable[tuple[str, Kept[T]]]:
        return [(key, msgspec.json.decode(data, type=self._kept)) for key, data in self._values.items()]

    async def write(self, key: str, kept: Kept[T] | None, outgoing: Iterable[Outgoing] = ()) -> None:
        await asyncio.sleep(0)
        fault = self.faults.popleft() if self.faults else Fault.NONE
        if self._lost or fault is Fault.LOST:
            self._lost = True
            raise TableLost("fenced")
        if fault is Fault.CRASHED:
            raise Crashed
        self.writes += 1
        if kept is None:
            self._values.pop(key, None)
        else:
            self._values[key] = msgspec.json.encode(kept)
        self.published += outgoing
        if fault is Fault.CRASHED_AFTER:
            raise Crashed
        if fault is Fault.LOST_AFTER:
            self._lost = True
            raise TableLost("the broker did not say whether it committed")

    def open_again(self) -> None:
        """Let a worker own the partition anew."""
        self._lost = False
        self.faults.clear()

    def values_of(self, topic: str) -> list[Any]:
        """What was published to a topic."""
        return [record.value for record in self.published if record.topic == topic]


class FixedClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def seconds(self) -> float:
        """The same as a count of seconds, for those who measure durations."""
        return self._now.timestamp()

    def advance(self, time: timedelta) -> None:
        self._now += time


class RecordingWakes:
    """Remembers, for each key, the earliest time it asked to be woken at."""

    def __init__(self) -> None:
        self.asked: dict[tuple[str, int], datetime] = {}

    def wake(self, key: str, partition: int, at: datetime) -> None:
        place = (key, partition)
        self.asked[place] = min(at, self.asked.get(place, at))

    def due(self, now: datetime) -> list[tuple[str, int]]:
        """The keys whose time has come, earliest first; they are forgotten here."""
        places = sorted((at, place) for place, at in self.asked.items() if at <= now)
        for _, place in places:
            del self.asked[place]
        return [place for _, place in places]

    def forget_all(self) -> None:
        """The process that was asked is gone."""
        self.asked.clear()


class RecordingTelemetry:
    """Keeps what was told."""

    def __init__(self) -> None:
        self.outcomes: list[tuple[CommandName, Verdict, Reason]] = []
        self.handled: list[str] = []
        self.dead_lettered: list[tuple[str, str]] = []
        self.take_overs: list[Mapping[Found, int]] = []

    def outcome_decided(self, command: CommandName, verdict: Verdict, reason: Reason) -> None:
        self.outcomes.append((command, verdict, reason))

    def record_handled(self, topic: str, seconds: float) -> None:
        self.handled.append(topic)

    def record_dead_lettered(self, topic: str, reason: str) -> None:
        self.dead_lettered.append((topic, reason))

    def taken_over(self, tickets: Mapping[Found, int]) -> None:
        self.take_overs.append(tickets)


class RecordingOutbox:
    """Keeps what was published; while `away`, takes nothing, as Kafka does when it is away."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.away = False

    async def publish(self, records: Iterable[Outgoing]) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise PublishFailed("Kafka is away")
        self.records += records


class ScriptedCodec:
    """Gives each record bytes of its own, and gives the record back for them; other bytes do what they were told to."""

    def __init__(self) -> None:
        self._records: dict[bytes, Record] = {}
        self._errors: dict[bytes, deque[Exception]] = {}

    def encode(self, topic: str, record: Record) -> bytes:
        data = f"{topic} {len(self._records)}".encode()
        self._records[data] = record
        return data

    def fails(self, data: bytes, *errors: Exception) -> None:
        """These bytes raise each error once, in order; the last one for ever, unless they are a record's."""
        self._errors[data] = deque(errors)

    async def decode(self, topic: str, data: bytes) -> Record:
        await asyncio.sleep(0)
        errors = self._errors.get(data)
        if errors:
            raise errors.popleft() if len(errors) > 1 or data in self._records else errors[0]
        return self._records[data]
