"""A log in memory for witnesses: real trees, real keys, and every way in which its keeper may lie."""

from __future__ import annotations

from dataclasses import dataclass, field

from security.audit.checkpoint import Checkpoint, Signer
from security.audit.merkle import consistency_proof, leaf_hash, root_of
from security.audit.submission import Submission
from tests.test_audit.audit_world import ORIGIN, a_signer


@dataclass
class MemoryLog:
    """Entries and who signs for them; change `leaves` to rewrite history."""

    signer: Signer = field(default_factory=a_signer)
    leaves: list[bytes] = field(default_factory=list)

    @classmethod
    def of(cls, size: int, salt: str = "", origin: str = ORIGIN) -> MemoryLog:
        return cls(a_signer(origin), [leaf_hash(f"{salt}{number}".encode()) for number in range(size)])

    def grow(self, to: int, salt: str = "") -> None:
        self.leaves += [leaf_hash(f"{salt}{number}".encode()) for number in range(len(self.leaves), to)]

    def root(self, size: int) -> bytes:
        return root_of(self.leaves[:size])

    def note(self, size: int | None = None) -> str:
        size = len(self.leaves) if size is None else size
        return self.signer.sign(size, self.root(size))

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(self.signer.origin, size, self.root(size))

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        def nodes(level: int, number: int) -> bytes:
            return root_of(self.leaves[number << level : (number + 1) << level])

        return tuple(consistency_proof(old, new, nodes)) if 0 < old < new else ()

    def submission(self, old: int, new: int | None = None) -> bytes:
        new = len(self.leaves) if new is None else new
        return Submission(old, self.proof(old, new), self.note(new)).encode()
