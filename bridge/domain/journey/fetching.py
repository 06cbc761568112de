"""What the answer to a GET means: it confirms, it brings what no KCI told, or it is asked again."""

from msgspec.structs import replace

from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.commands import FetchProblem, FetchTest
from bridge.domain.entities import SERVICE_PROBLEM, Source
from bridge.domain.journey.draft import Draft
from bridge.domain.journey.evidence import checked, look_for_evidence
from bridge.domain.journey.following import (
    SUPPLIER_TIMED_OUT,
    never_ours,
    problem_appeared,
    problem_refused,
    problem_seen,
    remember_requests,
    request_keys,
)
from bridge.domain.journey.state import Planned, fetch_for
from bridge.domain.journey.telling import Word
from bridge.domain.journey.testing import test_missing, test_seen
from bridge.domain.journeys import CommandState, Phase
from bridge.domain.outcomes import Basis, Reason, Verdict
from bridge.domain.retries import backoff

# A GET that keeps failing is given up after this many tries when nothing depends on it any more.
FETCHES_AFTER_END = 5


def fetched(draft: Draft, planned: Planned, answer: Answer) -> None:
    """Decide about the answer to a GET."""
    match answer:
        case Taken():
            draft.drop_fetch(planned.command)
            draft.observe(Source.GET, planned.request_id or planned.command_id, answer)
            if answer.entity.type == SERVICE_PROBLEM:
                _problem_fetched(draft, planned, answer)
            else:
                test_seen(draft, answer.entity, fetched=True)
        case Refused():
            draft.drop_fetch(planned.command)
            _refused(draft, planned, answer)
        case NotTaken() | Ambiguous():
            _again(draft, planned, answer)


def _problem_fetched(draft: Draft, planned: Planned, taken: Taken) -> None:
    entity, problem = taken.entity, draft.live.problem
    owner = entity.external_identifier
    named_only = problem is not None and problem.id == entity.id and problem.status is None
    if named_only and owner not in (None, draft.ticket.ticket_id) and never_ours(draft, "is of another ticket"):
        return
    if problem is None or problem.id != entity.id:
        if owner == draft.ticket.ticket_id:
            problem_appeared(draft, entity)
        return
    look_for_evidence(draft, entity, taken.updates, asked_at=planned.trying_since)
    checked(draft)
    remember_requests(draft, entity.id, request_keys(entity, taken.updates))
    problem_seen(draft, entity, error_code=_error_code(taken), fetched=True)


def _error_code(taken: Taken) -> str | None:
    """The latest error that the updates tell of; a time-out of the supplier counts more than any other."""
    codes = [update.error.code for update in taken.updates if update.error is not None and update.error.code]
    if SUPPLIER_TIMED_OUT in codes:
        return SUPPLIER_TIMED_OUT
    return codes[-1] if codes else None


def _refused(draft: Draft, planned: Planned, answer: Refused) -> None:
    word = Word(
        verdict=Verdict.REFUSED,
        reason=Reason.REFUSED_BY_GATEWAY,
        message=f"The gateway refused it with HTTP {answer.http_status}.",
        basis=Basis.ANSWER,
        http_status=answer.http_status,
        error=answer.error,
    )
    draft.tell_command(planned, word)
    match planned.command:
        case FetchTest(service_test_id=test_id):
            test_missing(draft, str(test_id))
        case FetchProblem(service_problem_id=problem_id):
            checked(draft)
            problem_refused(draft, str(problem_id), answer.http_status)


def _again(draft: Draft, planned: Planned, answer: NotTaken | Ambiguous) -> None:
    draft.drop_fetch(planned.command)
    awaited = any(fetch_for("SERVICE_TEST", run.id) == planned.command for run in draft.live.alone_tests)
    if draft.live.phase is Phase.ENDED and not awaited and planned.attempts >= FETCHES_AFTER_END:
        return
    wait = backoff(draft.policy, planned.attempts, draft.context.jitter, answer.retry_after_seconds)
    again = replace(
        planned,
        state=CommandState.NOT_SENT,
        not_before=draft.now + wait,
        why=answer.why,
        alarm=isinstance(answer, NotTaken) and answer.alarm,
    )
    draft.change(fetches=(*draft.live.fetches, again))
