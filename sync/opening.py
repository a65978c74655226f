"""Opening what was sealed of dossiers, for those who may read it; blocking work is done in a thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Protocol

from schemas.errors import EvidenceUnavailable
from security.audit.sealing import Unopenable
from security.audit.vault import Destroyed
from sync.sealing import DossierSealer


class Sealing(Protocol):
    """What is known of a sealed body."""

    @property
    def event_id(self) -> str:
        """Which event it is of."""
        ...

    @property
    def period(self) -> str:
        """Which period it was sealed in."""
        ...

    @property
    def slot(self) -> int:
        """Where its key is."""
        ...

    @property
    def sealed(self) -> bytes | None:
        """The body; None once it was destroyed."""
        ...


class Opener:
    """Opens bodies of dossiers and events."""

    def __init__(self, sealer: DossierSealer) -> None:
        self._sealer = sealer

    def open_with(self, sealer: DossierSealer) -> None:
        """Go on with rotated master keys."""
        self._sealer = sealer

    async def bodies(self, rows: Sequence[Sealing]) -> dict[str, Any]:
        """Open these bodies; return them by the id of their event, without those that were destroyed or altered.

        Raises EvidenceUnavailable where the vault does not give its keys.
        """
        try:
            return await asyncio.to_thread(self._opened, rows)
        except OSError as failure:
            raise EvidenceUnavailable(retry_after=5) from failure

    def _opened(self, rows: Sequence[Sealing]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for row in rows:
            if row.sealed is None or row.event_id in found:
                continue
            try:
                found[row.event_id] = json.loads(self._sealer.open(row.event_id, row.period, row.slot, row.sealed))
            except (Destroyed, Unopenable):
                # One that nobody can read any more must not keep the others from being read.
                continue
        return found
