"""Which reason goes with which verdict: the series of `bridge_outcomes_total` that are there from the start."""

from bridge.domain.outcomes import CommandName, Reason, Verdict

REASONS: dict[Verdict, tuple[Reason, ...]] = {
    Verdict.ACCEPTED: (Reason.ANSWERED, Reason.FOUND, Reason.DECIDED),
    Verdict.REFUSED: (Reason.REFUSED_BY_GATEWAY,),
    Verdict.UNKNOWN: (
        Reason.NO_ANSWER,
        Reason.SERVER_ERROR,
        Reason.UNREADABLE_ANSWER,
        Reason.INTERRUPTED,
        Reason.GAVE_UP,
    ),
    Verdict.NOT_SENT: (
        Reason.INVALID,
        Reason.NOT_ALLOWED_IN_STATUS,
        Reason.JOURNEY_ENDED,
        Reason.TEST_GREEN,
        Reason.TEST_DENIED,
        Reason.TEST_MISMATCH,
        Reason.TEST_NOT_PASSED,
    ),
    Verdict.FAILED: (Reason.GAVE_UP,),
}
TOLD = (
    CommandName.RUN_TEST,
    CommandName.RAISE_PROBLEM,
    CommandName.AMEND_PROBLEM,
    CommandName.CANCEL_PROBLEM,
    CommandName.ANSWER_RESOLUTION,
)
OUTCOMES_TO_EXPECT = tuple(
    (command.value, verdict.value, reason.value)
    for command in TOLD
    for verdict, reasons in REASONS.items()
    for reason in reasons
)
