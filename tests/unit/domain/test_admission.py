"""The door to the gateway: who may start a call now, and who waits for what."""

import pytest

from bridge.domain import admission
from bridge.domain.admission import Admission, AdmissionPolicy, Admitted, Busy, ClosedUntil, Full
from bridge.domain.breaker import BreakerPolicy, BucketPolicy, Position


def a_door(
    *, in_flight: int = 10, supplier_in_flight: int = 5, rate: float = 1000, burst: float = 1000, failures: int = 2
) -> Admission:
    return Admission(
        AdmissionPolicy(
            max_in_flight=in_flight,
            supplier_max_in_flight=supplier_in_flight,
            bucket=BucketPolicy(rate=rate, burst=burst),
            breaker=BreakerPolicy(failures=failures, open_seconds=30),
        )
    )


def test_a_suppliers_limit_in_flight_is_its_own_and_frees_with_each_finish() -> None:
    door = a_door(supplier_in_flight=2)
    assert [door.admit("A", 0) for _ in range(3)] == [Admitted(), Admitted(), Busy(why=Full.SUPPLIER_IN_FLIGHT)]
    assert door.admit("B", 0) == Admitted()
    door.finished("A", 0, ok=True)
    assert door.admit("A", 0) == Admitted()
    assert (door.in_flight("A"), door.in_flight("B"), door.in_flight()) == (2, 1, 3)


def test_the_limit_over_all_suppliers_is_shared() -> None:
    door = a_door(in_flight=2)
    assert door.admit("A", 0) == door.admit("B", 0) == Admitted()
    assert door.admit("C", 0) == Busy(why=Full.IN_FLIGHT)


def test_the_rate_tells_when_to_come_back_and_a_refusal_counts_for_nothing() -> None:
    door = a_door(rate=2, burst=1)
    assert door.admit("A", 100) == Admitted()
    assert door.admit("A", 100) == Busy(why=Full.RATE, until=100.5)
    assert door.in_flight("A") == 1
    assert door.admit("A", 100.5) == Admitted()


def test_an_open_breaker_closes_the_door_for_its_supplier_and_nobody_else() -> None:
    door = a_door()
    for _ in range(2):
        door.admit("A", 0)
        door.finished("A", 1, ok=False)
    assert door.position("A", 1) is Position.OPEN
    assert door.admit("A", 1) == ClosedUntil(until=31)
    assert door.admit("B", 1) == Admitted()
    assert door.position("B", 1) is Position.CLOSED


def test_half_open_one_probe_passes_and_its_result_decides() -> None:
    door = a_door()
    for _ in range(2):
        door.admit("A", 0)
        door.finished("A", 0, ok=False)
    assert door.admit("A", 30) == Admitted(probe=True)
    assert door.admit("A", 31) == ClosedUntil(until=60)
    door.finished("A", 32, ok=True)
    assert door.position("A", 32) is Position.CLOSED
    assert door.admit("A", 32) == Admitted()


def test_a_probe_that_was_withdrawn_is_no_success_and_another_may_go() -> None:
    door = a_door()
    for _ in range(2):
        door.admit("A", 0)
        door.finished("A", 0, ok=False)
    assert door.admit("A", 30) == Admitted(probe=True)
    door.withdrawn("A", 31)
    assert door.position("A", 31) is Position.HALF_OPEN
    assert door.in_flight() == 0
    assert door.admit("A", 31) == Admitted(probe=True)
    door.finished("A", 32, ok=False)
    assert door.position("A", 33) is Position.OPEN


def test_a_call_that_was_withdrawn_forgives_no_failure() -> None:
    door = a_door()
    door.admit("A", 0)
    door.finished("A", 0, ok=False)
    door.admit("A", 1)
    door.withdrawn("A", 1)
    door.admit("A", 2)
    door.finished("A", 2, ok=False)
    assert door.position("A", 2) is Position.OPEN


def test_a_probe_that_finds_no_room_is_not_lost() -> None:
    door = a_door(in_flight=1)
    for _ in range(2):
        door.admit("A", 0)
        door.finished("A", 0, ok=False)
    door.admit("B", 30)
    assert door.admit("A", 30) == Busy(why=Full.IN_FLIGHT)
    door.finished("B", 30, ok=True)
    assert door.admit("A", 30) == Admitted(probe=True)


def test_a_retry_after_holds_the_supplier_and_is_never_shortened() -> None:
    door = a_door()
    door.hold("A", 20)
    door.hold("A", 10)
    assert door.admit("A", 19.9) == ClosedUntil(until=20)
    assert door.admit("B", 0) == Admitted()
    assert door.admit("A", 20) == Admitted()


def test_finishing_what_was_not_admitted_is_a_bug() -> None:
    with pytest.raises(ValueError, match="exactly once"):
        a_door().finished("A", 0, ok=True)


def test_suppliers_at_rest_are_forgotten_and_others_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "_MOST_REMEMBERED", 5)
    door = a_door(failures=1, in_flight=1000)
    door.admit("broken", 0)
    door.finished("broken", 0, ok=False)
    door.admit("busy", 0)
    door.hold("held", 10_000)
    for number in range(100):
        door.admit(f"S{number}", 100 + number)
        door.finished(f"S{number}", 100 + number, ok=True)
    assert {"broken", "busy", "held"} <= set(door.suppliers())
    assert len(door.suppliers()) <= 5
