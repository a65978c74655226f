"""Checkpoints: the signed head of the log (C2SP tlog-checkpoint), and verifier keys (C2SP signed-note).

<origin>
<size, decimal>
<root, base64>
                              (empty line)
— <origin> <base64(4-byte key id ‖ Ed25519 signature)>
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
_PREFIX = "— "


class CheckpointRejected(ValueError):
    """The note is not a checkpoint of this log, or none of its signatures holds under the given keys."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public log key in the C2SP vkey form `name+hex(key id)+base64(0x01 ‖ public key)`; the name is the origin."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ public key)."""
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def encode(self) -> str:
        """The vkey on one line."""
        return f"{self.name}+{self.key_id.hex()}+{_b64(ED25519 + self.public)}"

    @classmethod
    def decode(cls, text: str) -> "VerifierKey":
        """Read a vkey; raises ValueError when it is malformed, of another algorithm, or its key id does not fit."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise ValueError("verifier key: expected name+id+key")
        name, key_id, packed = parts
        raw = _unb64(packed)
        if not is_key_name(name) or raw[:1] != ED25519 or len(raw) != 33:
            raise ValueError("verifier key: not an Ed25519 key with a valid name")
        key = cls(name, raw[1:])
        if key.key_id.hex() != key_id:
            raise ValueError("verifier key: the key id does not belong to the key")
        return key

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether `signature` (64 bytes, without key id) is this key's over `text`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: its origin, how many entries it has and the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{_b64(self.root)}\n"


class Signer:
    """Signs checkpoints with one Ed25519 key under the origin of the log."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        if not is_key_name(name):
            raise ValueError("log origin: no spaces, no plus sign, not empty")
        self.verifier = VerifierKey(name, private.public_key().public_bytes_raw())
        self._private = private
        self._key_id = self.verifier.key_id

    @property
    def origin(self) -> str:
        """The name of the key, which is the identity of the log."""
        return self.verifier.name

    def sign(self, size: int, root: bytes) -> str:
        """Return the signed note for this tree head."""
        text = Checkpoint(self.origin, size, root).text
        signature = self._private.sign(text.encode())
        return f"{text}\n{_PREFIX}{self.origin} {_b64(self._key_id + signature)}\n"


def opened(note: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Verify a signed note and return its checkpoint; raises `CheckpointRejected`.

    One signature by a given key must hold and none by a given key may fail; signatures by unknown keys (witnesses) are
    skipped, as C2SP signed-note demands.
    """
    text, gap, signatures = note.partition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise CheckpointRejected("not a signed note")
    text += "\n"
    known = {(key.name, key.key_id): key for key in keys}
    valid: set[str] = set()
    for line in signatures[:-1].split("\n"):
        name, space, packed = line.removeprefix(_PREFIX).partition(" ")
        try:
            blob = _unb64(packed)
        except ValueError as failure:
            raise CheckpointRejected("a signature line cannot be read") from failure
        if not line.startswith(_PREFIX) or not space or not is_key_name(name) or len(blob) < 5:
            raise CheckpointRejected("a signature line cannot be read")
        key = known.get((name, blob[:4]))
        if key is None:
            continue
        if not key.verify(text.encode(), blob[4:]):
            raise CheckpointRejected("a signature does not hold")
        valid.add(name)
    checkpoint = _parsed(text)
    if checkpoint.origin not in valid:
        raise CheckpointRejected("no signature by a known key of this log")
    return checkpoint


def is_key_name(name: str) -> bool:
    """C2SP: not empty, no Unicode space, no plus sign."""
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)


def _parsed(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or "" in lines[3:-1]:
        raise CheckpointRejected("not a checkpoint")
    origin, size, root = lines[:3]
    if not (size.isascii() and size.isdigit()) or (size != "0" and size[0] == "0") or len(size) > 19:
        raise CheckpointRejected("the size is not a canonical decimal number")
    try:
        raw = _unb64(root)
    except ValueError as failure:
        raise CheckpointRejected("the root is not base64") from failure
    if len(raw) != 32:
        raise CheckpointRejected("the root is not a SHA-256 value")
    return Checkpoint(origin, int(size), raw)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unb64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise ValueError("not base64") from failure
    if _b64(raw) != text:
        raise ValueError("not canonical base64")
    return raw
