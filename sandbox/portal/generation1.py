"""Generation 1 of the portal's interface: a session opened through the local adapter of VDXP, then one POST endpoint.

`POST /XrdAdapter/RestService/forward/mapi/login?dstcode=…` takes {username, password} and answers {error_code, message,
session} [C]; dstcode is a query parameter or a header [C]. The newer log-in path is there too [P]. Everything else is a
POST to one address [C], whose path no source shows [ours], with {session, madonvi, service, …}, answered with HTTP 200
and {error_code, message, result} [C]. Success is 0, "0" or "00" [C]: here 0 at log-in, "00" of what changes something
and "0" of what only reads.

What is already there when it is created gets 0, 3 or -3 with a text that says so [C, all three were seen]: 3 unless the
fault `already-exists-as-0` or `already-exists-as--3` is on. The other codes are [ours]: -1 no session, 1 the data are
wrong, 2 there is no such dossier, 4 no such service, 5 no such unit.

No public client reads more of the answer to a batch than its code, and none shows what one bad element does to the
others. Here [ours] each stands for itself: `result` says for each what became of it, the code and the text outside are
those of the first that failed. With the fault `batch-all-or-nothing` one bad element is enough for none to be applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from sandbox.ngsp import json_object
from sandbox.portal import filed, procedures
from sandbox.portal.fields import DOSSIER, PROGRESS, wrong_with
from sandbox.portal.ledger import Ledger
from sandbox.portal.sessions import Sessions
from sandbox.registry import Faults
from schemas.codes.agencies import check_agency_code, check_procedure_code

LOGIN: Final = "/XrdAdapter/RestService/forward/mapi/login"
NEWER_LOGIN: Final = "/XrdAdapter/RestService/forward/bndp/public/v1/login"
CALLS: Final = "/XrdAdapter/RestService/forward/mapi/g"
DSTCODE: Final = "VN:GOV:000.00.00.G22:vpcpdvcprovider"
PROGRESS_LIST: Final = "DanhSachTienDo"
"""Where TraCuuHoSo has the progress records, in order of application [ours]; the records are as they were sent."""
ALREADY_THERE: Final = {"already-exists-as-0": "0", "already-exists-as-3": "3", "already-exists-as--3": "-3"}
ALL_OR_NOTHING: Final = "batch-all-or-nothing"

_NO_SESSION: Final = "-1"
_WRONG: Final = "1"
_NO_DOSSIER: Final = "2"
_NO_SERVICE: Final = "4"
_NO_UNIT: Final = "5"
_DIGITS: Final = {"1": 12, "2": 9}
Verdict = tuple[str, str]


def _told(code: str | int, message: str, **more: object) -> web.Response:
    return web.json_response({"error_code": code, "message": message, **more})


class FirstGeneration:
    """Answers for one ledger to whoever holds a session."""

    def __init__(self, ledger: Ledger, sessions: Sessions, faults: Faults) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._faults = faults

    def add_to(self, app: web.Application) -> None:
        """Add the routes of this generation."""
        app.router.add_post(LOGIN, self.login)
        app.router.add_post(NEWER_LOGIN, self.login)
        app.router.add_post(CALLS, self.call)

    async def login(self, request: web.Request) -> web.Response:
        """Open a session."""
        _addressed(request)
        if request.path == NEWER_LOGIN and "providerurl" not in request.query:
            raise web.HTTPBadRequest(text="providerurl is missing")
        asked = await json_object(request)
        session = self._sessions.opened(asked.get("username"), asked.get("password"))
        if session is None or set(asked) != {"username", "password"}:
            return _told(-1, "Tên đăng nhập hoặc mật khẩu không đúng")
        return _told(0, "Đăng nhập thành công", session=session)

    async def call(self, request: web.Request) -> web.Response:
        """Answer a call of any service."""
        _addressed(request)
        asked = await json_object(request)
        if not self._sessions.admits(asked.pop("session", None)):
            return _told(_NO_SESSION, "Phiên làm việc không hợp lệ hoặc đã hết hạn")
        unit, service = asked.pop("madonvi", None), asked.pop("service", None)
        if not _holds(check_agency_code, unit):
            return _told(_NO_UNIT, "Mã đơn vị không hợp lệ")
        if service == "DongBoHoSoMC":
            return await self._register(asked)
        if service == "CapNhatTienDoHoSoMC":
            return await self._advance(asked)
        if service == "TraCuuHoSo":
            return await self._look_up(asked)
        if service == "LayDanhSachHoSo":
            return await self._filed(asked)
        return _catalogue(service, asked)

    async def _register(self, asked: dict[str, Any]) -> web.Response:
        updating = asked.pop("isUpdating", None)
        if updating not in ("True", "False"):
            return _told(_WRONG, "isUpdating không hợp lệ")

        def judge(one: Mapping[str, Any], before: set[str]) -> Verdict | None:
            wrong = wrong_with(one, DOSSIER) or _inconsistent(one)
            if wrong:
                return _WRONG, f"Dữ liệu không hợp lệ: {wrong}"
            code = one["MaHoSo"]
            there = code in self._ledger.dossiers or code in before
            if there and updating == "False":
                return self._already_there(), f"Hồ sơ {code} đã tồn tại"
            if not there and updating == "True":
                return _NO_DOSSIER, f"Hồ sơ {code} chưa tồn tại"
            before.add(code)
            return None

        def apply(one: Mapping[str, Any]) -> None:
            self._ledger.register(one["MaHoSo"], one, one["TrangThaiHoSo"])

        return await self._batch(asked, judge, apply, "Đồng bộ hồ sơ thành công")

    async def _advance(self, asked: dict[str, Any]) -> web.Response:
        def judge(one: Mapping[str, Any], _: set[str]) -> Verdict | None:
            wrong = wrong_with(one, PROGRESS)
            if wrong:
                return _WRONG, f"Dữ liệu không hợp lệ: {wrong}"
            if one["MaHoSo"] not in self._ledger.dossiers:
                return _NO_DOSSIER, f"Hồ sơ {one['MaHoSo']} chưa tồn tại"
            return None

        def apply(one: Mapping[str, Any]) -> None:
            self._ledger.advance(one["MaHoSo"], one, one["TrangThai"])

        return await self._batch(asked, judge, apply, "Cập nhật tiến độ hồ sơ thành công")

    async def _batch(
        self,
        asked: Mapping[str, Any],
        judge: Callable[[Mapping[str, Any], set[str]], Verdict | None],
        apply: Callable[[Mapping[str, Any]], None],
        success: str,
    ) -> web.Response:
        """Judge each element of `data`, apply those that hold, in order, and answer when they are on the disk."""
        data = asked.get("data")
        if set(asked) != {"data"} or not isinstance(data, list) or not data:
            return _told(_WRONG, "Dữ liệu không hợp lệ: data")
        before: set[str] = set()
        verdicts = [judge(one, before) for one in data]
        failed = next((verdict for verdict in verdicts if verdict is not None), None)
        if failed is not None and self._faults.active(ALL_OR_NOTHING):
            return _told(*failed, result=[])
        for one, verdict in zip(data, verdicts, strict=True):
            if verdict is None:
                apply(one)
        await self._ledger.settled()
        result = [_outcome(one, verdict or ("00", success)) for one, verdict in zip(data, verdicts, strict=True)]
        return _told(*(failed or ("00", success)), result=result)

    async def _look_up(self, asked: Mapping[str, Any]) -> web.Response:
        code = asked.get("mahoso")
        if set(asked) != {"mahoso"} or not isinstance(code, str):
            return _told(_WRONG, "Dữ liệu không hợp lệ: mahoso")
        held = self._ledger.dossiers.get(code)
        # What is told is taken for a fact: it must be there after a kill.
        await self._ledger.settled()
        if held is None:
            return _told("0", "Không tìm thấy hồ sơ", result=[])
        found = {**held.body, "TrangThaiHoSo": held.status, PROGRESS_LIST: held.progress}
        return _told("0", "Tra cứu hồ sơ thành công", result=[found])

    async def _filed(self, asked: Mapping[str, Any]) -> web.Response:
        found = filed.page(self._ledger, asked)
        if found is None:
            return _told(_WRONG, "Dữ liệu không hợp lệ: sau, soLuong")
        await self._ledger.settled()
        return _told("0", "Lấy danh sách hồ sơ thành công", result=found[0], tiepTheo=found[1])

    def _already_there(self) -> str:
        return next((code for kind, code in ALREADY_THERE.items() if self._faults.active(kind)), "3")


def _addressed(request: web.Request) -> None:
    """Refuse a message to another member of the exchange, as the adapter does [ours]."""
    if request.query.get("dstcode", request.headers.get("dstcode")) != DSTCODE:
        raise web.HTTPBadRequest(text="dstcode names no provider")


def _catalogue(service: object, asked: Mapping[str, Any]) -> web.Response:
    lists = {
        "LayDanhSachTTHC": procedures.procedures,
        "LayDanhMucLinhVuc": procedures.fields,
        "LayDanhMucCoQuan": procedures.agencies,
    }
    if isinstance(service, str) and service in lists and not asked:
        return _told("0", "Lấy danh mục thành công", result=lists[service]())
    if service == "LayThuTuc" and set(asked) == {"maTTHC"} and _holds(check_procedure_code, asked["maTTHC"]):
        found = procedures.described(asked["maTTHC"])
        return _told("0", "Lấy thủ tục thành công" if found else "Không tìm thấy thủ tục", result=found)
    if service == "LayThuTuc" or service in lists:
        return _told(_WRONG, "Dữ liệu không hợp lệ: tham số")
    return _told(_NO_SERVICE, "Dịch vụ không tồn tại")


def _holds(check: Callable[[str], str], value: object) -> bool:
    try:
        return isinstance(value, str) and bool(check(value))
    except ValueError:
        return False


def _inconsistent(one: Mapping[str, Any]) -> str | None:
    if one.get("MaDoiTuong") and one["KenhThucHien"] != "2":
        return "MaDoiTuong chỉ dùng khi nộp trực tuyến"
    for number in one.get("DinhDanhCHS") or ():
        digits = number["SoDinhDanh"]
        if len(digits) != _DIGITS[number["LoaiDinhDanh"]] or not (digits.isascii() and digits.isdigit()):
            return "DinhDanhCHS.SoDinhDanh sai định dạng"
    return None


def _outcome(one: object, verdict: Verdict) -> dict[str, Any]:
    code = one.get("MaHoSo") if isinstance(one, dict) else None
    return {"MaHoSo": code, "error_code": verdict[0], "message": verdict[1]}
