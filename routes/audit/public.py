"""`GET /v1/audit/checkpoint`, `/consistency`, `/keys`: what is public of the log, for everybody who watches it.

Numbers, hashes and signatures, nothing of any entry. No authentication; one address may ask so often a minute.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final

from aiohttp import web

from routes.audit.access import NEEDED, Room, Route, answer, guarded
from routes.audit.showing import size_of
from routes.direct import Whole
from routes.dossiers.asking import asked
from schemas.errors import Flaw, Invalid, NotFound, Text
from security.audit.assembly import log_verifiers
from security.audit.batch import current_checkpoint
from security.audit.key_periods import Signed, signed_sizes
from security.audit.reading import NoEntry
from security.audit.witnessed import witnessed
from security.keys import Key

NOTE: Final = "text/plain; charset=utf-8"
_CHOICES: Final = frozenset({"true", "false"})
_NO_CHOICE: Final = Text("phải là true hoặc false", "must be true or false")
_NO_TREES: Final = Text(
    "phải là 0 < from <= to <= số bản ghi của nhật ký", "must be 0 < from <= to <= the number of entries of the log"
)


def get_checkpoint(room: Room) -> Route:
    """Make the route that hands out the newest signed checkpoint, a C2SP note; asked so, the newest that witnesses saw.

    That one has their cosignatures and is as old as their last look.
    """

    async def get(request: web.Request) -> web.StreamResponse:
        await room.guests.admit(request)
        choice = asked(request, ("witnessed",)).get("witnessed", "false")
        if choice not in _CHOICES:
            raise Invalid(flaws=[Flaw("", _NO_CHOICE, parameter="witnessed")])
        newest = witnessed if choice == "true" else current_checkpoint
        note = await guarded(room.storage.read(newest))
        if note is None:
            raise NotFound
        return Whole(note.encode(), {"Content-Type": NOTE})

    return get


def get_consistency(room: Room) -> Route:
    """Make the route that proves that one tree is the beginning of another (RFC 9162 section 2.1.4)."""

    async def get(request: web.Request) -> web.StreamResponse:
        await room.guests.admit(request)
        query = asked(request, ("from", "to"))
        old, new = size_of(query, "from"), size_of(query, "to")
        if old is None or new is None:
            missing = [name for name in ("from", "to") if name not in query]
            raise Invalid(flaws=[Flaw("", NEEDED, parameter=name) for name in missing])
        try:
            proof = await guarded(room.reader.consistency(old, new))
        except NoEntry:
            raise Invalid(flaws=[Flaw("", _NO_TREES, parameter="to")]) from None
        return answer({"from": old, "to": new, "proof": [b64encode(each).decode() for each in proof]})

    return get


def get_keys(room: Room) -> Route:
    """Make the route that names every key the log was ever signed with, and when."""

    async def get(request: web.Request) -> web.StreamResponse:
        await room.guests.admit(request)
        asked(request, ())
        held = room.keys.generations("log")
        verifiers = log_verifiers(room.keys, room.log.origin)
        sizes = await guarded(room.storage.read(lambda connection: signed_sizes(connection, verifiers[::-1])))
        shown = [
            {"vkey": verifier.encode(), "id": verifier.key_id.hex(), **_period(key), **_sizes(sizes[verifier.key_id])}
            for key, verifier in zip(held, verifiers, strict=True)
        ]
        return answer({"origin": room.log.origin, "keys": shown})

    return get


def _period(key: Key) -> dict[str, Any]:
    until = f"{key.until:%Y-%m-%dT%H:%M:%SZ}" if key.until is not None else None
    return {"generation": key.generation, "from": f"{key.created:%Y-%m-%dT%H:%M:%SZ}", "until": until}


def _sizes(signed: Signed | None) -> dict[str, int | None]:
    return {"first_size": signed.first if signed else None, "last_size": signed.last if signed else None}
