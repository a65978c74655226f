"""Reading the portal's list of filed dossiers: one that cannot be read never stops the others (hồ sơ nộp tại Cổng)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapters.bindings import Expected, unreadable
from adapters.codecs import Decoded, Unreadable, json_decoder, lookup
from adapters.portal_answers import Dialect, failure, told
from adapters.records import Path
from adapters.transport import Reply
from schemas.codes.agencies import check_dossier_code
from schemas.exchange import Answer
from schemas.fields import Shape
from schemas.inbox import filed_body

_LONGEST_CURSOR: Final = 512
_LONGEST_REASON: Final = 200


def filed(
    name: str, dialect: Dialect, shape: Shape, records: Path, cursor: Path
) -> Callable[[Reply, Expected], Answer]:
    """Make what reads the answer: the elements at `records`, each as `shape` has it, the cursor at `cursor`.

    It raises as the answer to any reading does, and UpstreamUnreadable where there is no list or no usable cursor.
    """
    decode = json_decoder(shape)

    def read(reply: Reply, expected: Expected) -> Answer:
        whole, code, _, verdict = told(name, dialect, reply, "read")
        if verdict.outcome == "missing":
            # Nothing was filed, in the words of some.
            return Answer({"dossiers": [], "next": None})
        if verdict.outcome != "applied":
            raise failure(verdict, code)
        try:
            found, following = lookup(whole, records), lookup(whole, cursor)
        except Unreadable as flaw:
            raise unreadable(flaw) from None
        found = [] if found is None or found == "" else found
        if (
            not isinstance(found, list)
            or not isinstance(following, str | None)
            or len(following or "") > _LONGEST_CURSOR
        ):
            raise unreadable(Unreadable("the list of filed dossiers has another shape"))
        if found and not following:
            # Without one nobody could go on behind them.
            raise unreadable(Unreadable("the list of filed dossiers has no cursor"))
        return Answer({"dossiers": [_element(one, decode) for one in found], "next": following or None})

    return read


def _element(one: Any, decode: Callable[[Mapping[str, Any]], Decoded]) -> dict[str, Any]:
    code = one.get("MaHoSo") if isinstance(one, dict) else None
    try:
        code = check_dossier_code(code) if isinstance(code, str) else None
    except ValueError:
        code = None
    element: dict[str, Any] = {"code": code, "content": None, "doubts": [], "reason": None, "raw": None}
    try:
        if not isinstance(one, dict):
            raise Unreadable("not an object")
        if code is None:
            raise Unreadable("no dossier code")
        content, notices = decode(one)
        filed_body(content)
    except (Unreadable, ValueError) as flaw:
        return element | {"reason": str(flaw)[:_LONGEST_REASON], "raw": json.dumps(one, ensure_ascii=False)}
    doubts = [
        {"pointer": notice.pointer.removeprefix("/data"), "code": notice.code, "original": notice.detail}
        for notice in notices
    ]
    return element | {"content": content, "doubts": doubts}
