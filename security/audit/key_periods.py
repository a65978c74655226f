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

    A rotation is looked for by halving, some twenty rows whatever the size of the log. Processes that learn of it one
    after the other sign with both keys for moments: of those checkpoints any may be named as the border. Raises
    `CheckpointRejected` for a row that is no note.
    """
    newest = _last_before(connection, LARGEST)
    if newest is None:
        return {key.key_id: None for key in keys}
    places = {(key.name, key.key_id): place for place, key in enumerate(keys)}

    def generation(note: str) -> int:
        _, _, lines = taken_apart(note)
        return max((places[known] for line in lines if (known := (line.name, line.blob[:4])) in places), default=-1)

    # Behind the newest checkpoint begins what the key after the last would sign.
    begins = [_first(connection, generation, place, newest.size) for place in range(len(keys))]
    begins.append(newest.size + 1)
    signed: dict[bytes, Signed | None] = {}
    for place, key in enumerate(keys):
        last = _last_before(connection, begins[place + 1])
        signed[key.key_id] = Signed(begins[place], last.size) if last and last.size >= begins[place] else None
    return signed


def _first(connection: Connection, generation: Callable[[str], int], wanted: int, newest: int) -> int:
    """The size of the first checkpoint of this generation or a later one; behind `newest` where there is none."""
    low, high = 0, newest + 1
    while low < high:
        middle = (low + high) // 2
        row = _at_least(connection, middle)
        if row is None or generation(row.note) >= wanted:
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
