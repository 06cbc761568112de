"""The breaker, the token bucket and the back-off, second by second."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.answers import Ambiguous, Answer, NotTaken, Refused, Taken
from bridge.domain.breaker import (
    Breaker,
    BreakerPolicy,
    Bucket,
    BucketPolicy,
    Position,
    closed_until,
    failed,
    full,
    passed,
    position,
    succeeded,
    take,
    went_well,
    withdrawn,
)
from bridge.domain.entities import Entity
from bridge.domain.outcomes import Reason
from bridge.domain.policy import DEFAULT_PROBLEM_TYPES, JourneyPolicy
from bridge.domain.retries import backoff

POLICY = BreakerPolicy(failures=3, open_seconds=30)


def opened_at(now: float) -> Breaker:
    breaker = Breaker()
    for _ in range(3):
        breaker = failed(POLICY, breaker, now)
    return breaker


class TestBreaker:
    def test_it_opens_after_failures_in_a_row_only(self) -> None:
        breaker = failed(POLICY, failed(POLICY, Breaker(), 0), 0)
        assert closed_until(POLICY, breaker, 0) is None
        breaker = failed(POLICY, failed(POLICY, succeeded(POLICY, breaker, 0), 0), 0)
        assert position(POLICY, breaker, 0) is Position.CLOSED
        breaker = failed(POLICY, breaker, 5)
        assert position(POLICY, breaker, 5) is Position.OPEN
        assert closed_until(POLICY, breaker, 5) == 35

    def test_after_its_time_one_probe_passes_and_nobody_else(self) -> None:
        breaker = opened_at(0)
        assert closed_until(POLICY, breaker, 29.9) == 30
        assert closed_until(POLICY, breaker, 30) is None
        breaker = passed(POLICY, breaker, 30)
        assert position(POLICY, breaker, 31) is Position.HALF_OPEN
        assert closed_until(POLICY, breaker, 31) == 60

    def test_a_good_probe_closes_it_and_a_bad_one_opens_it_anew(self) -> None:
        probing = passed(POLICY, opened_at(0), 30)
        assert succeeded(POLICY, probing, 31) == Breaker()
        again = failed(POLICY, probing, 31)
        assert position(POLICY, again, 60.9) is Position.OPEN
        assert closed_until(POLICY, again, 61) is None

    def test_a_probe_that_was_never_heard_of_again_does_not_block_for_ever(self) -> None:
        probing = passed(POLICY, opened_at(0), 30)
        assert closed_until(POLICY, probing, 60) is None

    def test_a_probe_that_was_withdrawn_lets_another_go_and_decides_nothing(self) -> None:
        probing = passed(POLICY, opened_at(0), 30)
        back = withdrawn(POLICY, probing, 31)
        assert position(POLICY, back, 31) is Position.HALF_OPEN
        assert closed_until(POLICY, back, 31) is None
        assert withdrawn(POLICY, opened_at(0), 10) == opened_at(0)
        assert withdrawn(POLICY, Breaker(failures=1), 10) == Breaker(failures=1)

    def test_while_open_late_results_change_nothing(self) -> None:
        breaker = opened_at(0)
        assert failed(POLICY, breaker, 10) == breaker
        assert succeeded(POLICY, breaker, 10) == breaker


@pytest.mark.parametrize(
    ("answer", "well"),
    [
        (Taken(http_status=201, entity=Entity(type="SERVICE_TEST", id="1")), True),
        (Refused(http_status=422), True),
        (NotTaken(why="RATE_LIMITED"), True),
        (NotTaken(why="INVALID_REQUEST", alarm=True), None),
        (NotTaken(why="CONNECT_REFUSED"), False),
        (NotTaken(why="FORBIDDEN", alarm=True), False),
        (NotTaken(why="NO_TOKEN"), False),
        (Ambiguous(reason=Reason.NO_ANSWER, why="READ_TIMEOUT"), False),
        (Ambiguous(reason=Reason.SERVER_ERROR, why="SERVER_ERROR"), False),
        (Ambiguous(reason=Reason.UNREADABLE_ANSWER, why="UNREADABLE_ANSWER"), True),
    ],
)
def test_an_answer_says_that_the_way_works_or_is_broken_or_nothing_of_it(answer: Answer, *, well: bool | None) -> None:
    assert went_well(answer) is well


class TestBucket:
    policy = BucketPolicy(rate=2, burst=3)

    def test_it_gives_a_burst_and_then_its_rate(self) -> None:
        bucket = full(self.policy, 10)
        waits = []
        for _ in range(4):
            bucket, wait = take(self.policy, bucket, 10)
            waits.append(wait)
        assert waits == [0, 0, 0, 0.5]
        assert take(self.policy, bucket, 10.5)[1] == 0

    def test_a_refusal_takes_nothing_and_a_rest_never_gives_more_than_a_burst(self) -> None:
        empty = Bucket(left=0, at=0)
        assert take(self.policy, empty, 0) == (empty, 0.5)
        assert take(self.policy, empty, 1000)[0] == Bucket(left=2, at=1000)

    @settings(deadline=None)
    @given(st.lists(st.floats(0, 2), max_size=200))
    def test_it_never_gives_more_than_burst_and_rate_allow(self, pauses: list[float]) -> None:
        bucket, now, given_out = full(self.policy, 0), 0.0, 0
        for pause in pauses:
            now += pause
            bucket, wait = take(self.policy, bucket, now)
            given_out += wait == 0
            assert given_out <= self.policy.burst + self.policy.rate * now + 1e-6


class TestBackoff:
    policy = JourneyPolicy(
        problem_types=DEFAULT_PROBLEM_TYPES, retry_first=timedelta(seconds=1), retry_longest=timedelta(seconds=60)
    )

    def test_it_doubles_up_to_the_longest(self) -> None:
        waits = [backoff(self.policy, attempts, 1.0).total_seconds() for attempts in (1, 2, 3, 6, 7, 8, 10_000)]
        assert waits == [1, 2, 4, 32, 60, 60, 60]

    def test_jitter_is_full(self) -> None:
        assert backoff(self.policy, 5, 0.0) == timedelta(0)
        assert backoff(self.policy, 5, 0.25) == timedelta(seconds=4)

    def test_retry_after_is_the_least_and_still_spread(self) -> None:
        assert backoff(self.policy, 1, 0.0, 30) == timedelta(seconds=30)
        assert backoff(self.policy, 3, 0.5, 30) == timedelta(seconds=32)
