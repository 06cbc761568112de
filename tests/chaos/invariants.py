"""
What must be true of a whole run, whatever was done to the bridge. Each check names what it found wrong, by record.

They rest on three witnesses that do not know of each other: the raw topics, the simulator's ledger, and the log of the
faults that were injected.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bridge.domain.correlation import ticket_of
from bridge.domain.dead_letters import DeadLetter
from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Kci
from bridge.domain.journeys import JourneyStatus, Phase
from bridge.domain.lifecycle import PROBLEM, TEST, judge
from bridge.domain.outcomes import CommandName, GatewayOutcome, Reason, Verdict
from bridge.domain.statuses import EntityStatus, Move, StatusTransition
from bridge.domain.tickets import FaultTicketEvent
from tests.chaos.fault_log import FaultLog, Kind
from tests.chaos.history import History, Intent, seconds_of

SOURCES = {
    "dispatcher-journeys": ("fault-tickets", "journey-signals", "operator-decisions"),
    "tracker-entities": ("kcis", "observations"),
}
COMMANDS = frozenset({"tests", "problems", "amendments", "cancellations", "resolutions"})
# How long after its intent a call can still be under way: the gateway's total time-out and the writes around it.
CALL_SECONDS = 10.0
# What the two clocks of a record and of an injected fault may be apart.
SLACK_SECONDS = 1.0
# The faults that can leave a command in doubt, by what the doubt rests on.
INTERRUPTING = frozenset({Kind.KILL, Kind.FREEZE, Kind.BROKER, Kind.REFUSED})
UNANSWERING = frozenset({Kind.GATEWAY, Kind.FREEZE})
# Of a journey that ended meanwhile nobody looks any more into what the doubt rested on.
UNKNOWN_BY = {Reason.INTERRUPTED: INTERRUPTING, Reason.JOURNEY_ENDED: INTERRUPTING | UNANSWERING}
LIFECYCLES = {SERVICE_PROBLEM: PROBLEM, SERVICE_TEST: TEST}
SUPPLIER_FAULT_ENDS = frozenset({"FAILED_TO_SEND"})


@dataclass(frozen=True)
class Run:
    """What is judged: the history, the faults that were injected, and the commands that an operator had repeated."""

    history: History
    faults: FaultLog
    retried: frozenset[str]


Check = Callable[[Run], Iterator[str]]


def violations(run: Run) -> dict[str, list[str]]:
    """What each check found, by its name; an empty list is a promise kept."""
    return {name: list(check(run)) for name, check in CHECKS.items()}


# -- 1. every input exactly once


def every_input_settled(run: Run) -> Iterator[str]:
    """Each record of each source topic has one table write that settles it."""
    for table, sources in SOURCES.items():
        settled = {
            (topic, row.partition, offset)
            for row in run.history.topics[table]
            if row.value is not None
            for topic, offset in row.value.seen.items()
        }
        for topic in sources:
            for row in run.history.topics[topic]:
                if (topic, row.partition, row.offset) not in settled:
                    yield f"{topic}-{row.partition}-{row.offset} (key {row.key!r}) was never settled"


def no_step_back(run: Run) -> Iterator[str]:
    """What a table knows to be settled never becomes less: nobody writes over a newer owner's word."""
    for table in SOURCES:
        newest: dict[tuple[int, bytes | None, str], int] = {}
        for row in run.history.topics[table]:
            for topic, offset in row.value.seen.items() if row.value is not None else ():
                place = (row.partition, row.key, topic)
                if offset < newest.get(place, -1):
                    yield f"{table}-{row.partition}-{row.offset}: {topic} went back from {newest[place]} to {offset}"
                newest[place] = max(offset, newest.get(place, -1))


def every_event_told_once(run: Run) -> Iterator[str]:
    """Each ticket event has its outcome or its dead letter, and none is taken for a repetition of itself."""
    outcomes = of(run, "gateway-outcomes", GatewayOutcome)
    told = Counter(outcome.event_id for outcome in outcomes)
    letters = {(letter.topic, letter.partition, letter.offset) for letter in of(run, "dead-letters", DeadLetter)}
    for row in run.history.topics["fault-tickets"]:
        dead = (row.topic, row.partition, row.offset) in letters
        if isinstance(row.value, FaultTicketEvent) and bool(told[row.value.event_id]) == dead:
            yield f"event {row.value.event_id}: {told[row.value.event_id]} outcomes, dead letter: {dead}"
    for outcome in outcomes:
        if outcome.reason is Reason.DUPLICATE_EVENT:
            yield f"event {outcome.event_id} was handled twice"


def every_poison_kept(run: Run) -> Iterator[str]:
    """Each record that cannot be decoded is a dead letter, with its bytes."""
    letters = {
        (each.topic, each.partition, each.offset): (each.key, each.value)
        for each in of(run, "dead-letters", DeadLetter)
    }
    for sources in SOURCES.values():
        for topic in sources:
            for row in run.history.topics[topic]:
                if row.value is None and letters.get((topic, row.partition, row.offset)) != (row.key, row.raw):
                    yield f"{topic}-{row.partition}-{row.offset} is no dead letter, or not with its bytes"


