"""
All settings, read once from the environment into frozen values and passed in; nothing reads the environment later.

A variable is `BRIDGE_<GROUP>_<NAME>`; the group is the model below. A secret may instead be given as a file's path in `<VARIABLE>_FILE`,
as Kubernetes mounts them. All problems are told together, each with its variable's name, and a `BRIDGE_` variable that no setting reads is one.
"""

import json
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

PREFIX = "BRIDGE_"


class SettingsError(Exception):
    """The environment cannot be used; the text names each variable, what is wrong with it, and what would be right."""

    def __init__(self, problems: list[str]) -> None:
        """Keep the problems, one sentence each."""
        super().__init__("\n".join(problems))
        self.problems = problems


def _seconds(value: object) -> object:
    if not isinstance(value, str | int | float):
        return value
    try:
        return timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        # Without the value: whoever mixes variables up may have put a secret here.
        raise ValueError("must be a number of seconds, such as 30 or 0.5") from None


def _words(value: object) -> object:
    return _split(value) if isinstance(value, str) else value


def _split(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _networks(value: object) -> object:
    return (
        tuple(_network(text, number) for number, text in enumerate(_split(value), 1))
        if isinstance(value, str)
        else value
    )


def _network(text: str, number: int) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(
            f"entry {number} is no network; write addresses or ranges such as 10.1.0.0/16 or fd00::/8"
        ) from None
    if network.prefixlen == 0:
        raise ValueError(
            f"entry {number} is everyone, and a header that anyone can write would count; name the proxies alone"
        )
    return network


def _url(value: object) -> object:
    if isinstance(value, str) and "@" in urlsplit(value).netloc:
        raise ValueError("must not hold a user and a password: URLs are logged; there are settings for credentials")
    return value


Seconds = Annotated[timedelta, BeforeValidator(_seconds)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], BeforeValidator(_networks)]
Url = Annotated[str, BeforeValidator(_url)]


