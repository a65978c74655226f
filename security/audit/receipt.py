"""What a caller gets for a recorded event: enough to prove later that it stands in the log, here and as it was."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of record: `leaf` is SHA-256(0x00 ‖ entry), `salt` opens the commitment to `data` where there is one.

    `checkpoint` is the signed note of a tree of `size` entries that contains this one; `entry` is its canonical bytes.
    """

    log: str
    index: int
    leaf: bytes
    salt: bytes | None
    checkpoint: str
    size: int
    entry: bytes

    def as_json(self, proof: Sequence[bytes] | None = None) -> dict[str, object]:
        """Return the `receipt` member of an answer; with an inclusion proof the form that verifies offline."""
        shown: dict[str, object] = {
            "log": self.log,
            "index": self.index,
            "leaf": _b64(self.leaf),
            "salt": _b64(self.salt) if self.salt is not None else None,
            "checkpoint": self.checkpoint,
        }
        if proof is not None:
            shown["entry"] = _b64(self.entry)
            shown["proof"] = [_b64(each) for each in proof]
        return shown


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
