"""Poison on the topics of running services: kept whole, in nobody's way; then replayed, discarded and looked at."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from bridge.adapters.kafka_reader import read_topic
from bridge.cli import app
from bridge.cli.dead_letter_box import Box
from bridge.domain.dead_letters import (
    DeadLetter,
    DeadLetterChoice,
    DeadLetterDecision,
    DeadLetterReason,
    Header,
    QuarantinedKci,
)
from bridge.domain.entities import SERVICE_PROBLEM, Kci, Update
from bridge.domain.record import Record
from bridge.domain.replay import Replay
from bridge.flows.replay import Decider, ReplayStopped
from bridge.ports import Arrived
from bridge.settings import read
from tests.builders import NOW, PERSONAL, a_problem, a_report, an_event
from tests.integration.bridge_under_test import BridgeUnderTest, Ticket
from tests.integration.conftest import RunningBridge
from tests.integration.topic_watch import CODEC, TOPICS
from tests.letters import a_letter
from tests.webhook_doubles import a_kci, as_body

FAULT_TICKETS, KCIS = "fault-tickets", "kcis"
GARBAGE = b'{"ticket": "no Avro at all"}'
FOREIGN = b"\x00\x00\x0f\x42\x3f" + b"datum"
HEADERS = (("origin", b"\x00\xff"), ("trace", b"1"), ("trace", b"2"), ("empty", b""), ("none", None))
# Older than now, and young enough to keep its timestamp.
WRITTEN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
LIMIT = 3


@dataclass(frozen=True)
class Raw:
    """A record as a careless producer writes it; without a partition, the one that its key belongs to."""

    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: tuple[tuple[str, bytes | None], ...] = HEADERS


@dataclass(frozen=True)
class Poison:
    """A record that must become a dead letter, for this reason."""

    raw: Raw
    reason: DeadLetterReason


@pytest.fixture(scope="module")
def bridge(running_bridge: RunningBridge) -> BridgeUnderTest:
    return running_bridge("letters")


def write(bridge: BridgeUnderTest, topic: str, raws: Iterable[Raw]) -> list[str]:
    """Write records as they are; return `topic-partition-offset` of each."""

    async def publish() -> list[str]:
        options: dict[str, Any] = {"bootstrap_servers": bridge.kafka["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"]}
        producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **options)
        await producer.start()
        try:
            places = [
                await producer.send_and_wait(
                    f"{prefix(bridge)}{topic}",
                    raw.value,
                    raw.key,
                    partition=raw.partition,
                    timestamp_ms=int(WRITTEN.timestamp() * 1000),
                    headers=list(raw.headers),
                )
                for raw in raws
            ]
        finally:
            await producer.stop()
        return [f"{topic}-{place.partition}-{place.offset}" for place in places]

    return asyncio.run(publish())


def bury(bridge: BridgeUnderTest, topic: str, poisons: Iterable[Poison]) -> list[tuple[Poison, DeadLetter]]:
    """Write poison, and return each with the letter that it became."""
    poisons = list(poisons)
    ids = write(bridge, topic, [poison.raw for poison in poisons])
    bridge.wait_until(lambda: set(ids) <= set(letters(bridge)), f"the dead letters {ids}")
    return [(poison, letters(bridge)[letter_id]) for poison, letter_id in zip(poisons, ids, strict=True)]


def letters(bridge: BridgeUnderTest) -> dict[str, DeadLetter]:
    return {letter.dead_letter_id: letter for letter in bridge.values("dead-letters", DeadLetter)}


def prefix(bridge: BridgeUnderTest) -> str:
    return bridge.kafka["BRIDGE_KAFKA_TOPIC_PREFIX"]


def box_of(bridge: BridgeUnderTest) -> Box:
    return Box(read(bridge.kafka, "KAFKA", "SCHEMA"), TOPICS, CODEC)


def decisions(bridge: BridgeUnderTest, letter_id: str) -> list[DeadLetterDecision]:
    """Every decision about an id that is on the cluster."""
    found = asyncio.run(box_of(bridge).decisions())
    return [decision for decision in found if decision.dead_letter_id == letter_id]


def on_topic(bridge: BridgeUnderTest, topic: str) -> list[Arrived]:
    """Every committed record of a topic, as it is."""

    async def collect() -> list[Arrived]:
        connection = {"bootstrap_servers": bridge.kafka["BRIDGE_KAFKA_BOOTSTRAP_SERVERS"]}
        return [each async for each in read_topic(connection, f"{prefix(bridge)}{topic}", topic)]

    return asyncio.run(collect())


def replayed(bridge: BridgeUnderTest, letter_id: str) -> Arrived:
    """The record that a letter became again, where its one REPLAYED decision says it is."""
    (decision,) = [each for each in decisions(bridge, letter_id) if each.decision is DeadLetterChoice.REPLAYED]
    assert decision.replay_topic is not None
    place = (decision.replay_partition, decision.replay_offset)
    (record,) = [each for each in on_topic(bridge, decision.replay_topic) if (each.partition, each.offset) == place]
    return record


def run(bridge: BridgeUnderTest, *arguments: str) -> Result:
    """Run a command within this process, which saves its start."""
    return CliRunner().invoke(app, arguments, env=bridge.kafka)


def command(bridge: BridgeUnderTest, *arguments: str, exit_code: int = 0) -> list[list[str]]:
    """Run a command; return the cells of each line that it printed."""
    done = run(bridge, *arguments)
    assert done.exit_code == exit_code, (done.stdout, done.stderr, done.exception)
    return [line.split("\t") for line in done.stdout.splitlines()]


def replay(bridge: BridgeUnderTest, *arguments: str, exit_code: int = 0) -> dict[str, list[str]]:
    """Replay for a reason; return what is told of each letter by its id."""
    told = command(
        bridge, "dead-letters", "replay", "--why", "a test", "--by", "tester", *arguments, exit_code=exit_code
    )
    return {letter_id: rest for letter_id, *rest in told}


def report_of(ticket: Ticket) -> bytes:
    return CODEC.encode(FAULT_TICKETS, an_event(a_report(service_id=ticket.service_id), ticket_id=ticket.id))


def kci_of(problem_id: str, status: str = "ACKNOWLEDGED", number: int = 1) -> Kci:
    update = Update(id=f"{problem_id}-{number}", sequence_number=number, update_type="STATUS")
    entity = a_problem(problem_id, status)
    return Kci(entity=entity, update=update, conversation_id="somebody-elses", request_id="r", received_at=NOW)


def home(topic: str, key: bytes) -> int:
    settings = read({"BRIDGE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "KAFKA", "SCHEMA")
    return Box(settings, TOPICS, CODEC).homes[topic].partition_of(key)


def away(topic: str, key: bytes) -> int:
    """A partition that a key does not belong to."""
    return (home(topic, key) + 1) % TOPICS.partitions_of(TOPICS[topic])


def poison_of_each_kind(topic: str, key: bytes, value: bytes) -> list[Poison]:
    """One record of every kind that no service can process; `key` and `value` would be a good one."""
    return [
        Poison(Raw(key, GARBAGE), DeadLetterReason.UNDECODABLE),
        Poison(Raw(key, b""), DeadLetterReason.UNDECODABLE),
        Poison(Raw(key, value[:-3]), DeadLetterReason.UNDECODABLE),
        Poison(Raw(key, None), DeadLetterReason.UNDECODABLE),
        Poison(Raw(key, FOREIGN), DeadLetterReason.UNKNOWN_SCHEMA),
        Poison(Raw(key, value[:2] + b"\x00" * 8 + value[10:]), DeadLetterReason.UNKNOWN_SCHEMA),
        Poison(Raw(b"somebody-else", value), DeadLetterReason.WRONG_KEY),
        Poison(Raw(None, value, partition=home(topic, key)), DeadLetterReason.WRONG_KEY),
        Poison(Raw(key, value, partition=away(topic, key)), DeadLetterReason.WRONG_PARTITION),
    ]


def keys_of_letters(bridge: BridgeUnderTest) -> dict[str, bytes | None]:
    """The key of each record of `dead-letters`, by the letter's id."""

    async def decode(records: list[Arrived]) -> dict[str, bytes | None]:
        found = [(await CODEC.decode("dead-letters", each.value or b""), each.key) for each in records]
        return {letter.dead_letter_id: key for letter, key in found if isinstance(letter, DeadLetter)}

    return asyncio.run(decode(on_topic(bridge, "dead-letters")))


