"""Which checkpoints each key of the log signed: the sizes of the first and of the last of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from security.audit.canonical import LARGEST
from security.audit.checkpoint import VerifierKey, taken_apart
from security.audit.tables import CHECKPOINTS


class Signed(NamedTuple):
    """Sizes of the first and the last checkpoint of a key."""

    first: int
    last: int


def signed_sizes(connection: Connection, keys: Sequence[VerifierKey]) -> dict[bytes, Signed | None]:
    """Return by key id what each of `keys` signed, oldest generation first; None for one that signed nothing.

    A key in overlap signs along: its last checkpoint is then the last with a signature of it. Begin and end are looked
    for by halving, some forty rows for each key whatever the size of the log. Processes that learn of a rotation one
    after the other, or whose clocks end an overlap one after the other, sign differently for moments: of those
    checkpoints any may be named as the border. Raises `CheckpointRejected` for a row that is no note.
    """
    newest = _last_before(connection, LARGEST)
    if newest is None:
        return {key.key_id: None for key in keys}
    places = {(key.name, key.key_id): place for place, key in enumerate(keys)}

    def signers(note: str) -> set[int]:
        _, _, lines = taken_apart(note)
        return {places[known] for line in lines if (known := (line.name, line.blob[:4])) in places}

    signed: dict[bytes, Signed | None] = {}
    for place, key in enumerate(keys):

        def begun(row: _Row, place: int = place) -> bool:
            return max(signers(row.note), default=-1) >= place

        first = _first(connection, begun, newest.size)

        def ended(row: _Row, place: int = place, first: int = first) -> bool:
            return row.size >= first and place not in signers(row.note)

        last = _last_before(connection, _first(connection, ended, newest.size))
        signed[key.key_id] = Signed(first, last.size) if last and last.size >= first else None
    return signed


def _first(connection: Connection, wanted: Callable[[_Row], bool], newest: int) -> int:
    """The size of the first checkpoint that is `wanted`, as all after it are; behind `newest` where there is none."""
    low, high = 0, newest + 1
    while low < high:
        middle = (low + high) // 2
        row = _at_least(connection, middle)
        if row is None or wanted(row):
            high = middle
        else:
            low = row.size + 1
    found = _at_least(connection, low)
    return newest + 1 if found is None else found.size


class _Row(NamedTuple):
    size: int
    note: str


def _at_least(connection: Connection, size: int) -> _Row | None:
    query = select(CHECKPOINTS.c.size, CHECKPOINTS.c.note).where(CHECKPOINTS.c.size >= size)
    found = connection.execute(query.order_by(CHECKPOINTS.c.size).limit(1)).first()
    return None if found is None else _Row(*found)


def _last_before(connection: Connection, size: int) -> _Row | None:
    query = select(CHECKPOINTS.c.size, CHECKPOINTS.c.note).where(CHECKPOINTS.c.size < size)
    found = connection.execute(query.order_by(CHECKPOINTS.c.size.desc()).limit(1)).first()
    return None if found is None else _Row(*found)
