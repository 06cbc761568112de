"""Commands whose outcome is UNKNOWN: what settles each, and that nothing is repeated blindly."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from bridge.domain.answers import Ambiguous
from bridge.domain.commands import AmendProblem, AnswerResolution, CancelProblem, FetchProblem, RaiseProblem, RunTest
from bridge.domain.entities import Entity, Request
from bridge.domain.journeys import CommandState, End, Phase
from bridge.domain.outcomes import Basis, CommandName, Reason, Verdict
from bridge.domain.policy import JourneyPolicy
from bridge.domain.signals import Choice, LateAnswer
from tests.builders import (
    a_cancellation,
    a_policy,
    a_problem,
    a_resolution,
    a_result,
    a_test,
    ambiguous,
    an_amendment,
    an_answer,
    an_update,
    not_taken,
    refused,
    taken,
    with_amendment,
    with_cancellation,
)
from tests.unit.domain.journey.ticket import Ticket, opened, passed, reported

TEST, RAISE = CommandName.RUN_TEST, CommandName.RAISE_PROBLEM
AMEND, CANCEL, ANSWER = CommandName.AMEND_PROBLEM, CommandName.CANCEL_PROBLEM, CommandName.ANSWER_RESOLUTION
ACCEPTED, UNKNOWN, FAILED, NOT_SENT = Verdict.ACCEPTED, Verdict.UNKNOWN, Verdict.FAILED, Verdict.NOT_SENT


def ready(name: CommandName, policy: JourneyPolicy | None = None) -> Ticket:
    """A ticket whose next call is this command."""
    if name is TEST:
        return reported(policy)
    if name is RAISE:
        return passed(policy)
    ticket = opened(policy)
    if name is AMEND:
        ticket.event(an_amendment(), event_id="the event")
    elif name is CANCEL:
        ticket.event(a_cancellation(), event_id="the event")
    else:
        ticket.hears(a_problem(status="RESOLVED", resolution=a_resolution()))
        ticket.event(an_answer("REJECTED"), event_id="the event")
    assert ticket.due is name
    return ticket


def doubtful(name: CommandName, policy: JourneyPolicy | None = None) -> Ticket:
    ticket = ready(name, policy)
    ticket.calls_and_gets(ambiguous())
    return ticket


COMMANDS = [TEST, RAISE, AMEND, CANCEL, ANSWER]


@pytest.mark.parametrize("reason", [Reason.NO_ANSWER, Reason.SERVER_ERROR, Reason.UNREADABLE_ANSWER])
@pytest.mark.parametrize("name", COMMANDS)
def test_an_ambiguous_answer_is_told_as_unknown_and_not_repeated_at_once(name: CommandName, reason: Reason) -> None:
    ticket = ready(name)

    ticket.calls_and_gets(Ambiguous(reason=reason, why="READ_TIMEOUT", http_status=None))

    assert ticket.told[-1] == (name, UNKNOWN, reason)
    assert ticket.due is None
    assert ticket.head.state is CommandState.UNKNOWN


@pytest.mark.parametrize("name", COMMANDS)
def test_an_intent_that_is_found_without_an_outcome_is_unknown(name: CommandName) -> None:
    ticket = ready(name)
    ticket.sends()

    ticket.is_taken_over()

    assert ticket.told[-1] == (name, UNKNOWN, Reason.INTERRUPTED)
    assert ticket.due is None
    assert ticket.last.request_id is not None


def test_an_answer_whose_id_is_no_number_is_unreadable() -> None:
    ticket = ready(RAISE)

    ticket.calls_and_gets(taken(a_problem("P-1")))

    assert ticket.told[-1] == (RAISE, UNKNOWN, Reason.UNREADABLE_ANSWER)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_outcome_that_settles_an_unknown_command_has_its_command_id(name: CommandName) -> None:
    ticket = doubtful(name)
    unknown = ticket.last

    ticket.decides(Choice.ACCEPTED, entity_id="901")

    settled = next(outcome for outcome in ticket.outcomes if outcome.reason is Reason.DECIDED)
    assert (settled.command_id, settled.basis) == (unknown.command_id, Basis.OPERATOR)


# -- RunTest


def test_an_unknown_test_is_run_again_after_a_while_and_then_left_to_a_person() -> None:
    ticket = doubtful(TEST, a_policy(unknown_test_wait=timedelta(seconds=60), max_tests=2))
    assert ticket.attention is None

    ticket.waits(timedelta(seconds=60))
    ticket.calls_and_gets(ambiguous())

    assert [type(call) for call in ticket.calls] == [RunTest, RunTest]
    assert ticket.wakes_at is None
    assert ticket.attention == "RESOLVE_UNKNOWN"


def test_an_unknown_test_is_settled_by_a_message_about_it() -> None:
    ticket = doubtful(TEST)

    ticket.hears(a_test(status="IN_PROGRESS"))

    assert ticket.told[-1] == (TEST, ACCEPTED, Reason.FOUND)
    assert ticket.last.basis is Basis.EVIDENCE
    assert ticket.last.entity_id == "500"


def test_the_first_of_two_tests_is_not_used_when_the_second_was_taken() -> None:
    ticket = doubtful(TEST)
    ticket.waits_until_woken()
    ticket.calls_and_gets(taken(a_test("501", "RECEIVED_BY_GATEWAY")))

    ticket.hears(a_test("500", result=a_result("GREEN")))

    assert ticket.journey.phase is Phase.TESTING
    assert ticket.journey.test is not None
    assert ticket.journey.test.id == "501"


# -- RaiseProblem


def test_an_unknown_raise_is_never_repeated_without_a_word() -> None:
    ticket = doubtful(RAISE)

    ticket.waits(timedelta(days=10))

    assert ticket.due is None
    assert ticket.wakes_at is None
    assert ticket.attention == "RESOLVE_UNKNOWN"


def test_an_unknown_raise_is_settled_by_a_message_about_the_problem() -> None:
    ticket = doubtful(RAISE)

    ticket.hears(a_problem(status="ACKNOWLEDGED"))

    assert ticket.told[-1] == (RAISE, ACCEPTED, Reason.FOUND)
    assert (ticket.journey.phase, ticket.attention) == (Phase.OPEN, None)


def test_an_unknown_raise_is_settled_by_a_message_that_the_problem_is_over() -> None:
    ticket = doubtful(RAISE)

    ticket.hears(a_problem(status="REJECTED"))

    assert ticket.told[-1] == (RAISE, ACCEPTED, Reason.FOUND)
    assert ticket.journey.end is End.REJECTED


def test_a_stated_policy_repeats_an_unknown_raise_once_and_events_still_wait() -> None:
    ticket = doubtful(RAISE, a_policy(reraise_unknown=True, unknown_raise_wait=timedelta(minutes=15)))
    ticket.waits(timedelta(minutes=15))
    ticket.calls_and_gets(not_taken())
    ticket.event(a_cancellation(), event_id="cancelled")
    assert ticket.told_of("cancelled") == []

    ticket.waits_until_woken()
    ticket.calls_and_gets(ambiguous())

    assert sum(isinstance(call, RaiseProblem) for call in ticket.calls) == 3
    assert ticket.wakes_at is None
    assert ticket.attention == "RESOLVE_UNKNOWN"


def test_a_policys_second_raise_that_is_taken_and_the_first_that_turns_up_are_both_told() -> None:
    ticket = doubtful(RAISE, a_policy(reraise_unknown=True))
    ticket.waits_until_woken()
    ticket.calls_and_gets(taken(a_problem("901", "RECEIVED_BY_GATEWAY")))

    ticket.hears(a_problem("900", "ACKNOWLEDGED"))

    assert ticket.journey.problem is not None
    assert ticket.journey.problem.id == "901"
    assert ticket.attention == "SECOND_PROBLEM"


def test_a_policys_raise_whose_test_is_over_is_left_to_a_person() -> None:
    ticket = doubtful(RAISE, a_policy(reraise_unknown=True, unknown_raise_wait=timedelta(hours=3)))

    ticket.waits_until_woken()

    assert ticket.due is None
    assert ticket.attention == "RESOLVE_UNKNOWN"


def test_a_policys_raise_that_never_gets_through_is_unknown_and_not_failed() -> None:
    policy = a_policy(reraise_unknown=True, retry_for=timedelta(minutes=20), unknown_raise_wait=timedelta(minutes=10))
    ticket = doubtful(RAISE, policy)
    ticket.waits_until_woken()
    while ticket.wakes_at is not None:
        ticket.calls_and_gets(not_taken())
        if ticket.wakes_at is not None:
            ticket.waits_until_woken()

    assert ticket.told[-1] == (RAISE, UNKNOWN, Reason.GAVE_UP)
    assert ticket.attention == "RESOLVE_UNKNOWN"
    assert ticket.journey.phase is Phase.RAISING


def test_a_cancellation_while_the_raise_is_in_doubt_waits_for_the_problem_and_is_sent() -> None:
    ticket = doubtful(RAISE)
    ticket.event(a_cancellation(), event_id="cancelled")
    ticket.hears(a_problem(status="RECEIVED_BY_GATEWAY"))
    assert ticket.due is None

    ticket.hears(a_problem(status="ACKNOWLEDGED"))

    assert ticket.due is CANCEL
    assert ticket.told_of("cancelled") == []


def test_a_cancellation_while_the_raise_is_in_doubt_is_told_when_it_was_not_taken() -> None:
    ticket = doubtful(RAISE)
    ticket.event(a_cancellation(), event_id="cancelled")

    ticket.decides(Choice.NOT_ACCEPTED)

    assert ticket.told_of("cancelled") == [(CANCEL, NOT_SENT, Reason.JOURNEY_ENDED)]
    assert ticket.journey.end is End.FAILED


def test_events_that_waited_for_a_raise_that_a_person_repeats_go_into_it() -> None:
    ticket = doubtful(RAISE)
    ticket.event(an_amendment(notes="Call before noon"), event_id="amended")

    ticket.decides(Choice.RETRY)
    command = ticket.sends().command

    assert isinstance(command, RaiseProblem)
    assert command.notes == "Call before noon"
    assert ticket.told_of("amended") == [(AMEND, NOT_SENT, Reason.FOLDED_INTO_RAISE)]


def test_a_raise_that_a_person_repeats_when_its_test_is_over_is_tested_anew_and_told() -> None:
    ticket = doubtful(RAISE)
    ticket.now += timedelta(hours=3)

    ticket.decides(Choice.RETRY)
    ticket.waits(timedelta(0))

    assert ticket.told[-1] == (RAISE, FAILED, Reason.GAVE_UP)
    assert ticket.due is TEST


def test_a_person_names_the_problem_and_it_is_fetched_and_followed() -> None:
    ticket = doubtful(RAISE)

    ticket.decides(Choice.ACCEPTED, entity_id="901")
    sent = ticket.calls_and_gets(taken(a_problem("901", "IN_PROGRESS"), http_status=200))

    assert sent.command == FetchProblem(service_problem_id=901)
    assert ticket.journey.problem is not None
    assert ticket.journey.problem.status == "IN_PROGRESS"


@pytest.mark.parametrize(
    "answer", [refused(404, "NOT_FOUND"), taken(a_problem("901", external_identifier="TT-2"), http_status=200)]
)
def test_a_problem_that_a_person_named_wrongly_makes_the_raise_unknown_again(answer: object) -> None:
    ticket = doubtful(RAISE)
    ticket.event(a_cancellation(), event_id="cancelled")
    ticket.decides(Choice.ACCEPTED, entity_id="901")

    ticket.calls_and_gets(answer)  # type: ignore[arg-type]  # one of the two above

    assert ticket.told[-1] == (RAISE, UNKNOWN, Reason.INVALID)
    assert ticket.attention == "RESOLVE_UNKNOWN"
    assert ticket.told_of("cancelled") == []
    ticket.decides(Choice.ACCEPTED, entity_id="900")
    ticket.calls_and_gets(taken(a_problem("900", "IN_PROGRESS"), http_status=200))
    assert ticket.due is CANCEL


def test_a_person_must_name_what_the_command_made() -> None:
    ticket = doubtful(RAISE)

    ticket.decides(Choice.ACCEPTED)

    assert ticket.told[-1] == (RAISE, NOT_SENT, Reason.INVALID)
    assert (ticket.last.event_id, ticket.last.command_id) == (None, None)
    assert ticket.attention == "RESOLVE_UNKNOWN"


# -- AmendProblem, CancelProblem, AnswerResolution: a GET is the evidence


def after_get(ticket: Ticket, entity: Entity, *updates: object) -> Ticket:
    ticket.waits_until_woken()
    sent = ticket.calls_and_gets(taken(entity, *updates, http_status=200))  # type: ignore[arg-type]  # updates
    assert sent.command == FetchProblem(service_problem_id=900)
    return ticket


@pytest.mark.parametrize(
    ("name", "entity", "update"),
    [
        (AMEND, a_problem(amendment=Request(id=30, status="PENDING")), None),
        (AMEND, a_problem(), an_update(amendment=Request(id=30, status="REJECTED"))),
        (CANCEL, a_problem(cancellation=Request(id=40)), None),
        (CANCEL, a_problem(status="PENDING_CANCELLATION"), None),
        (ANSWER, a_problem(status="IN_PROGRESS", resolution=a_resolution("REJECTED")), None),
        (ANSWER, a_problem(status="RESOLVED"), an_update(resolution=a_resolution("REJECTED"))),
    ],
)
def test_a_get_that_shows_it_settles_an_unknown_command(name: CommandName, entity: Entity, update: object) -> None:
    ticket = after_get(doubtful(name), entity, *([update] if update is not None else []))

    assert ticket.told_of("the event") == [(name, UNKNOWN, Reason.NO_ANSWER), (name, ACCEPTED, Reason.FOUND)]
    assert ticket.journey.queue == ()


@pytest.mark.parametrize(
    ("name", "entity"),
    [
        (AMEND, a_problem(amendment=Request(id=30, status="PENDING"))),
        (CANCEL, a_problem(status="PENDING_CANCELLATION")),
        (CANCEL, a_problem(status="CANCELLED")),
        (ANSWER, a_problem(status="IN_PROGRESS", resolution=a_resolution("REJECTED"))),
    ],
)
def test_a_message_that_shows_it_settles_an_unknown_command(name: CommandName, entity: Entity) -> None:
    ticket = doubtful(name)

    ticket.hears(entity)

    assert ticket.told_of("the event") == [(name, UNKNOWN, Reason.NO_ANSWER), (name, ACCEPTED, Reason.FOUND)]


@pytest.mark.parametrize("name", [AMEND, CANCEL])
def test_a_get_that_shows_nothing_is_made_again_and_then_a_person_is_asked(name: CommandName) -> None:
    ticket = doubtful(name, a_policy(unknown_checks=3, unknown_check_wait=timedelta(seconds=10)))
    for _ in range(3):
        assert ticket.attention is None
        after_get(ticket, a_problem())

    assert ticket.attention == "RESOLVE_UNKNOWN"
    assert ticket.wakes_at is None
    assert sum(isinstance(call, FetchProblem) for call in ticket.calls) == 3
    assert sum(isinstance(call, AmendProblem | CancelProblem) for call in ticket.calls) == 1


def test_a_gateway_that_is_away_does_not_count_as_a_check() -> None:
    ticket = doubtful(AMEND, a_policy(unknown_checks=1))
    for _ in range(10):
        ticket.waits_until_woken()
        if ticket.due is not None:
            ticket.calls_and_gets(not_taken())
        assert ticket.attention is None
    while ticket.due is None:
        ticket.waits_until_woken()
    ticket.calls_and_gets(taken(a_problem(), http_status=200))

    assert ticket.attention == "RESOLVE_UNKNOWN"


def test_an_amendment_that_the_problem_had_before_is_no_evidence() -> None:
    ticket = opened()
    ticket.event(an_amendment())
    ticket.calls_and_gets(taken(with_amendment(a_problem(), 30)))
    ticket.event(an_amendment(notes="again"), event_id="the event")
    ticket.calls_and_gets(ambiguous())

    after_get(ticket, a_problem(amendment=Request(id=30)))

    assert ticket.told_of("the event") == [(AMEND, UNKNOWN, Reason.NO_ANSWER)]


def test_a_cancellation_with_the_number_of_an_amendment_is_another_request() -> None:
    ticket = opened()
    ticket.event(an_amendment())
    ticket.calls_and_gets(taken(with_amendment(a_problem(), 30)))
    ticket.event(a_cancellation(), event_id="the event")
    ticket.calls_and_gets(ambiguous())

    ticket.hears(with_cancellation(a_problem(), 30))

    assert ticket.told_of("the event")[-1] == (CANCEL, ACCEPTED, Reason.FOUND)


def test_an_amendment_that_turns_up_is_no_evidence_for_a_cancellation() -> None:
    ticket = doubtful(CANCEL)

    ticket.hears(with_amendment(a_problem(), 30))

    assert ticket.told_of("the event") == [(CANCEL, UNKNOWN, Reason.NO_ANSWER)]


PENDING = a_problem(status="RESOLVED", resolution=a_resolution("PENDING"))


def test_a_get_right_after_an_answer_does_not_show_that_it_was_not_taken() -> None:
    """The gateway shows a resolution in the updates alone, and the one that follows the answer was not made yet."""
    ticket = doubtful(ANSWER)
    ticket.silence_of(a_problem())
    sent = ticket.calls_and_gets(taken(PENDING, http_status=200))

    assert isinstance(sent.command, FetchProblem)
    assert ticket.due is None
    assert ticket.told_of("the event") == [(ANSWER, UNKNOWN, Reason.NO_ANSWER)]


def test_an_answer_whose_repeat_is_refused_was_taken_if_a_message_shows_it() -> None:
    ticket = after_get(doubtful(ANSWER), PENDING)
    doubt = ticket.journey.queue[0].doubts
    ticket.calls_and_gets(refused(422, "INVALID_REQUEST"))

    assert ticket.told_of("the event") == [(ANSWER, UNKNOWN, Reason.NO_ANSWER)]

    ticket.hears(a_problem(status="IN_PROGRESS", resolution=a_resolution("REJECTED")))
    assert ticket.told_of("the event") == [(ANSWER, UNKNOWN, Reason.NO_ANSWER), (ANSWER, ACCEPTED, Reason.FOUND)]
    assert (ticket.last.request_id,) == doubt


def test_an_answer_whose_repeat_is_refused_is_not_sent_a_third_time_and_a_person_is_asked() -> None:
    ticket = after_get(doubtful(ANSWER, a_policy(unknown_checks=2)), PENDING)
    ticket.calls_and_gets(refused(422, "INVALID_REQUEST"))
    for _ in range(2):
        assert ticket.attention is None
        after_get(ticket, PENDING)

    assert ticket.attention == "RESOLVE_UNKNOWN"
    assert sum(isinstance(call, AnswerResolution) for call in ticket.calls) == 2


def test_an_answer_that_a_person_has_sent_again_and_that_is_refused_is_refused() -> None:
    ticket = after_get(doubtful(ANSWER, a_policy(unknown_checks=1)), PENDING)
    ticket.calls_and_gets(refused(422, "INVALID_REQUEST"))
    after_get(ticket, PENDING)
    ticket.decides(Choice.RETRY)
    ticket.calls_and_gets(refused(422, "INVALID_REQUEST"))

    assert ticket.told[-1] == (ANSWER, Verdict.REFUSED, Reason.REFUSED_BY_GATEWAY)


def test_an_answer_whose_resolution_a_get_shows_pending_is_sent_again() -> None:
    ticket = after_get(doubtful(ANSWER), a_problem(status="RESOLVED", resolution=a_resolution("PENDING")))

    ticket.calls_and_gets(taken(a_problem(status=None, resolution=a_resolution("REJECTED"))))

    assert sum(isinstance(call, AnswerResolution) for call in ticket.calls) == 2
    assert ticket.told_of("the event")[-1] == (ANSWER, ACCEPTED, Reason.ANSWERED)


def test_a_message_that_shows_the_resolution_pending_may_be_old_and_repeats_nothing() -> None:
    ticket = doubtful(ANSWER)

    ticket.hears(a_problem(status="RESOLVED", resolution=a_resolution("PENDING")))

    assert ticket.due is None
    assert ticket.head.state is CommandState.UNKNOWN


def test_an_answer_that_stays_pending_is_given_up_in_time() -> None:
    ticket = doubtful(ANSWER, a_policy(retry_for=timedelta(minutes=1)))
    still = a_problem(status="RESOLVED", resolution=a_resolution("PENDING"))
    for _ in range(10):
        if not ticket.journey.queue:
            break
        after_get(ticket, still)
        if ticket.due is ANSWER:
            ticket.calls_and_gets(ambiguous())

    assert ticket.told_of("the event")[-1] == (ANSWER, FAILED, Reason.GAVE_UP)


@pytest.mark.parametrize(
    "entity", [a_problem(status="COMPLETED"), a_problem(status="RESOLVED", resolution=a_resolution("ACCEPTED"))]
)
def test_a_rejection_of_a_resolution_that_was_accepted_before_it_failed(entity: Entity) -> None:
    ticket = after_get(doubtful(ANSWER), entity)

    assert ticket.told_of("the event")[-1] == (ANSWER, FAILED, Reason.GAVE_UP)


def test_a_get_of_another_problem_is_no_evidence() -> None:
    ticket = opened()
    ticket.hears(a_problem("950", "IN_PROGRESS"))
    ticket.event(an_amendment(), event_id="the event")
    ticket.calls_and_gets(ambiguous())
    ticket.silence_of(a_problem("950"))

    ticket.calls_and_gets(taken(a_problem("950", amendment=Request(id=30)), http_status=200))

    assert ticket.told_of("the event") == [(AMEND, UNKNOWN, Reason.NO_ANSWER)]


@pytest.mark.parametrize("name", [AMEND, CANCEL])
def test_the_problems_end_gives_an_unknown_command_its_last_word(name: CommandName) -> None:
    ticket = doubtful(name)

    ticket.hears(a_problem(status="COMPLETED"))

    assert ticket.told_of("the event")[-1] == (name, UNKNOWN, Reason.JOURNEY_ENDED)
    assert ticket.journey.end is End.COMPLETED


# -- people


@pytest.mark.parametrize("name", COMMANDS)
def test_a_person_says_that_it_was_not_taken(name: CommandName) -> None:
    ticket = doubtful(name)
    command_id = ticket.head.command_id

    ticket.decides(Choice.NOT_ACCEPTED, command_id=command_id)

    told = [outcome for outcome in ticket.outcomes if outcome.reason is Reason.DECIDED]
    assert [(outcome.command_id, outcome.verdict, outcome.basis) for outcome in told] == [
        (command_id, FAILED, Basis.OPERATOR)
    ]
    assert ticket.journey.end == (End.FAILED if name in (TEST, RAISE) else None)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_person_has_it_sent_again(name: CommandName) -> None:
    ticket = doubtful(name)
    ticket.now += timedelta(minutes=50)

    ticket.decides(Choice.RETRY)

    assert ticket.due is name
    first = ticket.calls[-1]
    assert ticket.sends().command == first


@pytest.mark.parametrize("choice", Choice)
def test_a_decision_about_nothing_unknown_is_told_so_and_changes_nothing(choice: Choice) -> None:
    for ticket in (Ticket(), ready(RAISE), opened()):
        before = ticket.state.journey
        ticket.decides(choice, entity_id="1")
        assert ticket.last.reason is Reason.NOTHING_TO_DECIDE
        assert ticket.last.event_id is None
        assert ticket.state.journey == before


def test_a_decision_about_another_command_is_told_so_and_changes_nothing() -> None:
    ticket = doubtful(RAISE)

    ticket.decides(Choice.RETRY, command_id="TT-1/99")

    assert ticket.last.reason is Reason.NOTHING_TO_DECIDE
    assert ticket.due is None


# -- late answers of a worker that lost the ticket


def late(
    ticket: Ticket,
    verdict: Verdict,
    *,
    entity: Entity | None = None,
    request_id: str | None = None,
    answered_request_id: str | None = None,
) -> None:
    head = ticket.head
    ticket.signal(
        LateAnswer(
            command_id=head.command_id,
            command=head.name,
            verdict=verdict,
            reason=Reason.GAVE_UP,
            http_status=422 if verdict is Verdict.REFUSED else None,
            request_id=request_id or head.request_id,
            answered_request_id=answered_request_id,
            entity=entity,
        )
    )


TAKEN: dict[CommandName, Callable[[], Entity]] = {
    TEST: lambda: a_test(status="RECEIVED_BY_GATEWAY"),
    RAISE: lambda: a_problem(status="RECEIVED_BY_GATEWAY"),
    AMEND: lambda: with_amendment(a_problem()),
    CANCEL: lambda: with_cancellation(a_problem()),
    ANSWER: lambda: a_problem(status=None, resolution=a_resolution("REJECTED")),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_late_acceptance_settles_the_command_and_ties_its_entity(name: CommandName) -> None:
    ticket = doubtful(name)

    late(ticket, ACCEPTED, entity=TAKEN[name]())

    assert ticket.told[-1] == (name, ACCEPTED, Reason.FOUND)
    assert ticket.observations[-1].entity.id == ticket.last.entity_id


@pytest.mark.parametrize("name", COMMANDS)
def test_a_late_refusal_settles_the_command(name: CommandName) -> None:
    ticket = doubtful(name)

    late(ticket, Verdict.REFUSED)

    assert (name, Verdict.REFUSED, Reason.REFUSED_BY_GATEWAY) in ticket.told
    assert ticket.journey.end == (End.REFUSED if name in (TEST, RAISE) else None)


@pytest.mark.parametrize(("verdict", "entity"), [(ACCEPTED, TAKEN[RAISE]()), (Verdict.REFUSED, None)])
def test_a_late_answer_is_told_with_the_id_of_the_request_that_was_answered(
    verdict: Verdict, entity: Entity | None
) -> None:
    """After a 401 that is another one than the intent's, by which the send is known."""
    ticket = doubtful(RAISE)

    late(ticket, verdict, entity=entity, answered_request_id="repeat-after-401")

    (told,) = [each for each in ticket.outcomes if each.verdict is verdict and each.command is RAISE]
    assert told.request_id == "repeat-after-401"
    if entity is not None:
        assert ticket.observations[-1].request_id == "repeat-after-401"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_late_word_that_nothing_was_taken_lets_the_command_be_sent_again(name: CommandName) -> None:
    ticket = doubtful(name)

    late(ticket, NOT_SENT)

    assert ticket.due is name


