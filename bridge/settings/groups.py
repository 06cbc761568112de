"""
Every setting: one group for each part of the bridge, one field a setting, with its meaning and an example beside it.

A variable is `BRIDGE_<GROUP>_<NAME>`; the group is the model below. docs/settings.md is made from this file.
"""

from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr

from bridge.settings.values import (
    Address,
    Broken,
    Group,
    Networks,
    Pairs,
    Seconds,
    SecondsOrNone,
    Servers,
    Url,
    Words,
    pair,
    pairs,
)


class KafkaSecurity(StrEnum):
    """Kafka's own names for how a client talks to a broker."""

    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"


class SaslMechanism(StrEnum):
    """How a user proves itself to a broker, by the names of IANA's registry."""

    SCRAM_SHA_512 = "SCRAM-SHA-512"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    PLAIN = "PLAIN"


class KafkaSettings(Group):
    """BRIDGE_KAFKA_…: the cluster."""

    bootstrap_servers: Servers = Field(
        examples=["kafka-1:9092,kafka-2:9092"], description="Brokers to start from, `host:port`, separated by commas."
    )
    security_protocol: KafkaSecurity = Field(
        KafkaSecurity.PLAINTEXT, examples=["SASL_SSL"], description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."
    )
    sasl_mechanism: SaslMechanism = Field(
        SaslMechanism.SCRAM_SHA_512,
        examples=["SCRAM-SHA-256"],
        description="SASL mechanism: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN.",
    )
    sasl_username: str | None = Field(None, examples=["dispatcher"], description="SASL user.")
    sasl_password: SecretStr | None = Field(None, examples=["correct-horse-battery"], description="SASL password.")
    ssl_ca_file: Path | None = Field(
        None,
        examples=["/etc/bridge/kafka-ca.pem"],
        description="PEM file of the authorities that sign the brokers' certificates; default: the system's.",
    )
    ssl_cert_file: Path | None = Field(
        None, examples=["/etc/bridge/kafka.crt"], description="PEM file of this client's certificate (mutual TLS)."
    )
    ssl_key_file: Path | None = Field(
        None, examples=["/etc/bridge/kafka.key"], description="PEM file of this client's key (mutual TLS)."
    )
    topic_prefix: str = Field(
        "",
        examples=["uk."],
        description="Put before each topic, group and transactional id, so that several bridges can share a cluster.",
    )
    session_timeout_seconds: Seconds = Field(
        timedelta(seconds=30), examples=["45"], description="How long a silent worker stays in its group."
    )
    rebalance_timeout_seconds: Seconds = Field(
        timedelta(seconds=90),
        examples=["120"],
        description="How long a worker may take to finish its calls in flight at a rebalance; longer than any gateway call.",
    )
    transaction_timeout_seconds: Seconds = Field(
        timedelta(seconds=20),
        examples=["30"],
        description="How long a dead worker's open transaction may hold up readers.",
    )

    def rules(self) -> Iterator[Broken]:
        """As the base class says."""
        if self.security_protocol.startswith("SASL") and (self.sasl_username is None or self.sasl_password is None):
            yield Broken(
                ("sasl_username", "sasl_password", "security_protocol"),
                "needed, with sasl_password, when security_protocol is SASL_…",
            )
        if (self.ssl_cert_file is None) != (self.ssl_key_file is None):
            yield Broken(("ssl_cert_file", "ssl_key_file"), "give both ssl_cert_file and ssl_key_file, or neither")


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
        GatewayProfile.CUSTOM,
        examples=["production"],
        description="`production` knows its base URL; `cvt` and `custom` need base_url.",
    )
    base_url: Url | None = Field(
        None,
        examples=["https://prod.fibregateway.com/v1"],
        description="Base URL of the Tenant API, up to and with its version, such as https://prod.fibregateway.com/v1.",
    )
    token_url: Url | None = Field(
        None,
        examples=["https://login.example.com/oauth2/token"],
        description="OAuth2 token endpoint; default: base URL + /auth/tenant/access-token.",
    )
    client_id: str = Field(examples=["tenant-4711"], description="OAuth2 client id.")
    client_secret: SecretStr = Field(examples=["correct-horse-battery"], description="OAuth2 client secret.")
    client_auth: ClientAuth = Field(
        ClientAuth.BASIC,
        examples=["form"],
        description="`basic` sends the credentials in the Authorization header, `form` in the body.",
    )
    scope: str | None = Field(
        None, examples=["tenant-api"], description="OAuth2 scope, where the gateway asks for one."
    )
    connect_timeout_seconds: Seconds = Field(timedelta(seconds=5), examples=["3"], description="Time to connect.")
    read_timeout_seconds: Seconds = Field(
        timedelta(seconds=20), examples=["15"], description="Time between two pieces of an answer."
    )
    total_timeout_seconds: Seconds = Field(
        timedelta(seconds=30),
        examples=["25"],
        description="Time for a whole call; must be shorter than the Kafka rebalance timeout.",
    )
    ca_file: Path | None = Field(
        None,
        examples=["/etc/bridge/gateway-ca.pem"],
        description="PEM file of the authorities that sign the gateway's certificate; default: the system's.",
    )
    client_cert_file: Path | None = Field(
        None,
        examples=["/etc/bridge/gateway.crt"],
        description="PEM file of a client certificate, where the gateway asks for one.",
    )
    client_key_file: Path | None = Field(None, examples=["/etc/bridge/gateway.key"], description="PEM file of its key.")
    unavailable_means: Unavailable = Field(
        Unavailable.UNKNOWN,
        examples=["not_taken"],
        description="What a 503 means for a POST: `unknown` (it may have been taken) or `not_taken` (send again).",
    )
    max_in_flight: int = Field(100, ge=1, examples=["50"], description="Calls in flight at once, over all suppliers.")
    supplier_max_in_flight: int = Field(
        40, ge=1, examples=["20"], description="Calls in flight at once for one supplier."
    )
    supplier_rate: float = Field(50, gt=0, examples=["12.5"], description="Calls a second for one supplier.")
    breaker_failures: int = Field(
        10, ge=1, examples=["5"], description="Failures in a row after which a supplier's breaker opens."
    )
    breaker_open_seconds: Seconds = Field(
        timedelta(seconds=30),
        examples=["60"],
        description="How long an open breaker stays open before one call probes it.",
    )

    def rules(self) -> Iterator[Broken]:
        """As the base class says."""
        if self.profile is not GatewayProfile.PRODUCTION and self.base_url is None:
            yield Broken(
                ("base_url", "profile"),
                "needed unless profile is production; the URL of CVT is told to each tenant, and not published",
            )
        if (self.client_cert_file is None) != (self.client_key_file is None):
            yield Broken(
                ("client_cert_file", "client_key_file"), "give both client_cert_file and client_key_file, or neither"
            )


