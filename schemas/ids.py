"""Random identifiers of requests, exchanges, entries and messages."""

from __future__ import annotations

import os
from time import time_ns

_AT_ONCE = 128
_DIGITS = 20
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

# The random part of ids to come, as text from the version digit on. Taking one off is a single step for all threads.
_tails: list[str] = []


def new_id() -> str:
    """Return a new UUID (RFC 9562, version 7) in its textual form; from every thread and in every process.

    It begins with the time in milliseconds, so that the index over a million of them grows at its end: with random
    ones every entry of the log costs a page anywhere in the file. The 74 bits behind it are random. Unlike the standard
    library it asks the operating system once for many, and makes no object on the way to the text.
    """
    while True:
        try:
            tail = _tails.pop()
        except IndexError:
            _tails.extend(_made())
        else:
            moment = time_ns() // 1_000_000
            return f"{moment >> 16:08x}-{moment & 0xFFFF:04x}{tail}"


def _made() -> list[str]:
    many = os.urandom(_DIGITS // 2 * _AT_ONCE).hex()
    each = [many[start : start + _DIGITS] for start in range(0, len(many), _DIGITS)]
    return [f"-7{one[:3]}-{_VARIANT[one[3]]}{one[4:7]}-{one[7:19]}" for one in each]


# Two processes that went on with the same digits would give the same identifiers.
os.register_at_fork(after_in_child=_tails.clear)
