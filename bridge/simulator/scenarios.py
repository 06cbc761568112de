"""
The scenarios, as data. To add one: write its row; the docs' table, `GET /scenarios` and the tests read it from here.

Which KCI goes with which move follows contract 4.3; which moves exist is in `states`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bridge.simulator.steps import (
    Action,
    Await,
    Conclude,
    Failure,
    Information,
    Move,
    Resolve,
    Say,
    Scenario,
    Script,
    Verdict,
)

# Steps that many scenarios share. ----------------------------------------------------------------------------------

SENT: Final = Move("SENT_TO_SUPPLIER", Information("UPDATE", text="Sent to the supplier."), by_gateway=True)
NOT_SENT: Final = Move("FAILED_TO_SEND", Failure("SUPPLIER_FAULT", "The supplier is not responding."), by_gateway=True)
TIMED_OUT: Final = Move(
    "FAILED_TO_SEND", Failure("SUPPLIER_TIMED_OUT", "The supplier did not answer in time."), by_gateway=True
)

ACKNOWLEDGED: Final = Move("ACKNOWLEDGED", Information("ACKNOWLEDGED", text="Supplier has the problem."))
STARTED: Final = Move("IN_PROGRESS", Information("COMMITTED", text="Supplier works on the problem."))
RESUMED: Final = Move("IN_PROGRESS", Information("RESUMED", text="The delay is over."))
HELD: Final = Move("HELD", Information("DELAY", "NETWORK_ISSUE", "A network issue delays the repair."))
INCIDENT: Final = Move("NETWORK_INCIDENT", Information("WARNING", "NETWORK_UNAVAILABLE", "Part of a network incident."))
REJECTED: Final = Move("REJECTED", Information("TERMINATED", "REJECTION", "Supplier has rejected the problem."))
ENDED: Final = Move("CANCELLED", Information("TERMINATED", "OTHER", "Supplier has cancelled the problem."))
ASKED: Final = Move("PENDING", Action("INFORMATION_REQUIRED", "Which lamps are lit on the terminal?"))
REAPPOINT: Final = Move("PENDING", Action("REAPPOINT", "The engineer had no access; book a new appointment."))
CALL: Final = Move("PENDING", Action("CONTACT_CUSTOMER", "Ask the customer to switch the router on."))

TEST_STARTED: Final = Move("IN_PROGRESS", Information("UPDATE", text="The test is running."))
TEST_REFUSED: Final = Move("REJECTED", Information("TERMINATED", "REJECTION", "Supplier has rejected the test."))
TEST_BROKEN: Final = Move("FAILED", Information("TERMINATED", "UNKNOWN_FAULT", "The test did not come to a result."))
RED: Final = Conclude("RED", "STALE_PPP_SESSION")

BEGUN: Final[Script] = (SENT, ACKNOWLEDGED, STARTED)
REPAIRED: Final[Script] = (*BEGUN, Resolve())
TESTED: Final[Script] = (SENT, TEST_STARTED, RED)
CLOSED: Final = ("RESOLVED", "COMPLETED", "CANCELLED")


def _problem(name: str, promise: str, *scripts: Script, ends: tuple[str, ...] = CLOSED) -> Scenario:
    """A scenario whose test is RED at once and whose problems walk `scripts`."""
    return Scenario(name, promise, tests=(TESTED,), problems=scripts, ends=ends)


def _test(name: str, promise: str, *scripts: Script, ends: tuple[str, ...] = CLOSED) -> Scenario:
    """A scenario whose tests walk `scripts`; a problem that gets past them is repaired."""
    return Scenario(name, promise, tests=scripts, problems=(REPAIRED,), ends=ends)


def _answered(
    name: str, promise: str, amendments: Verdict, cancellations: Verdict, *steps: Await | Resolve
) -> Scenario:
    """A scenario about the tenant's own requests, made once work has begun."""
    return Scenario(
        name,
        promise,
        tests=(TESTED,),
        problems=((*BEGUN, *steps),),
        ends=("IN_PROGRESS", *CLOSED),
        amendments=amendments,
        cancellations=cancellations,
    )