class WebhookAuth(StrEnum):
    """How the gateway proves itself to the webhook (contract 4.3)."""

    BASIC = "basic"
    BEARER = "bearer"
    NONE = "none"


class WebhookSettings(Group):
    """BRIDGE_WEBHOOK_…: the endpoint that takes KCIs."""

    listen: Address = Field(
        "0.0.0.0:8080", examples=["127.0.0.1:8443"], description="Address and port of the webhook, `host:port`."
    )
    path: str = Field(
        "/kcis",
        examples=["/gateway/kcis"],
        description="Path of the webhook; the path twice, such as /kcis/kcis, is served too (contract 3.29).",
    )
    auth: WebhookAuth = Field(
        WebhookAuth.BASIC,
        examples=["basic"],
        description="`basic`, `bearer`, or `none`, which must be written out loud.",
    )
    username: str | None = Field(None, examples=["gateway"], description="Basic: user.")
    password: SecretStr | None = Field(None, examples=["correct-horse-battery"], description="Basic: password.")
    jwks_url: Url | None = Field(
        None,
        examples=["https://login.example.com/oauth2/keys"],
        description="Bearer: where the gateway publishes its signing keys.",
    )
    jwks_file: Path | None = Field(
        None,
        examples=["/etc/bridge/jwks.json"],
        description="Bearer: a file with the signing keys, instead of jwks_url.",
    )
    issuer: str | None = Field(
        None, examples=["https://login.example.com"], description="Bearer: the `iss` that a token must have."
    )
    audience: str | None = Field(
        None, examples=["fibre-fault-bridge"], description="Bearer: the `aud` that a token must have."
    )
    clock_leeway_seconds: SecondsOrNone = Field(
        timedelta(seconds=30), examples=["60"], description="Bearer: how far the two clocks may be apart."
    )
    max_body_bytes: int = Field(
        1_048_576, ge=1024, examples=["524288"], description="Longest body accepted; a longer one is answered 413."
    )
    max_depth: int = Field(32, ge=4, examples=["16"], description="Deepest nesting of JSON accepted.")
    max_headers: int = Field(64, ge=8, examples=["32"], description="Most headers accepted.")
    read_timeout_seconds: Seconds = Field(
        timedelta(seconds=15), examples=["10"], description="Time to receive a whole request."
    )
    publish_timeout_seconds: Seconds = Field(
        timedelta(seconds=10), examples=["5"], description="Time for Kafka to take the record before the answer is 503."
    )
    max_in_flight: int = Field(
        200, ge=1, examples=["100"], description="Requests handled at once; more are answered 503."
    )
    auth_failures_per_minute: int = Field(
        60,
        ge=1,
        examples=["20"],
        description="Failed authentications a minute from one address before it is answered 429.",
    )
    trusted_proxies: Networks = Field(
        (),
        examples=["10.1.0.0/16,fd00::/8"],
        description="Addresses or CIDR ranges of the proxies before the webhook, separated by commas: their X-Forwarded-For tells whose failed authentications are counted.",
    )

    def rules(self) -> Iterator[Broken]:
        """As the base class says."""
        if self.auth is WebhookAuth.BASIC and (self.username is None or self.password is None):
            yield Broken(("username", "password", "auth"), "needed, with password, when auth is basic")
        if self.auth is WebhookAuth.BEARER:
            if (self.jwks_url is None) == (self.jwks_file is None):
                yield Broken(("jwks_url", "jwks_file", "auth"), "give jwks_url or jwks_file when auth is bearer")
            if self.issuer is None or self.audience is None:
                yield Broken(("issuer", "audience", "auth"), "needed, with audience, when auth is bearer")


