"""
Which dead letters may be replayed, how and in which order: decided here, carried out by `bridge.flows.replay`.

Rule: letters of one key are replayed in the order in which their records were first written, and a letter that stays
behind holds back those of its key after it.
Rule: a replayed record carries how often it was tried, and the letter that it was first, so it is known when it comes
back.
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.domain.dead_letters import DeadLetter, DeadLetterDecision, Header
from bridge.domain.letters import LetterState, Reading, Telling, Unread, readable, state_of
from bridge.domain.record import Record

# How often the record was tried; `bridge.flows.intake` counts on from it.
ATTEMPTS = "bridge-attempts"
# The first dead letter of the record's life: where its order comes from.
FIRST_LETTER = "bridge-dead-letter-id"
# The record's first timestamp, where Kafka would delete a record that still had it.
FIRST_TIMESTAMP = "bridge-original-timestamp"
OWN_HEADERS = frozenset((ATTEMPTS, FIRST_LETTER, FIRST_TIMESTAMP))
# A record this close to the end of its retention may be deleted before it is read.
RETENTION_MARGIN = timedelta(days=1)


class Obstacle(StrEnum):
    """Why a letter is not replayed; a closed set, told with a sentence."""

    SETTLED = "SETTLED"
    CAME_BACK = "CAME_BACK"
    UNDECODABLE = "UNDECODABLE"
    NO_TOPIC = "NO_TOPIC"
    NO_KEY = "NO_KEY"
    WRONG_KEY = "WRONG_KEY"
    ORDER = "ORDER"


class Withheld(Record, frozen=True, kw_only=True):
    """A letter that stays where it is, and what would let it go."""

    letter: DeadLetter
    obstacle: Obstacle
    why: str


class Replay(Record, frozen=True, kw_only=True):
    """A letter that goes to its topic again, with its bytes as they were, and where and how exactly."""

    letter: DeadLetter
    key: bytes
    partition: int
    headers: tuple[Header, ...]
    timestamp: datetime


Step = Replay | Withheld


class ReplayRules(Record, frozen=True, kw_only=True):
    """
    What the person who replays allows.

    A record that was tried `max_attempts` times is not replayed again. `force` lifts this, and that a letter must
    decode, have its own key and be open; `out_of_order` lifts the order of a key; `key` takes the place of the
    letters' own.
    """

    max_attempts: int
    force: bool = False
    out_of_order: bool = False
    key: bytes | None = None


class Home(Record, frozen=True, kw_only=True):
    """A topic that letters go back to: the partition of a key, and how long it keeps its records."""

    partition_of: Callable[[bytes], int]
    retention: timedelta | None


def in_order(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    """
    The letters in the order in which their records were first written.

    Within a partition that is the order of their offsets; between partitions, where Kafka knows none, their timestamps
    decide.
    """
    partitions: dict[tuple[str, int], list[tuple[int, DeadLetter]]] = {}
    for letter in letters:
        topic, partition, offset = first_place(letter)
        partitions.setdefault((topic, partition), []).append((offset, letter))
    sources = [[letter for _, letter in sorted(found, key=lambda each: each[0])] for found in partitions.values()]
    return list(heapq.merge(*sources, key=lambda letter: letter.timestamp))


def first_place(letter: DeadLetter) -> tuple[str, int, int]:
    """Topic, partition and offset where a letter's record was first, before any replay."""
    first = _header(letter, FIRST_LETTER)
    if first is not None:
        place = first.decode("ascii", "replace").rsplit("-", 2)
        # Anybody may write such a header: one that makes no sense is none.
        if len(place) == 3 and place[0] == letter.topic and _is_number(place[1]) and _is_number(place[2]):  # noqa: PLR2004  # topic, partition, offset
            return letter.topic, int(place[1]), int(place[2])
    return letter.topic, letter.partition, letter.offset


def plan(
    letters: Iterable[DeadLetter],
    chosen: Collection[str],
    words: Mapping[str, DeadLetterDecision],
    readings: Mapping[str, Reading],
    homes: Mapping[str, Home],
    *,
    rules: ReplayRules,
    now: datetime,
) -> Iterator[Step]:
    """
    Decide on each chosen letter, in the order in which they are to be replayed.

    `letters` are all that there are, each once; `readings` has the chosen ones and those found to have a wrong key.
    """
    holders: dict[tuple[str, bytes], str] = {}
    for letter in in_order(letters):
        lane = _lane(letter, readings, rules if letter.dead_letter_id in chosen else None)
        holder = holders.get(lane) if lane is not None else None
        is_open = state_of(letter.dead_letter_id, words) is LetterState.OPEN
        stays = True
        if letter.dead_letter_id in chosen:
            step = _judge(letter, words, readings[letter.dead_letter_id], homes, rules, now)
            if isinstance(step, Replay) and holder is not None and not rules.out_of_order:
                step = Withheld(
                    letter=letter,
                    obstacle=Obstacle.ORDER,
                    why=f"{holder} of the same key comes before it and stays; replay or discard that one first,"
                    " or give --out-of-order",
                )
            stays = isinstance(step, Withheld)
            yield step
        if is_open and stays and lane is not None:
            holders.setdefault(lane, letter.dead_letter_id)


