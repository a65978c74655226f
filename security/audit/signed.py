"""Verifying what was signed over the tree: the checkpoints, that none of them is missing, and what witnesses saw.

The first entry of each commit names the checkpoint that was signed before it, so that one that was taken away shows,
and one whose signatures are others. What a witness saw bears the log's signature too: where it is of another tree than
the rows, the log was built and signed anew.
"""

from collections.abc import Container, Sequence
from typing import Any

from sqlalchemy import Connection, select

from security.audit.binding import noted
from security.audit.checkpoint import (
    ED25519,
    Checkpoint,
    CheckpointRejected,
    VerifierKey,
    is_of_log_alone,
    opened,
    taken_apart,
    verified,
)
from security.audit.findings import Findings
from security.audit.growing import Growing
from security.audit.merkle import Frontier
from security.audit.originals import original_leaves
from security.audit.reading_rows import BEGIN, END, as_number, rows_of, total
from security.audit.tables import CHECKPOINTS
from security.audit.witnessed import WITNESSED

_NOTES = select(CHECKPOINTS).where(CHECKPOINTS.c.size > BEGIN, CHECKPOINTS.c.size <= END)
_WORDS = select(WITNESSED.c.size, WITNESSED.c.witness, WITNESSED.c.note).where(
    WITNESSED.c.size > BEGIN, WITNESSED.c.size <= END
)


