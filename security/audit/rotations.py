"""Verifying rotations of the log's key (xoay khóa): that the keys at hand are those that the log itself names.

The entry about a rotation is signed by the old key, and only after it may the new one sign (older releases, whose
entries do not name the old key, took the new one first). A rotation that broke off left its entry; the one that was
made in its place has an entry of the same generation, which counts.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, select

from security.audit.checkpoint import PREFIX, VerifierKey, b64
from security.audit.findings import Findings
from security.audit.reading_rows import as_json, rows_of
from security.audit.tables import CHECKPOINTS

# The kind of entry that records a new generation of a key.
ROTATION: Final = "key-rotation"
# Characters of a signature line that the four bytes of its key id decide alone.
_OF_ID: Final = 5


class _Rotation(NamedTuple):
    began: int
    verifier: VerifierKey
    # Whether the entry came before the key was taken into use: it does where it names the old one too.
    first: bool


class RotationsCheck:
    """Collects the entries about rotations, and holds keys and checkpoints to them in the end."""

    def __init__(self, findings: Findings, keys: Sequence[VerifierKey]) -> None:
        self._findings = findings
        self._keys = keys
        # By generation the last entry that names a key of it.
        self._named: dict[str, _Rotation] = {}

    def look(self, index: int, body: bytes) -> None:
        """Read an entry of this kind; those about other keys and of older releases name no key of the log."""
        try:
            details = as_json(body).get("details")
            if not isinstance(details, dict) or "verifier_key" not in details:
                return
            verifier = VerifierKey.decode(str(details["verifier_key"]))
        except ValueError:
            self._findings.add(index, index, "the key that this entry names cannot be read")
        else:
            first = "replaces_verifier_key" in details
            self._named[str(details.get("key"))] = _Rotation(index, verifier, first)

    def end(self, connection: Connection) -> None:
        """Find keys that are not there, and checkpoints that a key signed before its time."""
        for generation, (index, verifier, first) in self._named.items():
            if verifier not in self._keys:
                what = f"no key file holds {verifier.encode()}, which this entry says that {generation} is"
                self._findings.add(index, index, what)
            elif first and (size := _signed_before(connection, index, verifier)) is not None:
                what = f"the checkpoint of {size} entries is signed with {generation}, which entry {index} began"
                self._findings.add(size - 1, size - 1, what)


def _signed_before(connection: Connection, index: int, key: VerifierKey) -> int | None:
    """The size of the first checkpoint without the entry `index` that has a line of this key."""
    line = f"\n{PREFIX}{key.name} {b64(key.key_id)[:_OF_ID]}"
    likely = CHECKPOINTS.c.note.contains(line, autoescape=True)
    query = select(CHECKPOINTS).where(CHECKPOINTS.c.size.between(1, index), likely).order_by(CHECKPOINTS.c.size)
    # Databases may compare without regard to case.
    return next((size for size, note in rows_of(connection, query) if line in note), None)
