"""A model of the gateway that keeps the contract's rules and a ledger of what it really took."""

from collections import Counter, deque
from collections.abc import Callable
from enum import Enum, auto

from msgspec.structs import replace

from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.commands import (
    SAFE,
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
from bridge.domain.entities import Action, Entity, GatewayError, Request, Resolution, TestResult, Update
from bridge.domain.limits import request_violations
from bridge.domain.outcomes import Reason
from bridge.domain.signals import EntityChanged
from tests.builders import a_problem, a_test
from tests.fakes import Crashed

FINAL = frozenset({"COMPLETED", "CANCELLED", "REJECTED", "FAILED_TO_SEND", "FAILED"})
# Where a test and a problem may go from where they are.
TEST_MOVES = {
    "RECEIVED_BY_GATEWAY": ("IN_PROGRESS", "REJECTED", "FAILED_TO_SEND"),
    "IN_PROGRESS": ("COMPLETED", "COMPLETED", "COMPLETED", "FAILED"),
}
WITH_SUPPLIER = ("IN_PROGRESS", "PENDING", "HELD", "RESOLVED", "CANCELLED")
PROBLEM_MOVES = {
    "RECEIVED_BY_GATEWAY": ("ACKNOWLEDGED", "ACKNOWLEDGED", "ACKNOWLEDGED", "REJECTED", "FAILED_TO_SEND"),
    "ACKNOWLEDGED": WITH_SUPPLIER,
    "IN_PROGRESS": WITH_SUPPLIER,
    "PENDING": ("IN_PROGRESS", "RESOLVED"),
    "HELD": ("IN_PROGRESS", "RESOLVED"),
    "PENDING_CANCELLATION": ("CANCELLED", "IN_PROGRESS"),
}
CHANGEABLE = frozenset({"ACKNOWLEDGED", "IN_PROGRESS", "PENDING", "HELD"})


class Fate(Enum):
    """What becomes of one call."""

    TAKEN = auto()
    REFUSED = auto()
    NOT_TAKEN = auto()
    FORBIDDEN = auto()
    # Taken or not, and nobody is told.
    LOST = auto()
    LOST_AND_NOT_TAKEN = auto()
    # The caller's process ends before or after the gateway took it.
    CRASHED = auto()
    CRASHED_AFTER = auto()


class ModelGateway:
    """`watch` is called with each command before anything happens, to see what is durable then."""

    def __init__(self, watch: Callable[[Command, str], None]) -> None:
        self.fates: deque[Fate] = deque()
        self.entities: dict[str, Entity] = {}
        self.updates: dict[str, list[Update]] = {}
        self.errors: dict[str, str] = {}
        self.accepted: list[Command] = []
        self.sent: Counter[str] = Counter()
        self.kcis: list[EntityChanged] = []
        self.calls = 0
        self._watch = watch
        self._numbers = iter(range(100, 1_000_000))
        self._busy = False

    async def call(self, command: Command, *, supplier: str, request_id: str, conversation_id: str) -> Answer:
        assert not self._busy, "two calls at once"
        assert not request_violations(command), request_violations(command)
        self.calls += 1
        self.sent[name_of(command)] += 1
        self._busy = True
        try:
            self._watch(command, request_id)
            return self._answer(command, self.fates.popleft() if self.fates else Fate.TAKEN)
        finally:
            self._busy = False

    def _answer(self, command: Command, fate: Fate) -> Answer:
        match fate:
            case Fate.NOT_TAKEN:
                return NotTaken(why="CONNECT_REFUSED")
            case Fate.FORBIDDEN:
                return NotTaken(why="FORBIDDEN", http_status=403, alarm=True)
            case Fate.LOST_AND_NOT_TAKEN:
                return Ambiguous(reason=Reason.SERVER_ERROR, why="SERVER_ERROR", http_status=500)
            case Fate.CRASHED:
                raise Crashed
            case Fate.REFUSED if name_of(command) not in SAFE:
                return Refused(http_status=422, error=GatewayError(uuid="u", code="INVALID_REQUEST"))
        answer = self._take(command)
        if fate is Fate.CRASHED_AFTER:
            raise Crashed
        return Ambiguous(reason=Reason.NO_ANSWER, why="READ_TIMEOUT") if fate is Fate.LOST else answer

    def _take(self, command: Command) -> Answer:
        match command:
            case RunTest():
                return self._new(command, a_test(self._id(), "RECEIVED_BY_GATEWAY", service_id=command.service_id))
            case RaiseProblem():
                return self._new(command, a_problem(self._id(), "RECEIVED_BY_GATEWAY"))
            case FetchTest(service_test_id=number):
                return self._shown(f"SERVICE_TEST:{number}")
            case FetchProblem(service_problem_id=number):
                return self._shown(f"SERVICE_PROBLEM:{number}")
            case AmendProblem() | CancelProblem() | AnswerResolution():
                return self._asked(command, f"SERVICE_PROBLEM:{command.service_problem_id}")

    def _new(self, command: Command, entity: Entity) -> Answer:
        self.accepted.append(command)
        self.entities[entity.key] = entity
        self.updates[entity.key] = []
        return Taken(http_status=201, entity=entity)

    def _shown(self, key: str) -> Answer:
        if key not in self.entities:
            return Refused(http_status=404, error=GatewayError(uuid="u", code="NOT_FOUND"))
        return Taken(http_status=200, entity=self.entities[key], updates=tuple(self.updates[key]))

    def _asked(self, command: AmendProblem | CancelProblem | AnswerResolution, key: str) -> Answer:
        problem = self.entities.get(key)
        refusal = Refused(http_status=422, error=GatewayError(uuid="u", code="INVALID_REQUEST"))
        if problem is None:
            return refusal
        told = Entity(type=problem.type, id=problem.id)
        if isinstance(command, AnswerResolution):
            resolution = problem.resolution
            if resolution is None or resolution.id != command.resolution_id or resolution.status != "PENDING":
                return refusal
            settled = replace(resolution, status=command.status)
            self.accepted.append(command)
            status = "COMPLETED" if command.status == "ACCEPTED" else "IN_PROGRESS"
            self._change(replace(problem, status=status, resolution=settled))
            return Taken(http_status=200, entity=replace(told, resolution=settled))
        if problem.status not in CHANGEABLE:
            return refusal
        self.accepted.append(command)
        request = Request(id=int(self._id()), status="RECEIVED_BY_GATEWAY")
        if isinstance(command, AmendProblem):
            self._change(replace(problem, amendment=request))
            return Taken(http_status=201, entity=replace(told, amendment=request))
        self._change(replace(problem, status="PENDING_CANCELLATION", cancellation=request))
        return Taken(http_status=201, entity=replace(told, cancellation=request))

    # -- what the supplier does

    def live(self) -> list[str]:
        """The entities that may still move by themselves."""
        moves = {**TEST_MOVES, **PROBLEM_MOVES}
        return [key for key, entity in self.entities.items() if (entity.status or "") in moves]

    def move(self, key: str, choice: int, result: TestResult | None, error: str) -> None:
        """Let an entity take one of its moves."""
        entity = self.entities[key]
        moves = (TEST_MOVES if entity.type == "SERVICE_TEST" else PROBLEM_MOVES)[entity.status or ""]
        status = moves[choice % len(moves)]
        if entity.type == "SERVICE_TEST":
            self._change(replace(entity, status=status, result=result if status == "COMPLETED" else None))
        elif status == "RESOLVED":
            resolution = Resolution(id=int(self._id()), status="PENDING", code="NETWORK_ISSUE")
            self._change(replace(entity, status=status, resolution=resolution), action="CONFIRM")
        elif status == "FAILED_TO_SEND":
            self.errors[key] = error
            self._change(replace(entity, status=status), error=error)
        else:
            self._change(replace(entity, status=status))

    def come_to(self, key: str, status: str, result: TestResult) -> None:
        """Let an entity come to a status at once."""
        entity = self.entities[key]
        if status == "RESOLVED":
            self.entities[key] = replace(entity, status="IN_PROGRESS")
            self.move(key, WITH_SUPPLIER.index(status), result, "")
        else:
            self._change(replace(entity, status=status, result=result if status == "COMPLETED" else None))

    def _change(self, entity: Entity, *, error: str | None = None, action: str | None = None) -> None:
        self.entities[entity.key] = entity
        told = GatewayError(uuid="u", code=error) if error is not None else None
        asked = Action(type=action) if action is not None else None
        update = Update(
            id=f"kci-{self._id()}",
            error=told,
            action=asked,
            resolution=entity.resolution,
            amendment=entity.amendment,
            cancellation=entity.cancellation,
        )
        self.updates[entity.key].append(update)
        self.kcis.append(EntityChanged(entity=entity, error=told, action=action))

    def _id(self) -> str:
        return str(next(self._numbers))
