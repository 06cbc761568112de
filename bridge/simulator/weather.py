"""Faults for a time and by chance, set while the simulator runs (`PUT /control/faults` replaces them all)."""

import time
from collections import Counter
from typing import Annotated

import msgspec

from bridge.simulator.chance import chance
from bridge.simulator.faults import FAULTS, Effect, Fault
from bridge.simulator.plans import COMMANDS, OPERATIONS

Seconds = Annotated[float, msgspec.Meta(ge=0)]
TOKEN = "token"  # noqa: S105 - the name of an operation


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """One fault: where (nowhere named = every POST and PATCH), how likely, how often at most, for how long from now."""

    fault: str
    operations: list[str] = []
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    limit: Annotated[int, msgspec.Meta(ge=0)] | None = None
    for_seconds: Seconds | None = None

    def __post_init__(self) -> None:
        known = (*OPERATIONS, TOKEN)
        if self.fault not in FAULTS:
            raise ValueError(f"unknown fault; known are {', '.join(FAULTS)}")
        if self.fault == "KCI_SHUFFLED":
            raise ValueError("KCI_SHUFFLED concerns a whole entity; it works in a service id or a header only")
        if not set(self.operations) <= set(known):
            raise ValueError(f"unknown operation; known are {', '.join(known)}")


class Weather(msgspec.Struct, forbid_unknown_fields=True):
    """What disturbs everybody. The empty document is fair weather."""

    outage: bool = False  # every request, tokens included, is cut off unaccepted
    token_down: bool = False  # the token endpoint answers 503
    kcis_held: bool = False  # KCIs are made, and delivered once this is lifted
    latency_seconds: Seconds = 0.0
    latency_jitter_seconds: Seconds = 0.0
    for_seconds: Seconds | None = None  # fair weather afterwards, rules included
    rules: list[Rule] = []


class Forecast:
    """The weather in force, and how often each of its rules has struck."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.replace(Weather())

    def replace(self, weather: Weather) -> None:
        """Put `weather` in force from now on."""
        self._weather = weather
        self._since = time.monotonic()
        self._struck: Counter[int] = Counter()
        self._asked: Counter[tuple[object, ...]] = Counter()

    @property
    def now(self) -> Weather:
        """The weather in force; fair again once its time is over."""
        if self._over(self._weather.for_seconds):
            self.replace(Weather())
        return self._weather

    def struck(self) -> list[int]:
        """How often each rule has struck, in the order of the rules."""
        return [self._struck[place] for place in range(len(self.now.rules))]

    def fault(self, operation: str, service_id: str) -> Fault | None:
        """The fault that strikes this request: the first rule whose chance comes up."""
        for place, rule in enumerate(self.now.rules):
            fault = FAULTS[rule.fault]
            if fault.effect is not Effect.UPSET and self._strikes(place, rule, operation, service_id):
                return fault
        return None

    def upset(self, name: str, operation: str, service_id: str) -> bool:
        """Whether the KCI fault `name` strikes, asked once for each KCI or entity that `operation` created."""
        return any(
            rule.fault == name and self._strikes(place, rule, operation, service_id)
            for place, rule in enumerate(self.now.rules)
        )

    def latency(self) -> float:
        """How long this request has to wait."""
        weather = self.now
        if not weather.latency_seconds and not weather.latency_jitter_seconds:
            return 0.0
        self._asked["latency",] += 1
        return weather.latency_seconds + weather.latency_jitter_seconds * chance(
            self._seed, "latency", self._asked["latency",]
        )

    def _strikes(self, place: int, rule: Rule, operation: str, service_id: str) -> bool:
        if operation not in (rule.operations or COMMANDS) or self._over(rule.for_seconds):
            return False
        if rule.limit is not None and self._struck[place] >= rule.limit:
            return False
        question = (place, operation, service_id)
        self._asked[question] += 1
        if chance(self._seed, *question, self._asked[question]) >= rule.probability:
            return False
        self._struck[place] += 1
        return True

    def _over(self, seconds: float | None) -> bool:
        return seconds is not None and time.monotonic() - self._since >= seconds
