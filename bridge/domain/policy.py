"""The choices a provider makes about its journeys and entities, as one frozen value each. Durations are in seconds."""

from datetime import timedelta

from bridge.domain.record import Record


class ProblemType(Record, frozen=True, kw_only=True):
    """
    The gateway's two words for one of the provider's: what a test may be asked for, and what a problem may be raised
    as (contract 3.4).
    """

    test: str
    problem: str


# The six documented test types. CPE fits the pattern for tests but not the one for problems, so it needs a substitute
# (contract 3.4).
DEFAULT_PROBLEM_TYPES = {
    "CPE": ProblemType(test="CPE", problem="CUSTOMER"),
    "CUSTOMER": ProblemType(test="CUSTOMER", problem="CUSTOMER"),
    "OUTAGE": ProblemType(test="OUTAGE", problem="OUTAGE"),
    "PERFORMANCE": ProblemType(test="PERFORMANCE", problem="PERFORMANCE"),
    "STABILITY": ProblemType(test="STABILITY", problem="STABILITY"),
    "SYNCHRONISATION": ProblemType(test="SYNCHRONISATION", problem="SYNCHRONISATION"),
}


class JourneyPolicy(Record, frozen=True, kw_only=True):
    """How a journey decides where the contract leaves the choice to the tenant."""

    # The provider's words for a fault, each with the gateway's two.
    problem_types: dict[str, ProblemType]
    # Problem statuses in which an amendment is sent (contract 3.24).
    amend_statuses: frozenset[str] = frozenset(
        {"ACKNOWLEDGED", "IN_PROGRESS", "PENDING", "HELD", "NETWORK_INCIDENT", "PENDING_AMENDMENT"}
    )
    # Problem statuses in which a cancellation is sent.
    cancel_statuses: frozenset[str] = frozenset(
        {"ACKNOWLEDGED", "IN_PROGRESS", "PENDING", "HELD", "NETWORK_INCIDENT", "PENDING_AMENDMENT"}
    )
    # Test outcome codes for which no problem may be raised (contract 6.4: the published list is cut).
    denied_test_codes: frozenset[str] = frozenset()
    # Resolution codes that the bridge accepts by itself; "*" accepts all.
    accept_resolution_codes: frozenset[str] = frozenset()
    # How many tests may be run for one ticket, the first one included.
    max_tests: int = 3
    # How long to wait for a test's result by KCI before it is fetched, and between fetches.
    test_result_wait: timedelta = timedelta(seconds=120)
    # How long a test may go without a result before it counts as failed.
    test_give_up: timedelta = timedelta(minutes=30)
    # How long before its end a test's validity counts as over: the time a raise needs.
    test_validity_margin: timedelta = timedelta(seconds=60)
    # How long to wait for evidence before a test whose fate is unknown is run again (a second test costs little).
    unknown_test_wait: timedelta = timedelta(seconds=60)
    # How long to wait before the GET that looks for an unknown amendment, cancellation or answer.
    unknown_check_wait: timedelta = timedelta(seconds=10)
    # How often that GET is made before a person is asked.
    unknown_checks: int = 3
    # Whether a raise whose fate is unknown may be repeated after `unknown_raise_wait` without a person's word.
    reraise_unknown: bool = False
    unknown_raise_wait: timedelta = timedelta(minutes=15)
    # How many times a problem that the gateway FAILED_TO_SEND is raised anew; never when its supplier timed out
    # (contract 7.4).
    max_raises: int = 2
    # Back-off of a command that was certainly not taken.
    retry_first: timedelta = timedelta(seconds=1)
    retry_longest: timedelta = timedelta(minutes=5)
    # How long a command is tried before it FAILED.
    retry_for: timedelta = timedelta(hours=4)
    # How many commands may wait in one journey.
    max_queued: int = 20
    # How long an ended journey is remembered.
    remember_ended: timedelta = timedelta(days=30)


class TrackingPolicy(Record, frozen=True, kw_only=True):
    """How the tracker treats silence and deadlines."""

    # How long a live problem may be silent before it is fetched.
    problem_silence: timedelta = timedelta(hours=4)
    # How long a test without an end may be silent before it is fetched.
    test_silence: timedelta = timedelta(minutes=10)
    # How long the gateway waits for an answer to a resolution before it takes it as accepted (contract 4.5: "X
    # calendar days").
    silent_acceptance: timedelta = timedelta(days=5)
    # How long a person has to answer another action; None gives it no due time.
    action_due: timedelta | None = timedelta(hours=24)
    # How long the status of an ended entity is kept in the table.
    remember_ended: timedelta = timedelta(days=30)