def every_record_published_once(run: Run) -> Iterator[str]:
    """No outcome and no dead letter is there twice."""
    yield from twice("outcome", [each.outcome_id for each in of(run, "gateway-outcomes", GatewayOutcome)])
    yield from twice("dead letter", [each.dead_letter_id for each in of(run, "dead-letters", DeadLetter)])


def every_ticket_ends(run: Run) -> Iterator[str]:
    """Each reported ticket is at its end, or waits for a person's word on a command that is UNKNOWN."""
    journeys = {each.ticket_id: each for each in of(run, "journeys", JourneyStatus)}
    for ticket in {each.ticket_id for each in of(run, "fault-tickets", FaultTicketEvent)}:
        journey = journeys.get(ticket)
        if journey is None:
            yield f"{ticket} has no journey"
        elif journey.phase is not Phase.ENDED and journey.attention != "RESOLVE_UNKNOWN":
            yield f"{ticket} stands at {journey.phase}, problem {journey.problem_status}, pending {journey.pending}"


# -- 2. no command twice


def every_request_permitted(run: Run) -> Iterator[str]:
    """Whatever changed something at the gateway had a durable intent, and each intent was sent once at most."""
    intents = run.history.intents()
    sent = [each for each in run.history.requests if each["operation"] in COMMANDS and each["status"] != UNAUTHORISED]
    for request in sent:
        if request["request_id"] not in intents:
            yield f"{described(request)} had no durable intent"
    yield from twice("request", [str(each["request_id"]) for each in sent])


def no_command_accepted_twice(run: Run) -> Iterator[str]:
    """No command is accepted twice, but a test after an UNKNOWN (stated policy) or on an operator's word."""
    intents = run.history.intents()
    unknown = doubted(run)
    by_command: defaultdict[str, list[Intent]] = defaultdict(list)
    for request in run.history.requests:
        intent = intents.get(str(request["request_id"]))
        if request["accepted"] and request["operation"] in COMMANDS and intent is not None:
            by_command[intent.command_id].append(intent)
    for command_id, taken in by_command.items():
        if len(taken) == 1:
            continue
        name = taken[0].command
        repeated = name is CommandName.RUN_TEST and all(each.request_id in unknown for each in taken[:-1])
        if not repeated and command_id not in run.retried:
            yield f"{name} {command_id} was accepted {len(taken)} times: {[each.request_id for each in taken]}"


def one_live_problem(run: Run) -> Iterator[str]:
    """A ticket has at most one problem that reached its supplier, told by the gateway alone."""
    problems: defaultdict[str, list[Any]] = defaultdict(list)
    for problem in run.history.problems:
        if problem["status"] not in SUPPLIER_FAULT_ENDS:
            problems[problem["external_identifier"]].append(problem["id"])
    for ticket, ids in problems.items():
        if len(ids) > 1:
            yield f"{ticket} has {len(ids)} problems: {ids}"


def every_unknown_justified(run: Run) -> Iterator[str]:
    """Each UNKNOWN has a fault that was injected while that command was in flight."""
    intents = run.history.intents()
    requests = {each["request_id"]: each for each in run.history.requests}
    for outcome in of(run, "gateway-outcomes", GatewayOutcome):
        if outcome.verdict is not Verdict.UNKNOWN or outcome.request_id is None:
            continue
        intent = intents.get(outcome.request_id)
        request = requests.get(outcome.request_id)
        if intent is None:
            yield f"{outcome.command_id} is UNKNOWN and was never sent"
            continue
        start, end = intent.at - SLACK_SECONDS, min(intent.at + CALL_SECONDS, seconds_of(outcome.decided_at))
        kinds = UNKNOWN_BY.get(outcome.reason, UNANSWERING)
        planned = outcome.reason is not Reason.INTERRUPTED and request is not None and request["fault"] is not None
        if not planned and not run.faults.any_between(kinds, start, end + SLACK_SECONDS):
            yield f"{outcome.command_id} is UNKNOWN ({outcome.reason}), sent at {intent.at:.2f}, without a fault"


# -- 3. order


def commands_in_order(run: Run) -> Iterator[str]:
    """
    A ticket's commands reach the gateway in its order, and never two at once. A request that the bridge gave up, and
    told UNKNOWN for want of an answer, is over for the ticket, although the gateway may see the end of its connection
    later. A test that is UNKNOWN for another reason may be repeated while the first is still on its way: stated policy.
    """
    intents, unknown, given_up = run.history.intents(), doubted(run), unanswered(run)
    by_ticket: defaultdict[str, list[Any]] = defaultdict(list)
    for request in run.history.requests:
        ticket = ticket_of(request["conversation_id"])
        if request["operation"] in COMMANDS and ticket is not None:
            by_ticket[ticket].append(request)
    for requests in by_ticket.values():
        for one, other in pairwise(requests):
            earlier, later = intents.get(one["request_id"]), intents.get(other["request_id"])
            if earlier is not None and later is not None and later.number < earlier.number:
                yield f"{described(other)} came after {described(one)}"
            repeated = (
                earlier is not None
                and later is not None
                and earlier.command_id == later.command_id
                and earlier.command is CommandName.RUN_TEST
                and earlier.request_id in unknown
            )
            over = later is not None and given_up.get(one["request_id"], later.at) < later.at
            if not repeated and not over and (one["finished"] is None or other["arrived"] < one["finished"]):
                yield f"{described(other)} came during {described(one)}"


