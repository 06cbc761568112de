"""From the raise to the problem's end: its status, its resolution, and what each of its ends means for the journey."""

from msgspec.structs import replace

from bridge.domain.commands import AnswerResolution, RunTest
from bridge.domain.entities import SERVICE_PROBLEM, Entity, Resolution, Update
from bridge.domain.journey.draft import Draft
from bridge.domain.journey.state import FollowedProblem
from bridge.domain.journey.telling import Word
from bridge.domain.journey.testing import raise_command, raise_problem, run_test, taken_back, validity_over
from bridge.domain.journeys import CommandState, End, Phase
from bridge.domain.outcomes import Basis, Reason, Verdict

# What each terminal status of a problem means for the journey (contract 6.1).
ENDS = {
    "COMPLETED": End.COMPLETED,
    "CANCELLED": End.CANCELLED,
    "REJECTED": End.REJECTED,
    "FAILED_TO_SEND": End.FAILED_TO_SEND,
}
# The supplier may hold the request that timed out, so raising it again could bring a second engineer (contract 7.4).
SUPPLIER_TIMED_OUT = "SUPPLIER_TIMED_OUT"
# The statuses of a resolution that it never leaves (contract 6.3).
ANSWERED = frozenset({"ACCEPTED", "REJECTED"})
ACCEPT_ALL = "*"


def problem_taken(draft: Draft, entity: Entity) -> None:
    """The gateway holds our problem: follow it."""
    draft.change(
        phase=Phase.OPEN,
        end=None,
        ended_at=None,
        alone=False,
        raises=draft.live.raises + 1,
        problem=FollowedProblem(id=entity.id),
    )
    problem_seen(draft, entity)


def problem_seen(draft: Draft, entity: Entity, *, error_code: str | None = None, fetched: bool = False) -> None:
    """Something told of the problem this journey follows; `fetched`: it was a GET, which tells all there is."""
    problem = draft.live.problem
    if problem is None or problem.id != entity.id or draft.live.phase is not Phase.OPEN:
        return
    problem = replace(
        problem,
        resolution=_resolution(problem.resolution, entity.resolution),
        requests=_with(problem.requests, request_keys(entity)),
        error_code=_remembered(problem.error_code, error_code),
    )
    draft.change(problem=problem)
    if entity.status == "FAILED_TO_SEND":
        _failed_to_send(draft, problem, fetched=fetched)
        return
    draft.change(problem=replace(problem, status=entity.status or problem.status))
    end = ENDS.get(entity.status or "")
    if end is not None:
        draft.end(end)
    else:
        _accept_by_policy(draft)


def problem_refused(draft: Draft, problem_id: str, http_status: int) -> None:
    """The gateway refused to show a problem."""
    problem = draft.live.problem
    if problem is None or problem.id != problem_id or draft.live.phase is not Phase.OPEN:
        return
    if problem.failed:
        _end_failed(draft)
    elif http_status == 404:  # noqa: PLR2004  # NOT_FOUND
        never_ours(draft, "does not exist at the gateway")


def never_ours(draft: Draft, why: str) -> bool:
    """A problem that only a person's word names, and that turns out not to be ours: the raise is UNKNOWN again."""
    problem, test = draft.live.problem, draft.live.test
    if problem is None or problem.status is not None or test is None or draft.live.report is None:
        return False
    draft.change(phase=Phase.RAISING, problem=None, raises=draft.live.raises - 1)
    draft.plan_first(raise_command(draft, int(test.id)), draft.live.report_event_id, CommandState.UNKNOWN)
    text = f"Problem {problem.id} {why}, so whether the gateway took the raise is not known after all."
    planned = draft.live.queue[0]
    draft.set_head(told_unknown=True, doubts=(planned.command_id,))
    draft.tell_command(planned, Word(verdict=Verdict.UNKNOWN, reason=Reason.INVALID, message=text))
    return True


def problem_appeared(draft: Draft, entity: Entity) -> None:
    """
    A problem of this ticket that the journey does not follow.

    If it follows none, this is the one, whoever raised it: another raise would bring a second engineer. If it follows
    another already, a person must cancel one of the two.
    """
    journey = draft.live
    over = entity.status in ENDS
    if entity.id in journey.past_problems:
        if over and entity.id in journey.strays:
            draft.change(strays=tuple(stray for stray in journey.strays if stray != entity.id))
    elif journey.problem is None and (journey.raise_in_doubt or not over):
        _adopt(draft, entity)
    else:
        draft.change(past_problems=(*journey.past_problems, entity.id))
        if not over:
            draft.change(strays=(*journey.strays, entity.id))
            followed = f" beside {journey.problem.id}" if journey.problem is not None else ""
            draft.tell_found(
                entity, f"Problem {entity.id} of this ticket exists{followed}: one of them must be cancelled."
            )