def _lane(letter: DeadLetter, readings: Mapping[str, Reading], rules: ReplayRules | None) -> tuple[str, bytes] | None:
    """The topic and the key whose order a letter belongs to; None when nobody can tell its key."""
    reading = readings.get(letter.dead_letter_id)
    key = rules.key if rules is not None and rules.key is not None else None
    if key is None:
        key = reading.key if isinstance(reading, Telling) else letter.key
    return None if key is None else (letter.topic, key)


def _judge(
    letter: DeadLetter,
    words: Mapping[str, DeadLetterDecision],
    reading: Reading,
    homes: Mapping[str, Home],
    rules: ReplayRules,
    now: datetime,
) -> Step:
    key = rules.key if rules.key is not None else letter.key
    obstacle = None if rules.force else _obstacle(letter, words, reading, key, rules)
    if obstacle is not None:
        return Withheld(letter=letter, obstacle=obstacle[0], why=obstacle[1])
    if key is None:
        return Withheld(letter=letter, obstacle=Obstacle.NO_KEY, why=_no_key(reading))
    home = homes.get(letter.topic)
    if home is None:
        why = f"topics.yaml has no topic {readable(letter.topic.encode())} that services read"
        return Withheld(letter=letter, obstacle=Obstacle.NO_TOPIC, why=why)
    timestamp = _timestamp(letter, home, now)
    return Replay(
        letter=letter,
        key=key,
        partition=home.partition_of(key),
        headers=_headers(letter, moved=timestamp != letter.timestamp),
        timestamp=timestamp,
    )


def _obstacle(
    letter: DeadLetter,
    words: Mapping[str, DeadLetterDecision],
    reading: Reading,
    key: bytes | None,
    rules: ReplayRules,
) -> tuple[Obstacle, str] | None:
    """What speaks against replaying a letter, which --force overrules."""
    state = state_of(letter.dead_letter_id, words)
    if state is not LetterState.OPEN:
        word = words[letter.dead_letter_id]
        what = f"{state} already, by {word.decided_by} at {word.decided_at:%Y-%m-%d %H:%M:%S} UTC"
        return Obstacle.SETTLED, f"{what}; give --force to replay it once more"
    if letter.attempts >= rules.max_attempts:
        return Obstacle.CAME_BACK, (
            f"it was tried {letter.attempts} times and came back each time; mend the cause, then give --force"
        )
    if isinstance(reading, Unread):
        return Obstacle.UNDECODABLE, f"it would come back: {reading.why}; discard it, or give --force"
    if key is not None and key != reading.key:
        return Obstacle.WRONG_KEY, (
            f"it would come back: its own fields give the key {readable(reading.key)}; give --key with it"
        )
    return None


def _no_key(reading: Reading) -> str:
    own = f"; its own fields give {readable(reading.key)}" if isinstance(reading, Telling) else ""
    return f"it has no key, and no record is without one{own}: give --key"


def _timestamp(letter: DeadLetter, home: Home, now: datetime) -> datetime:
    """Its own, unless its topic would forget a record so old before anybody read it."""
    if home.retention is None or letter.timestamp > now - home.retention + RETENTION_MARGIN:
        return letter.timestamp
    return now


def _headers(letter: DeadLetter, *, moved: bool) -> tuple[Header, ...]:
    """The letter's own headers as they were, and after them the bridge's."""
    topic, partition, offset = first_place(letter)
    own = [
        Header(name=ATTEMPTS, value=str(letter.attempts).encode()),
        Header(name=FIRST_LETTER, value=f"{topic}-{partition}-{offset}".encode()),
    ]
    first_timestamp = _header(letter, FIRST_TIMESTAMP)
    if first_timestamp is None and moved:
        first_timestamp = letter.timestamp.isoformat(timespec="milliseconds").encode()
    if first_timestamp is not None:
        own.append(Header(name=FIRST_TIMESTAMP, value=first_timestamp))
    return (*(header for header in letter.headers if header.name not in OWN_HEADERS), *own)


def _header(letter: DeadLetter, name: str) -> bytes | None:
    return next((header.value for header in reversed(letter.headers) if header.name == name), None)


def _is_number(text: str) -> bool:
    # Eighteen digits always fit a 64-bit offset.
    return text.isascii() and text.isdigit() and len(text) <= 18  # noqa: PLR2004
