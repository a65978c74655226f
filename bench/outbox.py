"""Deployments whose outbox holds as many statuses as wanted, each to be delivered, one for each dossier.

Rows and sealed bodies are what intake writes, as many at one moment. The entries of the acceptance are left out, since
delivery reads none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, select

from bench.growth import widen
from config.settings import Settings, load
from schemas.dossiers.ordering import Track
from schemas.ids import new_id
from security.audit.assembly import open_log, open_sealer
from security.keys import KeyRing
from storage.bulk import insert_rows
from sync.database import open_storage, upgrade
from sync.intake import GROUP
from sync.queue import DESTINATION
from sync.rows import (
    DOSSIER_NAMES,
    EVENT_NAMES,
    TRACK_NAMES,
    Dossier,
    Event,
    dossier_values,
    event_values,
    track_values,
)
from sync.sealing import Body, DossierSealer
from sync.tables import DOSSIER_EVENTS, DOSSIER_TRACKS, DOSSIERS

_CLIENT: Final = "province"
_COMMIT: Final = 20_000
_FIRST: Final = 10**9
"""Positions of what is put here stand behind those of all entries that a bench makes."""
_STRIDE: Final = 7_919
_CODES: Final = 9_999_991
_STATUS: Final = {"status": "4", "at": "2026-01-05T09:00:00+07:00", "unit": "Phòng Tư pháp", "note": "Đang thẩm định"}
_CONFIGURATION: Final = """\
[server]
listen = "127.0.0.1:0"

[storage]
url = "sqlite:///lgsp.sqlite"

[keys]
directory = "keys"
vault = "vault"
origin = "localhost/lgsp-bench"

[endpoints.portal]
url = "{portal}"
username = "lgsp-portal"
secret = "{secret}"
params = {{ madonvi = "H26" }}
"""


async def deploy(state: Path, portal: str, secret: str = "bench") -> Path:
    """Make a deployment that delivers to the portal of this address; return its configuration."""
    state.mkdir(mode=0o700, parents=True)
    path = state / "gateway.toml"
    path.write_text(_CONFIGURATION.format(portal=portal, secret=secret), encoding="utf-8")
    path.chmod(0o600)
    settings = load(path)
    KeyRing.create(settings.keys.directory, sandbox=True)
    await upgrade(settings.storage.url)
    storage = await open_storage(settings.storage.url)
    try:
        keys = KeyRing(settings.keys.directory)
        log = await open_log(storage, keys, settings.keys.origin, settings.keys.vault)
        await log.close()
    finally:
        await storage.close()
    return path


async def fill(settings: Settings, events: int) -> None:
    """Put so many more statuses into the outbox of a deployment, due since now; return their dossiers in order."""
    sealer = DossierSealer(open_sealer(KeyRing(settings.keys.directory), settings.keys.vault))
    storage = await open_storage(settings.storage.url)
    try:
        await storage.write(widen)
        begin = await storage.read(lambda connection: connection.execute(_HOW_MANY).scalar_one())
        for first in range(begin, begin + events, _COMMIT):
            many = range(first, min(first + _COMMIT, begin + events))
            made = _made(many, sealer)
            await storage.write(lambda connection, made=made: _put(connection, made))  # type: ignore[misc]
    finally:
        await storage.close()


_HOW_MANY = select(func.count()).select_from(DOSSIERS)


def a_code(number: int) -> str:
    """The code of a dossier: neighbours in time are none in the index."""
    return f"000.00.00.H26-260105-{number * _STRIDE % _CODES:07}"


def _made(numbers: Sequence[int], sealer: DossierSealer) -> list[Event]:
    begin = time.time_ns() // 1_000_000 - len(numbers)
    events: list[Event] = []
    bodies: list[Body] = []
    for place, number in enumerate(numbers):
        position, now = _FIRST + number, begin + place // GROUP * GROUP
        event = Event(
            position, new_id(), a_code(number), _CLIENT, "H26", "status", None, 1, 1, 0, 0, now, now, "national", "4",
            "4", "queued", None, "", DESTINATION, 0, now, None, b"bench", "", 0, None,
        )  # fmt: skip
        events.append(event)
        content = json.dumps({**_STATUS, "sequence": 1}, ensure_ascii=False, separators=(",", ":"))
        bodies.append(Body(event.event_id, content.encode()))
    for event, sealed in zip(events, sealer.seal(bodies, datetime.now(UTC)), strict=True):
        event.period, event.slot, event.sealed = sealed.period, sealed.slot, sealed.sealed
    return events


def _put(connection: Connection, events: Sequence[Event]) -> None:
    none = None
    dossiers = [
        Dossier(
            each.code, "adopted", each.client_id, each.agency, "1.005129", 1, each.at, each.at, "4", none, none,
            DESTINATION, each.at, none, none,
        )
        for each in events
    ]  # fmt: skip
    insert_rows(connection, DOSSIERS, DOSSIER_NAMES, [dossier_values(each) for each in dossiers])
    track = Track(registered=True, through=1, highest=1)
    rows = [track_values(each.code, each.client_id, track) for each in events]
    insert_rows(connection, DOSSIER_TRACKS, TRACK_NAMES, rows)
    insert_rows(connection, DOSSIER_EVENTS, EVENT_NAMES, [event_values(each) for each in events])
