"""What a worker process takes and opens dossiers with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from config.settings import ConfigurationError, Settings
from schemas.dossiers.vocabularies import configured
from security.audit.log import AuditLog
from security.audit.sealing import Sealer
from storage.engine import Storage
from sync.intake import Intake
from sync.opening import Opener
from sync.repairs import Repairs
from sync.sealing import DossierSealer
from sync.under_way import UnderWay
from sync.waking import Bell


@dataclass(frozen=True, slots=True)
class Desk:
    """Intake, what opens what it sealed, what repairs what did not end well; `bell` is rung by intake."""

    intake: Intake
    opener: Opener
    repairs: Repairs
    bell: Bell

    def seal_with(self, sealer: Sealer) -> None:
        """Go on with rotated master keys; `sealer` is used by nobody else."""
        own = DossierSealer(sealer)
        self.intake.seal_with(own)
        self.opener.open_with(own)


@asynccontextmanager
async def desk(settings: Settings, storage: Storage, log: AuditLog, sealer: Sealer) -> AsyncIterator[Desk]:
    """Open the desk of a process; `sealer` is used by nobody else. Raises ConfigurationError, OSError."""
    try:
        vocabularies = configured(
            {name: table.model_dump(exclude_none=True) for name, table in settings.vocabularies.items()}
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    own = DossierSealer(sealer)
    # Beside the vault, where all processes of a node find it.
    under_way = UnderWay(settings.keys.vault.parent / "under-way.lock")
    bell = Bell.at(settings.keys.vault.parent, settings.redis.url.get_secret_value())
    intake = Intake(log, storage, own, settings.sync, vocabularies, under_way, bell.ring)
    try:
        opener = Opener(own)
        yield Desk(intake, opener, Repairs(storage, log, opener, vocabularies, settings.sync), bell)
    finally:
        intake.close()
        await bell.close()
