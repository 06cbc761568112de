"""Which dead letters may be replayed, how, and in which order."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.dead_letters import DeadLetter, DeadLetterChoice, DeadLetterDecision, DeadLetterReason, Header
from bridge.domain.letters import Reading, Telling, Unread, last_words
from bridge.domain.replay import (
    ATTEMPTS,
    FIRST_LETTER,
    FIRST_TIMESTAMP,
    Home,
    Obstacle,
    Replay,
    ReplayRules,
    Step,
    Withheld,
    first_place,
    in_order,
    plan,
)
from tests.builders import NOW, TICKET
from tests.letters import TOPIC, a_decision, a_letter

RULES = ReplayRules(max_attempts=3)
FORCED = ReplayRules(max_attempts=3, force=True)
WEEK = timedelta(days=7)
GARBAGE = Unread(reason=DeadLetterReason.UNDECODABLE, why="neither framing")


def reads(key: bytes) -> Telling:
    return Telling(kind="FaultTicketEvent", key=key, ticket_id=key.decode(), supplier=None)


def planned(
    *letters: DeadLetter,
    chosen: Iterable[DeadLetter] | None = None,
    readings: dict[str, Reading] | None = None,
    rules: ReplayRules = RULES,
    decisions: Iterable[DeadLetterDecision] = (),
) -> list[Step]:
    """The plan for these letters: all are chosen, and read as what their key says, unless the test tells otherwise."""
    told: dict[str, Reading] = {
        letter.dead_letter_id: reads(letter.key if letter.key is not None else b"?") for letter in letters
    }
    home = Home(partition_of=lambda key: len(key) % 6, retention=WEEK)
    ids = {letter.dead_letter_id for letter in (letters if chosen is None else chosen)}
    words = last_words(decisions)
    return list(plan(letters, ids, words, {**told, **(readings or {})}, {TOPIC: home}, rules=rules, now=NOW))


def outcome(steps: Iterable[Step]) -> list[tuple[str, str]]:
    """Each letter's id with its obstacle, or GOES."""
    return [
        (step.letter.dead_letter_id, step.obstacle.value if isinstance(step, Withheld) else "GOES") for step in steps
    ]


def replay_of(steps: list[Step]) -> Replay:
    (step,) = steps
    assert isinstance(step, Replay), step
    return step


def withheld(steps: list[Step]) -> Withheld:
    (step,) = steps
    assert isinstance(step, Withheld), step
    return step


def test_a_letter_goes_to_its_keys_own_partition_with_its_timestamp_and_headers_and_the_bridges_behind_them() -> None:
    letter = a_letter(7, partition=5, reason=DeadLetterReason.WRONG_PARTITION)

    step = replay_of(planned(letter))

    assert (step.key, step.partition, step.timestamp) == (TICKET.encode(), len(TICKET) % 6, letter.timestamp)
    assert step.partition != letter.partition
    assert step.headers == (
        *letter.headers,
        Header(name=ATTEMPTS, value=b"1"),
        Header(name=FIRST_LETTER, value=b"fault-tickets-5-7"),
    )


def test_a_record_that_came_back_keeps_the_name_of_its_first_letter_and_counts_on() -> None:
    first = replay_of(planned(a_letter(7)))
    back = a_letter(40, headers=first.headers, attempts=2)

    again = replay_of(planned(back))

    assert [header for header in again.headers if header.name.startswith("bridge-")] == [
        Header(name=ATTEMPTS, value=b"2"),
        Header(name=FIRST_LETTER, value=b"fault-tickets-3-7"),
    ]


def test_a_record_so_old_that_its_topic_would_forget_it_is_sent_as_of_now_and_tells_when_it_was_written() -> None:
    old = a_letter(7, timestamp=NOW - WEEK + timedelta(hours=20))
    young = a_letter(7, timestamp=NOW - WEEK + timedelta(hours=25))

    step = replay_of(planned(old))

    assert step.timestamp == NOW
    assert step.headers[-1] == Header(
        name=FIRST_TIMESTAMP, value=old.timestamp.isoformat(timespec="milliseconds").encode()
    )
    assert replay_of(planned(young)).timestamp == young.timestamp
    assert FIRST_TIMESTAMP not in {header.name for header in replay_of(planned(young)).headers}
    moved_again = a_letter(40, headers=step.headers, timestamp=NOW)
    assert step.headers[-1] in replay_of(planned(moved_again)).headers


