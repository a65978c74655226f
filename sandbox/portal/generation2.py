"""Generation 2 of the portal's interface, seen in one client of 2026 [P]: bearer tokens, an operation for each thing.

The token's answer {code, message, data: {access_token, expires_in, token_type, scope}}, that of GetNextValue {value},
the members and formats of Create and CapNhatTienTrinh and the HTTP statuses are [P]. [ours]: the paths, the code 200 of
success, that a code which is already there is 400 (or 200 with code 0 under `already-exists-as-0`), the look-up, what a
batch does with a bad element, which is as in generation 1. GetNextValue takes the code of an agency, which begins the
dossier codes that it gives out; a procedure's gets those of the ministry's service (G09.20). UploadFile and
CapNhatTrangThai are not served.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from aiohttp import BasicAuth, web

from sandbox.portal import filed
from sandbox.portal.fields import CREATED, STEP, wrong_with
from sandbox.portal.generation1 import ALL_OR_NOTHING, PROGRESS_LIST
from sandbox.portal.ledger import Ledger
from sandbox.portal.sessions import Sessions
from sandbox.registry import Faults
from schemas.codes.agencies import check_agency_code, check_procedure_code

TOKEN: Final = "/dvc/2.0/token"  # noqa: S105 - a path
NEXT: Final = "/dvc/2.0/GetNextValue"
CREATE: Final = "/dvc/2.0/Create"
STEPS: Final = "/dvc/2.0/CapNhatTienTrinh"
LOOK_UP: Final = "/dvc/2.0/TraCuuHoSo"
FILED: Final = "/dvc/2.0/LayDanhSachHoSo"
_VIETNAM: Final = timezone(timedelta(hours=7))
_MINISTRY: Final = "G09.20"
_OK: Final = 200
Operation = Callable[[web.Request], Awaitable[web.Response]]


def _told(status: int, message: str, data: object = None, code: int | None = None) -> web.Response:
    body = {"code": status if code is None else code, "message": message, "data": data}
    return web.json_response(body, status=status)


class SecondGeneration:
    """Answers for one ledger to whoever bears a token."""

    def __init__(self, ledger: Ledger, tokens: Sessions, faults: Faults) -> None:
        self._ledger = ledger
        self._tokens = tokens
        self._faults = faults

    def add_to(self, app: web.Application) -> None:
        """Add the routes of this generation."""
        app.router.add_post(TOKEN, self.token)
        app.router.add_get(NEXT, self._guarded(self.next_value))
        app.router.add_post(CREATE, self._guarded(self.create))
        app.router.add_post(STEPS, self._guarded(self.steps))
        app.router.add_post(LOOK_UP, self._guarded(self.look_up))
        app.router.add_post(FILED, self._guarded(self.list_filed))

    async def token(self, request: web.Request) -> web.Response:
        """Give a token for client credentials: in JSON [P], in a form or as HTTP Basic (RFC 6749)."""
        if request.content_type == "application/json":
            asked = await _json(request)
            given: Mapping[str, Any] = asked if isinstance(asked, dict) else {}
        else:
            given = {**await request.post()}
        name, secret = given.get("client_id"), given.get("client_secret")
        if "Authorization" in request.headers:
            try:
                basic = BasicAuth.decode(request.headers["Authorization"], encoding="utf-8")
            except ValueError:
                return _told(401, "Thông tin xác thực không hợp lệ")
            name, secret = basic.login, basic.password
        if given.get("grant_type", "client_credentials") != "client_credentials":
            return _told(400, "grant_type không được hỗ trợ")
        token = self._tokens.opened(name, secret)
        if token is None:
            return _told(401, "Thông tin xác thực không hợp lệ")
        data = {
            "access_token": token,
            "expires_in": int(self._tokens.lifetime),
            "token_type": "Bearer",
            "scope": "default",
        }
        return _told(_OK, "Thành công", data)

    async def next_value(self, request: web.Request) -> web.Response:
        """Give out the next dossier code of an agency and a day."""
        code = request.query.get("code", "")
        agency = code
        try:
            check_agency_code(code)
        except ValueError:
            try:
                check_procedure_code(code)
            except ValueError:
                return _told(400, "code không hợp lệ")
            agency = _MINISTRY
        day = datetime.now(UTC).astimezone(_VIETNAM).strftime("%Y%m%d")
        value = f"{agency}-{day}-"
        while (number := f"{value}{self._ledger.next_number(value):07d}") in self._ledger.dossiers:
            pass
        await self._ledger.settled()
        return web.json_response({"value": number})

    async def create(self, request: web.Request) -> web.Response:
        """Create a dossier; no source shows how one is amended."""
        asked = await _json(request)
        wrong = wrong_with(asked, CREATED)
        if wrong:
            return _told(400, f"Dữ liệu không hợp lệ: {wrong}")
        code = asked["MaHoSo"]
        if code in self._ledger.dossiers:
            quiet = self._faults.active("already-exists-as-0") is not None
            return _told(_OK if quiet else 400, f"Hồ sơ {code} đã tồn tại", code=0 if quiet else None)
        held = self._ledger.register(code, asked, "2" if asked.get("NgayTiepNhan") else "1")
        await self._ledger.settled()
        return _told(_OK, "Thành công", {"idHoSo": held.identity, "maHoSo": code})

    async def steps(self, request: web.Request) -> web.Response:
        """Apply progress records, in order."""
        asked = await _json(request)
        if not isinstance(asked, list) or not asked:
            return _told(400, "Dữ liệu không hợp lệ: danh sách")
        verdicts = [self._wrong_step(one) for one in asked]
        failed = next((verdict for verdict in verdicts if verdict is not None), None)
        if failed is not None and self._faults.active(ALL_OR_NOTHING):
            return _told(400, failed, [])
        for one, verdict in zip(asked, verdicts, strict=True):
            if verdict is None:
                self._ledger.advance(one["MaHoSo"], one, str(one["TrangThai"]))
        await self._ledger.settled()
        result = [
            {
                "MaHoSo": one.get("MaHoSo") if isinstance(one, dict) else None,
                "code": _OK if verdict is None else 400,
                "message": verdict or "Thành công",
            }
            for one, verdict in zip(asked, verdicts, strict=True)
        ]
        return _told(_OK, "Thành công", result) if failed is None else _told(400, failed, result)

    def _wrong_step(self, one: object) -> str | None:
        wrong = wrong_with(one, STEP)
        if wrong or not isinstance(one, dict):
            return f"Dữ liệu không hợp lệ: {wrong}"
        held = self._ledger.dossiers.get(one["MaHoSo"])
        if held is None or one.get("IDHoSo") not in (None, "", held.identity):
            return f"Hồ sơ {one['MaHoSo']} không tồn tại"
        return None

    async def look_up(self, request: web.Request) -> web.Response:
        """Return a dossier and its progress, nothing for a code that nobody knows."""
        asked = await _json(request)
        if not isinstance(asked, dict) or set(asked) != {"MaHoSo"}:
            return _told(400, "Dữ liệu không hợp lệ: MaHoSo")
        held = self._ledger.dossiers.get(asked["MaHoSo"]) if isinstance(asked["MaHoSo"], str) else None
        # What is told is taken for a fact: it must be there after a kill.
        await self._ledger.settled()
        if held is None:
            return _told(_OK, "Không tìm thấy hồ sơ")
        state = {"idHoSo": held.identity, "TrangThai": int(held.status), PROGRESS_LIST: held.progress}
        return _told(_OK, "Thành công", {**held.body, **state})

    async def list_filed(self, request: web.Request) -> web.Response:
        """List what was filed at the portal behind a cursor."""
        asked = await _json(request)
        found = filed.page(self._ledger, asked) if isinstance(asked, dict) else None
        if found is None:
            return _told(400, "Dữ liệu không hợp lệ: sau, soLuong")
        await self._ledger.settled()
        data = {"danhSach": [filed.second(one) for one in found[0]], "tiepTheo": found[1]}
        return _told(_OK, "Thành công", data)

    def _guarded(self, operation: Operation) -> Operation:
        async def handle(request: web.Request) -> web.Response:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer" or not self._tokens.admits(token):
                return _told(401, "Chưa có hoặc không đúng token")
            return await operation(request)

        return handle


async def _json(request: web.Request) -> Any:
    try:
        return json.loads(await request.text())
    except (ValueError, RecursionError):
        text = json.dumps({"code": 400, "message": "Dữ liệu không phải JSON", "data": None}, ensure_ascii=False)
        raise web.HTTPBadRequest(text=text, content_type="application/json") from None
