"""How far a witness has come by our own account (sổ theo dõi nhân chứng), and how far what it said is still here.

A time-stamp authority holds nothing, and what others hold may be lost: where their words were taken away here, the log
must not look like one that nobody was ever asked about. The account proves nothing: who takes the words may change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Select, func, select

from security.audit.reading_rows import as_bytes, as_json, as_number, rows_of
from security.audit.tables import ENTRIES
from security.audit.witnessed import WITNESSED, WITNESSES

_PAGE: Final = 256
_TELLING: Final = select(ENTRIES.c.idx, ENTRIES.c.body).where(ENTRIES.c.kind == "admin").order_by(ENTRIES.c.idx.desc())


@dataclass(frozen=True, slots=True)
class Account:
    """Of how many entries a witness saw the tree, who says so, and up to how many a word of it is left here."""

    size: int
    by: str
    left: int


def account(connection: Connection, witness: str) -> Account:
    """Read what the row of a witness and the newest entry that names it say of it; archived entries are not read."""
    said = [(0, "nobody")]
    row = select(WITNESSES.c.size).where(WITNESSES.c.name == witness)
    said += [(as_number(size), "audit_witnesses") for (size,) in rows_of(connection, row)]
    said += _last_entry(connection, witness)
    size, by = max(said, key=lambda each: each[0])
    # Last: a gateway that runs only adds to the words, and then to the account.
    newest = select(func.max(WITNESSED.c.size)).where(WITNESSED.c.witness == witness)
    return Account(size, by, max(0, *(as_number(left) for (left,) in rows_of(connection, newest))))


def _last_entry(connection: Connection, witness: str) -> list[tuple[int, str]]:
    """What the entry says that told last that this witness was silent, or is back."""
    last: int | None = None
    while rows := rows_of(connection, _below(last).limit(_PAGE)):
        for index, body in rows:
            if (size := _witnessed(as_bytes(body), witness)) is not None:
                return [(size, f"entry {index}")]
        last = rows[-1][0]
    return []


def _below(last: int | None) -> Select[tuple[int, bytes]]:
    return _TELLING if last is None else _TELLING.where(ENTRIES.c.idx < last)


def _witnessed(body: bytes, witness: str) -> int | None:
    try:
        details = as_json(body)["details"]
        told = details["action"] in ("witness-silent", "witness-back") and details["witness"] == witness
        return as_number(details["witnessed"]) if told else None
    except (ValueError, TypeError, LookupError):
        # Archived, or damaged, which verification says.
        return None