def _adopt(draft: Draft, entity: Entity) -> None:
    planned = draft.live.planned_raise
    if planned is not None and planned.may_be_taken:
        draft.drop_head()
        text = f"A message about problem {entity.id} of this journey shows that it was taken."
        word = Word(verdict=Verdict.ACCEPTED, reason=Reason.FOUND, message=text, basis=Basis.EVIDENCE, entity=entity)
        draft.tell_command(planned, word)
    else:
        draft.tell_found(entity, f"Problem {entity.id} of this ticket exists, and is followed from here.")
    taken_back(draft)
    problem_taken(draft, entity)


def _remembered(known: str | None, told: str | None) -> str | None:
    """The error that decides about another raise: the latest, but a time-out of the supplier is never forgotten."""
    return known if known == SUPPLIER_TIMED_OUT else told or known


def _failed_to_send(draft: Draft, problem: FollowedProblem, *, fetched: bool) -> None:
    """
    Raise the problem anew, unless the supplier may hold the request that timed out.

    Nobody raises anything before a GET showed all of the problem's errors: the KCI with the status tells the last one,
    and the one of a time-out before it may be lost or on its way.
    """
    if problem.error_code == SUPPLIER_TIMED_OUT or draft.live.raises >= draft.policy.max_raises:
        _end_failed(draft)
    elif draft.live.report is None:
        # A problem that was found after the journey had ended: what was reported is not known any more.
        _end_failed(draft)
    elif not fetched:
        draft.change(problem=replace(problem, failed=True))
        draft.plan_fetch(
            SERVICE_PROBLEM, problem.id, "it failed to send, and perhaps its supplier timed out", draft.now
        )
    else:
        _raise_anew(draft, problem)


def _end_failed(draft: Draft) -> None:
    if draft.live.problem is not None:
        draft.change(problem=replace(draft.live.problem, status="FAILED_TO_SEND"))
    draft.end(End.FAILED_TO_SEND)


def _raise_anew(draft: Draft, problem: FollowedProblem) -> None:
    """The gateway could not send this problem: its id is dead, and so is what was to be asked of it (contract 3.26)."""
    asked = [planned for planned in draft.live.queue if not isinstance(planned.command, RunTest)]
    for planned in asked:
        draft.let_go(
            planned, Reason.NOT_ALLOWED_IN_STATUS, f"Problem {problem.id} FAILED_TO_SEND and a new one is raised"
        )
    draft.change(
        problem=None,
        past_problems=(*draft.live.past_problems, problem.id),
        queue=tuple(planned for planned in draft.live.queue if planned not in asked),
    )
    if validity_over(draft):
        run_test(draft)
    else:
        raise_problem(draft)


def _resolution(known: Resolution | None, told: Resolution | None) -> Resolution | None:
    """An answered resolution is never pending again; texts are not kept, since they may be personal."""
    if told is None:
        return known
    overtaken = known is not None and known.id == told.id and known.status in ANSWERED and told.status not in ANSWERED
    return replace(told, other=None, status=known.status if overtaken and known is not None else told.status)


def request_keys(entity: Entity, updates: tuple[Update, ...] = ()) -> frozenset[str]:
    """The amendments and cancellations that an answer tells of; each kind has ids of its own."""
    holders: tuple[Entity | Update, ...] = (entity, *updates)
    return frozenset(
        f"{kind}:{request.id}"
        for holder in holders
        for kind, request in (("amendment", holder.amendment), ("cancellation", holder.cancellation))
        if request is not None and request.id is not None
    )


def remember_requests(draft: Draft, problem_id: str, found: frozenset[str]) -> None:
    """These amendments and cancellations exist: a later one is another."""
    problem = draft.live.problem
    if problem is not None and problem.id == problem_id:
        draft.change(problem=replace(problem, requests=_with(problem.requests, found)))


def _with(known: tuple[str, ...], found: frozenset[str]) -> tuple[str, ...]:
    return (*known, *sorted(found - set(known)))


def _accept_by_policy(draft: Draft) -> None:
    """Accept a resolution whose code the provider configured, once."""
    problem = draft.live.problem
    resolution = problem.pending_resolution if problem is not None else None
    if problem is None or resolution is None or resolution.id is None:
        return
    codes = draft.policy.accept_resolution_codes
    wanted = ACCEPT_ALL in codes or resolution.code in codes
    if not wanted or resolution.id in problem.accepted_by_policy or draft.live.answers(resolution.id):
        return
    draft.change(problem=replace(problem, accepted_by_policy=(*problem.accepted_by_policy, resolution.id)))
    command = AnswerResolution(resolution_id=resolution.id, service_problem_id=int(problem.id), status="ACCEPTED")
    draft.plan(command, None)
