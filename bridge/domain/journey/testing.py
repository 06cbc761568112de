"""From the first test to the raise: running tests, judging their results, repeating them, raising the problem."""

from msgspec.structs import replace

from bridge.domain.commands import RaiseProblem, RunTest
from bridge.domain.entities import SERVICE_TEST, Entity
from bridge.domain.journey.draft import Draft
from bridge.domain.journey.gate import FINISHED_TESTS, Gate, Subject, judge
from bridge.domain.journey.state import Planned, TestRun, fetch_for
from bridge.domain.journey.telling import Word, not_sent
from bridge.domain.journeys import End, Phase
from bridge.domain.limits import violations
from bridge.domain.outcomes import CommandName, Reason, Verdict
from bridge.domain.tickets import FaultReported, ServiceTestRequested

AWAITED = "the test's result is awaited"
NOT_PASSED: dict[Gate, tuple[End, Reason, str]] = {
    Gate.GREEN: (End.TEST_GREEN, Reason.TEST_GREEN, "The test found the line GREEN, so no problem may be raised."),
    Gate.DENIED: (
        End.TEST_DENIED,
        Reason.TEST_DENIED,
        "The test's outcome code is on the configured deny list, so no problem is raised.",
    ),
    Gate.MISMATCH: (
        End.TEST_MISMATCH,
        Reason.TEST_MISMATCH,
        "The test is of another service or supplier than the ticket, so no problem is raised.",
    ),
}
NOTHING_TO_TEST_WITH = (
    "The test that the ticket brought with it cannot be used, and the ticket has no test characteristics to run "
    "another with; no problem is raised."
)


def run_test(draft: Draft) -> None:
    """Plan the next test for the reported fault, or end the journey when none can be run."""
    report = reported(draft)
    if not _still_allowed(draft, report):
        return
    run = draft.live.tests_run
    if run >= draft.policy.max_tests or not report.test_characteristics:
        text = f"{run} tests were run and none could be used; no problem is raised." if run else NOTHING_TO_TEST_WITH
        no_raise(draft, not_sent(Reason.TEST_NOT_PASSED, text), End.TEST_NOT_PASSED)
        return
    draft.change(phase=Phase.TESTING, test=None, tests_run=run + 1)
    command = RunTest(
        service_id=report.service_id,
        supplier=report.supplier,
        service_specification_id=report.service_specification_id,
        problem_type=draft.policy.problem_types[report.problem_type].test,
        characteristics=report.test_characteristics,
    )
    draft.plan(command, draft.live.report_event_id)


def run_test_alone(draft: Draft, request: ServiceTestRequested, event_id: str) -> None:
    """Plan a test that no fault asked for."""
    command = RunTest(
        service_id=request.service_id,
        supplier=request.supplier,
        service_specification_id=request.service_specification_id,
        problem_type=draft.policy.problem_types[request.problem_type].test,
        characteristics=request.characteristics,
    )
    draft.plan(command, event_id, alone=True)


def no_raise(draft: Draft, word: Word, end: End) -> None:
    """Tell the reporter that no problem is raised, and end the journey."""
    draft.tell(CommandName.RAISE_PROBLEM, draft.live.report_event_id, word)
    draft.end(end)


def _still_allowed(draft: Draft, report: FaultReported) -> bool:
    """Whether the report still fits the policy, which may have changed since it came."""
    broken = violations(report, draft.policy)
    if broken:
        text = "The fault breaks limits that are configured differently since it was reported; no problem is raised."
        no_raise(draft, not_sent(Reason.INVALID, text, violations=broken), End.INVALID)
    return not broken


def test_taken(draft: Draft, planned: Planned, entity: Entity) -> None:
    """The gateway took a test: follow it to its result."""
    run = TestRun(
        id=entity.id,
        command_id=planned.command_id,
        event_id=planned.event_id,
        supplier=planned.command.supplier if isinstance(planned.command, RunTest) else entity.supplier,
        started_at=draft.now,
    )
    if planned.alone:
        draft.change(alone_tests=(*draft.live.alone_tests, run))
    else:
        draft.change(test=run)
    test_seen(draft, entity, fetched=False)


