"""`GET /v1/audit/entries/{index}`, `.../proof`, `POST .../values`: one entry, its place in the log, what opens it."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError

from config.personal import could_name_a_person
from routes.audit.access import OPENING, Room, Route, answer, guarded, index_of, recorded, require, visible, whole
from routes.bodies import read_json
from routes.context import CALLER
from routes.direct import Whole
from routes.dossiers.asking import asked
from routes.flaws import flaws_of
from schemas.audit import AuditOpening
from schemas.errors import Flaw, Invalid, NotFound, Text
from security.audit.bundle import proof_json
from security.audit.checkpoint import b64
from security.audit.entries import Secrets, Subject
from security.audit.gathering import why_closed
from security.audit.reading import NoEntry, Recorded

LEAF: Final = "Lgsp-Leaf"
"""The header with the leaf hash of the entry in the body."""

SIZE: Final = r"[1-9][0-9]{0,17}"
_SIZE: Final = re.compile(SIZE, re.ASCII)
_NO_SIZE: Final = Text("phải là số nguyên dương", "must be a positive integer")
_NO_CHECKPOINT: Final = Text(
    "Không có mốc kiểm tra của số bản ghi này bao trùm bản ghi", "No checkpoint of this size covers the entry"
)
_PERSONAL: Final = Text(
    "có số định danh: lý do nằm mãi trong nhật ký, hãy nêu vụ việc, không nêu số của ai",
    "holds an identifier: the reason stands in the log for good, name the case and nobody's number",
)
_GONE: Final = {
    "redacted": Text("Giá trị của bản ghi đã bị xóa", "The values of the entry were erased; its redaction is an entry"),
    "destroyed": Text("Khóa của thời kỳ này đã bị hủy", "The keys of this period were destroyed with all values"),
    "no-values": Text("Bản ghi không giữ giá trị nào", "The entry commits to no value: there is nothing to open"),
}


def get_entry(room: Room) -> Route:
    """Make the route that shows an entry as it was recorded, byte by byte."""

    async def get(request: web.Request) -> web.StreamResponse:
        index = index_of(request)
        asked(request, ())
        found = await whole(room, request[CALLER], index)
        headers = await recorded(room, request, "show", [index])
        return Whole(found.body, {"Content-Type": "application/json", LEAF: b64(found.leaf), **headers})

    return get


def get_proof(room: Room) -> Route:
    """Make the route that proves that an entry stands in the tree of a checkpoint, the newest where none is named."""

    async def get(request: web.Request) -> web.StreamResponse:
        index = index_of(request)
        size = size_of(asked(request, ("size",)), "size")
        await visible(room, request[CALLER], index)
        try:
            proof = await guarded(room.reader.prove(index, size))
        except NoEntry:
            raise NotFound(_NO_CHECKPOINT, reason="no-checkpoint") from None
        headers = await recorded(room, request, "prove", [index])
        return answer(proof_json(proof), headers)

    return get


def post_values(room: Room) -> Route:
    """Make the route that opens what an entry commits to, for those who have the right to; the reason is recorded."""

    def make(value: Any) -> AuditOpening:
        try:
            body = AuditOpening.model_validate(value)
        except ValidationError as error:
            raise Invalid(flaws=flaws_of(error)) from None
        check_reason(body.reason)
        return body

    async def post(request: web.Request) -> web.StreamResponse:
        caller, index = require(request, OPENING), index_of(request)
        asked(request, ())
        body = await read_json(request, room.max_body, make)
        found = await whole(room, caller, index)
        try:
            secrets = await guarded(room.reader.open(index))
        except NoEntry:
            raise gone(found) from None
        about = [Subject("disclosed", kind, value) for kind, value in secrets.subjects]
        headers = await recorded(room, request, "values", [index], None, about, reason=body.reason)
        return answer({"index": index, "leaf": b64(found.leaf), **_opened(found, secrets)}, headers)

    return post


def size_of(query: dict[str, str], name: str) -> int | None:
    """Return the size of a tree that a parameter names; raises Invalid for what is none."""
    said = query.get(name)
    if said is None:
        return None
    if _SIZE.fullmatch(said) is None:
        raise Invalid(flaws=[Flaw("", _NO_SIZE, parameter=name)])
    return int(said)


def check_reason(reason: str) -> None:
    """Raise Invalid for a reason that could identify a person: it stands in the log for good."""
    if could_name_a_person(reason):
        raise Invalid(flaws=[Flaw("/reason", _PERSONAL)])


def gone(found: Recorded) -> NotFound:
    """Return what is raised for an entry that does not open, with the reason."""
    reason = why_closed(found)
    return NotFound(_GONE[reason], reason=reason)


def _opened(found: Recorded, secrets: Secrets) -> dict[str, Any]:
    """What stands behind the commitments: each salt, with the content where that was kept."""
    kept = secrets.contents()
    noted = found.entry.get("subjects")
    roles = [each["role"] for each in noted] if isinstance(noted, list) else []
    return {
        "openings": [
            {"name": name, "salt": b64(salt), "content": b64(kept[name]) if name in kept else None}
            for name, salt in secrets.salts.items()
        ],
        "subjects": [
            {"role": role, "kind": kind, "value": value}
            for role, (kind, value) in zip(roles, secrets.subjects, strict=True)
        ],
        "officer": secrets.officer,
        "data": json.loads(secrets.data) if secrets.data is not None else None,
    }
