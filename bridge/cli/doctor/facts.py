"""Everything that `bridge doctor` looks at, as it is now; what cannot be seen is kept as a sentence."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx
from aiokafka.errors import KafkaError

from bridge.adapters.kafka_admin import AccessMissing, KafkaAdmin, KafkaUnreachable, unfit
from bridge.adapters.kafka_admin.groups import GroupState, look_at_group
from bridge.adapters.kafka_connection import Answer, ask_brokers, connection_options
from bridge.adapters.kafka_offsets import Offsets, open_offsets
from bridge.adapters.kafka_reader import read_topic
from bridge.adapters.metrics_reader import Figures, read_figures
from bridge.cli.acls import WORKERS
from bridge.cli.certificates import first_end
from bridge.cli.dead_letter_box import AUDIT, DEAD_LETTERS, QUARANTINE
from bridge.domain.dead_letters import DeadLetter, DeadLetterDecision, QuarantinedKci
from bridge.domain.journeys import JourneyStatus
from bridge.domain.letters import LetterState, last_words, state_of
from bridge.domain.record import Record
from bridge.domain.statuses import ActionRequired
from bridge.ports import Codec, Undecodable
from bridge.services.codec import codec_for
from bridge.settings import KafkaSecurity, KafkaSettings, Settings
from bridge.topics import Party, Topics, data_directory, load_topics, physical_name

# What a group reads to do its work; its own table is not among them.
SOURCES = {
    Party.DISPATCHER: ("fault-tickets", "journey-signals", "operator-decisions"),
    Party.TRACKER: ("kcis", "observations"),
}
KCIS, JOURNEYS, ACTIONS = "kcis", "journeys", "actions-required"
# Older records have left these topics.
OLDEST = timedelta(days=7)
SERVICE_SECONDS = 5.0


@dataclass(frozen=True)
class Behind:
    """How far a group is behind in one topic: records, the partition with the oldest, and when that was written."""

    topic: str
    records: int
    partition: int
    oldest: datetime


@dataclass(frozen=True)
class GroupFacts:
    """A worker's group; `partitions` is how many replicas can have work."""

    party: Party
    state: GroupState
    partitions: int
    behind: tuple[Behind, ...]


@dataclass(frozen=True)
class ServiceFacts:
    """What a service tells of itself at its management address; `unready` are the checks that fail, by name."""

    url: str
    unreachable: str | None = None
    unready: Mapping[str, str] = field(default_factory=dict)
    figures: Figures | None = None


@dataclass
class Facts:
    """One look. `unseen` are sentences about what could not be looked at."""

    now: datetime
    brokers: list[Answer] = field(default_factory=list)
    unfit: tuple[str, ...] = ()
    groups: list[GroupFacts] = field(default_factory=list)
    journeys: list[JourneyStatus] = field(default_factory=list)
    actions: list[ActionRequired] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    quarantined: list[QuarantinedKci] = field(default_factory=list)
    newest_kci: datetime | None = None
    kcis_seen: bool = False
    services: list[ServiceFacts] = field(default_factory=list)
    certificates: list[tuple[str, datetime]] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """What there is, in a few words."""
        live = sum(journey.end is None for journey in self.journeys)
        members = ", ".join(f"{group.party} {group.state.members}" for group in self.groups)
        return f"{live} of {len(self.journeys)} journeys under way; members: {members or 'unknown'}"


async def gather(settings: Settings, urls: tuple[str, ...], now: datetime) -> Facts:
    """Look at everything; KafkaError and the like only when there is no cluster to look at."""
    look = _Look(settings, load_topics(data_directory() / "topics.yaml"), Facts(now))
    await look.at_brokers()
    await asyncio.gather(look.at_groups(), look.at_records(), look.at_kcis(), *(look.at_service(url) for url in urls))
    return look.facts


