"""
Whether the gateway's contract allows what a ticket event or a request says, checked before anything is sent.

All violations of an event are found together: those of single fields by the tables of `request_fields`, and the rules
over several fields here (contract 2.12, 3.4, 3.9, 3.10, 3.23). A violation names the field and the limit, and of the
value only its kind and size, because the value may be personal data. Nothing is ever cut to fit.
"""

from collections.abc import Iterator

from bridge.domain.commands import AmendProblem, AnswerResolution, Command, RaiseProblem, RunTest
from bridge.domain.outcomes import Violation
from bridge.domain.policy import JourneyPolicy, ProblemType
from bridge.domain.record import Record
from bridge.domain.request_fields import CHANGES, FIELDS, LONG_TEXT, PROBLEM_TYPE, SOME, TEST_TYPE, Listed, Nested
from bridge.domain.tickets import (
    Characteristic,
    FaultAmended,
    FaultCancelled,
    FaultReported,
    FaultTicketEvent,
    ResolutionAnswered,
    ServiceTestRequested,
    TicketEvent,
)

# Characteristics with rules of their own (contract 2.12).
HAS_WORKED = "SERVICE_HAS_WORKED"
LAST_WORKED = "SERVICE_LAST_WORKED"
EQUIPMENT_TYPE = "EQUIPMENT_TYPE"
EQUIPMENT_TEST = "CPE"


class _Rule(Record, frozen=True, kw_only=True):
    """A rule over several fields that was broken."""

    field: str
    limit: str
    value: object


def violations(event: FaultTicketEvent | TicketEvent, policy: JourneyPolicy) -> tuple[Violation, ...]:
    """
    All that is wrong with an event, in the order of its fields; empty if the gateway's contract allows all of it.

    A fault into which amendments were folded is checked again by giving its FaultReported alone.
    """
    content = event.event if isinstance(event, FaultTicketEvent) else event
    found = list(_broken_fields(event, "")) if isinstance(event, FaultTicketEvent) else []
    found += _broken_fields(content, "event.")
    found += (_violation(f"event.{rule.field}", rule.limit, rule.value) for rule in _broken_rules(content, policy))
    return tuple(found)


def request_violations(command: Command) -> tuple[Violation, ...]:
    """All that is wrong with a request; the last line before it is sent, so anything found here is a bug before it."""
    found = list(_broken_fields(command, ""))
    match command:
        case RunTest():
            rules = _test_rules("characteristics", command.characteristics, command.problem_type)
        case RaiseProblem():
            rules = _worked_rules("characteristics", command.characteristics)
        case AmendProblem():
            rules = _amendment_rules(command)
        case AnswerResolution():
            rules = _rejection_rules("tenant_notes", command.status, command.tenant_notes)
        case _:
            rules = iter(())
    found += (_violation(rule.field, rule.limit, rule.value) for rule in rules)
    return tuple(found)


def problem_type_violations(policy: JourneyPolicy) -> tuple[Violation, ...]:
    """What is wrong with the policy's mapping of problem types (contract 3.4); checked when a service starts."""
    if not policy.problem_types:
        return (Violation(field="problem_types", limit="at least 1 item", value_class="list of 0 items"),)
    return tuple(
        violation
        for word, mapped in policy.problem_types.items()
        for violation in _mapped_violations(f"problem_types.{word}", mapped)
    )


def _mapped_violations(path: str, mapped: ProblemType) -> Iterator[Violation]:
    if not TEST_TYPE.allows(mapped.test):
        yield _violation(f"{path}.test", str(TEST_TYPE), mapped.test)
    if not PROBLEM_TYPE.allows(mapped.problem):
        yield _violation(f"{path}.problem", str(PROBLEM_TYPE), mapped.problem)


def _broken_fields(record: Record, path: str) -> Iterator[Violation]:
    """Walk a record along its table, into its objects and lists."""
    for field in FIELDS[type(record)]:
        value = getattr(record, field.name)
        name = f"{path}{field.name}"
        if value is None:
            if field.required:
                yield _violation(name, f"required: {field.limit}", value)
        elif not field.limit.allows(value):
            yield _violation(name, str(field.limit), value)
        elif isinstance(field.limit, Nested):
            yield from _broken_fields(value, f"{name}.")
        elif isinstance(field.limit, Listed):
            for index, item in enumerate(value):
                yield from _broken_fields(item, f"{name}[{index}].")