@pytest.mark.parametrize("verdict", [Verdict.REFUSED, NOT_SENT])
def test_a_late_word_about_an_earlier_send_proves_nothing_about_a_later_one(verdict: Verdict) -> None:
    ticket = doubtful(TEST)
    first = ticket.head.request_id
    ticket.waits_until_woken()
    ticket.calls_and_gets(ambiguous())

    late(ticket, verdict, request_id=first)

    assert ticket.head.state is CommandState.UNKNOWN
    assert ticket.due is None


def test_a_late_refusal_of_a_send_that_nobody_doubts_proves_nothing() -> None:
    ticket = ready(RAISE)
    ticket.calls_and_gets(not_taken())

    late(ticket, Verdict.REFUSED, request_id="request-of-another-worker")

    assert ticket.head.state is CommandState.NOT_SENT
    assert ticket.told_of("report")[-1][1] is ACCEPTED


def test_a_late_acceptance_counts_even_if_the_command_waits_to_be_repeated() -> None:
    ticket = doubtful(TEST)
    ticket.waits_until_woken()
    assert ticket.due is TEST

    late(ticket, ACCEPTED, entity=a_test(status="IN_PROGRESS"))

    assert ticket.told[-1] == (TEST, ACCEPTED, Reason.FOUND)
    assert ticket.due is None


