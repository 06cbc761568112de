"""
What of the facts is wrong, since when, and what to do. Pure.

WRONG is what keeps tickets from going on, or will be missed if nobody acts; a WARNING is what becomes that.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.cli.doctor.facts import Facts, GroupFacts, ServiceFacts
from bridge.domain.journeys import CommandState, JourneyStatus, Phase
from bridge.domain.statuses import ActionRequired, ActionState

# What is left of a certificate's life when it is time to act, and when it is high time.
SOON, HIGH_TIME = timedelta(days=21), timedelta(days=3)
# An action that is due within this time is told before it is too late.
DUE_SOON = timedelta(hours=4)
NAMED = 3


class Grave(StrEnum):
    """How grave a finding is."""

    WRONG = "wrong"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """One thing that somebody should know."""

    grave: Grave
    what: str
    mend: str
    since: datetime | None = None


@dataclass(frozen=True)
class Limits:
    """From when on a delay counts as one."""

    lag: timedelta
    stuck: timedelta
    silence: timedelta


def findings(facts: Facts, limits: Limits) -> Iterator[Finding]:
    """Everything that is wrong or will be."""
    yield from _cluster(facts)
    for group in facts.groups:
        yield from _group(group, facts.now, limits)
    yield from _journeys(facts, limits)
    yield from _actions(facts)
    yield from _letters(facts)
    yield from _webhook(facts, limits)
    for service in facts.services:
        yield from _service(service)
    for sentence in facts.unseen:
        yield Finding(Grave.WRONG, f"cannot be told: {sentence}", "give this user what it lacks, and look again")


def _cluster(facts: Facts) -> Iterator[Finding]:
    for broker in facts.brokers:
        if not broker.fine:
            what = broker.refused or broker.away or ""
            yield Finding(Grave.WARNING, what, "see what became of the broker; the others do its work meanwhile")
        if broker.expires_at is not None and broker.expires_at - facts.now < SOON:
            grave = Grave.WRONG if broker.expires_at - facts.now < HIGH_TIME else Grave.WARNING
            what = f"the certificate of Kafka broker {broker.server} ends at {broker.expires_at:%Y-%m-%d %H:%M} UTC"
            yield Finding(grave, what, "have those who run the cluster renew it")
    for name, end in facts.certificates:
        if end - facts.now < SOON:
            grave = Grave.WRONG if end - facts.now < HIGH_TIME else Grave.WARNING
            yield Finding(grave, f"the certificate in {name} ends at {end:%Y-%m-%d %H:%M} UTC", "renew it")
    for sentence in facts.unfit:
        what, _, mend = sentence.partition("; ")
        yield Finding(Grave.WRONG, what, mend)


def _group(group: GroupFacts, now: datetime, limits: Limits) -> Iterator[Finding]:
    party, state = group.party, group.state
    if state.members == 0:
        yield Finding(
            Grave.WRONG, f"no {party} is running: the group {state.group} has no members", f"start `bridge run {party}`"
        )
    elif state.members > group.partitions:
        yield Finding(
            Grave.WARNING,
            f"{state.members} replicas of {party} for {group.partitions} partitions: some have nothing to do",
            f"run {group.partitions} at most",
        )
    if "Rebalance" in state.state:
        yield Finding(
            Grave.WARNING,
            f"the group {state.group} is at a rebalance ({state.state})",
            f"look again in a minute; if it stays so, see the logs of {party} for a worker that comes and goes",
        )
    for behind in group.behind:
        if now - behind.oldest > limits.lag:
            yield Finding(
                Grave.WRONG,
                f"{party} is {_count(behind.records, 'record')} behind in {behind.topic}; the oldest is in partition"
                f" {behind.partition}",
                f"see the logs and /ready of {party}; if it works and cannot keep up, run more replicas",
                behind.oldest,
            )


def _journeys(facts: Facts, limits: Limits) -> Iterator[Finding]:
    unknown = [each for each in facts.journeys if each.pending and each.pending.state is CommandState.UNKNOWN]
    if unknown:
        first = min(unknown, key=lambda each: each.updated_at)
        yield Finding(
            Grave.WRONG,
            f"the outcome of {_count(len(unknown), 'command')} is UNKNOWN: {_named(unknown)}",
            f"`bridge journeys show {first.ticket_id}`; find out at the gateway, then `bridge journeys resolve`",
            first.updated_at,
        )
    others = [each for each in facts.journeys if each.attention is not None and each not in unknown]
    for attention in sorted({each.attention for each in others if each.attention is not None}):
        needing = [each for each in others if each.attention == attention]
        yield Finding(
            Grave.WRONG,
            f"a person is needed for {_count(len(needing), 'journey')}, {attention}: {_named(needing)}",
            f"`bridge journeys show {needing[0].ticket_id}`",
            min(each.updated_at for each in needing),
        )
    stuck = [
        each
        for each in facts.journeys
        if each not in unknown and each not in others and _is_stuck(each, facts.now, limits)
    ]
    if stuck:
        first = min(stuck, key=lambda each: each.updated_at)
        why = first.pending.why if first.pending is not None else None
        yield Finding(
            Grave.WRONG,
            f"{_count(len(stuck), 'journey')} did not go on in time: {_named(stuck)}{f' ({why})' if why else ''}",
            "see whether the dispatcher runs, and the breakers of its gateway (--metrics)",
            first.updated_at,
        )


def _is_stuck(journey: JourneyStatus, now: datetime, limits: Limits) -> bool:
    """Whether a command is overdue, or keeps failing to be sent."""
    pending = journey.pending
    if pending is None or journey.end is not None:
        return False
    due = max(pending.not_before or journey.updated_at, journey.updated_at)
    return now - due > limits.stuck or (pending.attempts > 0 and now - journey.updated_at > limits.stuck)


def _actions(facts: Facts) -> Iterator[Finding]:
    required = [(action.due_at, action) for action in facts.actions if action.state is ActionState.REQUIRED]
    overdue = [action for due, action in required if due is not None and due <= facts.now]
    soon = [action for due, action in required if due is not None and timedelta(0) < due - facts.now < DUE_SOON]
    for grave, actions, said in ((Grave.WRONG, overdue, "overdue"), (Grave.WARNING, soon, "due within 4 h")):
        for kind in sorted({action.action for action in actions}):
            of_kind = sorted((each for each in actions if each.action == kind), key=_due)
            names = _some(each.ticket_id or f"{each.entity_type} {each.entity_id}" for each in of_kind)
            yield Finding(
                grave,
                f"{_count(len(of_kind), 'action')} {kind} {said}: {names}",
                f"have it done in the ticketing system; {of_kind[0].due_because or 'the supplier waits for it'}",
                of_kind[0].due_at,
            )


def _due(action: ActionRequired) -> float:
    return action.due_at.timestamp() if action.due_at is not None else 0.0


def _letters(facts: Facts) -> Iterator[Finding]:
    if facts.dead_letters:
        reasons = sorted({letter.reason.value for letter in facts.dead_letters})
        yield Finding(
            Grave.WRONG,
            f"{_count(len(facts.dead_letters), 'dead letter')} open ({', '.join(reasons)})",
            "`bridge dead-letters list`, then replay or discard them (docs/dead-letters.md)",
            min(letter.failed_at for letter in facts.dead_letters),
        )
    if facts.quarantined:
        yield Finding(
            Grave.WRONG,
            f"{_count(len(facts.quarantined), 'delivery', 'deliveries')} of the gateway in quarantine: no KCIs",
            "`bridge quarantine list`, then replay or discard them",
            min(item.received_at for item in facts.quarantined),
        )


def _webhook(facts: Facts, limits: Limits) -> Iterator[Finding]:
    """Nobody tells us that KCIs stay away; but while something is open, some should come."""
    waiting = [each for each in facts.journeys if each.end is None and each.phase in (Phase.OPEN, Phase.TESTING)]
    since = facts.newest_kci
    if not facts.kcis_seen or not waiting or (since is not None and facts.now - since <= limits.silence):
        return
    # A problem that is younger than that may still be waiting for its first one.
    if since is None and all(facts.now - each.updated_at <= limits.silence for each in waiting):
        return
    late = "" if since else " in the last week"
    yield Finding(
        Grave.WRONG,
        f"the webhook is silent: no KCI came{late}, and {_count(len(waiting), 'journey')} wait for one",
        "see whether the ingester runs and answers, whether the gateway can reach its address, and what address and"
        " credentials the gateway has on file",
        since,
    )


def _service(service: ServiceFacts) -> Iterator[Finding]:
    if service.unreachable is not None:
        yield Finding(
            Grave.WRONG,
            f"{service.url} does not answer ({service.unreachable})",
            "see whether the service runs, and the address of BRIDGE_MANAGEMENT_LISTEN",
        )
    for name, said in service.unready.items():
        yield Finding(Grave.WRONG, f"{service.url} is not ready: {name}: {said}", "see its logs")
    figures = service.figures
    if figures is None:
        return
    for supplier, position in figures.breakers.items():
        if position != "CLOSED":
            grave = Grave.WRONG if position == "OPEN" else Grave.WARNING
            yield Finding(
                grave,
                f"the breaker of supplier {supplier} is {position} at {service.url}: its commands wait",
                "see the gateway's status page; it closes by itself at the first call that works",
            )
    if figures.access_refused:
        yield Finding(
            Grave.WRONG,
            f"the gateway refuses {service.url} (401 or 403)",
            "`bridge config check --connect --service dispatcher` tells why",
        )


def _named(journeys: Iterable[JourneyStatus]) -> str:
    return _some(each.ticket_id for each in sorted(journeys, key=lambda each: each.updated_at))


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
    return ", ".join(listed[:NAMED]) + more


def _count(number: int, word: str, plural: str | None = None) -> str:
    return f"{number} {word if number == 1 else plural or f'{word}s'}"