def test_seen(draft: Draft, entity: Entity, *, fetched: bool) -> None:
    """
    Something told of a test of this ticket: remember it, and go on if that decides anything.

    A finished test without a result is fetched at once, unless it was a GET that told so: then it is waited for.
    """
    alone = next((run for run in draft.live.alone_tests if run.id == entity.id), None)
    if alone is not None:
        _alone_test_seen(draft, alone, entity, fetched=fetched)
    # A ticket may bring a test that was asked for alone before: then it is both.
    test = draft.live.test
    if test is not None and test.id == entity.id and draft.live.phase is Phase.TESTING:
        run = _merged(test, entity)
        draft.change(test=run)
        _go_on(draft, run, (entity.service_id, entity.supplier), fetched=fetched)


def test_missing(draft: Draft, test_id: str) -> None:
    """The gateway refused to show a test: it will never bring a result."""
    for alone in [run for run in draft.live.alone_tests if run.id == test_id]:
        _alone_test_over(draft, alone, "The gateway refuses to show the test.")
    test = draft.live.test
    if draft.live.phase is not Phase.TESTING or test is None or test.id != test_id:
        return
    if test.command_id is None:
        text = "The test that the ticket brought with it cannot be fetched; no problem is raised."
        no_raise(draft, not_sent(Reason.TEST_NOT_PASSED, text), End.REFUSED)
    else:
        _test_anew(draft, test)


def _merged(run: TestRun, entity: Entity) -> TestRun:
    """A finished test never becomes unfinished by a message that was overtaken."""
    if run.status in FINISHED_TESTS and entity.status not in FINISHED_TESTS:
        return replace(run, result=entity.result or run.result)
    return replace(run, status=entity.status or run.status, result=entity.result or run.result)


def _go_on(draft: Draft, run: TestRun, tested: Subject, *, fetched: bool) -> None:
    report = reported(draft)
    gate = judge(run.status, run.result, tested, (report.service_id, report.supplier), draft.policy, draft.now)
    if gate in (Gate.RUNNING, Gate.RESULT_MISSING):
        if _given_up(draft, run):
            _test_anew(draft, run)
        else:
            _await_result(draft, run, at_once=gate is Gate.RESULT_MISSING and not fetched)
        return
    draft.drop_fetch(fetch_for(SERVICE_TEST, run.id))
    if gate is Gate.OPEN:
        raise_problem(draft)
    elif gate in (Gate.EXPIRED, Gate.FAILED):
        _test_anew(draft, run)
    else:
        end, reason, text = NOT_PASSED[gate]
        no_raise(draft, not_sent(reason, text, test=run.result), end)


def _given_up(draft: Draft, run: TestRun) -> bool:
    """Whether a test has been without a result for so long that it counts as failed."""
    return draft.now >= run.started_at + draft.policy.test_give_up


def _test_anew(draft: Draft, run: TestRun) -> None:
    draft.drop_fetch(fetch_for(SERVICE_TEST, run.id))
    draft.change(past_tests=(*draft.live.past_tests, run.id))
    run_test(draft)


def _await_result(draft: Draft, run: TestRun, *, at_once: bool) -> None:
    """Have the test fetched when its KCI is late."""
    due = draft.now if at_once else draft.now + draft.policy.test_result_wait
    draft.plan_fetch(SERVICE_TEST, run.id, AWAITED, due)


def _alone_test_seen(draft: Draft, run: TestRun, entity: Entity, *, fetched: bool) -> None:
    merged = _merged(run, entity)
    missing = merged.status == "COMPLETED" and (merged.result is None or merged.result.result is None)
    if merged.status in FINISHED_TESTS and not missing:
        _alone_test_over(draft, merged, f"The test ended {merged.status}.")
    elif _given_up(draft, run):
        _alone_test_over(draft, merged, "The test brought no result in time.")
    else:
        runs = draft.live.alone_tests
        draft.change(alone_tests=tuple(merged if run.id == merged.id else run for run in runs))
        _await_result(draft, merged, at_once=missing and not fetched)


