"""
What is durable about a ticket.

It is kept as JSON in the private table `dispatcher-journeys`, and holds personal data until the journey ends.
"""

from datetime import datetime

from bridge.domain.commands import AnswerResolution, Command, FetchProblem, FetchTest, RaiseProblem, name_of
from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Resolution, TestResult
from bridge.domain.journeys import CommandState, End, JourneyStatus, PendingCommand, Phase
from bridge.domain.outcomes import CommandName
from bridge.domain.record import Record
from bridge.domain.tickets import FaultReported, FaultTicketEvent

# The statuses of a problem that the supplier has not acknowledged yet (contract 6.1).
BEFORE_ACKNOWLEDGEMENT = frozenset({None, "RECEIVED_BY_GATEWAY", "SENT_TO_SUPPLIER"})


class Planned(Record, frozen=True, kw_only=True):
    """
    A command that was decided, and what is known of it.

    `command_id` is the ticket id and a number that is never used twice; `request_id` is the X-Request-ID of the latest
    send, and `doubts` are those of the sends that may have been taken. `trying_since` is when the command came to the
    front of the queue, `unknown_since` when its fate first was not known. `known_requests` are the amendments and
    cancellations that the problem had before: one that is not among them is evidence. `alone` marks a test that no
    fault asked for, `repeat_refused` a command of which the gateway took no repeat after a doubt.
    """

    command_id: str
    command: Command
    event_id: str | None
    state: CommandState = CommandState.NOT_SENT
    attempts: int = 0
    trying_since: datetime | None = None
    unknown_since: datetime | None = None
    not_before: datetime | None = None
    why: str | None = None
    request_id: str | None = None
    doubts: tuple[str, ...] = ()
    told_unknown: bool = False
    checks: int = 0
    alone: bool = False
    repeat_refused: bool = False
    alarm: bool = False
    known_requests: tuple[str, ...] = ()

    @property
    def name(self) -> CommandName:
        """The command's name."""
        return name_of(self.command)

    @property
    def may_be_taken(self) -> bool:
        """Whether a send of it may have been taken, so that nobody may act as if it had not."""
        return self.state is not CommandState.NOT_SENT or bool(self.doubts)


class TestRun(Record, frozen=True, kw_only=True):
    """A test that the gateway took, or that the ticket brought with it (`command_id` is None then)."""

    __test__ = False  # pytest would take it for a test class

    id: str
    command_id: str | None
    event_id: str | None
    supplier: str | None
    started_at: datetime
    status: str | None = None
    result: TestResult | None = None


class FollowedProblem(Record, frozen=True, kw_only=True):
    """
    The problem of this journey, as far as the journey needs to know it.

    `requests` are the keys of its amendments and cancellations; `accepted_by_policy` the resolutions that the bridge
    accepted by itself, each once. `failed` says that it FAILED_TO_SEND, and that the reason is still being asked for.
    """

    id: str
    status: str | None = None
    resolution: Resolution | None = None
    action: str | None = None
    requests: tuple[str, ...] = ()
    accepted_by_policy: tuple[int, ...] = ()
    error_code: str | None = None
    failed: bool = False

    @property
    def pending_resolution(self) -> Resolution | None:
        """The resolution that waits for an answer."""
        resolution = self.resolution
        waits = resolution is not None and resolution.id is not None and resolution.status in (None, "PENDING")
        return resolution if waits else None


class Journey(Record, frozen=True, kw_only=True):
    """
    All that the bridge does for one ticket.

    `queue` holds the commands in the order in which they must reach the gateway; only its head is ever sent. `fetches`
    are GETs that are due: they change nothing, so they neither wait for the queue nor hold it up. `waiting` are events
    that cannot be decided before the raise is. `past_tests` and `past_problems` are known and not followed any more;
    `strays` are problems of this ticket that live beside the one that is followed. `reported_at` is the provider's own
    time of the fault's report.
    """

    conversation_id: str
    phase: Phase
    alone: bool
    started_at: datetime
    report: FaultReported | None = None
    report_event_id: str | None = None
    reported_at: datetime | None = None
    service_id: str | None = None
    supplier: str | None = None
    test: TestRun | None = None
    alone_tests: tuple[TestRun, ...] = ()
    last_alone: TestRun | None = None
    past_tests: tuple[str, ...] = ()
    tests_run: int = 0
    problem: FollowedProblem | None = None
    past_problems: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    raises: int = 0
    queue: tuple[Planned, ...] = ()
    fetches: tuple[Planned, ...] = ()
    waiting: tuple[FaultTicketEvent, ...] = ()
    commands: int = 0
    end: End | None = None
    ended_at: datetime | None = None

    @property
    def head(self) -> Planned | None:
        """The command the journey stands at."""
        return self.queue[0] if self.queue else None

    @property
    def planned_raise(self) -> Planned | None:
        """The raise that is not settled, wherever it stands in the queue."""
        return next((planned for planned in self.queue if isinstance(planned.command, RaiseProblem)), None)

    @property
    def raise_in_doubt(self) -> bool:
        """Whether a raise was sent that may have been taken."""
        planned = self.planned_raise
        return planned is not None and planned.may_be_taken

    def answers(self, resolution_id: int | None) -> bool:
        """Whether an answer to this resolution is on its way."""
        asked = (planned.command for planned in self.queue)
        return any(
            isinstance(command, AnswerResolution) and command.resolution_id == resolution_id for command in asked
        )

    @property
    def known_tests(self) -> frozenset[str]:
        """The ids of all tests that this journey has heard of."""
        runs = (self.test, self.last_alone, *self.alone_tests)
        return frozenset({*self.past_tests, *(run.id for run in runs if run is not None)})


class TicketState(Record, frozen=True, kw_only=True):
    """The value of a ticket in the table. `event_ids` are the latest events: one sent twice is recognised by them."""

    ticket_id: str
    event_ids: tuple[str, ...] = ()
    journey: Journey | None = None
    touched_at: datetime


# How many event ids a ticket remembers: far more than any ticket has events.
REMEMBERED_EVENTS = 200


def view(ticket: TicketState, attention: str | None) -> JourneyStatus | None:
    """The journey as the outside may see it, or None when there is none."""
    journey = ticket.journey
    if journey is None:
        return None
    test = journey.test or journey.last_alone
    head = journey.head
    problem = journey.problem
    return JourneyStatus(
        ticket_id=ticket.ticket_id,
        phase=journey.phase,
        end=journey.end,
        conversation_id=journey.conversation_id,
        service_id=journey.service_id,
        supplier=journey.supplier,
        test_id=test.id if test else None,
        test_status=test.status if test else None,
        test_result=test.result.result if test and test.result else None,
        problem_id=problem.id if problem else None,
        problem_status=problem.status if problem else None,
        pending=None if head is None else _pending(head),
        queued=len(journey.queue) + len(journey.waiting),
        attention=attention,
        updated_at=ticket.touched_at,
    )


def _pending(planned: Planned) -> PendingCommand:
    return PendingCommand(
        command_id=planned.command_id,
        command=planned.name,
        state=planned.state,
        attempts=planned.attempts,
        not_before=planned.not_before,
        why=planned.why,
    )


def fetch_for(entity_type: str, entity_id: str) -> Command:
    """The GET for an entity."""
    if entity_type == SERVICE_TEST:
        return FetchTest(service_test_id=int(entity_id))
    if entity_type == SERVICE_PROBLEM:
        return FetchProblem(service_problem_id=int(entity_id))
    raise ValueError(f"only tests and problems can be fetched, not {entity_type}")
