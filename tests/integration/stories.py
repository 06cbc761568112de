"""A hundred fault tickets, as data: what happens to each at the gateway, what its provider does, and how it ends."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bridge.domain.journeys import End
from bridge.domain.tickets import TicketEvent
from tests.builders import a_cancellation, an_amendment, an_answer

OPERATION_OF = {"amend": "amendments", "appoint": "amendments", "cancel": "cancellations", "yes": "resolutions"}
OPERATION_OF |= {"no": "resolutions"}


@dataclass(frozen=True)
class Reply:
    """What the provider tells, all at once, when the journey shows this status and asks this of people."""

    status: str
    attention: str | None
    words: tuple[str, ...]

    @property
    def is_answer(self) -> bool:
        """Whether it answers a resolution."""
        return self.words[0] in ("yes", "no")


@dataclass(frozen=True)
class Story:
    """
    One ticket: the simulator's plan for its service, the provider's replies, and how its journey ends.

    `tests` and `problems` are how many of them the gateway takes; `end` None means that it rests in RESOLVED.
    """

    plan: str
    end: End | None
    replies: tuple[Reply, ...] = ()
    tests: int = 1
    problems: int = 1

    @property
    def operations(self) -> list[str]:
        """All that the gateway takes for this ticket, in order."""
        replies = [OPERATION_OF[word] for reply in self.replies for word in reply.words]
        return ["tests"] * self.tests + ["problems"] * self.problems + replies


def contents(word: str, resolution_id: int | None) -> TicketEvent:
    """The event that a word of a reply stands for; an answer is for this resolution."""
    events: dict[str, Callable[[], TicketEvent]] = {
        "amend": an_amendment,
        "appoint": lambda: an_amendment(appointment_reservation_id=4711),
        "cancel": a_cancellation,
        "yes": lambda: an_answer(resolution_id=resolution_id),
        "no": lambda: an_answer("REJECTED", resolution_id=resolution_id),
    }
    return events[word]()


YES = Reply("RESOLVED", "ANSWER_RESOLUTION", ("yes",))
NO = Reply("RESOLVED", "ANSWER_RESOLUTION", ("no",))
AMEND = Reply("IN_PROGRESS", None, ("amend",))
CANCEL = Reply("IN_PROGRESS", None, ("cancel",))
INFORM = Reply("PENDING", "INFORMATION_REQUIRED", ("amend",))
APPOINT = Reply("PENDING", "REAPPOINT", ("appoint",))


def _repaired(plan: str, *replies: Reply, tests: int = 1, problems: int = 1) -> Story:
    """A problem that is repaired in the end, and whose repair the provider accepts."""
    return Story(plan, End.COMPLETED, (*replies, YES), tests=tests, problems=problems)


def _no_problem(plan: str, end: End, *, tests: int = 1) -> Story:
    return Story(plan, end, tests=tests, problems=0)


SCENARIOS = (
    _repaired("HAPPY_PATH"),
    _no_problem("TEST_GREEN", End.TEST_GREEN),
    _repaired("TEST_AMBER"),
    _no_problem("TEST_KNOWN_INCIDENT", End.TEST_DENIED),
    _repaired("TEST_FAILED", tests=2),
    _no_problem("TEST_ALWAYS_FAILED", End.TEST_NOT_PASSED, tests=3),
    _repaired("TEST_REJECTED", tests=2),
    _no_problem("TEST_ALWAYS_REJECTED", End.TEST_NOT_PASSED, tests=3),
    _repaired("TEST_FAILED_TO_SEND", tests=2),
    _no_problem("TEST_ALWAYS_FAILED_TO_SEND", End.TEST_NOT_PASSED, tests=3),
    _repaired("TEST_EXPIRED", tests=2),
    _repaired("TEST_SLOW"),
    Story("PROBLEM_REJECTED", End.REJECTED),
    Story("PROBLEM_FAILED_TO_SEND", End.FAILED_TO_SEND, problems=2),
    Story("PROBLEM_TIMED_OUT", End.FAILED_TO_SEND),
    _repaired("PROBLEM_FAILED_ONCE", problems=2),
    _repaired("STRAIGHT_TO_WORK"),
    _repaired("HELD_AND_RESUMED"),
    _repaired("NETWORK_INCIDENT"),
    _repaired("CONTACT_CUSTOMER"),
    _repaired("NEW_WORDS"),
    Story("SUPPLIER_CANCELS", End.CANCELLED),
    _repaired("INFORMATION_REQUIRED", INFORM),
    _repaired("REAPPOINT", APPOINT),
    _repaired("AMENDMENT_ACCEPTED", AMEND),
    _repaired("AMENDMENT_REFUSED", AMEND),
    _repaired("AMENDMENT_FAILED_TO_SEND", AMEND),
    Story("CANCELLATION_ACCEPTED", End.CANCELLED, (CANCEL,)),
    _repaired("CANCELLATION_REFUSED", CANCEL),
    _repaired("CANCELLATION_FAILED_TO_SEND", CANCEL),
    _repaired("CANCELLATION_OVERTAKEN", CANCEL),
    _repaired("RESOLUTION_REJECTED_THEN_FIXED", NO),
    Story("SILENT_ACCEPTANCE", End.COMPLETED),
)
# Beside the scenarios themselves: providers that say nothing, or several things at once.
PROVIDERS = (
    Story("HAPPY_PATH", None),
    Story("HELD_AND_RESUMED", None),
    _repaired("HAPPY_PATH", NO, NO),
    # The supplier of these waits for a cancellation, however long the amendments before it take.
    Story("CANCELLATION_ACCEPTED", End.CANCELLED, (Reply("IN_PROGRESS", None, ("amend", "cancel")),)),
    Story("CANCELLATION_ACCEPTED", End.CANCELLED, (Reply("IN_PROGRESS", None, ("amend", "amend", "amend", "cancel")),)),
    _repaired("CANCELLATION_REFUSED", Reply("IN_PROGRESS", None, ("amend", "amend", "cancel"))),
)
DISTURBED_DELIVERIES = (
    _repaired("HAPPY_PATH+KCI_LOST"),
    _repaired("HELD_AND_RESUMED+KCI_LOST"),
    _repaired("HAPPY_PATH+KCI_LOSTx1"),
    _repaired("TEST_FAILED+KCI_LOSTx1@t", tests=2),
    Story("PROBLEM_REJECTED+KCI_LOSTx1@p", End.REJECTED),
    Story("PROBLEM_TIMED_OUT+KCI_LOSTx1@p", End.FAILED_TO_SEND),
    _repaired("PROBLEM_FAILED_ONCE+KCI_LOSTx1@p", problems=2),
    _repaired("INFORMATION_REQUIRED+KCI_LOST@p", INFORM),
    Story("CANCELLATION_ACCEPTED+KCI_LOSTx1@p", End.CANCELLED, (CANCEL,)),
    Story("SILENT_ACCEPTANCE+KCI_LOST", End.COMPLETED),
    _repaired("HAPPY_PATH+KCI_DOUBLED"),
    _repaired("AMENDMENT_ACCEPTED+KCI_DOUBLEDx3", AMEND),
    _repaired("RESOLUTION_REJECTED_THEN_FIXED+KCI_DOUBLED", NO),
    Story("PROBLEM_FAILED_TO_SEND+KCI_DOUBLED", End.FAILED_TO_SEND, problems=2),
    _repaired("HAPPY_PATH+KCI_SHUFFLED"),
    _repaired("HELD_AND_RESUMED+KCI_SHUFFLEDx5"),
    _repaired("AMENDMENT_REFUSED+KCI_SHUFFLED@p", AMEND),
    Story("SUPPLIER_CANCELS+KCI_SHUFFLED", End.CANCELLED),
    _repaired("HAPPY_PATH+KCI_EARLY"),
    _repaired("STRAIGHT_TO_WORK+KCI_EARLYx3"),
    Story("PROBLEM_REJECTED+KCI_EARLYx2@p", End.REJECTED),
    _no_problem("TEST_GREEN+KCI_EARLYx3", End.TEST_GREEN),
)
DISTURBED_ANSWERS = (
    *(_repaired(f"HAPPY_PATH+{fault}@{where}") for fault in ("ANSWER_LOST", "ACCEPT_THEN_500") for where in "tpr"),
    *(_repaired(f"AMENDMENT_ACCEPTED+{fault}@a", AMEND) for fault in ("ANSWER_LOST", "ACCEPT_THEN_500")),
    *(
        Story(f"CANCELLATION_ACCEPTED+{fault}@c", End.CANCELLED, (CANCEL,))
        for fault in ("ANSWER_LOST", "ACCEPT_THEN_500")
    ),
    *(_repaired(f"HAPPY_PATH+ANSWER_NEVER@{where}") for where in "tpr"),
    _repaired("HAPPY_PATH+ANSWER_LOST@p+KCI_SHUFFLED@p"),
    _repaired("HAPPY_PATH+ANSWER_LOST@p+KCI_DOUBLED@p"),
    *(_repaired(f"HAPPY_PATH+{fault}") for fault in ("HTTP_401@t", "HTTP_401@p", "HTTP_403@p", "HTTP_429x2@p")),
    _repaired("AMENDMENT_ACCEPTED+HTTP_429@a", AMEND),
    _repaired("HAPPY_PATH+HTTP_503@get_test"),
    # Nothing was taken, and nobody can know: a person says so and has it sent again; a test is repeated by itself.
    *(_repaired(f"HAPPY_PATH+{fault}") for fault in ("RESET@p", "HTTP_500@p", "HTTP_503@p", "RESET@t", "RESET@r")),
    _repaired("AMENDMENT_ACCEPTED+HTTP_500@a", AMEND),
    _no_problem("HAPPY_PATH+HTTP_422@t", End.REFUSED, tests=0),
    Story("HAPPY_PATH+HTTP_422@p", End.REFUSED, problems=0),
)
_DISTINCT = (*SCENARIOS, *PROVIDERS, *DISTURBED_DELIVERIES, *DISTURBED_ANSWERS)
STORIES = (*_DISTINCT, *(replace(story) for story in SCENARIOS[: 100 - len(_DISTINCT)]))
