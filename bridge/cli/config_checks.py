"""
What `bridge config check` looks at, one line a thing: its name, whether it is as it must be, and how to mend it.

The checks of a service are those that the service itself makes before it starts, and what it would meet later.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib import import_module
from pathlib import Path

from bridge.adapters.clock import WallClock
from bridge.adapters.gateway.probe import ask_for_token
from bridge.adapters.kafka_admin import AccessMissing, KafkaUnreachable, check_access, check_topics, rights_on
from bridge.adapters.kafka_connection import CertificateUnusable, ask_brokers, connection_options, explaining
from bridge.adapters.registry import SchemaNotRegistered, SchemaRegistry, registered_ids, registry_client
from bridge.adapters.webhook.auth import KeysUnavailable
from bridge.adapters.webhook.keys import FileKeys, KeysInvalid, keys_at
from bridge.cli.acls import WORKERS, access_of
from bridge.cli.certificates import first_end
from bridge.ports import SchemaUnavailable
from bridge.schemas import load_schemas
from bridge.settings import PREFIX, Settings, SettingsError, WebhookAuth
from bridge.topics import Party, Topics, TopicsError, data_directory, load_topics, physical_name

# The groups that each service reads.
GROUPS_OF = {
    Party.DISPATCHER: ("KAFKA", "SCHEMA", "GATEWAY", "DISPATCHER", "MANAGEMENT", "LOG", "TRACING"),
    Party.INGESTER: ("KAFKA", "WEBHOOK", "SCHEMA", "MANAGEMENT", "LOG", "TRACING"),
    Party.TRACKER: ("KAFKA", "SCHEMA", "TRACKER", "MANAGEMENT", "LOG", "TRACING"),
}
CERTIFICATES = (
    ("kafka", "ssl_ca_file"),
    ("kafka", "ssl_cert_file"),
    ("gateway", "ca_file"),
    ("gateway", "client_cert_file"),
)
# What is left of a certificate's life when it is time to act.
SOON = timedelta(days=21)
NOT_CONNECTED = "not asked, because no broker can be used"


class Verdict(StrEnum):
    """What came of a check."""

    OK = "ok"
    # Works now, and will not for long.
    WARNING = "warning"
    # Something outside is not as it must be.
    FAILED = "failed"
    # A setting is wrong.
    UNUSABLE = "unusable"
    # Cannot be told before something else is mended.
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, and what was found."""

    name: str
    verdict: Verdict
    said: str


def settled(checks: list[Check]) -> int:
    """The exit code: 2 when a setting is wrong, 1 when something outside is, else 0."""
    verdicts = {check.verdict for check in checks}
    if Verdict.UNUSABLE in verdicts:
        return 2
    return 1 if Verdict.FAILED in verdicts else 0


def offline_checks(settings: Settings, party: Party | None) -> Iterator[Check]:
    """What can be told without a connection: rules over several groups, and the files that settings name."""
    if party in (Party.DISPATCHER, Party.INGESTER):
        yield from _rules(settings, party)
    for group, field in CERTIFICATES:
        path = getattr(getattr(settings, group, None), field, None)
        if path is not None:
            yield certificate_check(f"{PREFIX}{group}_{field}".upper(), path)


def certificate_check(variable: str, path: Path) -> Check:
    """Whether a file holds certificates, and for how long the first to end is good."""
    try:
        end = first_end(path)
    except OSError as error:
        return Check(variable, Verdict.UNUSABLE, f"{path} cannot be read: {error.strerror}")
    except ValueError:
        return Check(variable, Verdict.UNUSABLE, f"{path} holds no certificate in PEM form")
    return expiry_check(variable, str(path), end)


def expiry_check(name: str, what: str, end: datetime) -> Check:
    """How long a certificate is good."""
    left = end - datetime.now(UTC)
    day = f"{end:%Y-%m-%d %H:%M} UTC"
    if left <= timedelta(0):
        return Check(name, Verdict.UNUSABLE, f"{what} expired at {day}; renew it")
    if left < SOON:
        return Check(name, Verdict.WARNING, f"{what} expires at {day}; renew it before")
    return Check(name, Verdict.OK, f"{what} is good until {day}")


async def online_checks(settings: Settings, party: Party | None) -> AsyncIterator[Check]:
    """What needs a connection, for the groups that were read."""
    topics = load_topics(data_directory() / "topics.yaml")
    if hasattr(settings, "kafka"):
        async for check in _kafka(settings, topics, party):
            yield check
    if hasattr(settings, "schema"):
        yield await _registry(settings, topics, party)
    if hasattr(settings, "gateway"):
        answer = await ask_for_token(settings.gateway, WallClock())
        failed = Verdict.UNUSABLE if answer.ours else Verdict.FAILED
        yield Check("gateway", Verdict.OK if answer.fine else failed, answer.said)
    if hasattr(settings, "webhook") and settings.webhook.auth is WebhookAuth.BEARER:
        yield await _signing_keys(settings)


