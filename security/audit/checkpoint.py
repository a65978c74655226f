"""Checkpoints: the signed head of the log (C2SP tlog-checkpoint), and verifier keys (C2SP signed-note).

<origin>
<size, decimal>
<root, base64>
                              (empty line)
— <origin> <base64(4-byte key id ‖ Ed25519 signature)>

While keys overlap (chồng khóa) there is a line of each of them, the newest first.
"""

import base64
import binascii
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, NamedTuple, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
PREFIX = "— "
# Lines of a note: three, an empty one and one signature.
_SHORTEST = 5
# What every database keeps as a whole number.
_MOST = 2**63 - 1


class CheckpointRejected(ValueError):
    """The note is not a checkpoint of this log, or none of its signatures holds under the given keys."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public log key in the C2SP vkey form `name+hex(key id)+base64(0x01 ‖ public key)`; the name is the origin."""

    KIND: ClassVar[bytes] = ED25519

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ public key)."""
        return sha256(self.name.encode() + b"\n" + self.KIND + self.public).digest()[:4]

    def encode(self) -> str:
        """The vkey on one line."""
        return f"{self.name}+{self.key_id.hex()}+{b64(self.KIND + self.public)}"

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read a vkey; raises ValueError when it is malformed, of another algorithm, or its key id does not fit."""
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise ValueError("verifier key: expected name+id+key")
        name, key_id, packed = parts
        raw = unb64(packed)
        if not is_key_name(name) or raw[:1] != cls.KIND or len(raw) != 33:
            raise ValueError(f"verifier key: not an Ed25519 key of type {cls.KIND.hex()} with a valid name")
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
        return f"{self.origin}\n{self.size}\n{b64(self.root)}\n"