def check_kept_whole(
    bridge: BridgeUnderTest, topic: str, service: str, kept: Iterable[tuple[Poison, DeadLetter]]
) -> None:
    keys = keys_of_letters(bridge)
    for poison, letter in kept:
        assert keys[letter.dead_letter_id] == poison.raw.key
        topic_partition_offset = f"{letter.topic}-{letter.partition}-{letter.offset}"
        assert (letter.topic, letter.dead_letter_id) == (topic, topic_partition_offset)
        assert (letter.key, letter.value) == (poison.raw.key, poison.raw.value)
        assert letter.headers == tuple(Header.of(name, raw) for name, raw in HEADERS)
        assert letter.timestamp == WRITTEN
        assert (letter.reason, letter.service, letter.attempts) == (poison.reason, service, 1), letter.error
        assert letter.error
        assert letter.version


def test_poison_of_each_kind_on_fault_tickets_is_kept_whole_and_what_is_behind_it_is_handled(
    bridge: BridgeUnderTest,
) -> None:
    ticket = bridge.ticket("HAPPY_PATH")

    no_text = Poison(Raw(b"\xff\x00", report_of(ticket)), DeadLetterReason.WRONG_KEY)
    each_kind = poison_of_each_kind(FAULT_TICKETS, ticket.id.encode(), report_of(ticket))

    kept = bury(bridge, FAULT_TICKETS, [*each_kind, no_text])
    write(bridge, FAULT_TICKETS, [Raw(ticket.id.encode(), report_of(ticket))])

    check_kept_whole(bridge, FAULT_TICKETS, "dispatcher", kept)
    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED")


