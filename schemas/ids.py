"""Random identifiers of requests, exchanges, entries and messages."""

from __future__ import annotations

import os
from collections.abc import Iterator
from time import time_ns

_AT_ONCE = 128
_DIGITS = 20
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

_ready: Iterator[str] = iter(())


def new_id() -> str:
    """Return a new UUID (RFC 9562, version 7) in its textual form; from every thread and in every process.

    It begins with the time in milliseconds, so that the index over a million of them grows at its end: with random
    ones every entry of the log costs a page anywhere in the file. The 74 bits behind it are random. Unlike the standard
    library it asks the operating system once for many, and makes no object on the way to the text.
    """
    global _ready
    while (digits := next(_ready, None)) is None:
        many = os.urandom(_DIGITS // 2 * _AT_ONCE).hex()
        _ready = iter([many[start : start + _DIGITS] for start in range(0, len(many), _DIGITS)])
    moment = f"{time_ns() // 1_000_000:012x}"
    return f"{moment[:8]}-{moment[8:]}-7{digits[:3]}-{_VARIANT[digits[3]]}{digits[4:7]}-{digits[7:19]}"


def _forget() -> None:
    global _ready
    _ready = iter(())


# Two processes that went on with the same digits would give the same identifiers.
os.register_at_fork(after_in_child=_forget)