def test_a_late_acceptance_of_a_raise_that_a_person_gave_up_brings_the_problem_back() -> None:
    ticket = doubtful(RAISE)
    head = ticket.head
    ticket.decides(Choice.NOT_ACCEPTED)

    ticket.signal(
        LateAnswer(
            command_id=head.command_id,
            command=RAISE,
            verdict=ACCEPTED,
            reason=Reason.ANSWERED,
            http_status=201,
            request_id=head.request_id,
            entity=a_problem(status="RECEIVED_BY_GATEWAY"),
        )
    )

    assert ticket.told[-1] == (RAISE, ACCEPTED, Reason.FOUND)
    assert ticket.journey.phase is Phase.OPEN


def test_a_late_acceptance_of_an_earlier_amendment_is_no_evidence_for_the_next() -> None:
    ticket = doubtful(AMEND)
    head = ticket.head
    ticket.decides(Choice.NOT_ACCEPTED)
    ticket.event(an_amendment(notes="again"), event_id="again")
    ticket.calls_and_gets(ambiguous())

    ticket.signal(
        LateAnswer(
            command_id=head.command_id,
            command=AMEND,
            verdict=ACCEPTED,
            reason=Reason.ANSWERED,
            request_id=head.request_id,
            entity=with_amendment(a_problem(), 30),
        )
    )
    ticket.hears(with_amendment(a_problem(), 30))

    assert ticket.told_of("again") == [(AMEND, UNKNOWN, Reason.NO_ANSWER)]