def test_poison_of_each_kind_on_kcis_is_kept_whole_and_what_is_behind_it_is_handled(bridge: BridgeUnderTest) -> None:
    kci = kci_of("7100")
    key, value = kci.entity.key.encode(), CODEC.encode(KCIS, kci)

    kept = bury(bridge, KCIS, poison_of_each_kind(KCIS, key, value))
    write(bridge, KCIS, [Raw(key, value)])

    check_kept_whole(bridge, KCIS, "tracker", kept)
    bridge.wait_until(lambda: "7100" in bridge.statuses("problem-status"), "the status of the KCI behind the poison")


def test_a_record_in_the_wrong_partition_is_mended_by_its_replay_and_handled(bridge: BridgeUnderTest) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    key, value = ticket.id.encode(), report_of(ticket)
    raw = Raw(key, value, partition=away(FAULT_TICKETS, key))
    ((_, letter),) = bury(bridge, FAULT_TICKETS, [Poison(raw, DeadLetterReason.WRONG_PARTITION)])

    dry = replay(bridge, "--id", letter.dead_letter_id, "--dry-run")
    assert decisions(bridge, letter.dead_letter_id) == []
    done = replay(bridge, "--id", letter.dead_letter_id)

    right = home(FAULT_TICKETS, key)
    where = f"fault-tickets partition {right} with the key {ticket.id}"
    assert dry[letter.dead_letter_id] == ["would go", where]
    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED")
    (decision,) = decisions(bridge, letter.dead_letter_id)
    assert (decision.decision, decision.decided_by, decision.why) == (DeadLetterChoice.REPLAYED, "tester", "a test")
    record = replayed(bridge, letter.dead_letter_id)
    assert done[letter.dead_letter_id] == ["replayed", f"fault-tickets partition {right} offset {record.offset}"]
    assert (record.partition, record.key, record.value, record.timestamp) == (right, key, value, WRITTEN)
    assert record.headers == (
        *letter.headers,
        Header(name="bridge-attempts", value=b"1"),
        Header(name="bridge-dead-letter-id", value=letter.dead_letter_id.encode()),
    )
    again = replay(bridge, "--id", letter.dead_letter_id, exit_code=1)
    assert again[letter.dead_letter_id][1].startswith("SETTLED: replayed already, by tester")
    assert len(decisions(bridge, letter.dead_letter_id)) == 1


