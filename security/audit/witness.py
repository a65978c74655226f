"""A witness (nhân chứng): cosigns the checkpoints of logs that it knows, each only if it continues the one before.

C2SP tlog-witness. What was cosigned is durable before the cosignature leaves, and checking what stands and replacing it
is one transaction of a SQLite file: whoever has a cosignature knows that this witness will never cosign another past.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from security.audit.checkpoint import Checkpoint, CheckpointRejected, VerifierKey, taken_apart, verified
from security.audit.cosignature import Cosigner, WitnessKey
from security.audit.merkle import EMPTY_ROOT, is_consistent
from security.audit.submission import Submission
from security.files import write_whole
from security.private_files import read_private
from storage.files import made

SIZE_TYPE: Final = "text/x.tlog.size"
PAGE: Final = 1000
_STRANGER: Final = (
    "no signature by a key of this log that this witness knows: was the key rotated, then give it the new\n"
)
_TEXT: Final = "text/plain; charset=utf-8"
_PATIENCE_S: Final = 10.0
_SCHEMA: Final = """CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, PRIMARY KEY (origin, size)
) WITHOUT ROWID"""
_NEWEST: Final = "SELECT size, root, note FROM cosigned WHERE origin = ? ORDER BY size DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the witness says over HTTP: status, body and media type."""

    status: HTTPStatus
    body: str
    media_type: str = _TEXT


class Witness:
    """One witness with its key and its memory. Methods block; any thread may call them, and any number of processes.

    `logs` are the keys of the logs it knows, asked anew each time (`KnownLogs`): those of one name are generations of
    one log. Raises ValueError where there is none, OSError and sqlite3.Error for a memory that cannot be opened.
    """

    def __init__(
        self, cosigner: Cosigner, memory: Path, logs: Iterable[VerifierKey], now: Callable[[], float] = time.time
    ) -> None:
        self._cosigner = cosigner
        self._now = now
        self._logs = logs
        if not list(logs):
            raise ValueError("a witness needs the key of at least one log")
        self._lock = Lock()
        # Transactions are begun and ended by hand.
        self._memory = sqlite3.connect(memory, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False)
        # With FULL a commit is in the file, and the file on the disk, before it returns.
        self._memory.execute("PRAGMA journal_mode = WAL")
        self._memory.execute("PRAGMA synchronous = FULL")
        self._memory.execute(_SCHEMA)

    @property
    def key(self) -> WitnessKey:
        """What the cosignatures are verified with."""
        return self._cosigner.verifier

    def origins(self) -> dict[str, str]:
        """The logs it knows, by the hash that stands in addresses."""
        return {origin_hash(key.name): key.name for key in self._logs}

    def close(self) -> None:
        """Close the memory."""
        with self._lock:
            self._memory.close()

    def add(self, body: bytes) -> Answer:
        """Answer a `POST /add-checkpoint`. Raises sqlite3.Error where nothing can be remembered, and signs nothing."""
        try:
            submission = Submission.decode(body)
            checkpoint, text, lines = taken_apart(submission.note)
        except ValueError as failure:
            return Answer(HTTPStatus.BAD_REQUEST, f"{failure}\n")
        keys = [key for key in self._logs if key.name == checkpoint.origin]
        if not keys:
            return Answer(HTTPStatus.NOT_FOUND, "this witness does not know a log of this origin\n")
        try:
            by_log, _ = verified(text, lines, keys)
        except CheckpointRejected as failure:
            return Answer(HTTPStatus.FORBIDDEN, f"{failure}\n")
        if not by_log:
            return Answer(HTTPStatus.FORBIDDEN, _STRANGER)
        if submission.old > checkpoint.size:
            return Answer(HTTPStatus.BAD_REQUEST, "the old size is larger than that of the checkpoint\n")
        signed = text + "\n" + "".join(line.line for line in by_log)
        with self._lock, closing(self._memory.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                answer = self._decide(cursor, submission, checkpoint, text, signed)
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            # The cosignature leaves only behind this.
            cursor.execute("COMMIT")
            return answer

    def _decide(
        self, cursor: sqlite3.Cursor, submission: Submission, checkpoint: Checkpoint, text: str, signed: str
    ) -> Answer:
        row = cursor.execute(_NEWEST, (checkpoint.origin,)).fetchone()
        size, root = row[:2] if row else (0, EMPTY_ROOT)
        if submission.old != size:
            return Answer(HTTPStatus.CONFLICT, f"{size}\n", SIZE_TYPE)
        if not _continues(size, root, checkpoint, submission.proof):
            return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, "the checkpoint is not proven to continue the one before\n")
        line = self._cosigner.sign(text, int(self._now()))
        row = (checkpoint.origin, checkpoint.size, checkpoint.root, signed + line)
        cursor.execute("INSERT OR REPLACE INTO cosigned (origin, size, root, note) VALUES (?, ?, ?, ?)", row)
        return Answer(HTTPStatus.OK, line)

    def newest(self, origin: str) -> str | None:
        """The newest note of a log that was cosigned, with the log's signatures and ours."""
        with self._lock:
            row = self._memory.execute(_NEWEST, (origin,)).fetchone()
        return None if row is None else str(row[2])

    def after(self, origin: str, size: int) -> list[str]:
        """The cosigned notes of more than `size` entries, in order, at most `PAGE`."""
        asked = "SELECT note FROM cosigned WHERE origin = ? AND size > ? ORDER BY size LIMIT ?"
        with self._lock:
            return [str(row[0]) for row in self._memory.execute(asked, (origin, size, PAGE))]


def open_witness(state: Path, logs: Iterable[VerifierKey], name: str | None, default: str) -> Witness:
    """Open the witness of a state directory; raises as `own_key` and `Witness`."""
    return Witness(own_key(state, name, default), state / "witness.sqlite", logs)


def own_key(state: Path, name: str | None, default: str) -> Cosigner:
    """Return the key of a state directory; the first time it is made, under `name` or else under `default`.

    Raises ValueError for a name that is not the one it has, KeyRefused for a key file that others could read, OSError.
    """
    made(state)
    key_file, name_file = state / "witness.pem", state / "witness.vkey"
    if not key_file.exists():
        fresh = Ed25519PrivateKey.generate()
        write_whole(key_file, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    private = load_pem_private_key(read_private(key_file), None)
    if not isinstance(private, Ed25519PrivateKey):
        raise ValueError(f"{key_file}: the key of a witness must be Ed25519")
    if name_file.exists():
        standing = WitnessKey.decode(name_file.read_text(encoding="utf-8"))
        if name is not None and name != standing.name:
            raise ValueError(f"the witness in {state} is called {standing.name}, and keys are of one name for ever")
        name = standing.name
    cosigner = Cosigner(name or default, private)
    if not name_file.exists():
        write_whole(name_file, f"{cosigner.verifier.encode()}\n".encode(), 0o644)
    elif cosigner.verifier != standing:
        raise ValueError(f"{name_file} is not of the key in {key_file}: put back the one that belongs to it")
    return cosigner


def origin_hash(origin: str) -> str:
    """How a log is called in the addresses of a witness: SHA-256 of the origin in hexadecimal."""
    return sha256(origin.encode()).hexdigest()


def _continues(size: int, root: bytes, checkpoint: Checkpoint, proof: tuple[bytes, ...]) -> bool:
    """Whether a checkpoint is shown to continue the tree of `size` entries; that of none is continued by any."""
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        return False
    if size == 0:
        return not proof
    return is_consistent(size, root, checkpoint.size, checkpoint.root, proof)
