# ruff: noqa: SLF001  # Faust's book-keeping is private, and it is what the bridge relies on here
"""What is committed on a topic that is written in transactions, where every transaction leaves a gap in the offsets."""

from collections import defaultdict
from itertools import pairwise

from faust.types import TP
from intervaltree import IntervalTree  # type: ignore[import-untyped]  # it comes with Faust and has no types

from bridge.adapters.streams.consumer import ReadCommittedConsumer

PLACE = TP("journey-signals", 0)


def a_consumer() -> ReadCommittedConsumer:
    """One that is connected to nothing, with the state that a commit is worked out from."""
    consumer: ReadCommittedConsumer = ReadCommittedConsumer.__new__(ReadCommittedConsumer)
    consumer._gap = defaultdict(IntervalTree)
    consumer._acked = defaultdict(list)
    consumer._acked_index = defaultdict(set)
    consumer._committed_offset = defaultdict(lambda: None)
    return consumer


async def read(consumer: ReadCommittedConsumer, *offsets: int) -> None:
    """Read records in this order, as Faust's own loop does."""
    for before, offset in pairwise(offsets):
        if offset - before > 1:
            await consumer._add_gap(PLACE, before + 1, offset)


def acknowledge(consumer: ReadCommittedConsumer, *offsets: int) -> None:
    for offset in offsets:
        consumer._acked[PLACE].append(offset)
        consumer._acked_index[PLACE].add(offset)


async def test_one_commit_covers_every_record_that_is_acknowledged_whatever_lies_between_them() -> None:
    consumer = a_consumer()
    await read(consumer, 10, 12, 14, 15, 19)
    acknowledge(consumer, 10, 12, 14, 15, 19)
    assert consumer._new_offset(PLACE) == 20


async def test_a_gap_behind_the_very_first_record_does_not_hold_the_commits_up() -> None:
    """A marker, and a transaction that was aborted with its own."""
    consumer = a_consumer()
    await read(consumer, 0, 4, 5)
    acknowledge(consumer, 0)
    assert consumer._new_offset(PLACE) == 1
    consumer._committed_offset[PLACE] = 1
    acknowledge(consumer, 4, 5)
    assert consumer._new_offset(PLACE) == 6


async def test_what_was_committed_is_not_committed_again() -> None:
    consumer = a_consumer()
    await read(consumer, 10, 12)
    acknowledge(consumer, 10, 12)
    consumer._new_offset(PLACE)
    assert consumer._new_offset(PLACE) is None