@pytest.mark.parametrize("wrong", [b"somebody-else", None])
def test_a_record_with_a_wrong_key_or_none_is_handled_once_it_was_given_its_own(
    bridge: BridgeUnderTest, wrong: bytes | None
) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    raw = Raw(wrong, report_of(ticket), partition=None if wrong else 2)
    ((_, letter),) = bury(bridge, FAULT_TICKETS, [Poison(raw, DeadLetterReason.WRONG_KEY)])

    refused = replay(bridge, "--id", letter.dead_letter_id, exit_code=1)
    done = replay(bridge, "--id", letter.dead_letter_id, "--key", ticket.id)

    state, why = refused[letter.dead_letter_id]
    assert state == "stays"
    assert ticket.id in why
    assert "--key" in why
    assert done[letter.dead_letter_id][0] == "replayed"
    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED")
    assert replayed(bridge, letter.dead_letter_id).value == raw.value


def test_a_record_that_comes_back_is_counted_and_in_the_end_stays(bridge: BridgeUnderTest) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    ((_, first),) = bury(
        bridge, FAULT_TICKETS, [Poison(Raw(ticket.id.encode(), GARBAGE), DeadLetterReason.UNDECODABLE)]
    )

    refused = replay(bridge, "--id", first.dead_letter_id, exit_code=1)
    replay(bridge, "--id", first.dead_letter_id, "--force")

    assert refused[first.dead_letter_id][1].startswith("UNDECODABLE: it would come back")
    record = replayed(bridge, first.dead_letter_id)
    back_id = f"fault-tickets-{record.partition}-{record.offset}"
    bridge.wait_until(lambda: back_id in letters(bridge), "the letter that came back")
    back = letters(bridge)[back_id]
    assert (back.attempts, back.value) == (2, GARBAGE)
    assert Header(name="bridge-dead-letter-id", value=first.dead_letter_id.encode()) in back.headers
    stays = replay(bridge, "--id", back_id, "--max-attempts", "2", exit_code=1)
    assert stays[back_id][1].startswith("CAME_BACK: it was tried 2 times")
    listed = command(bridge, "dead-letters", "list", "--ticket", ticket.id, "--state", "all")
    assert [(row[0], row[1]) for row in listed] == [(first.dead_letter_id, "replayed"), (back_id, "open")]


def test_letters_of_one_key_are_replayed_in_their_order_or_not_at_all(bridge: BridgeUnderTest) -> None:
    key = kci_of("7200").entity.key.encode()
    statuses = ("ACKNOWLEDGED", "IN_PROGRESS", "PENDING")
    raws = [
        Raw(key, CODEC.encode(KCIS, kci_of("7200", status, number)), partition=away(KCIS, key))
        for number, status in enumerate(statuses, 1)
    ]
    kept = bury(bridge, KCIS, [Poison(raw, DeadLetterReason.WRONG_PARTITION) for raw in raws])
    ids = [letter.dead_letter_id for _, letter in kept]
    named = [part for letter_id in reversed(ids) for part in ("--id", letter_id)]

    refused = replay(bridge, *named[:4], "--dry-run", exit_code=1)
    done = replay(bridge, *named)

    assert {letter_id: told[1].partition(":")[0] for letter_id, told in refused.items()} == dict.fromkeys(
        ids[1:], "ORDER"
    )
    assert f"{ids[0]} of the same key comes before it" in refused[ids[1]][1]
    assert list(done) == ids
    offsets = [replayed(bridge, letter_id).offset for letter_id in ids]
    assert offsets == sorted(offsets)
    bridge.wait_until(
        lambda: (found := bridge.statuses("problem-status").get("7200")) and found.status == "PENDING",
        "the last of the three statuses",
    )


def test_letters_are_listed_by_filter_and_a_discarded_one_is_no_longer_open(bridge: BridgeUnderTest) -> None:
    one, two = bridge.ticket("HAPPY_PATH"), bridge.ticket("HAPPY_PATH")
    poison = [
        Poison(
            Raw(ticket.id.encode(), report_of(ticket), partition=away(FAULT_TICKETS, ticket.id.encode())),
            DeadLetterReason.WRONG_PARTITION,
        )
        for ticket in (one, two)
    ]
    kept = [letter.dead_letter_id for _, letter in bury(bridge, FAULT_TICKETS, poison)]
    supplier = ("--supplier", "OPENWORLD", "--topic", FAULT_TICKETS)

    limited = run(bridge, "dead-letters", "list", "--limit", "1", "--state", "all")
    discarded = command(bridge, "dead-letters", "discard", "--ticket", one.id, "--why", "sent again", "--by", "tester")
    still_open = [row[0] for row in command(bridge, "dead-letters", "list", *supplier)]

    assert len(limited.stdout.splitlines()) == 1
    assert f"showing 1 of {len(letters(bridge))}; --limit shows more" in limited.stderr
    assert discarded == [[kept[0], "discarded"]]
    assert kept[1] in still_open
    assert kept[0] not in still_open
    assert [row[0] for row in command(bridge, "dead-letters", "list", "--ticket", one.id, "--state", "discarded")] == [
        kept[0]
    ]
    assert command(bridge, "dead-letters", "list", "--supplier", "NOBODY") == []
    assert command(bridge, "dead-letters", "list", "--since", "0s") == []
    assert [each.decision for each in decisions(bridge, kept[0])] == [DeadLetterChoice.DISCARDED]
    command(bridge, "dead-letters", "discard", "--id", kept[0], "--why", "again", "--by", "tester", exit_code=1)
    assert len(decisions(bridge, kept[0])) == 1


