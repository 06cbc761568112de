"""A queue at the door: a turn is waited for as long as the queue's pace makes it likely to come, and no longer."""

import asyncio

import pytest

from bridge.flows.queue import LONGEST_PATIENCE_SECONDS, PATIENCE_SECONDS, Queue

PLACES = [(f"TT-{number}", 0) for number in range(1, 101)]


def a_queue(waiting: int, seconds_each: float | None = None, turns: int = 20) -> Queue:
    """So many wait, after as many turns as were given at this pace."""
    queue = Queue()
    now = 1000.0
    for place in PLACES[: waiting + (turns if seconds_each is not None else 0)]:
        queue.join(place, asyncio.get_running_loop().create_future(), first=False)
    for _ in range(turns if seconds_each is not None else 0):
        queue.take_first(now)
        now += seconds_each or 0.0
    return queue


@pytest.mark.parametrize(
    ("waiting", "seconds_each", "patience"),
    [
        (80, None, PATIENCE_SECONDS),  # nothing is known of the pace
        (80, 0.0002, PATIENCE_SECONDS),
        (80, 0.005, 0.8),
        (10, 0.04, 0.8),
        (80, 0.01, LONGEST_PATIENCE_SECONDS),
        (80, 0.013, PATIENCE_SECONDS),  # too long a wait to hold a place in the window for
    ],
)
async def test_a_turn_is_waited_for_twice_as_long_as_the_queue_takes_to_come_to_it(
    waiting: int, seconds_each: float | None, patience: float
) -> None:
    assert a_queue(waiting, seconds_each).patience == pytest.approx(patience)


async def test_the_patience_follows_the_pace() -> None:
    queue = a_queue(waiting=80, seconds_each=0.005)
    now = 1000.0 + 20 * 0.005
    for _ in range(60):
        now += 0.02
        queue.take_first(now)

    assert queue.patience == pytest.approx(2 * 20 * 0.02, rel=0.1)


async def test_who_was_called_before_goes_first_and_who_waits_already_keeps_the_place() -> None:
    queue = Queue()
    first, second, third = PLACES[:3]
    turns = [asyncio.get_running_loop().create_future() for _ in range(4)]
    queue.join(first, turns[0], first=False)
    queue.join(second, turns[1], first=False)
    queue.join(third, turns[2], first=True)
    queue.join(second, turns[3], first=False)

    order = []
    while queue.places:
        order.append(queue.first)
        queue.take_first(0.0)

    assert order == [(third, turns[2]), (first, turns[0]), (second, turns[3])]