def _rules(settings: Settings, party: Party) -> Iterator[Check]:
    # Imported when asked: a service's libraries take a second to load.
    service = import_module(f"bridge.services.{party}")
    try:
        if party is Party.DISPATCHER:
            service.check(settings, service.journey_policy(settings.dispatcher))
        else:
            service.check(settings.webhook, load_topics(data_directory() / "topics.yaml"))
    except SettingsError as error:
        for problem in error.problems:
            name, _, said = problem.partition(": ")
            yield Check(name, Verdict.UNUSABLE, said)


async def _kafka(settings: Settings, topics: Topics, party: Party | None) -> AsyncIterator[Check]:
    kafka = settings.kafka
    try:
        options = connection_options(kafka)
    except CertificateUnusable as error:
        yield Check("kafka", Verdict.UNUSABLE, str(error))
        return
    who = f" as {kafka.sasl_username}" if kafka.sasl_username is not None else ""
    answers = await ask_brokers(options)
    for answer in answers:
        name = f"kafka {answer.server}"
        if answer.fine:
            yield Check(name, Verdict.OK, f"answers over {kafka.security_protocol}{who}")
            if answer.expires_at is not None:
                yield expiry_check(f"{name} certificate", "the broker's certificate", answer.expires_at)
        elif answer.refused is not None:
            yield Check(name, Verdict.UNUSABLE, answer.refused)
        else:
            yield Check(name, Verdict.FAILED, f"{answer.away}; check BRIDGE_KAFKA_BOOTSTRAP_SERVERS")
    if not any(answer.fine for answer in answers):
        yield Check("topics", Verdict.SKIPPED, NOT_CONNECTED)
        yield Check("rights", Verdict.SKIPPED, NOT_CONNECTED)
        return
    yield await _topics(settings, topics, party)
    if party is not None:
        async for check in _rights(settings, topics, party):
            yield check


async def _topics(settings: Settings, topics: Topics, party: Party | None) -> Check:
    parties = tuple(Party) if party is None else (party,)
    options = connection_options(settings.kafka)
    needed = [topic for topic in topics.topics if topic.parties() & set(parties)]
    try:
        async with explaining(options):
            await check_topics(options, topics, parties, settings.kafka.topic_prefix)
    except (TopicsError, KafkaUnreachable) as error:
        return Check("topics", Verdict.FAILED, "; ".join(str(error).splitlines()))
    return Check("topics", Verdict.OK, f"all {len(needed)} are there, with the right number of partitions")


async def _rights(settings: Settings, topics: Topics, party: Party) -> AsyncIterator[Check]:
    prefix = settings.kafka.topic_prefix
    options = connection_options(settings.kafka)
    wanted = {each.name: set(each.operations) for each in access_of(party, topics, prefix) if each.resource == "topic"}
    given = await rights_on(options, wanted)
    lacking = [
        f"{' and '.join(sorted(missing))} on topic {name}"
        for name, operations in wanted.items()
        if (missing := operations - given[name])
    ]
    if party in WORKERS:
        group = physical_name(prefix, party)
        try:
            await check_access(options, group=group, transactional_id_prefix=f"{group}-")
        except AccessMissing as error:
            lacking += str(error).splitlines()
    if lacking:
        said = f"this user lacks {'; '.join(lacking)}; the commands that `bridge topics acls` prints give it"
        yield Check("rights", Verdict.FAILED, said)
    else:
        yield Check("rights", Verdict.OK, f"all that {party} needs")


async def _registry(settings: Settings, topics: Topics, party: Party | None) -> Check:
    url = settings.schema.registry_url
    if url is None:
        return Check("registry", Verdict.OK, "none is configured: records have Avro's single-object encoding")
    prefix = settings.kafka.topic_prefix if hasattr(settings, "kafka") else ""
    schemas = load_schemas(data_directory() / "schemas")
    parties = [each for each in Party if each is not Party.PROVIDER] if party is None else [party]
    try:
        async with registry_client(url, settings.schema) as client:
            registry = SchemaRegistry(client)
            ids = [await registered_ids(registry, topics, schemas, each, prefix) for each in parties]
    except SchemaUnavailable as error:
        return Check("registry", Verdict.FAILED, str(error))
    except SchemaNotRegistered as error:
        return Check("registry", Verdict.FAILED, "; ".join(str(error).splitlines()))
    count = len({name for each in ids for name in each})
    return Check("registry", Verdict.OK, f"has the schemas of all {count} topics that are written")


async def _signing_keys(settings: Settings) -> Check:
    webhook = settings.webhook
    try:
        if webhook.jwks_file is not None:
            FileKeys(webhook.jwks_file)
            return Check("signing keys", Verdict.OK, f"{webhook.jwks_file} has keys that can be used")
        async with keys_at(str(webhook.jwks_url), asyncio.get_running_loop().time) as keys:
            await keys.having(None)
    except KeysInvalid as error:
        return Check("signing keys", Verdict.UNUSABLE, str(error))
    except (KeysUnavailable, ssl.SSLError) as error:
        return Check("signing keys", Verdict.FAILED, f"{error}; check BRIDGE_WEBHOOK_JWKS_URL")
    return Check("signing keys", Verdict.OK, f"{webhook.jwks_url} has keys that can be used")
