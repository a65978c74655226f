"""What witnesses said of this log, and how far each has come (điều nhân chứng đã xác nhận).

Whoever can write here can take away what stands here, but cosignatures and time-stamps cannot be forged: those that are
left count.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Connection, Integer, LargeBinary, String, Table, Text, insert, select, update

from security.audit.batch import current_checkpoint
from security.audit.checkpoint import is_cosigned, taken_apart
from security.audit.tables import HEAD
from storage.metadata import BIGINT, METADATA

# `note` is the checkpoint with the log's signature and what the witness added; `token` a time-stamp over its text.
WITNESSED = Table(
    "audit_witnessed",
    METADATA,
    Column("size", BIGINT, primary_key=True, autoincrement=False),
    Column("witness", String(48), primary_key=True),
    Column("note", Text, nullable=False),
    Column("token", LargeBinary),
    # POSIX milliseconds, by our clock.
    Column("at", BIGINT, nullable=False),
)

# One row for each witness that was configured: one process of all nodes at a time asks it. Times as above.
WITNESSES = Table(
    "audit_witnesses",
    METADATA,
    Column("name", String(48), primary_key=True),
    # How many entries it has witnessed.
    Column("size", BIGINT, nullable=False),
    Column("due_at", BIGINT, nullable=False),
    Column("failures", Integer, nullable=False),
    # What went wrong the last time: a code, and a sentence.
    Column("trouble", String(32)),
    Column("said", String(500)),
    # Since when there are entries that it has not witnessed, and whether the log says so.
    Column("behind_since", BIGINT),
    Column("told", Integer, nullable=False),
    Column("lease_owner", String(64)),
    Column("lease_until", BIGINT),
)
# Rows, newest first, among which one with a cosignature is looked for.
_LOOKED_AT = 100
_COLUMNS = [WITNESSES.c[name] for name in ("size", "due_at", "failures", "trouble", "said", "behind_since", "told")]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a witness has come. `newest` is the log's newest checkpoint, `entries` its size."""

    newest: str | None
    entries: int
    size: int = 0
    due_at: int = 0
    failures: int = 0
    trouble: str | None = None
    said: str | None = None
    behind_since: int | None = None
    told: int = 0
    lease_owner: str | None = None
    lease_until: int | None = None

    @property
    def behind(self) -> int:
        """How many entries it has not witnessed."""
        return max(0, self.entries - self.size)


def standing(connection: Connection, witness: str) -> Standing:
    """Read how far a witness has come."""
    entries = connection.execute(select(HEAD.c.size)).scalar() or 0
    columns = (*_COLUMNS, WITNESSES.c.lease_owner, WITNESSES.c.lease_until)
    row = connection.execute(select(*columns).where(WITNESSES.c.name == witness)).first()
    return Standing(current_checkpoint(connection), entries, *(row or ()))


def note_standing(connection: Connection, witness: str, **values: object) -> None:
    """Change the row of a witness, which is made where there is none."""
    changed = connection.execute(update(WITNESSES).where(WITNESSES.c.name == witness).values(**values)).rowcount
    if not changed:
        fresh = {"size": 0, "due_at": 0, "failures": 0, "told": 0} | values
        connection.execute(insert(WITNESSES).values(name=witness, **fresh))


def keep(connection: Connection, witness: str, size: int, note: str, token: bytes | None, at: int) -> None:
    """Keep what a witness said of the checkpoint of `size` entries; what it said of it before is replaced."""
    row = (WITNESSED.c.size == size, WITNESSED.c.witness == witness)
    if not connection.execute(update(WITNESSED).where(*row).values(note=note, token=token, at=at)).rowcount:
        values = {"size": size, "witness": witness, "note": note, "token": token, "at": at}
        connection.execute(insert(WITNESSED).values(**values))


def witnessed(connection: Connection, size: int | None = None) -> str | None:
    """Return the newest checkpoint that a witness signed, of at most `size` entries, with all cosignatures of it.

    None where there is none. Where lately none was cosigned, the newest that lies in a directory or has a time-stamp.
    """
    rows = select(WITNESSED.c.size, WITNESSED.c.note).order_by(WITNESSED.c.size.desc(), WITNESSED.c.witness)
    if size is not None:
        rows = rows.where(WITNESSED.c.size <= size)
    found = list(connection.execute(rows.limit(_LOOKED_AT)))
    cosigned = (row.size for row in found if is_cosigned(row.note))
    newest = next(cosigned, found[0].size if found else None)
    here = [taken_apart(row.note)[1:] for row in found if row.size == newest]
    # The log's own first, each once.
    signatures = dict.fromkeys(line.line for _, lines in here for line in lines)
    return f"{here[0][0]}\n{''.join(signatures)}" if here else None


def stamped(connection: Connection, at_least: int) -> tuple[str, bytes] | None:
    """Return the smallest checkpoint of at least so many entries that has a time-stamp, with it (RFC 3161 response)."""
    rows = select(WITNESSED.c.note, WITNESSED.c.token).where(
        WITNESSED.c.size >= at_least, WITNESSED.c.token.is_not(None)
    )
    row = connection.execute(rows.order_by(WITNESSED.c.size).limit(1)).first()
    return None if row is None else (row.note, row.token)


def notes_of(connection: Connection, witness: str) -> list[tuple[str, bytes | None]]:
    """Return every note that was kept for a witness with its time-stamp, the smallest first."""
    rows = select(WITNESSED.c.note, WITNESSED.c.token).where(WITNESSED.c.witness == witness)
    return [(note, token) for note, token in connection.execute(rows.order_by(WITNESSED.c.size))]
