"""The simulated enterprise registration database, behind the platform: `apiCSDLDKDN` 1.0.

Whatever is wrong with a question it answers with HTTP 200, `Status` 0 and a `Message`; `Representatives` is an object
for one person and a list for several; amounts are numbers where JSON keeps their digits, and text elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from sandbox.enterprise_records import (
    branch_body,
    branch_truth,
    enterprise_body,
    enterprise_truth,
    registration_body,
    registration_truth,
)
from sandbox.ngsp import Gate, contract, get_item, members
from sandbox.registry import Case, Context, Registry, Truth, application
from sandbox.world.world import World

NAME: Final = "enterprise"
DETAIL: Final = "/apiCSDLDKDN/1.0/chiTietDoanhNghiep"
STATE: Final = "/apiCSDLDKDN/1.0/tinhTrangHoSo"


def _answer(body: Mapping[str, Any] | None) -> web.Response:
    if body is None:
        return web.json_response({"Status": "0", "Message": "NOT_FOUND", "DataCount": 0})
    return web.json_response({"Status": "1", "Message": "success", "DataCount": 1, **body})


def _asked(request: web.Request, name: str) -> str | None:
    """Return the one query parameter, or None if there is another, none, or not only digits and a dash."""
    if len(request.query) != 1 or name not in request.query:
        return None
    value = request.query[name]
    return value if value.isascii() and value.replace("-", "", 1).isdigit() else None


_BAD: Final = {"Status": "0", "Message": "INVALID_PARAMETER", "DataCount": 0}


class _Desk:
    def __init__(self, world: World) -> None:
        self._world = world

    async def detail(self, request: web.Request) -> web.Response:
        code = _asked(request, "msdn")
        if code is None:
            return web.json_response(_BAD)
        plain = code.replace("-", "")
        parent = self._world.enterprise(plain[:10])
        if parent is None or len(plain) not in (10, 13):
            return _answer(None)
        if len(plain) == 10:
            return _answer(enterprise_body(parent))
        branch = self._world.branch(plain)
        return _answer(None if branch is None else branch_body(parent, branch))

    async def state(self, request: web.Request) -> web.Response:
        number = _asked(request, "in_journal_no")
        if number is None:
            return web.json_response(_BAD)
        found = self._world.enterprise_by_journal(number)
        return _answer(None if found is None else registration_body(found))


def build(context: Context) -> dict[str, web.Application]:
    """Build the one application of this source."""
    app = application(context)
    gate = Gate(context.account(NAME))
    desk = _Desk(context.world)
    app.router.add_post("/token", gate.token)
    app.router.add_get(DETAIL, gate.guarded(desk.detail))
    app.router.add_get(STATE, gate.guarded(desk.state))
    app.router.add_get("/openapi.json", contract("CSDL quốc gia về đăng ký doanh nghiệp", _paths()))
    return {NAME: app}


def _paths() -> dict[str, Any]:
    envelope = members(("Status", "Message"))["properties"] | {"DataCount": {"type": "integer"}}
    person = members(
        (
            "FULL_NAME",
            "GENDER_ID",
            "DATE_OF_BIRTH",
            "PERS_DOC_NO",
            "PERS_DOC_ISSUE_DATE",
            "NATIONALITY_NAME",
            "POSITION_NAME",
        )
    )
    detail = {
        "type": "object",
        "properties": envelope
        | {
            "MainInformation": {"type": "object"},
            "HOAdress": {"type": "object"},
            "BusinessActivity": {"type": "array", "items": members(("CODE", "NAME", "IS_MAIN"))},
            "Member": {"type": ["array", "null"], "items": {"type": "object"}},
            "Representatives": {"oneOf": [person, {"type": "array", "items": person}]},
        },
    }
    state = {"type": "object", "properties": envelope | {"MainInformation": {"type": "object"}}}
    return {
        DETAIL: get_item("Thông tin chi tiết mới nhất của một doanh nghiệp", "msdn", detail),
        STATE: get_item("Tình trạng một hồ sơ đăng ký doanh nghiệp", "in_journal_no", state),
    }


def truth(world: World) -> Iterator[Truth]:
    """Yield every enterprise, branch and latest registration dossier."""
    for block in world.blocks():
        for found in block.enterprises:
            yield Truth("enterprise", {"code": found.code}, enterprise_truth(found))
            for position, branch in enumerate(found.branches):
                code = branch.code.replace("-", "") if position % 2 else branch.code
                yield Truth("enterprise", {"code": code}, branch_truth(found, branch))
            number = found.registration.journal_no
            yield Truth("registration-status", {"journal_number": number}, registration_truth(found))


def cases(world: World) -> Sequence[Case]:
    """Name the enterprises that show what callers must handle."""
    one, several = world.cases["one-representative"].enterprise, world.cases["several-representatives"].enterprise
    nobody, branch = world.cases["no-enterprise"].number, world.cases["branch"].taxpayer
    if one is None or several is None or nobody is None or branch is None:
        raise AssertionError("every world has these cases")
    return (
        Case("enterprise", "no-record", {"code": nobody}, 404, "no-record"),
        Case("enterprise", "one-representative", {"code": one.code}),
        Case("enterprise", "warning", {"code": several.code}, code="personal-id-sex"),
        Case("enterprise", "branch", {"code": branch.code}),
        # Journal numbers begin with 10 to 96.
        Case(
            "registration-status",
            "no-record",
            {"journal_number": f"09{one.registration.journal_no[2:]}"},
            404,
            "no-record",
        ),
    )


REGISTRY: Final = Registry(name=NAME, signs=False, contract="/openapi.json", build=build, truth=truth, cases=cases)