def _broken_rules(event: TicketEvent, policy: JourneyPolicy) -> Iterator[_Rule]:
    """The rules over several fields, by kind of event."""
    match event:
        case FaultReported():
            yield from _type_rules(event.problem_type, policy)
            yield from _worked_rules("characteristics", event.characteristics)
            # A ticket that brings its own test needs nothing to run one with; what it gives is checked all the same.
            if event.service_test_id is None or event.test_characteristics:
                if not event.test_characteristics:
                    yield _Rule(field="test_characteristics", limit=str(SOME), value=event.test_characteristics)
                test_type = _test_type(event.problem_type, policy)
                yield from _test_rules("test_characteristics", event.test_characteristics, test_type)
        case ServiceTestRequested():
            yield from _type_rules(event.problem_type, policy)
            yield from _test_rules("characteristics", event.characteristics, _test_type(event.problem_type, policy))
        case FaultAmended():
            yield from _amendment_rules(event)
        case ResolutionAnswered():
            yield from _rejection_rules("notes", event.answer, event.notes)
        case FaultCancelled():
            pass


def _type_rules(word: object, policy: JourneyPolicy) -> Iterator[_Rule]:
    mapped = policy.problem_types.get(word) if isinstance(word, str) else None
    if mapped is None:
        known = ", ".join(sorted(policy.problem_types))
        yield _Rule(field="problem_type", limit=f"one of the configured problem types: {known}", value=word)
    elif any(_mapped_violations("", mapped)):
        limit = "a problem type whose mapping fits the gateway's patterns; mend BRIDGE_DISPATCHER_PROBLEM_TYPES"
        yield _Rule(field="problem_type", limit=limit, value=word)


def _test_type(word: object, policy: JourneyPolicy) -> str | None:
    mapped = policy.problem_types.get(word) if isinstance(word, str) else None
    return None if mapped is None else mapped.test


def _worked_rules(field: str, characteristics: tuple[Characteristic, ...] | None) -> Iterator[_Rule]:
    """SERVICE_HAS_WORKED is mandatory, as the text "true" or "false"; with "true", SERVICE_LAST_WORKED is too."""
    listed = characteristics or ()
    worked = [index for index, item in enumerate(listed) if item.name == HAS_WORKED]
    if not worked:
        yield _Rule(field=field, limit=f"must contain {HAS_WORKED}", value=listed)
    for index in worked:
        if listed[index].value not in ("true", "false"):
            limit = f'"true" or "false" for {HAS_WORKED}'
            yield _Rule(field=f"{field}[{index}].value", limit=limit, value=listed[index].value)
    if any(listed[index].value == "true" for index in worked) and not _has(listed, LAST_WORKED):
        yield _Rule(field=field, limit=f'must contain {LAST_WORKED}, since {HAS_WORKED} is "true"', value=listed)


def _test_rules(
    field: str, characteristics: tuple[Characteristic, ...] | None, test_type: str | None
) -> Iterator[_Rule]:
    yield from _worked_rules(field, characteristics)
    if test_type == EQUIPMENT_TEST and not _has(characteristics or (), EQUIPMENT_TYPE):
        limit = f"must contain {EQUIPMENT_TYPE}, since the test's type is {EQUIPMENT_TEST}"
        yield _Rule(field=field, limit=limit, value=characteristics)


def _amendment_rules(amendment: FaultAmended | AmendProblem) -> Iterator[_Rule]:
    """Something must change, and characteristics are the whole new list, so the mandatory ones stay (contract 3.23)."""
    if all(getattr(amendment, field.name) is None for field in CHANGES):
        names = ", ".join(field.name for field in CHANGES)
        yield _Rule(field=CHANGES[0].name, limit=f"at least one of {names}", value=None)
    if amendment.characteristics is not None:
        yield from _worked_rules("characteristics", amendment.characteristics)


def _rejection_rules(field: str, answer: str, notes: str | None) -> Iterator[_Rule]:
    """A supplier cannot act on a rejection without a reason (contract 3.10)."""
    if answer == "REJECTED" and notes is None:
        yield _Rule(field=field, limit=f"required with REJECTED: {LONG_TEXT}", value=notes)


def _has(characteristics: tuple[Characteristic, ...], name: str) -> bool:
    return any(item.name == name for item in characteristics)


def _violation(field: str, limit: str, value: object) -> Violation:
    return Violation(field=field, limit=limit, value_class=value_class(value))


def value_class(value: object) -> str:
    """What may be shown of a value: its kind and size, never itself."""
    match value:
        case None:
            return "null"
        case str():
            return f"string of {_count(len(value), 'character')}" if value else "empty string"
        case tuple() | list():
            return f"list of {_count(len(value), 'item')}"
        case int() if not isinstance(value, bool):
            return "negative integer" if value < 0 else "positive integer" if value else "zero"
        case _:
            return "object"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
