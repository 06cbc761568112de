"""
The judge judged: a clean run is spoilt in one way or two for each check, and that check must see it.

The way is the smallest one that breaks the promise: one record, one request or one fault is lost, doubled or changed.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from bridge.domain.outcomes import GatewayOutcome
from bridge.domain.statuses import StatusTransition
from tests.chaos.fault_log import FaultLog
from tests.chaos.history import History, Row
from tests.chaos.invariants import CHECKS, COMMANDS, Run

Tampering = Callable[[History], History]


def with_topic(history: History, topic: str, rows: Iterable[Row]) -> History:
    """The same history with other records on one topic."""
    return replace(history, topics={**history.topics, topic: list(rows)})


def a_ticket_is_forgotten(history: History) -> History:
    """All that the dispatcher's table has of one ticket is gone."""
    rows = history.topics["dispatcher-journeys"]
    key = rows[0].key
    return with_topic(history, "dispatcher-journeys", (row for row in rows if row.key != key))


def an_old_value_comes_last(history: History) -> History:
    """The first thing that the tracker wrote of an entity is written again at the end, as a zombie would."""
    rows = history.topics["tracker-entities"]
    often = Counter(row.key for row in rows).most_common(1)[0][0]
    return with_topic(history, "tracker-entities", [*rows, next(row for row in rows if row.key == often)])


def an_event_is_not_told(history: History) -> History:
    """One ticket event has no outcome."""
    rows = history.topics["gateway-outcomes"]
    event_id = next(row.value.event_id for row in rows if isinstance(row.value, GatewayOutcome) and row.value.event_id)
    return with_topic(history, "gateway-outcomes", (row for row in rows if row.value.event_id != event_id))


def a_dead_letter_is_lost(history: History) -> History:
    """One dead letter is missing."""
    return with_topic(history, "dead-letters", history.topics["dead-letters"][1:])


def an_outcome_is_doubled(history: History) -> History:
    """One outcome is there twice."""
    rows = history.topics["gateway-outcomes"]
    return with_topic(history, "gateway-outcomes", [*rows, rows[0]])


def a_journey_is_not_shown(history: History) -> History:
    """One ticket has no journey."""
    rows = history.topics["journeys"]
    key = rows[0].key
    return with_topic(history, "journeys", (row for row in rows if row.key != key))


def a_request_has_no_intent(history: History) -> History:
    """The gateway was asked for something that no table knows of."""
    request = {**accepted(history, "problems"), "request_id": "nobody's"}
    return replace(history, requests=[*history.requests, request])


def a_problem_is_taken_twice(history: History) -> History:
    """The gateway accepted a raise twice."""
    return replace(history, requests=[*history.requests, accepted(history, "problems")])


def a_ticket_has_two_problems(history: History) -> History:
    """A ticket has two problems that reached its supplier."""
    problem = next(each for each in history.problems if each["status"] == "COMPLETED")
    return replace(history, problems=[*history.problems, {**problem, "id": -1}])


def nothing_was_done(history: History) -> History:
    """The gateway did nothing that would explain an UNKNOWN (and no fault was injected, see `tampered`)."""
    return replace(history, requests=[{**each, "fault": None} for each in history.requests])


def two_commands_change_places(history: History) -> History:
    """A ticket's raise reached the gateway before its test."""
    raised = accepted(history, "problems")
    conversation = raised["conversation_id"]
    tested = next(
        each
        for each in history.requests
        if each["conversation_id"] == conversation and each["accepted"] and each["operation"] == "tests"
    )
    places = {raised["seq"]: tested, tested["seq"]: raised}
    return replace(history, requests=[places.get(each["seq"], each) for each in history.requests])


def two_commands_overlap(history: History) -> History:
    """A ticket's raise reached the gateway while its test was still being answered."""
    disturbed = {each["conversation_id"] for each in history.requests if each["fault"] is not None}
    calm = [each for each in history.requests if each["conversation_id"] not in disturbed]
    raised = next(each for each in calm if each["operation"] == "problems")
    ticket = (raised["conversation_id"], "tests")
    late = {"finished": raised["finished"]}
    return replace(
        history,
        requests=[
            {**each, **late} if (each["conversation_id"], each["operation"]) == ticket else each
            for each in history.requests
        ],
    )


def a_kci_is_lost(history: History) -> History:
    """A KCI that was answered 2xx is not on `kcis`."""
    taken = {kci["id"] for kci in history.kcis if kci["fate"] == "DELIVERED"}
    rows = history.topics["kcis"]
    lost = next(row.value.update.id for row in rows if row.value is not None and row.value.update.id in taken)
    return with_topic(history, "kcis", (row for row in rows if row.value is None or row.value.update.id != lost))


def the_truth_is_another(history: History) -> History:
    """A problem is in truth at another status than the topic says."""
    first, *others = history.problems
    return replace(history, problems=[{**first, "status": "HELD"}, *others])


def a_transition_is_lost(history: History) -> History:
    """A move of a problem that went on afterwards was never told."""
    rows = history.topics["problem-transitions"]
    moves = [row for row in rows if isinstance(row.value, StatusTransition) and row.value.applied]
    first = next(row for row in moves if any(other.key == row.key and other.offset > row.offset for other in moves))
    return with_topic(history, "problem-transitions", (row for row in rows if row is not first))


def accepted(history: History, operation: str) -> dict[str, Any]:
    """The first request of this kind that the gateway accepted."""
    assert operation in COMMANDS
    return next(each for each in history.requests if each["accepted"] and each["operation"] == operation)


# By the name of the check that must see it.
TAMPERINGS: dict[str, tuple[Tampering, ...]] = {
    "every input settled": (a_ticket_is_forgotten,),
    "no step back": (an_old_value_comes_last,),
    "every event told once": (an_event_is_not_told,),
    "every poison kept": (a_dead_letter_is_lost,),
    "every record published once": (an_outcome_is_doubled,),
    "every ticket ends": (a_journey_is_not_shown,),
    "every request permitted": (a_request_has_no_intent,),
    "no command accepted twice": (a_problem_is_taken_twice,),
    "one live problem": (a_ticket_has_two_problems,),
    "every unknown justified": (nothing_was_done,),
    "commands in order": (two_commands_change_places, two_commands_overlap),
    "every kci kept": (a_kci_is_lost,),
    "statuses are true": (the_truth_is_another,),
    "every transition once and connected": (a_transition_is_lost,),
}


def blind(run: Run) -> list[str]:
    """The checks that do not see what was spoilt for them; a check for which nothing is spoilt is one of them."""
    return [
        name
        for name in CHECKS
        if name not in TAMPERINGS or not all(any(CHECKS[name](tampered(run, each))) for each in TAMPERINGS[name])
    ]


def tampered(run: Run, tampering: Tampering) -> Run:
    """A run that is spoilt in this way."""
    faults = FaultLog() if tampering is nothing_was_done else run.faults
    return replace(run, history=tampering(run.history), faults=faults)
