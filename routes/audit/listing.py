"""`GET /v1/audit/entries`, `POST /v1/audit/search`: entries by what they say, and by whom they are about.

A page is followed by the cursor `next`, which holds numbers of entries alone. Every page leaves an entry of its own;
a list that went on only because of those would never end, so they alone make no further page.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, replace
from typing import Any, Final, get_args

from aiohttp import web
from pydantic import ValidationError

from config.personal import could_name_a_person
from routes.audit.access import AUDIT, Room, Route, answer, guarded, reads_all, recorded, require
from routes.bodies import read_json
from routes.context import CALLER
from routes.dossiers.asking import asked, limit_of
from routes.flaw_texts import VIETNAMESE
from routes.flaws import flaws_of
from routes.frame import is_fit
from schemas.audit import AuditSearch, AuditSubject, sought
from schemas.codes.agencies import check_dossier_code
from schemas.errors import Flaw, Invalid, Text
from schemas.exchange import Caller
from schemas.periods import bound
from security.audit.canonical import JSON
from security.audit.entries import Kind, Subject, instant
from security.audit.reading import Filter, Recorded

Fetch = Callable[[int, int], Awaitable[list[Recorded]]]
"""Returns up to so many entries that are meant behind an entry, in order."""

# Parameter → member of the filter.
EQUALITIES: Final = {
    "kind": "kind",
    "caller": "client",
    "database": "database",
    "operation": "operation",
    "purpose": "purpose",
    "dossier": "dossier",
    "outcome": "outcome",
    "request_id": "request_id",
}
KINDS: Final[tuple[str, ...]] = get_args(Kind)
WORD: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
CURSOR: Final = r"(0|[1-9][0-9]{0,17})(\.(0|[1-9][0-9]{0,17}))?"

_WORD: Final = re.compile(WORD, re.ASCII)
_CURSOR: Final = re.compile(CURSOR, re.ASCII)
_PAGES: Final = frozenset({"list", "search"})
_NO_KIND: Final = Text(f"phải là một trong: {', '.join(KINDS)}", f"must be one of: {', '.join(KINDS)}")
_NO_WORD: Final = Text(
    "gồm 1 đến 64 ký tự trong A-Z a-z 0-9 . _ - và không chứa số định danh",
    "has 1 to 64 of A-Z a-z 0-9 . _ - and holds no identifier",
)
_NO_REQUEST: Final = Text("không phải mã yêu cầu", "is no request id")
_NO_CURSOR: Final = Text(
    "phải là next của trang trước, hoặc số thứ tự bản ghi",
    "must be `next` of the page before, or the number of an entry",
)


def get_entries(room: Room) -> Route:
    """Make the route that lists entries: all for auditors, a caller's own for others."""

    async def get(request: web.Request) -> web.StreamResponse:
        caller = request[CALLER]
        query = asked(request, ("since", "until", "limit", "after", *EQUALITIES))
        chosen, limit = _filter(query), limit_of(query)
        after, end = await _position(room, query)
        told = _said(chosen)
        # What others did is for a caller as if it were not there.
        foreign = not reads_all(caller) and chosen.client not in (None, caller.client_id)
        wanted = chosen if reads_all(caller) else replace(chosen, client=caller.client_id)

        async def fetch(behind: int, many: int) -> list[Recorded]:
            return [] if foreign else await guarded(room.reader.entries(wanted, after=behind, limit=many))

        found, following = await _page(fetch, after, end, limit, caller)
        return await _shown(room, request, "list", found, following, told)

    return get


def post_search(room: Room) -> Route:
    """Make the route that finds the entries about a subject, for auditors; the subject stands in the body alone."""

    def make(value: Any) -> AuditSearch:
        try:
            return AuditSearch.model_validate(value)
        except ValidationError as error:
            raise Invalid(flaws=flaws_of(error)) from None

    async def post(request: web.Request) -> web.StreamResponse:
        caller = require(request, AUDIT)
        query = asked(request, ("limit", "after"))
        limit = limit_of(query)
        body = await read_json(request, room.max_body, make)
        about = subjects_in(body.subject)
        chosen = Filter(
            since=bound(body.since) if body.since else None, before=bound(body.until, end=True) if body.until else None
        )
        after, end = await _position(room, query)

        async def fetch(behind: int, many: int) -> list[Recorded]:
            kinds, values = [each.kind for each in about], [each.value for each in about]
            return await guarded(room.reader.search(kinds, values, chosen, after=behind, limit=many))

        found, following = await _page(fetch, after, end, limit, caller)
        return await _shown(room, request, "search", found, following, _said(chosen), about)

    return post