class SchemaSettings(Group):
    """BRIDGE_SCHEMA_…: the schema registry."""

    registry_url: Url | None = Field(
        None,
        examples=["https://schemas.example.com"],
        description="Confluent-compatible schema registry; without one, records are framed by Avro's single-object encoding.",
    )
    registry_username: str | None = Field(None, examples=["bridge"], description="User for the registry.")
    registry_password: SecretStr | None = Field(
        None, examples=["correct-horse-battery"], description="Password for the registry."
    )


class ManagementSettings(Group):
    """BRIDGE_MANAGEMENT_…: health and metrics of each service."""

    listen: Address = Field(
        "0.0.0.0:9090",
        examples=["127.0.0.1:9091"],
        description="Address and port of /live, /ready and /metrics, `host:port`.",
    )


class LogLevel(StrEnum):
    """The least grave that is written."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class LogFormat(StrEnum):
    """How a line is written; `auto` is for people at a terminal, and JSON anywhere else."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogSettings(Group):
    """BRIDGE_LOG_…: what is written to standard error."""

    level: LogLevel = Field(LogLevel.INFO, examples=["DEBUG"], description="DEBUG, INFO, WARNING or ERROR.")
    format: LogFormat = Field(
        LogFormat.AUTO,
        examples=["json"],
        description="`json` (one object a line), `console` (for people), or `auto`: `console` if standard error is a terminal.",
    )


