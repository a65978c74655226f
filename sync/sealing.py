"""What is known of dossiers and must not be read by whoever reads the database: sealed bodies, keyed digests.

A body is sealed for a period of its own kind, so that its keys can be destroyed without those of the audit trail.
Digests are of what can be guessed (a key of a request, a body): they are made under a key that stays, and tell equal
from other, nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from security.audit.sealing import Plain, Sealed, Sealer

_DIGESTS = "dossiers"


class Body(NamedTuple):
    """What is to be sealed: the canonical JSON of a body, for the event of this id."""

    event_id: str
    content: bytes


class DossierSealer:
    """Seals, opens and digests. Blocking; one thread at a time."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        sealer.begin(_DIGESTS)

    def seal(self, bodies: Sequence[Body], at: datetime) -> list[Sealed]:
        """Encrypt each body under a key of its own; raises OSError when the vault takes no further keys."""
        period = f"d{at.astimezone(UTC):%Y-%m}"
        return self._sealer.seal([Plain(body.event_id, period, body.content, ()) for body in bodies])

    def open(self, event_id: str, period: str, slot: int, sealed: bytes) -> bytes:
        """Decrypt a body; raises `vault.Destroyed`, `vault.VaultDamaged`, `Unopenable`."""
        return self._sealer.open(event_id, period, slot, sealed)

    def tag(self, kind: str, value: str) -> bytes:
        """The keyed digest of a value of this kind, 16 bytes, the same for ever."""
        return self._sealer.tag(_DIGESTS, kind, value)
