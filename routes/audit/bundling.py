"""`POST /v1/audit/entries/{index}/bundle`: the evidence of one entry as a ZIP (gói chứng cứ).

Whoever may read an entry may have it closed: it shows what entry and proof show, and public material around them.
Opening needs the right `audit-values` and a reason. Whoever hands in an answer with its receipt has the salt of that
commitment, and needs neither.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web
from pydantic import ValidationError

from adapters.offloading import in_thread
from routes.audit.access import NEEDED, OPENING, Room, Route, guarded, index_of, recorded, require, whole
from routes.audit.listing import subjects_in
from routes.audit.showing import check_reason, gone
from routes.bodies import read_json
from routes.context import CALLER
from routes.direct import Whole
from routes.dossiers.asking import asked
from routes.flaws import flaws_of
from schemas.audit import AuditBundle
from schemas.errors import Flaw, Invalid, Text
from security.audit.assembly import log_verifiers
from security.audit.bundle import NotCommitted
from security.audit.canonical import JSON
from security.audit.checkpoint import VerifierKey
from security.audit.gathering import Bundled, Wanted, gathered, received
from security.audit.reading import NoEntry

ZIP: Final = "application/zip"

_ALONE: Final = Text("không đi cùng thành viên khác", "stands alone")
_NO_ANSWER: Final = Text(
    "phải là câu trả lời như đã nhận, hoặc riêng data của nó",
    "must be an answer as it was received, or its `data` alone",
)
# Reason → member at fault, and what is wrong with it.
_WRONG: Final = {
    "other-subject": ("/subject", Text("bản ghi không nói về đối tượng này", "the entry is about somebody else")),
    "other-content": (
        "/answer",
        Text("không phải nội dung mà bản ghi cam kết", "is not what the entry commits to"),
    ),
    "not-provable": (
        "/fields",
        Text(
            "bản ghi không cam kết từng trường: quyền được cấp phải có provable từ trước",
            "the entry does not commit to single fields: the grant has to say `provable` beforehand",
        ),
    ),
    "no-answer": (
        "/answer",
        Text("trục không giữ câu trả lời: bên đã nhận phải gửi kèm", "nobody kept it here: it has to be handed in"),
    ),
    "no-field": ("/fields", Text("câu trả lời không có giá trị này", "the answer has no such value")),
}


def post_bundle(room: Room) -> Route:
    """Make the route that hands out the bundle of an entry, closed unless the body says what to open."""

    async def post(request: web.Request) -> web.StreamResponse:
        index = index_of(request)
        asked(request, ())
        wanted, reason = await read_json(request, room.max_body, _wanted)
        if not (wanted.nothing or wanted.held):
            require(request, OPENING)
            if reason is None:
                raise Invalid(flaws=[Flaw("/reason", NEEDED)])
        found = await whole(room, request[CALLER], index)
        why: dict[str, JSON] = {} if reason is None else {"reason": reason}
        try:
            made = await guarded(gathered(room.storage, room.reader, found, wanted))
        except NoEntry:
            raise gone(found) from None
        except NotCommitted as wrong:
            # That a guess was wrong tells something, too.
            await recorded(room, request, "bundle", [index], None, wanted.subjects, opened=[], **why)
            raise _refused(wrong) from None
        headers = await recorded(room, request, "bundle", [index], None, made.about, opened=made.opened, **why)
        content = await in_thread(_zipped, made, log_verifiers(room.keys, room.log.origin))
        named = {"Content-Disposition": f'attachment; filename="entry-{index}.zip"'}
        return Whole(content, {"Content-Type": ZIP, **named, **headers})

    return post


def _wanted(value: Any) -> tuple[Wanted, str | None]:
    """Return what is to be opened and why; raises Invalid."""
    try:
        body = AuditBundle.model_validate(value)
    except ValidationError as error:
        raise Invalid(flaws=flaws_of(error)) from None
    if body.reason is not None:
        check_reason(body.reason)
    if body.all and (body.subject is not None or body.answer is not None or body.fields is not None):
        raise Invalid(flaws=[Flaw("/all", _ALONE)])
    try:
        answer = None if body.answer is None else received(body.answer)
    except ValueError:
        raise Invalid(flaws=[Flaw("/answer", _NO_ANSWER)]) from None
    about = [] if body.subject is None else subjects_in(body.subject)
    return Wanted(bool(body.all), about, answer, body.fields or ()), body.reason


def _refused(wrong: NotCommitted) -> Invalid:
    pointer, text = _WRONG[wrong.reason]
    return Invalid(flaws=[Flaw(pointer if wrong.place is None else f"{pointer}/{wrong.place}", text)])


def _zipped(made: Bundled, keys: Sequence[VerifierKey]) -> bytes:
    out = io.BytesIO()
    made.write(out, keys)
    return out.getvalue()