_TABLE: Final = (
    _problem(
        "HAPPY_PATH",
        "RED test, problem repaired; RESOLVED waits for the tenant: accept = COMPLETED, reject = a new repair.",
        REPAIRED,
    ),
    # Tests.
    _test(
        "TEST_GREEN",
        "The test is GREEN: no problem may be raised.",
        (SENT, TEST_STARTED, Conclude("GREEN", "NO_FAULT_FOUND")),
        ends=(),
    ),
    _test(
        "TEST_AMBER",
        "The test is AMBER: a problem may be raised.",
        (SENT, TEST_STARTED, Conclude("AMBER", "NO_FAULT_FOUND")),
    ),
    _test(
        "TEST_KNOWN_INCIDENT",
        "The test is RED with code KNOWN_INCIDENT.",
        (SENT, TEST_STARTED, Conclude("RED", "KNOWN_INCIDENT")),
    ),
    _test("TEST_FAILED", "The first test ends FAILED, the next is RED.", (SENT, TEST_STARTED, TEST_BROKEN), TESTED),
    _test("TEST_ALWAYS_FAILED", "Every test ends FAILED.", (SENT, TEST_STARTED, TEST_BROKEN), ends=()),
    _test("TEST_REJECTED", "The first test is REJECTED, the next is RED.", (SENT, TEST_REFUSED), TESTED),
    _test("TEST_ALWAYS_REJECTED", "Every test is REJECTED.", (SENT, TEST_REFUSED), ends=()),
    _test("TEST_FAILED_TO_SEND", "The first test is FAILED_TO_SEND (ERROR KCI), the next is RED.", (NOT_SENT,), TESTED),
    _test("TEST_ALWAYS_FAILED_TO_SEND", "Every test is FAILED_TO_SEND (ERROR KCI).", (NOT_SENT,), ends=()),
    _test(
        "TEST_EXPIRED",
        "The first test is RED, but its validity is over when it arrives; the next one is good.",
        (SENT, TEST_STARTED, Conclude("RED", "STALE_PPP_SESSION", valid_for=-1.0)),
        TESTED,
    ),
    _test(
        "TEST_SLOW",
        "The test is RED, but no KCI brings the result: only GET shows it.",
        (SENT, TEST_STARTED, Conclude("RED", "STALE_PPP_SESSION", silent=True)),
    ),
    # Problems that do not start.
    _problem("PROBLEM_REJECTED", "The supplier rejects the problem.", (SENT, REJECTED), ends=("REJECTED",)),
    _problem("PROBLEM_FAILED_TO_SEND", "ERROR KCI SUPPLIER_FAULT, every time.", (NOT_SENT,), ends=("FAILED_TO_SEND",)),
    _problem(
        "PROBLEM_TIMED_OUT", "ERROR KCI SUPPLIER_TIMED_OUT, every time.", (SENT, TIMED_OUT), ends=("FAILED_TO_SEND",)
    ),
    _problem(
        "PROBLEM_FAILED_ONCE",
        "The first problem of a service is FAILED_TO_SEND (SUPPLIER_FAULT), the next is repaired.",
        (NOT_SENT,),
        REPAIRED,
        ends=("FAILED_TO_SEND", *CLOSED),
    ),
    # The supplier's work.
    _problem("STRAIGHT_TO_WORK", "ACKNOWLEDGED is skipped.", (SENT, STARTED, Resolve())),
    _problem(
        "HELD_AND_RESUMED",
        "HELD (DELAY), then IN_PROGRESS (RESUMED), then repaired.",
        (*BEGUN, HELD, RESUMED, Resolve()),
    ),
    _problem(
        "NETWORK_INCIDENT",
        "NETWORK_INCIDENT, then IN_PROGRESS, then repaired.",
        (*BEGUN, INCIDENT, RESUMED, Resolve("NETWORK_UPLIFT", "The incident is over.")),
    ),
    _problem(
        "CONTACT_CUSTOMER",
        "PENDING with CONTACT_CUSTOMER, goes on by itself.",
        (*BEGUN, CALL, RESUMED, Resolve("CUSTOMER_FAULT_MODEM")),
    ),
    _problem(
        "NEW_WORDS",
        "KCIs carry an information type, a code and an action type that no list has; repaired all the same.",
        (
            *BEGUN,
            Say(Information("FORECAST", "MOON_PHASE", "A type that is newer than the tenant.")),
            Say(Action("PHONE_SUPPLIER", "An action that is newer than the tenant.")),
            Resolve(),
        ),
    ),
    _problem(
        "SUPPLIER_CANCELS",
        "The supplier ends the problem in progress (TERMINATED).",
        (*BEGUN, ENDED),
        ends=("CANCELLED",),
    ),
    # The supplier waits for the tenant.
    _problem(
        "INFORMATION_REQUIRED",
        "PENDING until an amendment brings the information, then repaired.",
        (*BEGUN, ASKED, Await("amendment", accepted=True), Resolve()),
        ends=("PENDING", *CLOSED),
    ),
    _problem(
        "REAPPOINT",
        "PENDING until an amendment brings an appointmentReservationId, then repaired.",
        (*BEGUN, REAPPOINT, Await("amendment", accepted=True, needs="appointmentReservationId"), Resolve()),
        ends=("PENDING", *CLOSED),
    ),
    _answered(
        "AMENDMENT_ACCEPTED",
        "IN_PROGRESS until the tenant amends; accepted (AMENDED), then repaired.",
        Verdict.ACCEPTED,
        Verdict.ACCEPTED,
        Await("amendment"),
        Resolve(),
    ),
    _answered(
        "AMENDMENT_REFUSED",
        "IN_PROGRESS until the tenant amends; refused (RESUBMIT), then repaired all the same.",
        Verdict.REFUSED,
        Verdict.ACCEPTED,
        Await("amendment"),
        Resolve(),
    ),
    _answered(
        "AMENDMENT_FAILED_TO_SEND",
        "IN_PROGRESS until the tenant amends; not sent (ERROR KCI), then repaired all the same.",
        Verdict.NOT_SENT,
        Verdict.ACCEPTED,
        Await("amendment"),
        Resolve(),
    ),
    _answered(
        "CANCELLATION_ACCEPTED",
        "IN_PROGRESS until the tenant cancels; accepted: CANCELLED.",
        Verdict.ACCEPTED,
        Verdict.ACCEPTED,
        Await("cancellation"),
    ),
    _answered(
        "CANCELLATION_REFUSED",
        "IN_PROGRESS until the tenant cancels; refused (RESUBMIT), then repaired.",
        Verdict.ACCEPTED,
        Verdict.REFUSED,
        Await("cancellation"),
        Resolve(),
    ),
    _answered(
        "CANCELLATION_FAILED_TO_SEND",
        "IN_PROGRESS until the tenant cancels; not sent (ERROR KCI), then repaired.",
        Verdict.ACCEPTED,
        Verdict.NOT_SENT,
        Await("cancellation"),
        Resolve(),
    ),
    _answered(
        "CANCELLATION_OVERTAKEN",
        "IN_PROGRESS until the tenant cancels; the repair was faster: cancellation REJECTED, problem RESOLVED.",
        Verdict.ACCEPTED,
        Verdict.OVERTAKEN,
        Await("cancellation"),
        Resolve(),
    ),
    # The end.
    _problem(
        "RESOLUTION_REJECTED_THEN_FIXED",
        "The first resolution is NO_FAULT_FOUND, for the tenant to reject; the second one is a real repair.",
        (*BEGUN, Resolve("NO_FAULT_FOUND", "Supplier found nothing wrong.")),
    ),
    _problem(
        "SILENT_ACCEPTANCE",
        "RESOLVED, a warning (ADDITIONAL) and, without an answer, COMPLETED after the short period.",
        (*BEGUN, Resolve(closes_early=True)),
    ),
)

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType({scenario.name: scenario for scenario in _TABLE})
