"""
The suppliers' desk for the tenant's requests: an amendment or a cancellation is handed over, then it gets its verdict.

While a request is open the supplier takes no step of its own script (contract 6.2).
"""

from bridge.simulator import states
from bridge.simulator.entities import Problem, Request, now
from bridge.simulator.steps import Action, Failure, Information, Resolve, Verdict
from bridge.simulator.supplier import Announcer, Supplier

_HANDED_OVER = Information("UPDATE", text="The request is with the supplier.")
_REFUSED = Action("RESUBMIT", "Supplier has refused the request; correct it and send it again.")
_NOT_SENT = Failure("SUPPLIER_FAULT", "The supplier is not responding.")
_AMENDED = Information("AMENDED", text="The amendment is applied.")
_CANCELLED = Information("CANCELLED", "NO_LONGER_REQUIRED", "The problem is cancelled.")


class Desk:
    """Takes requests that the gateway has accepted."""

    def __init__(self, supplier: Supplier, announcer: Announcer) -> None:
        self._supplier = supplier
        self._announcer = announcer

    def take(self, request: Request) -> None:
        """Stop the walk of the problem and begin with the request after the usual pause."""
        problem = request.problem
        problem.requests.append(request)
        problem.updated = now()
        self._supplier.halt(problem)
        turn = self._fail if _verdict(request) is Verdict.NOT_SENT else self._hand_over
        self._supplier.later(problem, request.timer, self._supplier.pause(problem, request.plan), turn, request)

    def _hand_over(self, request: Request) -> None:
        problem = request.problem
        self._settle(request, "PENDING")
        self._supplier.move(problem, _while_pending(request), _HANDED_OVER, request)
        self._supplier.later(problem, request.timer, self._supplier.pause(problem, request.plan), self._decide, request)

    def _decide(self, request: Request) -> None:
        problem = request.problem
        match request.what, _verdict(request):
            case "amendment", Verdict.ACCEPTED:
                self._settle(request, "COMPLETED")
                problem.fields.update(
                    {name: value for name, value in request.fields.items() if name != "serviceProblemId"}
                )
                self._supplier.move(problem, _after(request), _AMENDED, request)
            case "cancellation", Verdict.ACCEPTED:
                self._settle(request, "COMPLETED")
                self._supplier.move(problem, "CANCELLED", _CANCELLED, request)
            case "cancellation", Verdict.OVERTAKEN:
                self._settle(request, "REJECTED")
                self._announcer.announce(problem, _REFUSED, request)
                problem.script, problem.position, problem.waiting_for = (Resolve(),), 0, None
            case _:
                self._settle(request, "REJECTED")
                self._supplier.move(problem, _after(request), _REFUSED, request)
        self._back_to_work(request)

    def _fail(self, request: Request) -> None:
        self._settle(request, "FAILED_TO_SEND")
        self._announcer.announce(request.problem, _NOT_SENT, request, by_gateway=True)
        self._back_to_work(request)

    def _settle(self, request: Request, status: str) -> None:
        states.check(states.REQUEST_MOVES, request.status, status)
        request.status = status

    def _back_to_work(self, request: Request) -> None:
        problem = request.problem
        if _ends_the_wait(request):
            problem.waiting_for = None
        self._supplier.go_on(problem)


def _verdict(request: Request) -> Verdict:
    scenario = request.plan.scenario
    return scenario.amendments if request.what == "amendment" else scenario.cancellations


def _while_pending(request: Request) -> str:
    """Where the problem stands while the supplier thinks; a cancellation goes before an amendment."""
    if request.what == "cancellation":
        return "PENDING_CANCELLATION"
    status = request.problem.status
    return status if status == "PENDING_CANCELLATION" else "PENDING_AMENDMENT"


def _after(request: Request) -> str:
    """Where the problem returns to: stays while another request is with the supplier, else its previous state."""
    problem = request.problem
    stays = request.what == "amendment" and problem.status == "PENDING_CANCELLATION"
    others = any(each.status == "PENDING" and each.what == "amendment" for each in problem.requests)
    if stays or (others and problem.status == "PENDING_AMENDMENT"):
        return problem.status
    return "IN_PROGRESS" if _ends_the_wait(request) else problem.previous


def _ends_the_wait(request: Request) -> bool:
    """Whether the supplier's question is answered by this request, verdict included."""
    wait = request.problem.waiting_for
    if wait is None or wait.what != request.what:
        return False
    answers = wait.needs is None or wait.needs in request.fields
    return answers and (not wait.accepted or request.status == "COMPLETED")


def may_amend(problem: Problem) -> bool:
    """Whether an amendment is accepted now."""
    return problem.status in states.AMENDABLE and not _is_being_cancelled(problem)


def may_cancel(problem: Problem) -> bool:
    """Whether a cancellation is accepted now; one at a time."""
    return problem.status in states.CANCELLABLE and not _is_being_cancelled(problem)


def _is_being_cancelled(problem: Problem) -> bool:
    return any(request.what == "cancellation" for request in problem.open_requests())
