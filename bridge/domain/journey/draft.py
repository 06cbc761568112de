"""The next state of a ticket while it is being worked out, with the outcomes to publish beside it."""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from bridge.domain.answers import Taken
from bridge.domain.commands import Command
from bridge.domain.correlation import conversation_id
from bridge.domain.entities import SERVICE_TEST, Entity, Observation, Source
from bridge.domain.journey.state import Journey, Planned, TestRun, TicketState, fetch_for
from bridge.domain.journey.telling import Word, outcome
from bridge.domain.journeys import CommandState, End, Phase
from bridge.domain.outcomes import Basis, CommandName, GatewayOutcome, Reason, Verdict
from bridge.domain.policy import JourneyPolicy
from bridge.domain.record import Record
from bridge.domain.tickets import (
    FaultAmended,
    FaultCancelled,
    FaultReported,
    FaultTicketEvent,
    ResolutionAnswered,
    ServiceTestRequested,
    TicketEvent,
)

# The command that each event leads to, and under whose name its outcome is told.
COMMAND_OF_EVENT: dict[type[TicketEvent], CommandName] = {
    FaultReported: CommandName.RAISE_PROBLEM,
    FaultAmended: CommandName.AMEND_PROBLEM,
    FaultCancelled: CommandName.CANCEL_PROBLEM,
    ResolutionAnswered: CommandName.ANSWER_RESOLUTION,
    ServiceTestRequested: CommandName.RUN_TEST,
}


class Context(Record, frozen=True, kw_only=True):
    """
    What a step may know of the world.

    `cause` names the input and makes outcome ids that are the same when the input is handled again; `jitter` is a
    random number in 0..1.
    """

    now: datetime
    cause: str
    policy: JourneyPolicy
    jitter: float = 1.0


class Step(Record, frozen=True, kw_only=True):
    """What one input led to: the ticket's next state, and what to publish in the same transaction."""

    ticket: TicketState
    outcomes: tuple[GatewayOutcome, ...] = ()
    observations: tuple[Observation, ...] = ()


