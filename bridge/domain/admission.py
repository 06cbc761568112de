"""
Whether a call to a supplier may start now: its breaker, its Retry-After, its limits in flight and its rate.

One supplier's trouble never closes the door to another; only the limit over all suppliers is shared. Who waits, and in
which order, is not decided here. Time is passed in as seconds of one clock that never runs backwards.
"""

from enum import StrEnum

from bridge.domain import breaker as breakers
from bridge.domain.breaker import Breaker, BreakerPolicy, Bucket, BucketPolicy, Position
from bridge.domain.record import Record

# Supplier names come from tickets; beyond this many, those at rest are forgotten, which changes nothing for them.
_MOST_REMEMBERED = 1000


class AdmissionPolicy(Record, frozen=True, kw_only=True):
    """The limits for each supplier, and `max_in_flight` over all of them."""

    max_in_flight: int
    supplier_max_in_flight: int
    bucket: BucketPolicy
    breaker: BreakerPolicy


class Full(StrEnum):
    """What a call has to wait for."""

    IN_FLIGHT = "IN_FLIGHT"
    SUPPLIER_IN_FLIGHT = "SUPPLIER_IN_FLIGHT"
    RATE = "RATE"


class Admitted(Record, frozen=True, kw_only=True):
    """
    The call may start; it counts as in flight until `finished` or `withdrawn`. A probe is the one call that tries a
    broken way.
    """

    probe: bool = False


class Busy(Record, frozen=True, kw_only=True):
    """Not now: ask again when a call has finished, or for RATE at `until`."""

    why: Full
    until: float | None = None


class ClosedUntil(Record, frozen=True, kw_only=True):
    """Not before `until`: the supplier's breaker is open, or the gateway said when to come back."""

    until: float


class _Supplier:
    """What is remembered of one supplier."""

    def __init__(self, bucket: Bucket) -> None:
        self.breaker = Breaker()
        self.bucket = bucket
        self.in_flight = 0
        self.held_until: float | None = None

    def rests(self, policy: AdmissionPolicy, now: float) -> bool:
        """Whether forgetting it would change nothing."""
        held = self.held_until is not None and now < self.held_until
        refilled = self.bucket.left + (now - self.bucket.at) * policy.bucket.rate >= policy.bucket.burst
        return self.breaker == Breaker() and not self.in_flight and not held and refilled


class Admission:
    """The door to the gateway, for one process. Not thread-safe; nothing in it waits."""

    def __init__(self, policy: AdmissionPolicy) -> None:
        """Start with nothing in flight and all breakers closed."""
        self._policy = policy
        self._suppliers: dict[str, _Supplier] = {}
        self._in_flight = 0

    @property
    def policy(self) -> AdmissionPolicy:
        """The limits."""
        return self._policy

    def admit(self, supplier: str, now: float, *, ahead: float = 0.0) -> Admitted | Busy | ClosedUntil:
        """
        Let a call start, and count it; or say what it waits for, and count nothing. So many more than may be in flight
        are admitted `ahead`, as a share of the limits, by a caller who sees to it that they wait for each other.
        """
        state = self._state(supplier, now)
        until = self._closed_until(state, now)
        if until is not None:
            return ClosedUntil(until=until)
        if self._in_flight >= self._policy.max_in_flight * (1 + ahead):
            return Busy(why=Full.IN_FLIGHT)
        if state.in_flight >= self._policy.supplier_max_in_flight * (1 + ahead):
            return Busy(why=Full.SUPPLIER_IN_FLIGHT)
        state.bucket, wait = breakers.take(self._policy.bucket, state.bucket, now)
        if wait:
            return Busy(why=Full.RATE, until=now + wait)
        state.breaker = breakers.passed(self._policy.breaker, state.breaker, now)
        state.in_flight += 1
        self._in_flight += 1
        return Admitted(probe=breakers.position(self._policy.breaker, state.breaker, now) is Position.HALF_OPEN)

    def finished(self, supplier: str, now: float, *, ok: bool) -> None:
        """A call that was admitted is over; `ok` as `breaker.went_well` tells it of the answer."""
        state = self._left(supplier, now)
        step = breakers.succeeded if ok else breakers.failed
        state.breaker = step(self._policy.breaker, state.breaker, now)

    def withdrawn(self, supplier: str, now: float) -> None:
        """A call that was admitted was not made, or says nothing of the way: if it was the probe, another may go."""
        state = self._left(supplier, now)
        state.breaker = breakers.withdrawn(self._policy.breaker, state.breaker, now)

    def hold(self, supplier: str, until: float) -> None:
        """The gateway gave a Retry-After: nothing is admitted for this supplier before then."""
        state = self._suppliers.get(supplier) or self._remember(supplier, until)
        state.held_until = max(until, state.held_until or until)

    def position(self, supplier: str, now: float) -> Position:
        """Where the supplier's breaker stands."""
        return breakers.position(self._policy.breaker, self._state(supplier, now).breaker, now)

    def suppliers(self) -> tuple[str, ...]:
        """Those that are remembered."""
        return tuple(self._suppliers)

    def in_flight(self, supplier: str | None = None) -> int:
        """Calls in flight, of one supplier or of all."""
        if supplier is None:
            return self._in_flight
        state = self._suppliers.get(supplier)
        return state.in_flight if state else 0

    def _left(self, supplier: str, now: float) -> _Supplier:
        state = self._state(supplier, now)
        if not state.in_flight:
            raise ValueError("finished without admit: each admitted call must be finished exactly once")
        state.in_flight -= 1
        self._in_flight -= 1
        return state

    def _closed_until(self, state: _Supplier, now: float) -> float | None:
        open_until = breakers.closed_until(self._policy.breaker, state.breaker, now)
        held_until = state.held_until if state.held_until is not None and now < state.held_until else None
        moments = [moment for moment in (open_until, held_until) if moment is not None]
        return max(moments) if moments else None

    def _state(self, supplier: str, now: float) -> _Supplier:
        state = self._suppliers.get(supplier)
        if state is not None:
            return state
        if len(self._suppliers) >= _MOST_REMEMBERED:
            self._forget_resting(now)
        return self._remember(supplier, now)

    def _remember(self, supplier: str, now: float) -> _Supplier:
        state = self._suppliers[supplier] = _Supplier(breakers.full(self._policy.bucket, now))
        return state

    def _forget_resting(self, now: float) -> None:
        resting = [name for name, state in self._suppliers.items() if state.rests(self._policy, now)]
        for name in resting:
            del self._suppliers[name]