def test_a_record_that_was_tried_often_enough_stays_unless_forced() -> None:
    tried = [a_letter(1, attempts=2, key=b"a"), a_letter(2, attempts=3, key=b"b")]

    assert outcome(planned(*tried)) == [("fault-tickets-3-1", "GOES"), ("fault-tickets-3-2", "CAME_BACK")]
    assert outcome(planned(*tried, rules=FORCED)) == [("fault-tickets-3-1", "GOES"), ("fault-tickets-3-2", "GOES")]


@pytest.mark.parametrize("reading", [GARBAGE, Unread(reason=None, why="the registry does not answer")])
def test_what_does_not_decode_stays_unless_forced_and_the_reason_is_told(reading: Unread) -> None:
    letter = a_letter()
    readings: dict[str, Reading] = {letter.dead_letter_id: reading}

    stays = withheld(planned(letter, readings=readings))

    assert stays.obstacle is Obstacle.UNDECODABLE
    assert reading.why in stays.why
    assert replay_of(planned(letter, readings=readings, rules=FORCED)).key == letter.key


def test_a_wrong_key_stays_until_the_records_own_is_given() -> None:
    letter = a_letter(key=b"somebody", reason=DeadLetterReason.WRONG_KEY)
    readings: dict[str, Reading] = {letter.dead_letter_id: reads(b"TT-1")}

    stays = withheld(planned(letter, readings=readings))
    still_wrong = planned(letter, readings=readings, rules=ReplayRules(max_attempts=3, key=b"TT-2"))
    mended = replay_of(planned(letter, readings=readings, rules=ReplayRules(max_attempts=3, key=b"TT-1")))

    assert stays.obstacle is Obstacle.WRONG_KEY
    assert "TT-1" in stays.why
    assert withheld(still_wrong).obstacle is Obstacle.WRONG_KEY
    assert (mended.key, mended.partition) == (b"TT-1", 4)


def test_a_letter_without_a_key_needs_one_even_when_forced() -> None:
    letter = a_letter(key=None, reason=DeadLetterReason.WRONG_KEY)
    readings: dict[str, Reading] = {letter.dead_letter_id: reads(b"TT-1")}

    for rules in (RULES, FORCED):
        stays = withheld(planned(letter, readings=readings, rules=rules))
        assert stays.obstacle is Obstacle.NO_KEY
        assert "TT-1" in stays.why
    assert replay_of(planned(letter, readings=readings, rules=ReplayRules(max_attempts=3, key=b"TT-1"))).key == b"TT-1"


def test_a_letter_of_a_topic_that_is_gone_stays_whatever_is_given() -> None:
    letter = a_letter(topic="of-old")

    assert withheld(planned(letter, rules=FORCED)).obstacle is Obstacle.NO_TOPIC


@pytest.mark.parametrize("choice", [DeadLetterChoice.REPLAYED, DeadLetterChoice.DISCARDED])
def test_a_settled_letter_stays_unless_forced(choice: DeadLetterChoice) -> None:
    letter = a_letter()
    decisions = [a_decision(letter.dead_letter_id, choice)]

    stays = withheld(planned(letter, decisions=decisions))

    assert stays.obstacle is Obstacle.SETTLED
    assert f"{choice.value.lower()} already, by j.whitlock" in stays.why
    replay_of(planned(letter, decisions=decisions, rules=FORCED))


def test_letters_of_one_key_go_in_the_order_of_their_offsets_whatever_their_timestamps_say() -> None:
    early = a_letter(5, timestamp=NOW)
    late = a_letter(6, timestamp=NOW - timedelta(minutes=5))

    assert outcome(planned(late, early)) == [("fault-tickets-3-5", "GOES"), ("fault-tickets-3-6", "GOES")]


def test_between_partitions_the_timestamps_decide() -> None:
    here = a_letter(9, partition=0, timestamp=NOW - timedelta(minutes=2))
    there = a_letter(1, partition=1, timestamp=NOW - timedelta(minutes=1))

    assert in_order([there, here]) == [here, there]


def test_an_open_letter_that_was_not_chosen_holds_back_those_of_its_key_after_it_and_no_others() -> None:
    first, second = a_letter(1), a_letter(2)
    other, before = a_letter(3, key=b"TT-2"), a_letter(0)

    steps = planned(before, first, second, other, chosen=[before, second, other])

    assert outcome(steps) == [
        ("fault-tickets-3-0", "GOES"),
        ("fault-tickets-3-2", "ORDER"),
        ("fault-tickets-3-3", "GOES"),
    ]
    assert "fault-tickets-3-1 of the same key comes before it" in next(
        step.why for step in steps if isinstance(step, Withheld)
    )


