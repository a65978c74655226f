"""What an archive states of the rows that stay, so that they are bound without the entries that named them.

The entries that name the hashes of their opening and of the checkpoint before them lie in the file; the entry that
records the archive states a hash over the columns and one over the openings of each `SPAN` of them, how many
checkpoints there are and a hash over these. An opening that is redacted afterwards counts as its redaction says that
it was.
"""

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select

from security.audit.batch import REPEATED
from security.audit.binding import digest, noted
from security.audit.checkpoint import b64
from security.audit.reading_rows import as_bytes, as_json, rows_of
from security.audit.tables import CHECKPOINTS, ENTRIES, OPENINGS, SUBJECTS

# The kind of entry that records that another was made unopenable.
REDACTION: Final = "redaction"
# The member of its details with the hash of what it removed.
REMOVED: Final = "hash"
# How many entries' checkpoints are read at once.
_NOTES: Final = 4096
# Entries under one hash, from the first of the archive on.
SPAN: Final = 256
_COLUMNS: Final = (OPENINGS.c.idx, OPENINGS.c.period, OPENINGS.c.slot, OPENINGS.c.sealed, OPENINGS.c.redacted_by)


class Redaction(NamedTuple):
    """The entry that records a redaction: its number, which entry it is of, the hash of what it removed, if it says."""

    at: int
    of: int
    removed: object


def checkpoints_within(connection: Connection, first: int, last: int) -> tuple[int, str]:
    """How many checkpoints there are behind the first `first` entries, up to `last`, and a hash over those of each."""
    number, whole, begin = 0, sha256(), first
    while begin < last:
        end = min(begin + _NOTES, last)
        within = (CHECKPOINTS.c.size > begin, CHECKPOINTS.c.size <= end)
        for (note,) in rows_of(connection, select(CHECKPOINTS.c.note).where(*within).order_by(CHECKPOINTS.c.size)):
            whole.update(noted(note).encode())
            number += 1
        begin = end
    return number, b64(whole.digest())


def columns_hashes(connection: Connection, first: int, last: int) -> list[str | None]:
    """SHA-256 (base64) over what the rows of each `SPAN` of the entries [first, last) repeat of them.

    None where rows are missing, or there twice: that is found row by row.
    """
    found: list[str | None] = []
    for begin in range(first, last, SPAN):
        end = min(begin + SPAN, last)
        wanted = select(ENTRIES.c.idx, *(ENTRIES.c[name] for name in REPEATED)).order_by(ENTRIES.c.idx)
        rows = rows_of(connection, wanted.where(ENTRIES.c.idx >= begin, ENTRIES.c.idx < end))
        # What is no text comes from tampering, and has to be something else.
        whole = json.dumps([[*row] for row in rows], default=repr).encode()
        found.append(b64(sha256(whole).digest()) if len(rows) == end - begin else None)
    return found


def redacted_within(connection: Connection, first: int, last: int) -> int:
    """How many of the entries [first, last) are marked as redacted."""
    within = (OPENINGS.c.idx >= first, OPENINGS.c.idx < last, OPENINGS.c.redacted_by.is_not(None))
    return connection.execute(select(func.count()).select_from(OPENINGS).where(*within)).scalar_one()


def opening_hashes(connection: Connection, indexes: Sequence[int]) -> dict[int, str]:
    """By the number of each of these entries that something opens the hash of that: sealed row and index rows."""
    chosen = (OPENINGS.c.idx.in_(indexes), SUBJECTS.c.idx.in_(indexes))
    return {row[0]: _hash(row, tags) for row, tags in _openings(connection, *chosen)}


def openings_hashes(connection: Connection, first: int, last: int, act: int | None = None) -> list[str | None]:
    """SHA-256 (base64) over what opens each `SPAN` of the entries [first, last).

    With `act` as it was before that entry; None where a redaction of an older release does not say what it removed.
    """
    found: list[str | None] = []
    for begin in range(first, last, SPAN):
        end = min(begin + SPAN, last) - 1
        there = _openings(connection, OPENINGS.c.idx.between(begin, end), SUBJECTS.c.idx.between(begin, end))
        lines = [_line(connection, row, tags, act) for row, tags in there]
        whole = "".join(line for line in lines if line is not None).encode("utf-8", "surrogateescape")
        found.append(None if None in lines else b64(sha256(whole).digest()))
    return found


def _line(connection: Connection, row: tuple[Any, ...], tags: list[bytes], act: int | None) -> str | None:
    index, period, slot, _, redacted_by = row
    shown: object = ""
    if redacted_by is None:
        shown = _hash(row, tags)
    elif act is not None:
        # One that nobody recorded is a finding of its own.
        redaction = redaction_of(connection, redacted_by)
        if redaction is not None and redaction.at > act:
            shown = redaction.removed
    return None if shown is None else f"{index}\n{period}\n{slot}\n{shown}\n"


def redaction_of(connection: Connection, redacted_by: object) -> Redaction | None:
    """Read the entry that an opening names as the record of its redaction."""
    if not (isinstance(redacted_by, str) and redacted_by.isascii()):
        return None
    recorded = select(ENTRIES.c.idx, ENTRIES.c.body).where(ENTRIES.c.id == redacted_by, ENTRIES.c.kind == REDACTION)
    return next((redaction(index, as_bytes(body)) for index, body in rows_of(connection, recorded)), None)


def redaction(at: int, body: bytes) -> Redaction | None:
    """Read the entry of a redaction; None for what is none."""
    try:
        details = as_json(body)["details"]
        of, removed = details["index"], details.get(REMOVED)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Redaction(at, of, removed) if type(of) is int else None


def _openings(
    connection: Connection, chosen: ColumnElement[bool], chosen_tags: ColumnElement[bool]
) -> Iterator[tuple[tuple[Any, ...], list[bytes]]]:
    """Each of these openings in order, with the tags of its entry as they stand in the index."""
    tags: dict[int, list[bytes]] = {}
    for index, tag in rows_of(connection, select(SUBJECTS.c.idx, SUBJECTS.c.tag).where(chosen_tags)):
        tags.setdefault(index, []).append(as_bytes(tag))
    for row in rows_of(connection, select(*_COLUMNS).where(chosen).order_by(OPENINGS.c.idx)):
        yield row, tags.get(row[0], [])


def _hash(row: tuple[Any, ...], tags: list[bytes]) -> str:
    return digest(as_bytes(row[3]), tags)
