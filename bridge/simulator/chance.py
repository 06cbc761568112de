"""Chance that repeats: the same seed and the same question always give the same answer, whatever happens in between."""

import random
from hashlib import blake2b
from typing import Final, TypeVar

Item = TypeVar("Item")
_WIDTH: Final = 2**64


def chance(seed: int, *question: object) -> float:
    """A number from 0 up to, not including, 1; a function of the seed and the question alone."""
    text = "\x1f".join(map(str, (seed, *question)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest()) / _WIDTH


def shuffled(items: list[Item], seed: int, *question: object) -> list[Item]:
    """`items` in another order: two or more distinct items never keep theirs."""
    order = list(items)
    random.Random(f"{seed}{question}").shuffle(order)  # noqa: S311 - repeatable chance, not a secret
    return order[::-1] if order == items else order
