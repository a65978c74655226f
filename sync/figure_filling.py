"""Figures of dossiers registered before there were any: made once, from their sealed bodies (bổ sung số liệu).

An upgrade of the schema has no keys, so a process that has them does it when it starts, in small steps beside its other
work; several at once do the same and do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import structlog
from pydantic import ValidationError
from sqlalchemy import Connection

from schemas.dossiers.models import DossierBody
from schemas.errors import GatewayError
from storage.bulk import rows_among
from storage.engine import Storage
from storage.errors import StorageError
from sync import figures
from sync.figures import Said, said_of
from sync.opening import Opener
from sync.reading import StoredVersion
from sync.tables import DOSSIER_VERSIONS

log = structlog.get_logger()

_LOOK: Final = 5_000
_WRITE: Final = 250
_COLUMNS = (DOSSIER_VERSIONS.c.code, *(DOSSIER_VERSIONS.c[name] for name in StoredVersion.__dataclass_fields__))


async def fill(storage: Storage, opener: Opener) -> None:
    """Make what is missing; what cannot be read now is left for the next start."""
    after: str | None = ""
    made = 0
    try:
        while after is not None:
            codes, after = await storage.read(partial(figures.without, after=after, limit=_LOOK))
            for first in range(0, len(codes), _WRITE):
                made += await _some(storage, opener, codes[first : first + _WRITE])
    except (StorageError, GatewayError) as failure:
        log.warning("figures-not-filled", hint=str(failure))
    if made:
        log.info("figures-filled", dossiers=made)


async def _some(storage: Storage, opener: Opener, codes: Sequence[str]) -> int:
    newest = await storage.read(lambda connection: _newest(connection, codes))
    bodies = await opener.bodies(list(newest.values()))
    said: dict[str, Said] = {}
    for code, version in newest.items():
        try:
            said[code] = said_of(DossierBody.model_validate(bodies[version.event_id]))
        except (KeyError, ValidationError):
            # Destroyed, or as no release of today would take it: it counts among all, and nothing is known of its days.
            said[code] = Said()
    await storage.write(lambda connection: figures.derive(connection, list(said), said))
    return len(said)


def _newest(connection: Connection, codes: Sequence[str]) -> dict[str, StoredVersion]:
    found: dict[str, StoredVersion] = {}
    for code, *row in rows_among(connection, _COLUMNS, DOSSIER_VERSIONS.c.code, codes):
        version = StoredVersion(*row)
        if code not in found or found[code].version < version.version:
            found[code] = version
    return found
