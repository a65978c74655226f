"""Cosignatures (chữ ký đồng chứng): what a witness says of a checkpoint (C2SP tlog-cosignature, type 0x04).

A cosignature is a signature line whose blob is the key id, a POSIX time (8 bytes, big-endian) and an Ed25519 signature
over "cosignature/v1", that time and the text of the checkpoint: as of this time, this is the largest tree of this log
that the witness has seen, and every tree it saw before is a beginning of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.audit.checkpoint import (
    PREFIX,
    Checkpoint,
    CheckpointRejected,
    SignatureLine,
    VerifierKey,
    b64,
    is_key_name,
    signature_lines,
    taken_apart,
    verified,
)

_TIME = 8


@dataclass(frozen=True, slots=True)
class WitnessKey(VerifierKey):
    """The public key of a witness: a vkey of type 0x04."""

    KIND: ClassVar[bytes] = b"\x04"

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` (time and Ed25519 signature, without key id) is this witness's of the note `text`."""
        at = int.from_bytes(signature[:_TIME], "big")
        if len(signature) != _TIME + 64 or not 0 < at < 1 << 63:
            return False
        return VerifierKey.verify(self, _message(at, text), signature[_TIME:])


class Cosigned(NamedTuple):
    """A cosignature that holds: whose, of which POSIX time, and its line."""

    witness: str
    at: int
    line: str


class Cosigner:
    """Signs for a witness with its Ed25519 key, which signs nothing else; raises ValueError for a name that is none."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        if not is_key_name(name):
            raise ValueError("name of a witness: no spaces, no plus sign, not empty")
        self.verifier = WitnessKey(name, private.public_key().public_bytes_raw())
        self._private = private

    def sign(self, text: str, at: int) -> str:
        """Return the signature line for the text of a checkpoint at this POSIX time."""
        blob = at.to_bytes(_TIME, "big") + self._private.sign(_message(at, text.encode()))
        return f"{PREFIX}{self.verifier.name} {b64(self.verifier.key_id + blob)}\n"


def cosignatures(note: str, keys: Iterable[WitnessKey]) -> tuple[Checkpoint, list[Cosigned]]:
    """Return what a note says and which of these witnesses cosigned it, whoever else signed.

    Raises `CheckpointRejected` where it is no checkpoint, or a signature by one of these keys does not hold.
    """
    checkpoint, text, lines = taken_apart(note)
    return checkpoint, _cosigned(text, lines, keys)


def answered(text: str, signatures: str, keys: Iterable[WitnessKey]) -> list[Cosigned]:
    """Return the cosignatures of a note's text in what a witness answers; raises as `cosignatures`."""
    return _cosigned(text, signature_lines(signatures), keys)


def _cosigned(text: str, lines: Iterable[SignatureLine], keys: Iterable[WitnessKey]) -> list[Cosigned]:
    _, by_witnesses = verified(text, lines, keys)
    return [Cosigned(name, int.from_bytes(blob[4 : 4 + _TIME], "big"), line) for name, blob, line in by_witnesses]


def _message(at: int, text: bytes) -> bytes:
    return b"cosignature/v1\ntime %d\n%b" % (at, text)


__all__ = ["CheckpointRejected", "Cosigned", "Cosigner", "WitnessKey", "answered", "cosignatures"]