class SignedCheck:
    """Compares checkpoints and notes of witnesses, in the order of their sizes, with the tree as it grows."""

    def __init__(self, findings: Findings, keys: Sequence[VerifierKey]) -> None:
        # The tree of the last checkpoint that holds, and the first that does not.
        self.proven = Frontier()
        self.diverged: tuple[int, bytes] | None = None
        self._findings = findings
        self._keys = keys
        self._witnesses = [key for key in keys if key.KIND != ED25519]
        self._notes: dict[int, str] = {}
        self._seen: dict[int, list[tuple[str, str]]] = {}
        self._words = 0
        # The size of the last checkpoint that is there, and it itself where it holds; of the missing ones behind it the
        # first, the last, how many.
        self._last = 0
        self._good: str | None = None
        # Of those that hold, and are not what the entry behind them names, the first, the last, how many.
        self._replaced: tuple[int, int, int] | None = None
        self._missing: tuple[int, int, int] | None = None
        # The tree of the last note of a witness that fits, and the first that does not: size, root, whose.
        self._witnessed = Frontier()
        self._rewritten: tuple[int, bytes, str] | None = None

    def sizes(self, connection: Connection, begin: int, end: int) -> Container[int]:
        """Read what was signed of the trees of `begin + 1` to `end` entries; return at which of them `look` is due."""
        self._notes = dict(rows_of(connection, _NOTES, begin=begin, end=end))
        rows = rows_of(connection, _WORDS, begin=begin, end=end)
        self._words += len(rows)
        self._seen = {}
        for size, witness, note in rows:
            if type(size) is not int:
                # SQLite keeps broken numbers, and orders them between the others.
                self._findings.add(int(size), int(size), f"what {witness} saw is of {size} entries")
                continue
            self._seen.setdefault(size, []).append((witness, note))
        return self._notes.keys() | self._seen.keys()

    def look(self, size: int, growing: Growing) -> None:
        """Compare what was signed of this size with the tree, which has just reached it."""
        note = self._notes.get(size)
        if note is not None:
            self._findings.checkpoints += 1
            self._place_missing(size)
            self._last = size
            self._good = note if self._checkpoint(size, note, growing) else None
        for witness, seen in self._seen.get(size, ()):
            self._witness(size, witness, seen, growing)

    def demand(self, index: int, said: int, hashed: str) -> None:
        """Hold an entry, up to which everything was looked at, to what it says of the checkpoint before it."""
        if said != index:
            self._findings.add(index, index, f"the entry says that it follows a checkpoint of {said} entries")
        elif self._last == index:
            if self._good is not None and noted(self._good) != hashed:
                first, _, many = self._replaced or (index, index, 0)
                self._replaced = first, index, many + 1
        else:
            first, _, many = self._missing or (index, index, 0)
            self._missing = first, index, many + 1

    def end(self, connection: Connection, size: int, *, cut: bool) -> None:
        """Look at what was signed of trees that there are not; `cut` where the head knows of more entries."""
        looked_at = {CHECKPOINTS: self._findings.checkpoints, WITNESSED: self._words}
        for table, name in ((CHECKPOINTS, "a checkpoint"), (WITNESSED, "what a witness saw")):
            beyond = select(table.c.size).where((table.c.size > size) | (table.c.size < 1)).limit(1)
            for (found,) in rows_of(connection, beyond):
                signed = as_number(found)
                self._findings.add(
                    max(min(size, signed), 0), max(size, signed - 1), f"{name} of {found} entries exists"
                )
                cut = cut or signed > size
            if (stray := total(connection, table) - looked_at[table]) > 0:
                self._findings.add(size, size, f"{name} belongs to no entries, {stray} times")
        # Where the end is missing, the checkpoint over what is left went with it: not a finding of its own.
        if self.proven.size != size and not cut and self.diverged is None:
            self._findings.add(self.proven.size, size - 1, "no checkpoint covers these entries")

    def place(self, connection: Connection, size: int) -> None:
        """Say where the first signature over another tree puts the change, as narrowly as can be proven."""
        self._place_missing(size)
        if self._replaced is not None:
            first, last, many = self._replaced
            which = f"the checkpoint of {first} entries is not the one that entry {first} names"
            if many > 1:
                which = f"{many} checkpoints of {first} to {last} entries are not those that the entries behind name"
            self._findings.add(first - 1, last - 1, f"{which}: signed anew, or signatures were taken away or put there")
        if self.diverged is not None:
            signed, root = self.diverged
            self._place(connection, self.proven, signed, root, f"the checkpoint of {signed} entries signs another tree")
        if self._rewritten is not None:
            signed, root, witness = self._rewritten
            what = f"the tree of {signed} entries is not the one that {witness} saw"
            if self.proven.size >= signed:
                what += ": the log was built and signed anew after that"
            self._place(connection, self._witnessed, signed, root, what)

    def _checkpoint(self, size: int, note: str, growing: Growing) -> bool:
        """Verify a checkpoint; tells whether there was nothing to find."""
        checkpoint = self._opened(size, note, f"the checkpoint of {size} entries")
        if checkpoint is None:
            return False
        alone = is_of_log_alone(note, self._keys)
        if not alone:
            # Cosignatures of witnesses are kept elsewhere.
            what = f"the checkpoint of {size} entries holds more than signatures of this log's keys"
            self._findings.add(size - 1, size - 1, what)
        if self.diverged is not None:
            # Every later tree contains the one that differed: further checkpoints would only repeat the finding.
            return False
        tree = growing.tree()
        if checkpoint.root == tree.root():
            self.proven = tree
            return alone
        self.diverged = (size, checkpoint.root)
        return False

    def _witness(self, size: int, witness: str, note: str, growing: Growing) -> None:
        checkpoint = self._opened(size, note, f"what {witness} saw of {size} entries")
        if checkpoint is None or self.diverged is not None or self._rewritten is not None:
            return
        tree = growing.tree()
        if checkpoint.root == tree.root():
            self._witnessed = tree
        else:
            self._rewritten = (size, checkpoint.root, witness)

    def _opened(self, size: int, note: Any, what: str) -> Checkpoint | None:
        """Verify the signatures of a note that is to be of this size; None, and a finding, where they do not hold."""
        note = note if type(note) is str else ""
        try:
            own = self._notes.get(size)
            if own is not None and self.proven.size == size and note is not own and note.startswith(own):
                # The log's signature is the one that was just verified: what is left is what the witness added.
                checkpoint, text, lines = taken_apart(note)
                verified(text, lines, self._witnesses)
            else:
                checkpoint = opened(note, self._keys)
        except (CheckpointRejected, UnicodeEncodeError) as failure:
            self._findings.add(size - 1, size - 1, f"{what} is rejected: {failure}")
            return None
        if checkpoint.size != size:
            self._findings.add(size - 1, size - 1, f"{what} is of {checkpoint.size}")
            return None
        return checkpoint

    def _place_missing(self, following: int) -> None:
        """Say which checkpoints are missing in front of the one of `following` entries, or of the end."""
        if self._missing is None:
            return
        (first, last, many), self._missing = self._missing, None
        which = f"the checkpoint of {first} entries is" if many == 1 else f"{many} checkpoints of {first} to {last} are"
        what = f"{which} missing: entries {self._last} to {following - 1} are signed only together"
        self._findings.add(first - 1, last - 1, what)

    def _place(self, connection: Connection, agreed: Frontier, size: int, root: bytes, what: str) -> None:
        altered = original_leaves(connection, agreed, size, root)
        first, last = (altered[0], altered[-1]) if altered else (agreed.size, size - 1)
        self._findings.add(first, last, what)