class _Look:
    def __init__(self, settings: Settings, topics: Topics, facts: Facts) -> None:
        self.facts = facts
        self._settings = settings
        self._topics = topics
        self._options = connection_options(settings.kafka)
        self._present: frozenset[str] = frozenset()

    @property
    def _kafka(self) -> KafkaSettings:
        return self._settings.kafka

    def _physical(self, name: str) -> str:
        return physical_name(self._kafka.topic_prefix, name)

    async def at_brokers(self) -> None:
        """The brokers and the topics: without them there is nothing to look at."""
        self.facts.brokers = await ask_brokers(self._options)
        for variable, path in (
            ("BRIDGE_KAFKA_SSL_CA_FILE", self._kafka.ssl_ca_file),
            ("BRIDGE_KAFKA_SSL_CERT_FILE", self._kafka.ssl_cert_file),
        ):
            if path is not None:
                self.facts.certificates.append((variable, first_end(path)))
        # On a cluster with users, a topic that this one may not describe looks as if it were missing.
        open_to_all = self._kafka.security_protocol is KafkaSecurity.PLAINTEXT
        visible = self._topics.topics if open_to_all else self._topics.used_by(Party.CLI)
        async with KafkaAdmin(self._options) as admin:
            cluster = await admin.partition_counts(self._physical(topic.name) for topic in visible)
        self._present = frozenset(cluster)
        self.facts.unfit = unfit(cluster, self._topics, visible, self._kafka.topic_prefix)

    async def at_groups(self) -> None:
        """The groups, and how far they are behind."""
        async with open_offsets(self._options) as offsets:
            for party in WORKERS:
                await self._seen(partial(self._at_group, party, offsets))

    async def _at_group(self, party: Party, offsets: Offsets) -> None:
        places = list(self._places(SOURCES[party]))
        group = await look_at_group(self._options, self._physical(party), places)
        ends = await offsets.ends(places)
        begins = await offsets.begins(places)
        behind = []
        for name in SOURCES[party]:
            own = [place for place in places if place[0] == self._physical(name)]
            next_read = {place: max(group.committed.get(place, 0), begins[place]) for place in own}
            waiting = {place: ends[place] - next_read[place] for place in own if ends[place] > next_read[place]}
            if not waiting:
                continue
            oldest = {
                place: await offsets.written_at(
                    place, next_read[place], now=self.facts.now, since=self.facts.now - OLDEST
                )
                for place in waiting
            }
            first = min(oldest, key=lambda place: oldest[place])
            behind.append(Behind(name, sum(waiting.values()), first[1], oldest[first]))
        partitions = max((self._topics.partitions_of(self._topics[name]) for name in SOURCES[party]), default=0)
        self.facts.groups.append(GroupFacts(party, group, partitions, tuple(behind)))

    async def at_kcis(self) -> None:
        """When the last KCI came; the record itself is none of our business."""

        async def look() -> None:
            async with open_offsets(self._options) as offsets:
                since = self.facts.now - OLDEST
                places = list(self._places([KCIS]))
                self.facts.newest_kci = await offsets.newest(places, now=self.facts.now, since=since)
                self.facts.kcis_seen = True

        if self._physical(KCIS) in self._present:
            await self._seen(look)

    async def at_records(self) -> None:
        """Journeys, actions, dead letters and quarantined deliveries."""
        codec = await codec_for(self._kafka, self._settings.schema, self._topics, Party.CLI)
        self.facts.journeys = list((await self._latest(codec, JOURNEYS, JourneyStatus)).values())
        actions = await self._all(codec, ACTIONS, ActionRequired)
        self.facts.actions = list({action.action_id: action for _, action in actions if action is not None}.values())
        decisions = [decision for _, decision in await self._all(codec, AUDIT, DeadLetterDecision) if decision]
        words = last_words(decisions)
        letters = [letter for _, letter in await self._all(codec, DEAD_LETTERS, DeadLetter) if letter]
        self.facts.dead_letters = [
            letter
            for letter in {letter.dead_letter_id: letter for letter in letters}.values()
            if state_of(letter.dead_letter_id, words) is LetterState.OPEN
        ]
        deliveries = [item for _, item in await self._all(codec, QUARANTINE, QuarantinedKci) if item]
        self.facts.quarantined = [
            item for item in deliveries if state_of(item.quarantine_id, words) is LetterState.OPEN
        ]

    async def at_service(self, url: str) -> None:
        """What a service tells of itself."""
        base = url.rstrip("/").removesuffix("/metrics")
        try:
            async with httpx.AsyncClient(timeout=SERVICE_SECONDS, trust_env=False) as client:
                ready = await client.get(f"{base}/ready")
                metrics = await client.get(f"{base}/metrics")
                metrics.raise_for_status()
            checks = ready.json().get("checks", {}) if ready.is_error else {}
            unready = {name: said for name, said in checks.items() if said != "ok"}
            self.facts.services.append(ServiceFacts(base, unready=unready, figures=read_figures(metrics.text)))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            self.facts.services.append(ServiceFacts(base, unreachable=f"{type(error).__name__}: {error}"))

    def _places(self, names: Any) -> Iterator[tuple[str, int]]:
        for name in names:
            if self._physical(name) in self._present:
                for partition in range(self._topics.partitions_of(self._topics[name])):
                    yield self._physical(name), partition

    async def _latest(self, codec: Codec, name: str, kind: type[Record]) -> dict[bytes, Any]:
        """The latest record of each key; a tombstone takes one away."""
        latest: dict[bytes, Any] = {}
        for key, record in await self._all(codec, name, kind):
            if record is None:
                latest.pop(key, None)
            else:
                latest[key] = record
        return latest

    async def _all(self, codec: Codec, name: str, kind: type[Record]) -> list[tuple[bytes, Any]]:
        found: list[tuple[bytes, Any]] = []

        async def look() -> None:
            async for arrived in read_topic(self._options, self._physical(name), name):
                try:
                    record = None if arrived.value is None else await codec.decode(name, arrived.value)
                except Undecodable as error:
                    self.facts.unseen.append(f"a record of {name} cannot be read: {error}")
                    continue
                if record is None or isinstance(record, kind):
                    found.append((arrived.key or b"", record))

        if self._physical(name) in self._present:
            await self._seen(look)
        return found

    async def _seen(self, look: Callable[[], Awaitable[None]]) -> None:
        """Look; what cannot be seen is told, and the rest is looked at all the same."""
        try:
            await look()
        except (AccessMissing, KafkaUnreachable) as error:
            self.facts.unseen += str(error).splitlines()
        except KafkaError as error:
            self.facts.unseen.append(f"Kafka did not tell: {error}")
