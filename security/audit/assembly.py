"""The audit log of a deployment, put together from its key ring, its vault and its storage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from security.audit.checkpoint import Along, Signer, VerifierKey
from security.audit.log import AuditLog
from security.audit.sealing import Sealer
from security.audit.vault import Vault
from security.keys import Key, KeyRing, KeysUnusable
from storage.engine import Storage


def log_signer(keys: KeyRing, origin: str) -> Signer:
    """Return the signer of new checkpoints: the newest generation of the `log` key under the log's origin.

    Those in overlap sign along: who has only their public keys believes the log until the overlap ends.
    """
    now = datetime.now(UTC)
    along = [
        Along(_signer(key, origin), key.until.timestamp(), left.total_seconds())
        for key, left in keys.in_overlap("log", now)
        if key.until is not None
    ]
    return _signer(keys.current("log"), origin, along)


def log_verifiers(keys: KeyRing, origin: str) -> tuple[VerifierKey, ...]:
    """Return all verifier keys of the log, newest first; old ones verify the checkpoints of their time for ever."""
    return tuple(verifier_of(key, origin) for key in keys.generations("log"))


def verifier_of(key: Key, origin: str) -> VerifierKey:
    """Return what verifies the checkpoints that a generation of the log key signs."""
    return _signer(key, origin).verifier


def open_sealer(keys: KeyRing, vault: Path) -> Sealer:
    """Return the sealer over the vault directory; every generation of the `period` key still opens what it wrapped."""
    masters = {b"per%05d" % key.generation: key.secret() for key in keys.generations("period")}
    return Sealer(Vault(vault), masters)


async def open_log(storage: Storage, keys: KeyRing, origin: str, vault: Path) -> AuditLog:
    """Continue the log of a deployment, or begin it; raises EvidenceUnavailable and KeysUnusable."""
    former = log_verifiers(keys, origin)[1:]
    return await AuditLog.open(storage, log_signer(keys, origin), open_sealer(keys, vault), former=former)


def _signer(key: Key, origin: str, along: Sequence[Along] = ()) -> Signer:
    private = key.private()
    if not isinstance(private, Ed25519PrivateKey):
        raise KeysUnusable(f"{key.path}: the log key must be Ed25519")
    return Signer(origin, private, along)