# -- 4. KCIs, statuses, transitions


def every_kci_kept(run: Run) -> Iterator[str]:
    """Whatever was answered 2xx is on `kcis`, at least as often as it was."""
    kept = Counter(each.update.id for each in of(run, "kcis", Kci))
    for kci in run.history.kcis:
        taken = sum(isinstance(each["answer"], int) and each["answer"] < FAILURES for each in kci["deliveries"])
        if kept[kci["id"]] < taken:
            yield f"KCI {kci['id']} of {kci['entity_id']} was taken {taken} times, and is there {kept[kci['id']]}"


def statuses_are_true(run: Run) -> Iterator[str]:
    """The latest status of each entity is the gateway's."""
    for topic, truth in (("problem-status", run.history.problems), ("test-status", run.history.tests)):
        latest = {each.entity.id: each.status for each in of(run, topic, EntityStatus)}
        for entity in truth:
            if latest.get(str(entity["id"])) != entity["status"]:
                yield f"{topic} {entity['id']} is {latest.get(str(entity['id']))}, in truth {entity['status']}"


def every_transition_once_and_connected(run: Run) -> Iterator[str]:
    """No transition twice; what was applied is one chain from the first status to the latest; all moves are judged."""
    moves = transitions(run)
    yield from twice("transition", [each.transition_id for each in moves])
    latest = {
        each.entity.key: each.status
        for topic in ("problem-status", "test-status")
        for each in of(run, topic, EntityStatus)
    }
    stands: dict[str, str | None] = {}
    for move in moves:
        key = f"{move.entity_type}:{move.entity_id}"
        before = stands.get(key)
        if move.from_status != before:
            yield f"transition {move.transition_id} of {key} leaves {move.from_status}, but it stood at {before}"
        verdict = judge(LIFECYCLES[move.entity_type], move.from_status, move.to_status)
        if move.move not in (verdict, Move.LATE):
            yield f"transition {move.transition_id} of {key} is told as {move.move}, and is {verdict}"
        if move.applied != (move.move in (Move.EXPECTED, Move.UNLISTED)):
            yield f"transition {move.transition_id} of {key} is {move.move}, applied: {move.applied}"
        if move.applied:
            stands[key] = move.to_status
    for key, status in latest.items():
        if stands.get(key) != status:
            yield f"{key} is {status}, but its transitions end at {stands.get(key)}"


CHECKS: dict[str, Check] = {
    check.__name__.replace("_", " "): check
    for check in (
        every_input_settled,
        no_step_back,
        every_event_told_once,
        every_poison_kept,
        every_record_published_once,
        every_ticket_ends,
        every_request_permitted,
        no_command_accepted_twice,
        one_live_problem,
        every_unknown_justified,
        commands_in_order,
        every_kci_kept,
        statuses_are_true,
        every_transition_once_and_connected,
    )
}

FAILURES = 300
UNAUTHORISED = 401


def of(run: Run, topic: str, kind: type[Any]) -> list[Any]:
    """The values of a topic that are of this type."""
    return [value for value in run.history.values(topic) if isinstance(value, kind)]


def doubted(run: Run) -> set[str | None]:
    """The ids of the intents whose command was told as UNKNOWN because of them."""
    intents = run.history.intents()
    outcomes = of(run, "gateway-outcomes", GatewayOutcome)
    told = [str(outcome.request_id) for outcome in outcomes if outcome.verdict is Verdict.UNKNOWN]
    return {intents[request_id].request_id if request_id in intents else request_id for request_id in told}


def unanswered(run: Run) -> dict[str, float]:
    """When a request was given up for want of an answer, by its id."""
    return {
        str(outcome.request_id): seconds_of(outcome.decided_at)
        for outcome in of(run, "gateway-outcomes", GatewayOutcome)
        if outcome.verdict is Verdict.UNKNOWN and outcome.reason is Reason.NO_ANSWER
    }


def transitions(run: Run) -> list[StatusTransition]:
    """Every transition, in the order of each entity."""
    return of(run, "problem-transitions", StatusTransition) + of(run, "test-transitions", StatusTransition)


def twice(what: str, ids: list[str]) -> Iterator[str]:
    """Those that are there more than once."""
    return (f"{what} {each} is there {count} times" for each, count in Counter(ids).items() if count > 1)


def described(request: dict[str, Any]) -> str:
    """A request in a few words."""
    return (
        f"{request['operation']} {request['request_id']} of {ticket_of(request['conversation_id'])} "
        f"({request['status']}, accepted: {request['accepted']}, fault: {request['fault']}, {request['arrived_at']})"
    )
