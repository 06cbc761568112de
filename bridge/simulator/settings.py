"""
Every setting of the simulator: one table, read once from the environment as SIMULATOR_<NAME>.

The docs' table is printed from it (`python -m bridge.simulator tables`).
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from bridge.simulator.plans import UnknownPlan, plan_of

PREFIX: Final = "SIMULATOR_"

WebhookAuth = Literal["none", "basic", "bearer"]


class BadSettings(Exception):
    """Settings that cannot be used; the text names each variable, its fault and what would be accepted."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The table, each row with its meaning. Times are in seconds."""

    listen: Annotated[str, "Address and port of everything the simulator serves."] = "127.0.0.1:8085"
    base_path: Annotated[str, "Where the Tenant API begins; ledger, truth and control are outside it."] = "/v1"
    client_id: Annotated[str, "The client id that the token endpoint accepts."] = "tenant"
    client_secret: Annotated[str, "The client secret that the token endpoint accepts."] = "tenant-secret"  # noqa: S105 - opens a simulator
    token_seconds: Annotated[float, "How long an access token is good."] = 3600.0
    webhook_url: Annotated[str, "Where KCIs go, for example http://127.0.0.1:8080/kcis. Empty: none is delivered."] = ""
    webhook_auth: Annotated[WebhookAuth, "How KCIs are authenticated: none, basic or bearer."] = "none"
    webhook_username: Annotated[str, "User name for basic."] = "gateway"
    webhook_password: Annotated[str, "Password for basic."] = "gateway-secret"  # noqa: S105 - the same
    webhook_token_issuer: Annotated[str, "Claim iss of the RS256 tokens minted for bearer; keys at /jwks.json."] = (
        "https://simulator.invalid"  # noqa: S105 - a claim
    )
    webhook_token_audience: Annotated[str, "Claim aud of the minted tokens."] = "tenant-updates"  # noqa: S105 - a claim
    webhook_token_seconds: Annotated[
        float, "How long a minted token is good; it is replaced at four fifths of that."
    ] = 300.0
    webhook_timeout: Annotated[float, "How long one delivery may take in all."] = 10.0
    webhook_connections: Annotated[int, "How many deliveries are under way at once."] = 32
    delivery_attempts: Annotated[int, "How often a KCI is sent before the simulator gives up on it."] = 12
    delivery_first_pause: Annotated[float, "Pause after the first failed delivery; it doubles from then on."] = 0.2
    delivery_longest_pause: Annotated[float, "The longest pause between two deliveries of a KCI."] = 5.0
    requests_inside_entity: Annotated[
        bool, "Show resolution, amendment and cancellation inside `entity` too, not only beside it."
    ] = True
    kci_delay: Annotated[
        float, "Pause before each step of a supplier; the header X-Kci-Delay overrides it for one entity."
    ] = 0.5
    kci_jitter: Annotated[float, "Each pause varies by up to this share of it (0 to 1)."] = 0.2
    default_scenario: Annotated[str, "The scenario of a service id that names none."] = "HAPPY_PATH"
    test_validity: Annotated[float, "How long a problem may be raised after a test."] = 7200.0
    auto_close: Annotated[float, "An unanswered resolution is accepted after this time."] = 604800.0
    auto_close_warning: Annotated[
        float, "How long before that the ADDITIONAL KCI warns (at the earliest at half time)."
    ] = 86400.0
    silent_acceptance: Annotated[float, "The short auto_close of the scenario SILENT_ACCEPTANCE."] = 3.0
    early_limit: Annotated[float, "How long KCI_EARLY holds a POST's answer back when its KCIs do not get through."] = (
        5.0
    )
    retry_after: Annotated[int, "Retry-After of a 429."] = 1
    check_characteristics: Annotated[
        bool, "Demand the characteristics that only the portal's pages name (contract 2.12)."
    ] = False
    first_id: Annotated[
        int, "The first id given to anything; 0 = from the clock, so that ids are new after a restart."
    ] = 100001
    seed: Annotated[int, "Seed of everything that is left to chance."] = 1

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise BadSettings("; ".join(problems))

    def _problems(self) -> Iterator[str]:
        """Say which settings cannot work, and what would."""
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdigit():
            yield f"{PREFIX}LISTEN must be host:port, such as 127.0.0.1:8085"
        if not self.base_path.startswith("/") or self.base_path.endswith("/"):
            yield f"{PREFIX}BASE_PATH must begin with a slash and not end with one, such as /v1"
        if self.webhook_url and urlsplit(self.webhook_url).scheme not in {"http", "https"}:
            yield f"{PREFIX}WEBHOOK_URL must be an http or https address"
        try:
            plan_of("", None, None, self.default_scenario)
        except UnknownPlan as error:
            yield f"{PREFIX}DEFAULT_SCENARIO: {error}"
        if not 0 <= self.kci_jitter <= 1:
            yield f"{PREFIX}KCI_JITTER must be between 0 and 1"
        for row in rows():
            if row.kind in {int, float} and getattr(self, row.name) < 0:
                yield f"{PREFIX}{row.name.upper()} must not be negative"
        if min(self.delivery_attempts, self.webhook_connections) < 1:
            yield f"{PREFIX}DELIVERY_ATTEMPTS and {PREFIX}WEBHOOK_CONNECTIONS must be at least 1"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen at."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


class Row(NamedTuple):
    """One setting, for reading and for the docs."""

    name: str
    kind: Any
    default: object
    meaning: str


def rows() -> list[Row]:
    """The table as data."""
    hints = get_type_hints(Settings, include_extras=True)
    return [Row(field.name, *_kind(hints[field.name], field.default)) for field in dataclasses.fields(Settings)]


def _kind(hint: Any, default: object) -> tuple[Any, object, str]:
    kind, meaning = get_args(hint)
    return kind, default, meaning


def read(environment: Mapping[str, str]) -> Settings:
    """
    The settings that the environment asks for; what it does not name keeps its default.

    Raises BadSettings with every fault at once, unknown SIMULATOR_ variables included.
    """
    given = {name.removeprefix(PREFIX).lower(): text for name, text in environment.items() if name.startswith(PREFIX)}
    values: dict[str, Any] = {}
    faults: list[str] = []
    for row in rows():
        if row.name in given:
            try:
                values[row.name] = _parse(row.kind, given.pop(row.name))
            except ValueError as error:
                faults.append(f"{PREFIX}{row.name.upper()}: {error}")
    faults.extend(f"{PREFIX}{name.upper()} is no setting; see docs/simulator.md" for name in given)
    if faults:
        raise BadSettings("; ".join(faults))
    return Settings(**values)


def _parse(kind: object, text: str) -> Any:
    if kind is bool:
        if text.lower() not in {"true", "false", "1", "0"}:
            raise ValueError("write true or false")
        return text.lower() in {"true", "1"}
    if kind in {int, float}:
        try:
            return int(text) if kind is int else float(text)
        except ValueError as error:
            raise ValueError("write a number") from error
    if get_origin(kind) is Literal and text not in get_args(kind):
        raise ValueError(f"write one of {', '.join(get_args(kind))}")
    return text