class TracingSettings(Group):
    """BRIDGE_TRACING_…: where traces go (docs/tracing.md). Without an endpoint nothing is traced."""

    endpoint: Url | None = Field(
        None,
        examples=["http://collector:4318/v1/traces"],
        description="Where spans are sent by OTLP over HTTP (protobuf): the whole URL.",
    )
    sampling_ratio: float = Field(
        1.0,
        ge=0,
        le=1,
        examples=["0.1"],
        description="Share of new traces that is recorded, 0 to 1. A ticket whose producer sent a trace with it follows the producer's choice.",
    )
    headers: SecretStr | None = Field(
        None,
        examples=["api-key=correct-horse-battery"],
        description="Headers of each export, such as an API key: `name=value`, separated by commas.",
    )
    resource_attributes: Pairs = Field(
        (),
        examples=["deployment.environment.name=production"],
        description="Attributes of every span's resource: `name=value`, separated by commas.",
    )
    export_timeout_seconds: Seconds = Field(
        timedelta(seconds=10),
        examples=["5"],
        description="Time for one export with its repetitions; after that its spans are dropped.",
    )
    max_queued_spans: int = Field(
        8192, ge=1, examples=["2048"], description="Spans that wait for their export; more are dropped, and counted."
    )
    ca_file: Path | None = Field(
        None,
        examples=["/etc/bridge/collector-ca.pem"],
        description="PEM file of the authorities that sign the collector's certificate; default: those of the Python package certifi.",
    )
    client_cert_file: Path | None = Field(
        None,
        examples=["/etc/bridge/collector.crt"],
        description="PEM file of a client certificate, where the collector asks for one.",
    )
    client_key_file: Path | None = Field(
        None, examples=["/etc/bridge/collector.key"], description="PEM file of its key."
    )

    @property
    def header_pairs(self) -> dict[str, str]:
        """The headers by name."""
        return {} if self.headers is None else pairs(self.headers.get_secret_value())

    @property
    def resource(self) -> dict[str, str]:
        """The resource's attributes by name."""
        return dict(map(pair, self.resource_attributes))

    def rules(self) -> Iterator[Broken]:
        """As the base class says."""
        try:
            _ = self.header_pairs
        except ValueError as error:
            yield Broken(("headers",), str(error))
        if (self.client_cert_file is None) != (self.client_key_file is None):
            yield Broken(
                ("client_cert_file", "client_key_file"), "give both client_cert_file and client_key_file, or neither"
            )


