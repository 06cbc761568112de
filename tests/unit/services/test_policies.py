"""What is configured is what decides: each setting reaches its field of a policy, and no other."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from bridge.domain.policy import DEFAULT_PROBLEM_TYPES, JourneyPolicy, ProblemType, TrackingPolicy
from bridge.services.dispatcher import admission_policy, journey_policy
from bridge.services.tracker import tracking_policy
from bridge.settings import read

# A value other than the default for every choice of the journey: the setting's text, and what the policy has then.
JOURNEY: dict[str, tuple[str, object]] = {
    "problem_types": (
        '{"NO_LIGHT": {"test": "OUTAGE", "problem": "NETWORK_FAULT"}}',
        {"NO_LIGHT": ProblemType(test="OUTAGE", problem="NETWORK_FAULT")},
    ),
    "amend_statuses": ("HELD,PENDING", frozenset({"HELD", "PENDING"})),
    "cancel_statuses": ("HELD", frozenset({"HELD"})),
    "denied_test_codes": ("KNOWN_INCIDENT", frozenset({"KNOWN_INCIDENT"})),
    "accept_resolution_codes": ("*", frozenset({"*"})),
    "max_tests": ("5", 5),
    "test_result_wait": ("7", timedelta(seconds=7)),
    "test_give_up": ("8", timedelta(seconds=8)),
    "test_validity_margin": ("9", timedelta(seconds=9)),
    "unknown_test_wait": ("11", timedelta(seconds=11)),
    "unknown_check_wait": ("12", timedelta(seconds=12)),
    "unknown_checks": ("4", 4),
    "reraise_unknown": ("true", True),
    "unknown_raise_wait": ("13", timedelta(seconds=13)),
    "max_raises": ("1", 1),
    "retry_first": ("2", timedelta(seconds=2)),
    "retry_longest": ("14", timedelta(seconds=14)),
    "retry_for": ("15", timedelta(seconds=15)),
    "max_queued": ("6", 6),
    "remember_ended": ("16", timedelta(seconds=16)),
}
TRACKING = {
    "problem_silence": timedelta(seconds=7),
    "test_silence": timedelta(seconds=8),
    "silent_acceptance": timedelta(seconds=9),
    "action_due": timedelta(seconds=10),
    "remember_ended": timedelta(seconds=11),
}


def variable(service: str, field: str, value: object) -> str:
    """The setting of a field: durations are in seconds, and say so."""
    unit = "_SECONDS" if isinstance(value, timedelta) else ""
    return f"BRIDGE_{service}_{field.upper()}{unit}"


def journey_of(environ: dict[str, str]) -> JourneyPolicy:
    return journey_policy(read(environ, "DISPATCHER").dispatcher)


def test_without_settings_the_policies_are_as_they_are_written_down() -> None:
    assert journey_of({}) == JourneyPolicy(problem_types=DEFAULT_PROBLEM_TYPES)
    assert tracking_policy(read({}, "TRACKER").tracker) == TrackingPolicy()


def test_every_choice_has_a_setting_here() -> None:
    assert set(JOURNEY) == set(JourneyPolicy.__struct_fields__)
    assert set(TRACKING) == set(TrackingPolicy.__struct_fields__)


@pytest.mark.parametrize("field", JOURNEY)
def test_a_setting_of_the_dispatcher_changes_its_own_choice_and_no_other(field: str) -> None:
    text, value = JOURNEY[field]
    changes: dict[str, Any] = {field: value}

    policy = journey_of({variable("DISPATCHER", field, value): text})

    assert policy == msgspec.structs.replace(journey_of({}), **changes)
    assert policy != journey_of({})


@pytest.mark.parametrize("field", TRACKING)
def test_a_setting_of_the_tracker_changes_its_own_choice_and_no_other(field: str) -> None:
    changes: dict[str, Any] = {field: TRACKING[field]}
    seconds = f"{TRACKING[field].total_seconds():g}"

    policy = tracking_policy(read({variable("TRACKER", field, TRACKING[field]): seconds}, "TRACKER").tracker)

    assert policy == msgspec.structs.replace(TrackingPolicy(), **changes)


def test_the_limits_of_a_supplier_are_those_of_the_settings() -> None:
    own = {
        "MAX_IN_FLIGHT": "70",
        "SUPPLIER_MAX_IN_FLIGHT": "7",
        "SUPPLIER_RATE": "0.5",
        "BREAKER_FAILURES": "3",
        "BREAKER_OPEN_SECONDS": "21",
    }
    needed = {"BASE_URL": "http://127.0.0.1:1/v1", "CLIENT_ID": "tenant", "CLIENT_SECRET": "secret"}
    environ = {f"BRIDGE_GATEWAY_{name}": value for name, value in {**needed, **own}.items()}

    policy = admission_policy(read(environ, "GATEWAY").gateway)

    assert (policy.max_in_flight, policy.supplier_max_in_flight) == (70, 7)
    assert (policy.bucket.rate, policy.bucket.burst) == (0.5, 1.0)
    assert (policy.breaker.failures, policy.breaker.open_seconds) == (3, 21.0)