def subjects_in(said: AuditSubject) -> list[Subject]:
    """Return whom an identifier names, once for each kind that it may be of; raises Invalid for a value of none."""
    try:
        return [Subject("asked", kind, value) for kind, value in sought(said.value, said.kind)]
    except ValueError as error:
        raise Invalid(flaws=[Flaw("/subject/value", Text(VIETNAMESE[str(error)], str(error)))]) from None


async def _shown(
    room: Room,
    request: web.Request,
    operation: str,
    found: list[Recorded],
    following: str | None,
    told: Mapping[str, JSON],
    about: list[Subject] | None = None,
) -> web.Response:
    headers = await recorded(room, request, operation, [each.index for each in found], told, about or ())
    return answer({"items": [each.shown() for each in found], "next": following}, headers)


async def _page(fetch: Fetch, after: int, end: int, limit: int, caller: Caller) -> tuple[list[Recorded], str | None]:
    """Return up to `limit` entries behind `after`, and the cursor of what follows; `end` is where the first page ended.

    From `end` on the caller's own looks at lists are no reason for a further page.
    """
    found = await fetch(after, limit)
    if len(found) < limit:
        return found, None
    last = behind = found[-1].index
    while beyond := await fetch(behind, limit):
        if any(each.index < end or not _own_look(each, caller) for each in beyond):
            return found, f"{last}.{end}"
        behind = beyond[-1].index
    return found, None


def _own_look(found: Recorded, caller: Caller) -> bool:
    entry = found.entry
    by = entry.get("caller")
    return (
        (entry["kind"], entry.get("database")) == ("reading", AUDIT)
        and entry.get("operation") in _PAGES
        and isinstance(by, dict)
        and by["client"] == caller.client_id
    )


async def _position(room: Room, query: Mapping[str, str]) -> tuple[int, int]:
    """Return behind which entry the page begins, and how long the log was at the first page."""
    cursor = query.get("after")
    end = None
    if cursor is not None:
        match = _CURSOR.fullmatch(cursor)
        if match is None:
            raise Invalid(flaws=[Flaw("", _NO_CURSOR, parameter="after")])
        cursor, end = match[1], match[3]
    return int(cursor) if cursor else -1, int(end) if end else await guarded(room.reader.size())


def _filter(query: Mapping[str, str]) -> Filter:
    """Return what the parameters mean; raises Invalid. No value that could identify anybody passes: it is recorded."""
    members: dict[str, Any] = {}
    flaws: list[Flaw] = []
    for parameter, member in EQUALITIES.items():
        if parameter in query:
            members[member] = query[parameter]
            if (wrong := wrong_with(parameter, query[parameter])) is not None:
                flaws.append(Flaw("", wrong, parameter=parameter))
    for parameter, member in (("since", "since"), ("until", "before")):
        if parameter in query:
            try:
                members[member] = bound(query[parameter], end=parameter == "until")
            except ValueError as error:
                flaws.append(Flaw("", Text(VIETNAMESE[str(error)], str(error)), parameter=parameter))
    if flaws:
        raise Invalid(flaws=flaws)
    return Filter(**members)


def wrong_with(parameter: str, value: str) -> Text | None:
    """Return what is wrong with the value of a filter: one that no entry can have, or that could identify anybody."""
    return _CHECKS.get(parameter, _word)(value)


def _word(value: str) -> Text | None:
    return None if _WORD.fullmatch(value) and not could_name_a_person(value) else _NO_WORD


def _kind(value: str) -> Text | None:
    return None if value in KINDS else _NO_KIND


def _dossier(value: str) -> Text | None:
    try:
        check_dossier_code(value)
    except ValueError as error:
        return Text(VIETNAMESE.get(str(error), "giá trị không hợp lệ"), str(error))
    return None


def _request_id(value: str) -> Text | None:
    return None if is_fit(value) else _NO_REQUEST


_CHECKS: Final = {"kind": _kind, "dossier": _dossier, "request_id": _request_id}


def _members(chosen: Filter) -> dict[str, Any]:
    return {each.name: getattr(chosen, each.name) for each in fields(Filter) if getattr(chosen, each.name) is not None}


def _said(chosen: Filter) -> dict[str, JSON]:
    """What stands in the entry of what was asked for."""
    said = _members(chosen)
    return {name: instant(value) if name in ("since", "before") else value for name, value in said.items()}