class DispatcherSettings(Group):
    """BRIDGE_DISPATCHER_…: how journeys run. Choices left to the tenant by the contract."""

    problem_types: dict[str, dict[str, str]] | None = Field(
        None,
        examples=['{"NO_SYNC": {"test": "SYNCHRONISATION", "problem": "SYNCHRONISATION"}}'],
        description='The provider\'s fault types as JSON, each with the gateway\'s two: {"NO_SYNC": {"test": "SYNCHRONISATION", "problem": "SYNCHRONISATION"}}; default: the six test types, CPE raised as CUSTOMER.',
    )
    amend_statuses: Words = Field(
        ("ACKNOWLEDGED", "IN_PROGRESS", "PENDING", "HELD", "NETWORK_INCIDENT", "PENDING_AMENDMENT"),
        examples=["ACKNOWLEDGED,IN_PROGRESS"],
        description="Problem statuses in which an amendment is sent.",
    )
    cancel_statuses: Words = Field(
        ("ACKNOWLEDGED", "IN_PROGRESS", "PENDING", "HELD", "NETWORK_INCIDENT", "PENDING_AMENDMENT"),
        examples=["ACKNOWLEDGED,IN_PROGRESS"],
        description="Problem statuses in which a cancellation is sent.",
    )
    denied_test_codes: Words = Field(
        (), examples=["T017,T020"], description="Test outcome codes for which no problem is raised."
    )
    accept_resolution_codes: Words = Field(
        (), examples=["R001,R002"], description="Resolution codes that the bridge accepts by itself; `*` accepts all."
    )
    max_tests: int = Field(3, ge=1, examples=["2"], description="Tests run for one ticket, the first included.")
    test_result_wait_seconds: Seconds = Field(
        timedelta(seconds=120), examples=["300"], description="Wait for a test's result by KCI before it is fetched."
    )
    test_give_up_seconds: Seconds = Field(
        timedelta(minutes=30), examples=["3600"], description="A test without a result for this long counts as failed."
    )
    test_validity_margin_seconds: SecondsOrNone = Field(
        timedelta(seconds=60),
        examples=["120"],
        description="A test's validity counts as over this long before its end.",
    )
    unknown_test_wait_seconds: Seconds = Field(
        timedelta(seconds=60),
        examples=["120"],
        description="A test whose fate is unknown is run again after this long without evidence.",
    )
    unknown_check_wait_seconds: Seconds = Field(
        timedelta(seconds=10),
        examples=["30"],
        description="Wait before the GET that looks for an unknown amendment, cancellation or answer.",
    )
    unknown_checks: int = Field(
        3, ge=1, examples=["5"], description="How often that GET is made before a person is asked."
    )
    reraise_unknown: bool = Field(
        False,
        examples=["true"],
        description="Whether a raise whose fate is unknown is repeated without a person's word. May raise a second problem.",
    )
    unknown_raise_wait_seconds: Seconds = Field(
        timedelta(minutes=15), examples=["1800"], description="Wait before that."
    )
    max_raises: int = Field(
        2,
        ge=1,
        examples=["1"],
        description="Raises of one ticket when the gateway FAILED_TO_SEND, the first included; never after SUPPLIER_TIMED_OUT.",
    )
    retry_first_seconds: Seconds = Field(
        timedelta(seconds=1),
        examples=["0.5"],
        description="First wait before a command that was certainly not taken is sent again; doubles, with jitter.",
    )
    retry_longest_seconds: Seconds = Field(timedelta(minutes=5), examples=["120"], description="Longest such wait.")
    retry_for_seconds: Seconds = Field(
        timedelta(hours=4), examples=["7200"], description="A command that could not be sent for this long has FAILED."
    )
    max_queued: int = Field(20, ge=1, examples=["10"], description="Commands that may wait in one journey.")
    remember_ended_seconds: Seconds = Field(
        timedelta(days=30),
        examples=["5184000"],
        description="How long an ended journey is remembered; longer than the retention of fault-tickets.",
    )
    max_pulled: int = Field(
        400, ge=1, examples=["200"], description="Records taken from Kafka and not yet settled, at once."
    )
    dead_letters_per_minute: int = Field(
        100,
        ge=1,
        examples=["20"],
        description="Dead letters a minute after which the service stops, so that a bad deploy does not pour everything into them.",
    )


class TrackerSettings(Group):
    """BRIDGE_TRACKER_…: how statuses are kept."""

    problem_silence_seconds: Seconds = Field(
        timedelta(hours=4), examples=["7200"], description="A live problem silent for this long is fetched."
    )
    test_silence_seconds: Seconds = Field(
        timedelta(minutes=10), examples=["300"], description="A test without an end, silent for this long, is fetched."
    )
    silent_acceptance_seconds: Seconds = Field(
        timedelta(days=5),
        examples=["259200"],
        description="The gateway takes an unanswered resolution as accepted after this long.",
    )
    action_due_seconds: Seconds = Field(
        timedelta(hours=24), examples=["28800"], description="Time a person has for any other action."
    )
    remember_ended_seconds: Seconds = Field(
        timedelta(days=30), examples=["5184000"], description="How long an ended test or problem is remembered."
    )
    max_pulled: int = Field(
        1000, ge=1, examples=["500"], description="Records taken from Kafka and not yet settled, at once."
    )
    dead_letters_per_minute: int = Field(
        100, ge=1, examples=["20"], description="Dead letters a minute after which the service stops."
    )


GROUPS: dict[str, type[Group]] = {
    "KAFKA": KafkaSettings,
    "GATEWAY": GatewaySettings,
    "WEBHOOK": WebhookSettings,
    "SCHEMA": SchemaSettings,
    "MANAGEMENT": ManagementSettings,
    "LOG": LogSettings,
    "TRACING": TracingSettings,
    "DISPATCHER": DispatcherSettings,
    "TRACKER": TrackerSettings,
}