class Group(BaseModel):
    """A group of settings: frozen, and strict about what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSecurity(StrEnum):
    """Kafka's own names for how a client talks to a broker."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class KafkaSettings(Group):
    """BRIDGE_KAFKA_…: the cluster."""

    bootstrap_servers: Words = Field(description="Brokers to start from, `host:port`, separated by commas.")
    security_protocol: KafkaSecurity = Field(
        KafkaSecurity.PLAINTEXT, description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    sasl_mechanism: str = Field("SCRAM-SHA-512", description="SASL mechanism: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.")
    sasl_username: str | None = Field(None, description="SASL user.")
    sasl_password: SecretStr | None = Field(None, description="SASL password.")
    ssl_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that sign the brokers' certificates; default: the system's."
    )
    ssl_cert_file: Path | None = Field(None, description="PEM file of this client's certificate (mutual TLS).")
    ssl_key_file: Path | None = Field(None, description="PEM file of this client's key (mutual TLS).")
    topic_prefix: str = Field(
        "",
        description="Put before each topic, group and transactional id, so that several bridges can share a cluster.",
    )
    session_timeout_seconds: Seconds = Field(
        timedelta(seconds=30), description="How long a silent worker stays in its group."
    )
    rebalance_timeout_seconds: Seconds = Field(
        timedelta(seconds=90),
        description="How long a worker may take to finish its calls in flight at a rebalance; longer than any gateway call.",
    )
    transaction_timeout_seconds: Seconds = Field(
        timedelta(seconds=20), description="How long a dead worker's open transaction may hold up readers."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.bootstrap_servers:
            raise ValueError("bootstrap_servers: name at least one broker as host:port")
        if self.security_protocol.startswith("SASL") and (self.sasl_username is None or self.sasl_password is None):
            raise ValueError("sasl_username: needed, with sasl_password, when security_protocol is SASL_…")
        if (self.ssl_cert_file is None) != (self.ssl_key_file is None):
            raise ValueError("ssl_cert_file: give both ssl_cert_file and ssl_key_file, or neither")
        return self


class GatewayProfile(StrEnum):
    """The gateway's two published environments, and any other by its URL."""

    PRODUCTION = "production"
    CVT = "cvt"
    CUSTOM = "custom"


class ClientAuth(StrEnum):
    """How the client credentials are sent to the token endpoint (RFC 6749 section 2.3.1; contract 4.1)."""

    BASIC = "basic"
    FORM = "form"


class Unavailable(StrEnum):
    """What a 503 without a body means for a POST."""

    UNKNOWN = "unknown"
    NOT_TAKEN = "not_taken"


class GatewaySettings(Group):
    """BRIDGE_GATEWAY_…: the supplier gateway."""

    profile: GatewayProfile = Field(
        GatewayProfile.CUSTOM, description="`production` knows its base URL; `cvt` and `custom` need base_url."
    )
    base_url: Url | None = Field(
        None,
        description="Base URL of the Tenant API, up to and with its version, such as https://prod.fibregateway.com/v1.",
    )
    token_url: Url | None = Field(
        None, description="OAuth2 token endpoint; default: base URL + /auth/tenant/access-token."
    )
    client_id: str = Field(description="OAuth2 client id.")
    client_secret: SecretStr = Field(description="OAuth2 client secret.")
    client_auth: ClientAuth = Field(
        ClientAuth.BASIC, description="`basic` sends the credentials in the Authorization header, `form` in the body."
    )
    scope: str | None = Field(None, description="OAuth2 scope, where the gateway asks for one.")
    connect_timeout_seconds: Seconds = Field(timedelta(seconds=5), description="Time to connect.")
    read_timeout_seconds: Seconds = Field(timedelta(seconds=20), description="Time between two pieces of an answer.")
    total_timeout_seconds: Seconds = Field(
        timedelta(seconds=30), description="Time for a whole call; must be shorter than the Kafka rebalance timeout."
    )
    ca_file: Path | None = Field(
        None, description="PEM file of the authorities that sign the gateway's certificate; default: the system's."
    )
    client_cert_file: Path | None = Field(
        None, description="PEM file of a client certificate, where the gateway asks for one."
    )
    client_key_file: Path | None = Field(None, description="PEM file of its key.")
    unavailable_means: Unavailable = Field(
        Unavailable.UNKNOWN,
        description="What a 503 means for a POST: `unknown` (it may have been taken) or `not_taken` (send again).",
    )
    max_in_flight: int = Field(100, ge=1, description="Calls in flight at once, over all suppliers.")
    supplier_max_in_flight: int = Field(40, ge=1, description="Calls in flight at once for one supplier.")
    supplier_rate: float = Field(50, gt=0, description="Calls a second for one supplier.")
    breaker_failures: int = Field(10, ge=1, description="Failures in a row after which a supplier's breaker opens.")
    breaker_open_seconds: Seconds = Field(
        timedelta(seconds=30), description="How long an open breaker stays open before one call probes it."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.profile is not GatewayProfile.PRODUCTION and self.base_url is None:
            raise ValueError(
                "base_url: needed unless profile is production; the URL of CVT is told to each tenant, and not published"
            )
        if (self.client_cert_file is None) != (self.client_key_file is None):
            raise ValueError("client_cert_file: give both client_cert_file and client_key_file, or neither")
        return self


class WebhookAuth(StrEnum):
    """How the gateway proves itself to the webhook (contract 4.3)."""

    BASIC = "basic"
    BEARER = "bearer"
    NONE = "none"


class WebhookSettings(Group):
    """BRIDGE_WEBHOOK_…: the endpoint that takes KCIs."""

    listen: str = Field("0.0.0.0:8080", description="Address and port of the webhook, `host:port`.")
    path: str = Field(
        "/kcis", description="Path of the webhook; the path twice, such as /kcis/kcis, is served too (contract 3.29)."
    )
    auth: WebhookAuth = Field(
        WebhookAuth.BASIC, description="`basic`, `bearer`, or `none`, which must be written out loud."
    )
    username: str | None = Field(None, description="Basic: user.")
    password: SecretStr | None = Field(None, description="Basic: password.")
    jwks_url: Url | None = Field(None, description="Bearer: where the gateway publishes its signing keys.")
    jwks_file: Path | None = Field(None, description="Bearer: a file with the signing keys, instead of jwks_url.")
    issuer: str | None = Field(None, description="Bearer: the `iss` that a token must have.")
    audience: str | None = Field(None, description="Bearer: the `aud` that a token must have.")
    clock_leeway_seconds: Seconds = Field(
        timedelta(seconds=30), description="Bearer: how far the two clocks may be apart."
    )
    max_body_bytes: int = Field(1_048_576, ge=1024, description="Longest body accepted; a longer one is answered 413.")
    max_depth: int = Field(32, ge=4, description="Deepest nesting of JSON accepted.")
    max_headers: int = Field(64, ge=8, description="Most headers accepted.")
    read_timeout_seconds: Seconds = Field(timedelta(seconds=15), description="Time to receive a whole request.")
    publish_timeout_seconds: Seconds = Field(
        timedelta(seconds=10), description="Time for Kafka to take the record before the answer is 503."
    )
    max_in_flight: int = Field(200, ge=1, description="Requests handled at once; more are answered 503.")
    auth_failures_per_minute: int = Field(
        60, ge=1, description="Failed authentications a minute from one address before it is answered 429."
    )
    trusted_proxies: Networks = Field(
        (),
        description="Addresses or CIDR ranges of the proxies before the webhook, separated by commas: their X-Forwarded-For tells whose failed authentications are counted.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.auth is WebhookAuth.BASIC and (self.username is None or self.password is None):
            raise ValueError("username: needed, with password, when auth is basic")
        if self.auth is WebhookAuth.BEARER:
            if (self.jwks_url is None) == (self.jwks_file is None):
                raise ValueError("jwks_url: give jwks_url or jwks_file when auth is bearer")
            if self.issuer is None or self.audience is None:
                raise ValueError("issuer: needed, with audience, when auth is bearer")
        return self


class SchemaSettings(Group):
    """BRIDGE_SCHEMA_…: the schema registry."""

    registry_url: Url | None = Field(
        None,
        description="Confluent-compatible schema registry; without one, records are framed by Avro's single-object encoding.",
    )
    registry_username: str | None = Field(None, description="User for the registry.")
    registry_password: SecretStr | None = Field(None, description="Password for the registry.")


class ManagementSettings(Group):
    """BRIDGE_MANAGEMENT_…: health and metrics of each service."""

    listen: str = Field("0.0.0.0:9090", description="Address and port of /live, /ready and /metrics, `host:port`.")


class LogSettings(Group):
    """BRIDGE_LOG_…: what is written to standard error."""

    level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    format: str = Field("json", description="`json` (one object a line) or `console`.")


class DispatcherSettings(Group):
    """BRIDGE_DISPATCHER_…: how journeys run. Choices left to the tenant by the contract."""

    problem_types: dict[str, dict[str, str]] | None = Field(
        None,
        description='The provider\'s fault types as JSON, each with the gateway\'s two: {"NO_SYNC": {"test": "SYNCHRONISATION", "problem": "SYNCHRONISATION"}}; default: the six test types, CPE raised as CUSTOMER.',
    )
    amend_statuses: Words = Field(
        ("ACKNOWLEDGED", "IN_PROGRESS", "PENDING", "HELD", "NETWORK_INCIDENT", "PENDING_AMENDMENT"),
        description="Problem statuses in which an amendment is sent.",
    )
    cancel_statuses: Words = Field(
        ("ACKNOWLEDGED", "IN_PROGRESS", "PENDING", "HELD", "NETWORK_INCIDENT", "PENDING_AMENDMENT"),
        description="Problem statuses in which a cancellation is sent.",
    )
    denied_test_codes: Words = Field((), description="Test outcome codes for which no problem is raised.")
    accept_resolution_codes: Words = Field(
        (), description="Resolution codes that the bridge accepts by itself; `*` accepts all."
    )
    max_tests: int = Field(3, ge=1, description="Tests run for one ticket, the first included.")
    test_result_wait_seconds: Seconds = Field(
        timedelta(seconds=120), description="Wait for a test's result by KCI before it is fetched."
    )
    test_give_up_seconds: Seconds = Field(
        timedelta(minutes=30), description="A test without a result for this long counts as failed."
    )
    test_validity_margin_seconds: Seconds = Field(
        timedelta(seconds=60), description="A test's validity counts as over this long before its end."
    )
    unknown_test_wait_seconds: Seconds = Field(
        timedelta(seconds=60), description="A test whose fate is unknown is run again after this long without evidence."
    )
    unknown_check_wait_seconds: Seconds = Field(
        timedelta(seconds=10),
        description="Wait before the GET that looks for an unknown amendment, cancellation or answer.",
    )
    unknown_checks: int = Field(3, ge=1, description="How often that GET is made before a person is asked.")
    reraise_unknown: bool = Field(
        False,
        description="Whether a raise whose fate is unknown is repeated without a person's word. May raise a second problem.",
    )
    unknown_raise_wait_seconds: Seconds = Field(timedelta(minutes=15), description="Wait before that.")
    max_raises: int = Field(
        2,
        ge=1,
        description="Raises of one ticket when the gateway FAILED_TO_SEND, the first included; never after SUPPLIER_TIMED_OUT.",
    )
    retry_first_seconds: Seconds = Field(
        timedelta(seconds=1),
        description="First wait before a command that was certainly not taken is sent again; doubles, with jitter.",
    )
    retry_longest_seconds: Seconds = Field(timedelta(minutes=5), description="Longest such wait.")
    retry_for_seconds: Seconds = Field(
        timedelta(hours=4), description="A command that could not be sent for this long has FAILED."
    )
    max_queued: int = Field(20, ge=1, description="Commands that may wait in one journey.")
    remember_ended_seconds: Seconds = Field(
        timedelta(days=30),
        description="How long an ended journey is remembered; longer than the retention of fault-tickets.",
    )
    max_pulled: int = Field(400, ge=1, description="Records taken from Kafka and not yet settled, at once.")
    dead_letters_per_minute: int = Field(
        100,
        ge=1,
        description="Dead letters a minute after which the service stops, so that a bad deploy does not pour everything into them.",
    )


class TrackerSettings(Group):
    """BRIDGE_TRACKER_…: how statuses are kept."""

    problem_silence_seconds: Seconds = Field(
        timedelta(hours=4), description="A live problem silent for this long is fetched."
    )
    test_silence_seconds: Seconds = Field(
        timedelta(minutes=10), description="A test without an end, silent for this long, is fetched."
    )
    silent_acceptance_seconds: Seconds = Field(
        timedelta(days=5), description="The gateway takes an unanswered resolution as accepted after this long."
    )
    action_due_seconds: Seconds = Field(timedelta(hours=24), description="Time a person has for any other action.")
    remember_ended_seconds: Seconds = Field(
        timedelta(days=30), description="How long an ended test or problem is remembered."
    )
    max_pulled: int = Field(1000, ge=1, description="Records taken from Kafka and not yet settled, at once.")
    dead_letters_per_minute: int = Field(100, ge=1, description="Dead letters a minute after which the service stops.")


GROUPS: dict[str, type[Group]] = {
    "KAFKA": KafkaSettings,
    "GATEWAY": GatewaySettings,
    "WEBHOOK": WebhookSettings,
    "SCHEMA": SchemaSettings,
    "MANAGEMENT": ManagementSettings,
    "LOG": LogSettings,
    "DISPATCHER": DispatcherSettings,
    "TRACKER": TrackerSettings,
}


class Settings:
    """The groups that one process asked for, each at its name in lower case: `settings.kafka`, `settings.gateway`."""

    kafka: KafkaSettings
    gateway: GatewaySettings
    webhook: WebhookSettings
    schema: SchemaSettings
    management: ManagementSettings
    log: LogSettings
    dispatcher: DispatcherSettings
    tracker: TrackerSettings

    def __init__(self, groups: Mapping[str, Group]) -> None:
        """Take the groups by name; asking for another one later is an AttributeError."""
        for name, group in groups.items():
            setattr(self, name.lower(), group)


def read(environ: Mapping[str, str], *names: str) -> Settings:
    """
    Read the named groups.

    Raises:
        SettingsError: with every problem of every group, and every `BRIDGE_` variable that no group knows.

    """
    problems: list[str] = []
    known = {variable for name in GROUPS for variable in _variables(name)}
    problems += [
        f"{variable}: no setting of this name; `bridge config table` lists them all"
        for variable in sorted(environ)
        if variable.startswith(PREFIX) and variable not in known
    ]
    groups: dict[str, Group] = {}
    for name in names:
        try:
            groups[name] = GROUPS[name](**_values(name, environ, problems))
        except ValidationError as error:
            problems += [_problem(name, detail) for detail in error.errors()]
    if problems:
        raise SettingsError(problems)
    return Settings(groups)


def _variables(name: str) -> list[str]:
    """Every variable of a group; a secret has a second one that names a file."""
    variables = []
    for field, info in GROUPS[name].model_fields.items():
        variables.append(f"{PREFIX}{name}_{field.upper()}")
        if _is_secret(info.annotation):
            variables.append(f"{PREFIX}{name}_{field.upper()}_FILE")
    return variables


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in getattr(annotation, "__args__", ())


def _values(name: str, environ: Mapping[str, str], problems: list[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for field, info in GROUPS[name].model_fields.items():
        variable = f"{PREFIX}{name}_{field.upper()}"
        if variable in environ:
            values[field] = (
                _json(environ[variable], variable, problems) if _is_mapping(info.annotation) else environ[variable]
            )
            if _is_secret(info.annotation) and f"{variable}_FILE" in environ:
                problems.append(f"{variable}: give {variable} or {variable}_FILE, not both")
        elif _is_secret(info.annotation) and f"{variable}_FILE" in environ:
            values[field] = _content(f"{variable}_FILE", Path(environ[f"{variable}_FILE"]), problems)
    return values


def _content(variable: str, path: Path, problems: list[str]) -> str:
    """A secret from its file, without the line end that editors add."""
    try:
        secret = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        problems.append(f"{variable}: cannot be read: {error.strerror}")
        return ""
    except UnicodeDecodeError:
        problems.append(f"{variable}: the file is not UTF-8 text")
        return ""
    if not secret:
        problems.append(f"{variable}: the file is empty")
    return secret


def _is_mapping(annotation: Any) -> bool:
    return any(getattr(part, "__origin__", None) is dict for part in (annotation, *getattr(annotation, "__args__", ())))


def _json(text: str, variable: str, problems: list[str]) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        problems.append(f"{variable}: not JSON: {error}")
        return None


def _problem(name: str, detail: Any) -> str:
    """One sentence for one pydantic error; the offending value is not shown, since it may be a secret."""
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["loc"]:
        return f"{PREFIX}{name}_{str(detail['loc'][0]).upper()}: {message[:1].lower()}{message[1:]}"
    field, _, rest = message.partition(": ")
    return f"{PREFIX}{name}_{field.upper()}: {rest}"
