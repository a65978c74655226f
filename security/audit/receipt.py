"""What a caller gets for a recorded event: enough to prove later that it stands in the log, here and as it was."""

import json
from binascii import b2a_base64
from collections.abc import Sequence
from dataclasses import dataclass

# A text as JSON, without escapes for what is not ASCII.
_text = json.encoder.encode_basestring


@dataclass(slots=True)
class Receipt:
    """Proof of record: `leaf` is SHA-256(0x00 ‖ entry), `salt` opens the commitment to `data` where there is one.

    `checkpoint` is the signed note of a tree of `size` entries that contains this one; `entry` is its canonical bytes.
    Nothing changes it once it is made; it is not frozen because making a frozen one costs an exchange three times that.
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

    def as_text(self, proof: Sequence[bytes] | None = None) -> str:
        """Return what `as_json` does as JSON text, members in the same order."""
        salt = f'"{_b64(self.salt)}"' if self.salt is not None else "null"
        text = (
            f'{{"log":{_text(self.log)},"index":{self.index},"leaf":"{_b64(self.leaf)}","salt":{salt},'
            f'"checkpoint":{_text(self.checkpoint)}'
        )
        if proof is None:
            return text + "}"
        siblings = ",".join([f'"{_b64(each)}"' for each in proof])
        return f'{text},"entry":"{_b64(self.entry)}","proof":[{siblings}]}}'


def _b64(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()
