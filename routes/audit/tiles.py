"""`/v1/audit/log/`: the tree in tiles, as C2SP tlog-tiles lays them out (cây băm theo ô).

Tiles of hashes are public and never change, so that whoever watches the log computes every proof by itself. Bundles of
entries are for auditors, and reading one leaves an entry.
"""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web
from sqlalchemy import Connection

from routes.audit.access import AUDIT, Room, Route, elsewhere, guarded, recorded, require
from routes.direct import Whole
from routes.dossiers.asking import asked
from schemas.errors import NotFound, Text
from security.audit.archived import InArchive
from security.audit.tiles import WIDTH, tile

OCTETS: Final = "application/octet-stream"
LEVELS: Final = 63
LONGEST_ENTRY: Final = 0xFFFF

_FOREVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_LEVEL: Final = re.compile(r"0|[1-9][0-9]?", re.ASCII)
# Groups of three digits, an x before all but the last; a first group of zeros would be a second spelling.
_NUMBER: Final = re.compile(r"((?!x000/)(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)
_TOO_LONG: Final = Text(
    "Ô có bản ghi dài hơn 65535 byte: hãy đọc từng bản ghi tại /v1/audit/entries/{index}",
    "An entry of the bundle is longer than 65535 bytes: read them one by one at /v1/audit/entries/{index}",
)


def tile_of(path: str) -> tuple[int, int]:
    """Return number and width that a path names below its level; raises NotFound for any but the one spelling."""
    match = _NUMBER.fullmatch(path)
    if match is None:
        raise NotFound
    number = int(match[1].replace("x", "").replace("/", ""))
    width = int(match[2]) if match[2] else WIDTH
    if number >= 1 << 62 or (match[2] and width >= WIDTH):
        raise NotFound
    return number, width


def get_tile(room: Room) -> Route:
    """Make the route that hands out a tile of hashes, whole or as it was in a smaller tree."""

    async def get(request: web.Request) -> web.StreamResponse:
        await room.guests.admit(request)
        asked(request, ())
        level = request.match_info["level"]
        if _LEVEL.fullmatch(level) is None or int(level) > LEVELS:
            raise NotFound
        number, width = tile_of(request.match_info["tile"])

        def look(connection: Connection) -> bytes | None:
            return tile(connection, int(level), number, width)

        hashes = await guarded(room.storage.read(look))
        if hashes is None:
            raise NotFound
        return Whole(hashes, {"Content-Type": OCTETS, **_FOREVER})

    return get


def get_bundle(room: Room) -> Route:
    """Make the route that hands out up to 256 entries, each behind its length in two bytes."""

    async def get(request: web.Request) -> web.StreamResponse:
        require(request, AUDIT)
        asked(request, ())
        number, width = tile_of(request.match_info["tile"])

        try:
            bodies = await guarded(room.reader.bundle(number, width))
        except InArchive as gone:
            raise elsewhere(gone.file, damaged=gone.damaged) from None
        if bodies is None:
            raise NotFound
        if max(map(len, bodies)) > LONGEST_ENTRY:
            raise NotFound(_TOO_LONG, reason="too-long")
        first = number * WIDTH
        headers = await recorded(room, request, "tile", [], first=first, last=first + width - 1)
        content = b"".join([len(body).to_bytes(2, "big") + body for body in bodies])
        return Whole(content, {"Content-Type": OCTETS, **headers})

    return get