class Signer:
    """Signs checkpoints with one Ed25519 key under the origin of the log, and with those that are in overlap."""

    def __init__(
        self,
        name: str,
        private: Ed25519PrivateKey,
        along: Sequence["Along"] = (),
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        if not is_key_name(name):
            raise ValueError("log origin: no spaces, no plus sign, not empty")
        self.verifier = VerifierKey(name, private.public_key().public_bytes_raw())
        self._private = private
        self._key_id = self.verifier.key_id
        self._clock = clock
        self._steady = steady
        self._along = tuple((each.signer, each.until, steady() + each.left) for each in along)

    @property
    def origin(self) -> str:
        """The name of the key, which is the identity of the log."""
        return self.verifier.name

    def sign(self, size: int, root: bytes) -> str:
        """Return the signed note for this tree head."""
        text = Checkpoint(self.origin, size, root).text
        message = text.encode()
        lines = self.line(message)
        if self._along:
            now, at = self._clock(), self._steady()
            # Either clock ends an overlap: one that is set back must not give a key a longer life.
            lines += "".join(each.line(message) for each, until, end in self._along if now < until and at < end)
        return f"{text}\n{lines}"

    def line(self, message: bytes) -> str:
        """Return the signature line of this key alone."""
        return f"{PREFIX}{self.origin} {b64(self._key_id + self._private.sign(message))}\n"


class Along(NamedTuple):
    """A predecessor that signs along until `until` (POSIX time), and no longer than for `left` seconds from now."""

    signer: Signer
    until: float
    left: float


def opened(note: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """Verify a signed note and return its checkpoint; raises `CheckpointRejected`.

    One signature by a given key must hold and none by a given key may fail; signatures by unknown keys (witnesses) are
    skipped, as C2SP signed-note demands.
    """
    checkpoint, text, lines = taken_apart(note)
    by_log, _ = verified(text, lines, keys)
    if not any(line.name == checkpoint.origin for line in by_log):
        raise CheckpointRejected("no signature by a known key of this log")
    return checkpoint


def is_of_log_alone(note: str, keys: Iterable[VerifierKey]) -> bool:
    """Whether a note that is `opened` holds nothing besides: three lines, one signature of each key, in their order.

    Which keys have to be there nothing says: of an overlap either line can be taken away, as from a process that was
    not told of the rotation yet, or whose clock says that the overlap is over.
    """
    if note.count("\n") == _SHORTEST:
        return True
    checkpoint, text, lines = taken_apart(note)
    places = {(key.name, key.key_id): place for place, key in enumerate(keys)}
    found = [places.get((line.name, line.blob[:4]), -1) for line in lines]
    ours = all(line.name == checkpoint.origin for line in lines) and -1 not in found
    return text == checkpoint.text and ours and found == sorted(set(found))


def is_cosigned(note: str) -> bool:
    """Whether others than the log signed a note; none of it is verified. Raises `CheckpointRejected`."""
    checkpoint, _, lines = taken_apart(note)
    return any(line.name != checkpoint.origin for line in lines)


class SignatureLine(NamedTuple):
    """One signature of a note: the name of its key, the id of that and the signature, and the line with its end."""

    name: str
    blob: bytes
    line: str


def taken_apart(note: str) -> tuple[Checkpoint, str, list[SignatureLine]]:
    """Read a note without believing it: what it says, its text, its signatures; raises `CheckpointRejected`."""
    text, gap, signatures = note.partition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise CheckpointRejected("not a signed note")
    text += "\n"
    if any(each < " " and each != "\n" for each in note):
        raise CheckpointRejected("a note holds no control characters")
    return _parsed(text), text, signature_lines(signatures)


def signature_lines(signatures: str) -> list[SignatureLine]:
    """Read what stands behind the empty line of a note; raises `CheckpointRejected`."""
    if not signatures.endswith("\n"):
        raise CheckpointRejected("not a signed note")
    read = []
    for line in signatures[:-1].split("\n"):
        name, space, packed = line.removeprefix(PREFIX).partition(" ")
        try:
            blob = unb64(packed)
        except ValueError as failure:
            raise CheckpointRejected("a signature line cannot be read") from failure
        if not line.startswith(PREFIX) or not space or not is_key_name(name) or len(blob) < 5:
            raise CheckpointRejected("a signature line cannot be read")
        read.append(SignatureLine(name, blob, line + "\n"))
    return read


def verified(
    text: str, lines: Iterable[SignatureLine], keys: Iterable[VerifierKey]
) -> tuple[list[SignatureLine], list[SignatureLine]]:
    """Return the lines of logs and those of witnesses among them that known keys made; raises `CheckpointRejected`."""
    known = {(key.name, key.key_id): key for key in keys}
    by_logs: list[SignatureLine] = []
    by_witnesses: list[SignatureLine] = []
    for line in lines:
        key = known.get((line.name, line.blob[:4]))
        if key is None:
            continue
        if not key.verify(text.encode(), line.blob[4:]):
            raise CheckpointRejected("a signature does not hold")
        (by_logs if key.KIND == ED25519 else by_witnesses).append(line)
    return by_logs, by_witnesses


def is_key_name(name: str) -> bool:
    """C2SP: not empty, no Unicode space, no plus sign."""
    return bool(name) and "+" not in name and not any(each.isspace() for each in name)


def _parsed(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or "" in lines[3:-1]:
        raise CheckpointRejected("not a checkpoint")
    origin, size, root = lines[:3]
    canonical = size.isascii() and size.isdigit() and (size == "0" or size[0] != "0") and len(size) <= 19
    if not canonical or int(size) > _MOST:
        raise CheckpointRejected("the size is not a canonical decimal number")
    try:
        raw = unb64(root)
    except ValueError as failure:
        raise CheckpointRejected("the root is not base64") from failure
    if len(raw) != 32:
        raise CheckpointRejected("the root is not a SHA-256 value")
    return Checkpoint(origin, int(size), raw)


def b64(raw: bytes) -> str:
    """Base64 as notes and vkeys have it."""
    return base64.b64encode(raw).decode()


def unb64(text: str) -> bytes:
    """Read base64 in its only spelling; raises ValueError."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as failure:
        raise ValueError("not base64") from failure
    if b64(raw) != text:
        raise ValueError("not canonical base64")
    return raw
