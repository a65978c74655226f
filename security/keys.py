"""The gateway's own keys: one directory of files, a file per generation, the newest of a name in use.

A file is readable by the owner only: a few `name: value` lines (what the key is, since when, how long its predecessor
stays valid, and `LGSP SANDBOX` where that applies), then PKCS#8 PEM for key pairs or one base64 line for secret keys.
Nothing is rewritten: a rotation adds a file.
"""

import base64
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from storage.files import made, named

Name = Literal["log", "token", "period", "data"]
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

NAMES: tuple[Name, ...] = ("log", "token", "period", "data")
ALGORITHMS: dict[Name, str] = {"log": "Ed25519", "token": "ES256", "period": "AES-256", "data": "AES-256"}
# How old a key of this name should grow, in days; `lgsp keys list` and `lgsp doctor` warn beyond it.
LIFETIMES: dict[Name, int] = {"log": 730, "token": 90, "period": 730, "data": 365}
SANDBOX_MARK = "LGSP SANDBOX"

_FILE = re.compile(r"(log|token|period|data)\.(\d{4})\.key")


class KeysUnusable(Exception):
    """The key directory lacks something or is open to others; the text says which file and what to do."""


@dataclass(frozen=True, slots=True)
class Key:
    """One generation of a key. `until` is when its overlap ends (None while it is the newest)."""

    name: Name
    generation: int
    algorithm: str
    created: datetime
    until: datetime | None
    sandbox: bool
    path: Path
    material: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """Name and generation, for example `token-2`; used as `kid`."""
        return f"{self.name}-{self.generation}"

    @property
    def expires(self) -> datetime:
        """When its planned lifetime ends."""
        return self.created + timedelta(days=LIFETIMES[self.name])

    def age(self, now: datetime) -> timedelta:
        """How long it has existed."""
        return now - self.created

    def state(self, now: datetime) -> Literal["active", "overlap", "retired", "expired"]:
        """`active` signs; `overlap` still verifies (`log`: signs along); `expired` is active beyond its lifetime."""
        if self.until is not None:
            return "overlap" if now < self.until else "retired"
        return "active" if now < self.expires else "expired"

    def private(self) -> PrivateKey:
        """The key pair of `log` (Ed25519) and `token` (P-256)."""
        try:
            loaded = serialization.load_pem_private_key(self.material, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as failure:
            raise _damaged(self.path) from failure
        if not isinstance(loaded, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey):
            raise KeysUnusable(f"{self.path}: not a key for {self.algorithm}")
        return loaded

    def secret(self) -> bytes:
        """The 32 bytes of `period` and `data`."""
        try:
            raw = base64.b64decode(self.material, validate=True)
        except ValueError as failure:
            raise _damaged(self.path) from failure
        if len(raw) != 32:
            raise KeysUnusable(f"{self.path}: not a secret of 32 bytes")
        return raw

    def public_pem(self) -> str:
        """The public half as SubjectPublicKeyInfo PEM; raises KeysUnusable for secret keys, which have none."""
        if self.algorithm == "AES-256":
            raise KeysUnusable(f"{self.id} is a secret key: it has no public half")
        encoded = (
            self.private()
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        return encoded.decode()


class KeyRing:
    """All keys of a deployment, as read when it was opened; `reload` sees what another process rotated.

    Whoever verifies only has to have the keys `needed` for it.
    """

    def __init__(self, directory: Path, needed: Sequence[Name] = NAMES) -> None:
        self.directory = directory
        self._needed = needed
        self._keys: dict[Name, tuple[Key, ...]] = {}
        self.reload()

    @classmethod
    def create(cls, directory: Path, *, sandbox: bool = False, now: datetime | None = None) -> "KeyRing":
        """Make the directory and every key that is missing; existing ones stay. Raises KeysUnusable."""
        made(directory)
        present = {key.name for key in _read(directory)}
        for name in NAMES:
            if name not in present:
                _write(directory, name, 1, now or datetime.now(UTC), timedelta(0), sandbox=sandbox)
        return cls(directory)

    def reload(self) -> None:
        """Read the directory again. Raises KeysUnusable when a key needed is missing, unreadable or open to others."""
        found = list(_read(self.directory))
        missing = [name for name in self._needed if all(key.name != name for key in found)]
        if missing:
            raise KeysUnusable(f"{self.directory}: no key named {', '.join(missing)}: run `lgsp keys rotate NAME`")
        self._keys = {
            name: tuple(sorted((key for key in found if key.name == name), key=lambda key: -key.generation))
            for name in NAMES
        }

    def current(self, name: Name) -> Key:
        """The newest generation: the one that signs or encrypts."""
        return self._keys[name][0]

    def generations(self, name: Name) -> tuple[Key, ...]:
        """All generations, newest first."""
        return self._keys[name]

    def usable(self, name: Name, now: datetime) -> tuple[Key, ...]:
        """The generations that still verify: the newest and those whose overlap runs, newest first."""
        return tuple(key for key in self._keys[name] if key.until is None or now < key.until)

    def in_overlap(self, name: Name, now: datetime) -> tuple[tuple[Key, timedelta], ...]:
        """The former generations whose overlap runs, newest first, and how long it still does.

        That is never longer than the whole overlap, however late or early it is by this clock.
        """
        held = self._keys[name]
        ends = [(key, key.until, after.created) for after, key in pairwise(held) if key.until is not None]
        running = [(key, min(until - now, until - begun)) for key, until, begun in ends]
        return tuple((key, left) for key, left in running if left > timedelta(0))

    def all(self) -> tuple[Key, ...]:
        """Every generation of every name, for listing."""
        return tuple(key for name in NAMES for key in self._keys[name])

    def sandbox_keys(self) -> tuple[Key, ...]:
        """The keys made by the demo: `serve` refuses them outside loopback."""
        return tuple(key for key in self.all() if key.sandbox)

    def rotate(self, name: Name, *, overlap: timedelta, now: datetime | None = None) -> Key:
        """Add a generation in one step: `propose` and `take`."""
        proposed = self.propose(name, overlap=overlap, now=now)
        self.take(proposed)
        return self.current(name)

    def propose(self, name: Name, *, overlap: timedelta, now: datetime | None = None) -> Key:
        """Make a generation durable that nobody uses before `take`; its predecessor stays valid for `overlap` then.

        The caller records it in the audit trail in between. A sandbox key ring stays one. Raises KeysUnusable, OSError.
        """
        # Files tell whole seconds, and the entry about the rotation has to say the same.
        last, made = self.current(name), (now or datetime.now(UTC)).replace(microsecond=0)
        draft = _drafted(self.directory, name, made, overlap, sandbox=last.sandbox)
        material = draft.read_bytes().partition(b"\n\n")[2].strip()
        return Key(name, last.generation + 1, ALGORITHMS[name], made, None, last.sandbox, draft, material)

    def take(self, proposed: Key) -> None:
        """Put a proposed generation into use. Raises KeysUnusable when another process rotated meanwhile."""
        _named(proposed.path, _file_of(self.directory, proposed.name, proposed.generation))
        self.reload()

    def drop(self, proposed: Key) -> None:
        """Delete a proposed generation that is not to be taken."""
        proposed.path.unlink(missing_ok=True)


def _read(directory: Path) -> Iterator[Key]:
    try:
        _closed_to_others(directory)
        files = sorted(path for path in directory.iterdir() if _FILE.fullmatch(path.name))
        generations = [_parsed(path) for path in files]
    except OSError as failure:
        raise KeysUnusable(f"{directory}: {failure.strerror}") from failure
    for (name, generation, fields, material), path in zip(generations, files, strict=True):
        successor = next((f for n, g, f, _ in generations if n == name and g == generation + 1), None)
        until = None
        if successor is not None:
            until = _instant(successor["created"]) + timedelta(seconds=int(successor["overlap"]))
        created, sandbox = _instant(fields["created"]), fields.get("mark") == SANDBOX_MARK
        yield Key(name, generation, ALGORITHMS[name], created, until, sandbox, path, material)


def _parsed(path: Path) -> tuple[Name, int, dict[str, str], bytes]:
    _closed_to_others(path)
    head, gap, material = path.read_bytes().partition(b"\n\n")
    fields = dict(line.split(": ", 1) for line in head.decode("utf-8", "replace").splitlines() if ": " in line)
    match = _FILE.fullmatch(path.name)
    if not gap or match is None or not {"created", "overlap", "algorithm"} <= fields.keys():
        raise KeysUnusable(f"{path}: not a key file of the gateway")
    name = next(each for each in NAMES if each == match[1])
    if fields["algorithm"] != ALGORITHMS[name]:
        raise KeysUnusable(f"{path}: {fields['algorithm']} where {ALGORITHMS[name]} is needed")
    try:
        _ = _instant(fields["created"]) + timedelta(seconds=int(fields["overlap"]))
    except (ValueError, OverflowError) as failure:
        raise _damaged(path) from failure
    return name, int(match[2]), fields, material.strip()


def _damaged(path: Path) -> KeysUnusable:
    return KeysUnusable(f"{path}: the file is damaged, no key can be read from it: put it back from a backup")


def _closed_to_others(path: Path) -> None:
    if path.stat().st_mode & 0o077:
        raise KeysUnusable(f"{path}: others may read it; run `chmod go-rwx {path}`")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _write(
    directory: Path, name: Name, generation: int, created: datetime, overlap: timedelta, *, sandbox: bool
) -> None:
    draft = _drafted(directory, name, created, overlap, sandbox=sandbox)
    _named(draft, _file_of(directory, name, generation))


def _file_of(directory: Path, name: Name, generation: int) -> Path:
    return directory / f"{name}.{generation:04}.key"


def _drafted(directory: Path, name: Name, created: datetime, overlap: timedelta, *, sandbox: bool) -> Path:
    """Write a new key into a file that is not read as one; an OSError names the directory, and leaves nothing there."""
    fields = {
        "name": name,
        "algorithm": ALGORITHMS[name],
        "created": created.isoformat(timespec="seconds"),
        "overlap": str(int(overlap.total_seconds())),
    }
    if sandbox:
        fields["mark"] = SANDBOX_MARK
    head = "".join(f"{field}: {value}\n" for field, value in fields.items())
    draft = directory / f".{name}.{secrets.token_hex(4)}"
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(head.encode() + b"\n" + _generated(name) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as failure:
        draft.unlink(missing_ok=True)
        raise OSError(failure.errno, failure.strerror, str(directory)) from failure
    return draft


def _named(draft: Path, path: Path) -> None:
    try:
        # Durably: a key that signed something must not be gone after a power failure.
        named(draft, path)
    except FileExistsError as failure:
        raise KeysUnusable(f"{path}: made by another process at the same moment; run the command again") from failure
    finally:
        draft.unlink(missing_ok=True)


def _generated(name: Name) -> bytes:
    private: PrivateKey
    if name == "log":
        private = ed25519.Ed25519PrivateKey.generate()
    elif name == "token":
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        return base64.b64encode(secrets.token_bytes(32))
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).strip()