def test_a_chosen_letter_that_stays_holds_back_those_after_it_too() -> None:
    steps = planned(a_letter(1, attempts=3), a_letter(2), a_letter(3))

    assert [what for _, what in outcome(steps)] == ["CAME_BACK", "ORDER", "ORDER"]


@pytest.mark.parametrize("choice", [DeadLetterChoice.REPLAYED, DeadLetterChoice.DISCARDED])
def test_a_settled_letter_holds_nothing_back(choice: DeadLetterChoice) -> None:
    first, second = a_letter(1), a_letter(2)

    steps = planned(first, second, chosen=[second], decisions=[a_decision(first.dead_letter_id, choice)])

    assert outcome(steps) == [("fault-tickets-3-2", "GOES")]


def test_looking_at_a_letter_settles_nothing() -> None:
    first, second = a_letter(1), a_letter(2)
    viewed = [a_decision(first.dead_letter_id, DeadLetterChoice.VIEWED)]

    assert outcome(planned(first, second, chosen=[second], decisions=viewed)) == [("fault-tickets-3-2", "ORDER")]


def test_out_of_order_lifts_the_order_and_nothing_else() -> None:
    rules = ReplayRules(max_attempts=3, out_of_order=True)

    steps = planned(a_letter(1), a_letter(2), a_letter(3, attempts=3), chosen=[a_letter(2), a_letter(3)], rules=rules)

    assert [what for _, what in outcome(steps)] == ["GOES", "CAME_BACK"]


def test_force_does_not_lift_the_order() -> None:
    assert outcome(planned(a_letter(1), a_letter(2), chosen=[a_letter(2)], rules=FORCED)) == [
        ("fault-tickets-3-2", "ORDER")
    ]


def test_a_record_that_came_back_stands_where_it_was_first() -> None:
    """It was written again behind a later one of its key, and must still go before it."""
    came_back = a_letter(40, headers=(Header(name=FIRST_LETTER, value=b"fault-tickets-3-1"),), attempts=2)
    later = a_letter(2)

    assert outcome(planned(later, came_back)) == [("fault-tickets-3-40", "GOES"), ("fault-tickets-3-2", "GOES")]
    assert outcome(planned(later, came_back, chosen=[later])) == [("fault-tickets-3-2", "ORDER")]


def test_a_letter_with_a_wrong_key_stands_in_the_order_of_its_right_one() -> None:
    wrong = a_letter(1, key=b"somebody", reason=DeadLetterReason.WRONG_KEY)
    after = a_letter(2)
    readings: dict[str, Reading] = {wrong.dead_letter_id: reads(TICKET.encode())}

    assert outcome(planned(wrong, after, chosen=[after], readings=readings)) == [("fault-tickets-3-2", "ORDER")]


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"nonsense",
        b"kcis-1-2",
        b"fault-tickets-x-2",
        b"fault-tickets-1-" + b"9" * 5000,
        b"\xff-1-2",
        b"fault-tickets--1-2",
    ],
)
def test_a_forged_name_of_a_first_letter_is_no_place(header: bytes) -> None:
    letter = a_letter(7, headers=(Header(name=FIRST_LETTER, value=header),))

    assert first_place(letter) == (TOPIC, 3, 7)
    assert replay_of(planned(letter)).headers[-1] == Header(name=FIRST_LETTER, value=b"fault-tickets-3-7")


LETTERS = st.lists(
    st.builds(
        a_letter,
        st.integers(0, 30),
        partition=st.integers(0, 2),
        key=st.sampled_from([b"a", b"bb", None]),
        attempts=st.integers(1, 4),
        timestamp=st.integers(0, 50).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    ),
    unique_by=lambda letter: letter.dead_letter_id,
    max_size=12,
)


@given(LETTERS, st.data())
def test_whatever_is_chosen_every_choice_gets_one_answer_and_no_key_is_overtaken(
    letters: list[DeadLetter], data: st.DataObject
) -> None:
    chosen = [letter for letter in letters if data.draw(st.booleans())]

    steps = planned(*letters, chosen=chosen)

    assert sorted(letter_id for letter_id, _ in outcome(steps)) == sorted(letter.dead_letter_id for letter in chosen)
    going = [step.letter for step in steps if isinstance(step, Replay)]
    staying = [letter for letter in letters if letter not in going]
    for place, letter in enumerate(going):
        earlier = [
            each
            for each in (*going[place + 1 :], *staying)
            if (each.key, each.partition) == (letter.key, letter.partition)
        ]
        assert [each for each in earlier if each.offset < letter.offset] == []