def test_what_a_letter_holds_is_shown_only_to_those_who_say_why_and_that_is_kept(bridge: BridgeUnderTest) -> None:
    ticket = bridge.ticket("HAPPY_PATH")
    raw = Raw(b"somebody-else", report_of(ticket), headers=(("note", PERSONAL[4].encode()),))
    ((_, letter),) = bury(bridge, FAULT_TICKETS, [Poison(raw, DeadLetterReason.WRONG_KEY)])
    show = ("dead-letters", "show", letter.dead_letter_id)

    plain = run(bridge, *show)
    listed = run(bridge, "dead-letters", "list", "--state", "all", "--limit", "1000")
    before = decisions(bridge, letter.dead_letter_id)
    asked = bridge.run(*show, "--show-content", "--why", "the provider asks which ticket it is", "--by", "tester")

    told = plain.stdout + plain.stderr + listed.stdout + listed.stderr
    assert [word for word in PERSONAL if word in told] == []
    assert letter.dead_letter_id in listed.stdout
    assert "headers: note" in plain.stdout
    assert f"decodes now: yes, a FaultTicketEvent of ticket {ticket.id}" in plain.stdout
    assert before == []
    assert asked.returncode == 0, asked.stderr
    assert PERSONAL[0] in asked.stdout
    assert f"header note: {PERSONAL[4]}" in asked.stdout
    (decision,) = decisions(bridge, letter.dead_letter_id)
    assert (decision.decision, decision.decided_by) == (DeadLetterChoice.VIEWED, "tester")
    assert decision.why == "the provider asks which ticket it is"
    assert [row[1] for row in command(bridge, "dead-letters", "list", "--id", letter.dead_letter_id)] == ["open"]


def test_a_quarantined_delivery_is_parsed_again_and_goes_to_kcis_if_it_is_a_kci_now(bridge: BridgeUnderTest) -> None:
    body = as_body(a_kci(entity={"id": 7300, "status": "ACKNOWLEDGED"}, entityType=SERVICE_PROBLEM))
    refused = [bridge.deliver(body, X_Request_ID=""), bridge.deliver(b'{"note": "' + PERSONAL[0].encode())]
    kci_id, garbage_id = (answer.json()["uuid"] for answer in refused)
    bridge.catch_up()
    items = bridge.values("kci-quarantine", QuarantinedKci)
    asks = ("--why", "a test", "--by", "tester")

    stays = command(bridge, "quarantine", "replay", "--all", *asks, exit_code=1)
    dry = command(bridge, "quarantine", "replay", "--id", kci_id, "--skip-headers", "--dry-run")
    done = command(bridge, "quarantine", "replay", "--id", kci_id, "--skip-headers", *asks)
    listed = run(bridge, "quarantine", "list", "--state", "all")
    shown = run(bridge, "quarantine", "show", garbage_id)
    asked = run(bridge, "quarantine", "show", garbage_id, "--show-content", *asks)

    assert [answer.status_code for answer in refused] == [400, 400]
    assert {item.quarantine_id for item in items} == {kci_id, garbage_id}
    assert {row[0]: row[1] for row in stays} == {kci_id: "stays", garbage_id: "stays"}
    assert dry == [[kci_id, "would go", f"kcis with the key {SERVICE_PROBLEM}:7300"]]
    assert [(row[0], row[1]) for row in done] == [(kci_id, "replayed")]
    bridge.wait_until(lambda: "7300" in bridge.statuses("problem-status"), "the status of the replayed delivery")
    states = {row.split("\t")[0]: row.split("\t")[1] for row in listed.stdout.splitlines()}
    assert states == {kci_id: "replayed", garbage_id: "open"}
    assert "showing 2 of 2" in listed.stderr
    assert PERSONAL[0] not in listed.stdout + shown.stdout
    assert PERSONAL[0] in asked.stdout
    assert [each.decision for each in decisions(bridge, garbage_id)] == [DeadLetterChoice.VIEWED]
    assert command(bridge, "quarantine", "discard", "--id", garbage_id, *asks) == [[garbage_id, "discarded"]]
    assert json.loads(body)["entity"]["id"] == 7300