def _alone_test_over(draft: Draft, run: TestRun, message: str) -> None:
    draft.drop_fetch(fetch_for(SERVICE_TEST, run.id))
    draft.change(
        alone_tests=tuple(other for other in draft.live.alone_tests if other.id != run.id),
        past_tests=(*draft.live.past_tests, run.id),
        last_alone=run,
    )
    draft.tell_test(run, message)
    end_if_only_tested(draft, passed=run.status == "COMPLETED")


def end_if_only_tested(draft: Draft, *, passed: bool) -> None:
    """A journey that was only to test is over when its last test is."""
    journey = draft.live
    if journey.alone and journey.phase is Phase.TESTING and not journey.alone_tests and not journey.queue:
        draft.end(End.TESTED if passed else End.TEST_NOT_PASSED)


def raise_problem(draft: Draft) -> None:
    """The test passed the gate: plan the raise, with all amendments that came before it."""
    run = draft.live.test
    if run is None:
        raise LookupError("a problem cannot be raised without a test")
    if _still_allowed(draft, reported(draft)):
        draft.change(phase=Phase.RAISING)
        draft.plan(raise_command(draft, int(run.id)), draft.live.report_event_id)


def raise_command(draft: Draft, service_test_id: int) -> RaiseProblem:
    """The raise as the report stands now."""
    report = reported(draft)
    return RaiseProblem(
        external_identifier=draft.ticket.ticket_id,
        problem_type=draft.policy.problem_types[report.problem_type].problem,
        problem_text=report.problem_text,
        service_id=report.service_id,
        service_specification_id=report.service_specification_id,
        supplier=report.supplier,
        service_test_id=service_test_id,
        characteristics=report.characteristics,
        primary_contact=report.primary_contact,
        notes=report.notes,
        address=report.address,
        secondary_contact=report.secondary_contact,
        appointment_reservation_id=report.appointment_reservation_id,
        parent_service_problem_id=report.parent_service_problem_id,
        hazards=report.hazards,
        on_site_restrictions=report.on_site_restrictions,
    )


def validity_over(draft: Draft) -> bool:
    """Whether the planned raise waited so long that its test no longer counts."""
    run = draft.live.test
    until = run.result.valid_until if run is not None and run.result is not None else None
    return until is not None and draft.now >= until - draft.policy.test_validity_margin


def test_again(draft: Draft) -> None:
    """Take the raise back and test again: the test's validity is over, and no send of the raise may have been taken."""
    head = draft.live.head
    test = draft.live.test
    if head is None or head.may_be_taken or test is None:
        raise LookupError("only a raise that was certainly not taken can be taken back")
    draft.drop_head()
    if head.told_unknown:
        text = (
            "Its test's validity ended before it could be sent again; another test is run, and another raise follows."
        )
        draft.tell_command(head, Word(verdict=Verdict.FAILED, reason=Reason.GAVE_UP, message=text))
    _test_anew(draft, test)


def taken_back(draft: Draft) -> None:
    """A raise that was not sent yet, or a test for one, is not needed: a problem of this ticket exists."""
    unneeded = [
        planned
        for planned in draft.live.queue
        if isinstance(planned.command, RunTest | RaiseProblem) and not planned.alone
    ]
    for planned in unneeded:
        draft.let_go(planned, Reason.FOUND, "A problem of this ticket exists already")
    draft.change(queue=tuple(planned for planned in draft.live.queue if planned not in unneeded))
    if draft.live.test is not None and not any(run.id == draft.live.test.id for run in draft.live.alone_tests):
        draft.drop_fetch(fetch_for(SERVICE_TEST, draft.live.test.id))


def reported(draft: Draft) -> FaultReported:
    """The fault as reported and amended."""
    report = draft.live.report
    if report is None:
        raise LookupError(f"ticket {draft.ticket.ticket_id} has no report")
    return report