class Draft:
    """A ticket's next state in the making. Used inside one step and never kept."""

    def __init__(self, ticket: TicketState, context: Context) -> None:
        """Start from the present state."""
        self.ticket = ticket
        self.journey = ticket.journey
        self.context = context
        self.now = context.now
        self.policy = context.policy
        self._outcomes: list[GatewayOutcome] = []
        self._observations: list[Observation] = []

    def done(self) -> Step:
        """The finished step."""
        head = self.journey.head if self.journey is not None else None
        if head is not None and head.trying_since is None:
            self.set_head(trying_since=self.now)
        if head is not None and head.state is CommandState.UNKNOWN and head.unknown_since is None:
            self.set_head(unknown_since=self.now)
        return Step(
            ticket=replace(self.ticket, journey=self.journey, touched_at=self.now),
            outcomes=tuple(self._outcomes),
            observations=tuple(self._observations),
        )

    @property
    def live(self) -> Journey:
        """The journey, where there must be one."""
        if self.journey is None:
            raise LookupError(f"ticket {self.ticket.ticket_id} has no journey")
        return self.journey

    def change(self, **changes: Any) -> None:
        """Set fields of the journey."""
        self.journey = replace(self.live, **changes)

    def start(self, *, alone: bool) -> None:
        """Begin a journey; after one that only tested, its numbers and what it knew go on."""
        before = self.journey
        self.journey = Journey(
            conversation_id=conversation_id(self.ticket.ticket_id),
            phase=Phase.TESTING,
            alone=alone,
            started_at=self.now,
        )
        if before is not None:
            self.change(
                commands=before.commands,
                past_tests=tuple(sorted(before.known_tests)),
                past_problems=before.past_problems,
                strays=before.strays,
            )

    # -- the queue of commands

    def plan(self, command: Command, event_id: str | None, *, alone: bool = False) -> None:
        """Put a command behind the others."""
        planned = self._planned(command, event_id)
        self.change(queue=(*self.live.queue, replace(planned, alone=alone)))

    def plan_first(self, command: Command, event_id: str | None, state: CommandState) -> None:
        """Put a command before the others."""
        planned = self._planned(command, event_id)
        self.change(queue=(replace(planned, state=state), *self.live.queue))

    def planned_fetch(self, entity_type: str, entity_id: str) -> Planned | None:
        """The GET of an entity that is due, or will be."""
        command = fetch_for(entity_type, entity_id)
        return next((fetch for fetch in self.live.fetches if fetch.command == command), None)

    def plan_fetch(self, entity_type: str, entity_id: str, why: str, not_before: datetime) -> None:
        """Have an entity fetched; one that is due earlier already stays."""
        present = self.planned_fetch(entity_type, entity_id)
        if present is not None and (present.not_before is None or present.not_before <= not_before):
            return
        command = fetch_for(entity_type, entity_id)
        planned = replace(self._planned(command, None), not_before=not_before, why=why)
        self.drop_fetch(command)
        self.change(fetches=(*self.live.fetches, planned))

    def drop_fetch(self, command: Command) -> None:
        """Forget that an entity was to be fetched."""
        self.change(fetches=tuple(fetch for fetch in self.live.fetches if fetch.command != command))

    def _planned(self, command: Command, event_id: str | None) -> Planned:
        number = self.live.commands + 1
        self.change(commands=number)
        return Planned(command_id=f"{self.ticket.ticket_id}/{number}", command=command, event_id=event_id)

    def set_head(self, **changes: Any) -> None:
        """Set fields of the command the journey stands at."""
        head, *rest = self.live.queue
        self.change(queue=(replace(head, **changes), *rest))

    def drop_head(self) -> Planned:
        """Take the command the journey stands at off the queue."""
        head, *rest = self.live.queue
        self.change(queue=tuple(rest))
        return head

    def postpone_head(self, wait: timedelta, why: str) -> None:
        """Let the head wait; its latest send was certainly not taken."""
        self.set_head(state=CommandState.NOT_SENT, not_before=self.now + wait, why=why)

    # -- telling

    def tell_command(self, planned: Planned, word: Word) -> None:
        """Publish what is known of a command."""
        self._tell(
            planned.name,
            planned.event_id,
            word,
            command_id=planned.command_id,
            attempts=planned.attempts,
            request_id=planned.request_id,
        )

    def tell_event(self, event: FaultTicketEvent, word: Word) -> None:
        """Publish that an event leads to no command, and why."""
        self._tell(COMMAND_OF_EVENT[type(event.event)], event.event_id, word)

    def tell(self, command: CommandName, event_id: str | None, word: Word) -> None:
        """Publish a word of the bridge's own rules, about no command that was planned."""
        self._tell(command, event_id, word)

    def tell_found(self, entity: Entity, message: str) -> None:
        """Publish that a problem of this ticket turned up that no answer told of."""
        word = Word(verdict=Verdict.ACCEPTED, reason=Reason.FOUND, message=message, basis=Basis.EVIDENCE, entity=entity)
        self._tell(CommandName.RAISE_PROBLEM, self.live.report_event_id, word)

    def tell_test(self, run: TestRun, message: str) -> None:
        """Publish the result of a test that was asked for alone."""
        word = Word(
            verdict=Verdict.ACCEPTED,
            reason=Reason.TEST_FINISHED,
            message=message,
            basis=Basis.EVIDENCE,
            entity=Entity(type=SERVICE_TEST, id=run.id),
            test=run.result,
        )
        self._tell(CommandName.RUN_TEST, run.event_id, word, command_id=run.command_id)

    def let_go(self, planned: Planned, reason: Reason, why: str) -> None:
        """Publish the last word on a command that is taken off the queue without an answer."""
        if planned.may_be_taken:
            word = Word(
                verdict=Verdict.UNKNOWN,
                reason=Reason.JOURNEY_ENDED,
                message=f"{why}: whether it was taken is not looked into any more.",
                basis=Basis.RULE,
            )
        else:
            word = Word(verdict=Verdict.NOT_SENT, reason=reason, message=f"{why}: it is not sent.", basis=Basis.RULE)
        self.tell_command(planned, word)

    def _tell(self, command: CommandName, event_id: str | None, word: Word, **particulars: Any) -> None:
        outcome_id = f"{self.context.cause}/{len(self._outcomes)}"
        told = outcome(self.ticket.ticket_id, outcome_id, command, word, self.now)
        self._outcomes.append(replace(told, event_id=event_id, **particulars))

    def observe(self, source: Source, request_id: str, taken: Taken) -> None:
        """Publish what an answer told of an entity; this also ties the entity to the ticket."""
        self._observations.append(
            Observation(
                observation_id=request_id,
                ticket_id=self.ticket.ticket_id,
                source=source,
                entity=taken.entity,
                updates=taken.updates,
                conversation_id=conversation_id(self.ticket.ticket_id),
                request_id=request_id,
                observed_at=self.now,
            )
        )

    # -- the end

    def end(self, end: End) -> None:
        """
        End the journey: each command and event that still waits gets its last word, and personal data is let go of.

        Tests that were asked for alone are followed to their results, which somebody waits for.
        """
        journey = self.live
        why = f"The journey ended ({end})"
        for planned in journey.queue:
            self.let_go(planned, Reason.JOURNEY_ENDED, why)
        for event in journey.waiting:
            message = f"{why} before this could be decided."
            self.tell_event(event, Word(verdict=Verdict.NOT_SENT, reason=Reason.JOURNEY_ENDED, message=message))
        awaited = [fetch_for(SERVICE_TEST, run.id) for run in journey.alone_tests]
        self.change(
            phase=Phase.ENDED,
            end=end,
            ended_at=self.now,
            report=None,
            queue=(),
            waiting=(),
            fetches=tuple(fetch for fetch in journey.fetches if fetch.command in awaited),
        )
