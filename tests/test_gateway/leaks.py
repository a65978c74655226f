"""Looks for identifiers and names in bytes, however they may be written there."""

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

# Nine digits are the shortest identifier of a person that is in use (số CMND).
_DIGITS = re.compile(rb"\d{9,}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){9,}")
# Ids and digests in hexadecimal, but those that are all digits.
_RANDOM = re.compile(
    rb"(?<![0-9A-Za-z])"
    rb"(?:(?=[0-9-]{0,35}[a-f])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=[0-9]*[a-f])[0-9a-f]{32,})"
    rb"(?![0-9A-Za-z])"
)
# In as many digits at random no number of hundreds is found by chance.
_LONG = 12


def texts(record: Any, member: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with the name of the member that holds it."""
    if isinstance(record, str):
        yield member, record
    elif isinstance(record, dict):
        for name, value in record.items():
            yield from texts(value, name)
    elif isinstance(record, list):
        for value in record:
            yield from texts(value, member)


def secrets_of(records: Iterable[Any]) -> tuple[set[bytes], set[bytes]]:
    """The identifiers (runs of nine digits or more) and the full names of everybody in `records`."""
    numbers: set[bytes] = set()
    names: set[bytes] = set()
    for record in records:
        for member, text in texts(record):
            # A run of one digit stands for nobody, and is found in any table of numbers.
            numbers.update(run for run in _DIGITS.findall(text.encode()) if len(set(run)) > 1)
            if member.endswith("full_name") and not text.isascii():
                names.add(text.encode())
    return numbers, names


def readings(content: bytes) -> Iterator[bytes]:
    """The bytes as they are, percent-decoded, and every piece that may be base64 or hexadecimal, decoded."""
    yield content
    if b"%" in content:
        yield unquote_to_bytes(content)
    pieces = []
    for run in _BASE64.findall(content):
        plain = run.replace(b"-", b"+").replace(b"_", b"/")
        for offset in range(4):
            piece = plain[offset:]
            # A single letter behind the last four holds no whole byte.
            piece = piece[:-1] if len(piece) % 4 == 1 else piece + b"=" * (-len(piece) % 4)
            pieces.append(base64.b64decode(piece))
    pieces += [bytes.fromhex(run.decode()) for run in _HEX.findall(content)]
    yield b"\n".join(pieces)


def digits(reading: bytes, numbers: set[bytes]) -> set[bytes]:
    """Which of the identifiers stand in the runs of digits of `reading`."""
    lengths = sorted({len(number) for number in numbers})
    return {
        piece
        for run in _DIGITS.findall(reading)
        for length in lengths
        for at in range(len(run) - length + 1)
        if (piece := run[at : at + length]) in numbers
    }


def found(content: bytes, numbers: set[bytes], names: set[bytes]) -> set[bytes]:
    """Which of the identifiers and names can be read in `content`.

    Short numbers are not looked for in what is random itself: among thousands of ids and digests some would be found.
    """
    long = {number for number in numbers if len(number) >= _LONG}
    seen: set[bytes] = set()
    for reading in readings(content):
        seen |= digits(reading, long)
        seen |= digits(_RANDOM.sub(b"", reading), numbers - long)
        if not reading.isascii():
            seen.update(name for name in names if name in reading)
    return seen
