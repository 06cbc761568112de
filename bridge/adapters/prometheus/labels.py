"""
The labels that metrics have, each with all the values it can take.

Rule: no value comes from outside. Where the outside names something (a status, an action, a supplier), the words that
the contract or the configuration lists are shown as they are, and every other one as OTHER.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from bridge.domain.breaker import Position
from bridge.domain.dead_letters import DeadLetterReason, QuarantineReason
from bridge.domain.entities import SERVICE_PROBLEM, SERVICE_TEST, Source
from bridge.domain.journey.calls import Found
from bridge.domain.journeys import End, Phase
from bridge.domain.lifecycle import ProblemStatus, TestStatus
from bridge.domain.outcomes import CommandName, Reason, Verdict
from bridge.domain.statuses import Move
from bridge.domain.tracking.state import Why
from bridge.topics import Party

OTHER = "OTHER"
# More suppliers than these are OTHER: their names come from tickets, which must not make more series than a Prometheus
# can bear.
MOST_SUPPLIERS = 100


class Known(StrEnum):
    """Sets of values that are known when a service starts: from topics.yaml, from the settings, from other modules."""

    READ = "the topics that the service reads"
    WRITTEN = "the topics that the service writes"
    PARTITIONS = "the partitions of the topics that the service reads"
    PROBLEM_TYPES = "the fault types of BRIDGE_DISPATCHER_PROBLEM_TYPES, and OTHER"
    SUPPLIERS = f"the first {MOST_SUPPLIERS} suppliers that the process met, and OTHER"
    ANSWER_REASONS = "why the webhook answered as it did"
    AUTHENTICATION_FAILURES = "why the webhook did not accept credentials"
    VERSION = "the version of this build"


class Standing(StrEnum):
    """How the command that a journey stands at is doing."""

    # It was not sent yet.
    WAITING = "WAITING"
    # It was sent, certainly not taken, and is to be sent again.
    RETRYING = "RETRYING"
    # It is being sent.
    IN_FLIGHT = "IN_FLIGHT"
    # It may have been taken.
    UNKNOWN = "UNKNOWN"


class AnswerKind(StrEnum):
    """What the gateway's answer says of a call (`bridge.domain.answers`)."""

    TAKEN = "TAKEN"
    REFUSED = "REFUSED"
    NOT_TAKEN = "NOT_TAKEN"
    AMBIGUOUS = "AMBIGUOUS"


class Due(StrEnum):
    """How long a person still has to act."""

    OVERDUE = "OVERDUE"
    WITHIN_HOUR = "WITHIN_HOUR"
    WITHIN_DAY = "WITHIN_DAY"
    LATER = "LATER"
    # Nobody gave it a time.
    NO_TIME = "NO_TIME"


class Lost(StrEnum):
    """Why spans did not reach the collector."""

    # More of them waited than BRIDGE_TRACING_MAX_QUEUED_SPANS.
    QUEUE_FULL = "QUEUE_FULL"
    # The collector did not take them in time.
    NOT_TAKEN = "NOT_TAKEN"


class Label(NamedTuple):
    """A label's name and its values: all of them, or which set holds them."""

    name: str
    values: tuple[str, ...] | Known


def _all(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)


# The actions that the contract lists (2.7), a KCI that names none, and any other.
ACTIONS = ("CONFIRM", "INFORMATION_REQUIRED", "REAPPOINT", "RESUBMIT", "UNSPECIFIED", OTHER)
# Why a journey needs a person: the bridge's own reasons, and what the supplier asks for.
ATTENTIONS = (
    "RESOLVE_UNKNOWN",
    "GATEWAY_REFUSES_ACCESS",
    "SECOND_PROBLEM",
    "ANSWER_RESOLUTION",
    *ACTIONS,
)
# The HTTP statuses that the webhook answers with; NONE: the client had gone.
CODES = ("200", "400", "401", "404", "405", "408", "413", "415", "422", "429", "431", "500", "503", "NONE")

SERVICE = Label("service", (Party.DISPATCHER.value, Party.INGESTER.value, Party.TRACKER.value))
VERSION = Label("version", Known.VERSION)
READ_TOPIC = Label("topic", Known.READ)
WRITTEN_TOPIC = Label("topic", Known.WRITTEN)
PARTITION = Label("partition", Known.PARTITIONS)
SUPPLIER = Label("supplier", Known.SUPPLIERS)
PROBLEM_TYPE = Label("problem_type", Known.PROBLEM_TYPES)
COMMAND = Label("command", _all(CommandName))
ANSWER = Label("answer", _all(AnswerKind))
VERDICT = Label("verdict", _all(Verdict))
REASON = Label("reason", _all(Reason))
DEAD_LETTER_REASON = Label("reason", _all(DeadLetterReason))
QUARANTINE_REASON = Label("reason", _all(QuarantineReason))
PHASE = Label("phase", _all(Phase))
END = Label("end", _all(End))
STANDING = Label("standing", _all(Standing))
FOUND = Label("found", _all(Found))
ATTENTION = Label("attention", ATTENTIONS)
POSITION = Label("position", _all(Position))
ENTITY_TYPE = Label("entity_type", (SERVICE_PROBLEM, SERVICE_TEST))
STATUS = Label("status", _all(dict.fromkeys((*ProblemStatus, *TestStatus, OTHER))))
MOVE = Label("move", _all(Move))
SOURCE = Label("source", _all(Source))
WHY = Label("why", _all(Why))
ACTION = Label("action", ACTIONS)
DUE = Label("due", _all(Due))
CODE = Label("code", CODES)
ANSWER_REASON = Label("reason", Known.ANSWER_REASONS)
LOST = Label("why", _all(Lost))
FAILURE = Label("why", Known.AUTHENTICATION_FAILURES)
