"""Repeatable chance: dice and numberings that follow from the seed alone.

Nothing here depends on the clock, on the order of dictionaries or on hash randomisation; only `Random.random` is used,
whose sequence Python keeps the same across versions.
"""

import hashlib
import random
import struct
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TypeVar

T = TypeVar("T")

NUMBERS = 1_000_000
"""How many different numbers of six digits a `Numbering` hands out."""

_HALF = 1000
_ROUNDS = 3


def subseed(seed: int, *path: str | int) -> int:
    """A number of 64 bits that depends on the seed and on every part of the path."""
    text = "/".join(map(str, (seed, *path)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


class Dice:
    """Draws for one thing (a person, a block), the same whenever that thing is made again."""

    __slots__ = ("_next",)

    def __init__(self, seed: int, *path: str | int) -> None:
        self._next = random.Random(subseed(seed, *path)).random  # noqa: S311 - repeatable on purpose, keeps no secret

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._next() < probability

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self._next() * (high - low + 1))

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices, all equally likely."""
        return choices[int(self._next() * len(choices))]

    def day(self, first: date, last: date) -> date:
        """A day from first to last, both included; `first` when the span is empty."""
        return first + timedelta(days=self.number(0, max((last - first).days, 0)))

    def digits(self, count: int) -> str:
        """A text of so many digits."""
        return f"{self.number(0, 10**count - 1):0{count}d}"


class Numbering:
    """A keyed permutation of 0..999999: serial numbers that look random and are turned back by arithmetic.

    A Feistel network of three rounds over two halves of three digits; the tables of the rounds follow from the seed.
    """

    def __init__(self, seed: int, purpose: str) -> None:
        stream = hashlib.shake_128(f"{seed}/numbering/{purpose}".encode()).digest(4 * _HALF * _ROUNDS)
        shifts = [number % _HALF for (number,) in struct.iter_unpack(">I", stream)]
        self._tables = [shifts[turn * _HALF : (turn + 1) * _HALF] for turn in range(_ROUNDS)]

    def of(self, index: int) -> str:
        """The six digits of the thing at `index`."""
        left, right = divmod(index, _HALF)
        for table in self._tables:
            left, right = right, (left + table[right]) % _HALF
        return f"{left:03d}{right:03d}"

    def index(self, digits: str) -> int:
        """The index whose six digits these are."""
        left, right = int(digits[:3]), int(digits[3:])
        for table in reversed(self._tables):
            left, right = (right - table[left]) % _HALF, left
        return left * _HALF + right


def years_later(day: date, years: int) -> date:
    """The same day of the year so many years later (or earlier, for negative); 29 February becomes 28."""
    if day.month == 2 and day.day == 29:
        day = day.replace(day=28)
    return day.replace(year=day.year + years)