def test_a_decision_and_its_record_are_both_there_or_neither(bridge: BridgeUnderTest) -> None:
    """The record is on the broker when the decision fails; as if the program had been killed between the two."""
    ticket = bridge.ticket("HAPPY_PATH")
    raw = Raw(ticket.id.encode(), report_of(ticket), partition=away(FAULT_TICKETS, ticket.id.encode()))
    ((_, letter),) = bury(bridge, FAULT_TICKETS, [Poison(raw, DeadLetterReason.WRONG_PARTITION)])
    before = len(on_topic(bridge, FAULT_TICKETS))
    key = ticket.id.encode()
    step = Replay(letter=letter, key=key, partition=home(FAULT_TICKETS, key), headers=(), timestamp=WRITTEN)

    class Killed(Exception):
        pass

    class DyingCodec:
        def encode(self, topic: str, record: Record) -> bytes:
            raise Killed

        async def decode(self, topic: str, data: bytes) -> Record:
            return await CODEC.decode(topic, data)

    async def die() -> None:
        async with replace(box_of(bridge), codec=DyingCodec()).deciding() as flow:
            await anext(flow.replay([step], Decider(by="tester", why="a test"), per_second=10))

    with pytest.raises(Killed):
        asyncio.run(die())
    done = replay(bridge, "--id", letter.dead_letter_id)

    assert done[letter.dead_letter_id][0] == "replayed"
    assert len(decisions(bridge, letter.dead_letter_id)) == 1
    assert len(on_topic(bridge, FAULT_TICKETS)) == before + 1
    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED")
    assert len(bridge.gateway.problems(external_identifier=ticket.id)) == 1


def test_whoever_begins_to_decide_shuts_out_whoever_began_before(bridge: BridgeUnderTest) -> None:
    letter = a_letter(990_001)

    async def two_people() -> None:
        asks = Decider(by="tester", why="a test")
        async with box_of(bridge).deciding() as first:
            await anext(first.note(["first-one"], DeadLetterChoice.DISCARDED, asks))
            async with box_of(bridge).deciding() as second:
                await anext(second.note([letter.dead_letter_id], DeadLetterChoice.DISCARDED, asks))
                with pytest.raises(ReplayStopped, match="somebody else has begun to decide"):
                    await anext(first.note([letter.dead_letter_id], DeadLetterChoice.DISCARDED, asks))

    asyncio.run(two_people())

    assert len(decisions(bridge, "first-one")) == 1
    assert len(decisions(bridge, letter.dead_letter_id)) == 1


def test_too_many_dead_letters_stop_the_service_and_a_restart_goes_on_where_it_stopped(
    running_bridge: RunningBridge,
) -> None:
    bridge = running_bridge("limited", settings={"BRIDGE_DISPATCHER_DEAD_LETTERS_PER_MINUTE": str(LIMIT)})
    ticket = bridge.ticket("HAPPY_PATH")
    key = ticket.id.encode()

    ids = write(bridge, FAULT_TICKETS, [*[Raw(key, GARBAGE)] * (2 * LIMIT), Raw(key, report_of(ticket))])
    code = bridge.children["dispatcher"].wait_ended(30)
    bridge.catch_up()
    written = list(letters(bridge))
    told = bridge.log("dispatcher")
    bridge.restart("dispatcher")

    assert code == 1
    assert written == ids[:LIMIT]
    assert f"{LIMIT} dead letters within a minute" in told
    assert "`bridge dead-letters list`" in told
    bridge.wait_for_outcome(ticket, "RAISE_PROBLEM ACCEPTED")
    bridge.catch_up()
    assert list(letters(bridge)) == ids[:-1]
