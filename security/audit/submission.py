"""What a log sends to a witness: body of `POST /add-checkpoint` (C2SP tlog-witness).

old <size of the checkpoint that the witness cosigned last, decimal>
<hash of the consistency proof, base64>          (at most 63 lines)
                                                 (empty line)
<checkpoint: a signed note>
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from security.audit.checkpoint import b64, unb64
from security.audit.merkle import HASH_SIZE

MOST_HASHES: Final = 63
LARGEST: Final = 256 * 1024
"""Bytes of a body: sixteen signatures of the longest kind there is, a full proof, and room to spare."""
_OLD = re.compile("old (0|[1-9][0-9]{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint for a witness, and the proof that it continues the one of `old` entries that the witness has."""

    old: int
    proof: tuple[bytes, ...]
    note: str

    def encode(self) -> bytes:
        """The body."""
        return "".join([f"old {self.old}\n", *(f"{b64(each)}\n" for each in self.proof), "\n", self.note]).encode()

    @classmethod
    def decode(cls, body: bytes) -> Submission:
        """Read a body; raises ValueError for what has another form. Whether the note is one is not looked at."""
        head, gap, note = body.decode("utf-8").partition("\n\n")
        first, *lines = head.split("\n")
        old = _OLD.fullmatch(first)
        if old is None or not gap:
            raise ValueError("expected: old, a space, the size of the checkpoint before; proof lines; an empty line")
        if len(lines) > MOST_HASHES:
            raise ValueError(f"at most {MOST_HASHES} proof lines")
        proof = tuple(unb64(line) for line in lines)
        if any(len(each) != HASH_SIZE for each in proof):
            raise ValueError("a proof line is the base64 of 32 bytes")
        return cls(int(old[1]), proof, note)
