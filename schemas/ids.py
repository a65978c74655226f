"""Random identifiers of requests, exchanges and messages."""

from __future__ import annotations

import os
from collections.abc import Iterator

_AT_ONCE = 128
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

_ready: Iterator[str] = iter(())


def new_id() -> str:
    """Return a new random UUID (RFC 9562, version 4) in its textual form; from every thread and in every process.

    Unlike `uuid.uuid4()` it asks the operating system once for many, and makes no object on the way to the text.
    """
    global _ready
    while (digits := next(_ready, None)) is None:
        many = os.urandom(16 * _AT_ONCE).hex()
        _ready = iter([many[start : start + 32] for start in range(0, len(many), 32)])
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"


def _forget() -> None:
    global _ready
    _ready = iter(())


# Two processes that went on with the same digits would give the same identifiers.
os.register_at_fork(after_in_child=_forget)
