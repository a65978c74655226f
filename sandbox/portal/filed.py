"""Dossiers that people file at the portal itself, and the lists by which provinces fetch them. All of it is [ours].

No source shows how the portal hands over what was filed there; that it does is law. A list goes on behind a cursor, the
number of elements so far; it may hold at most `soLuong` of them. Whoever plays the people says
`POST /_filed {"count": 3, "agency": "H26"}` for dossiers of the population, or `{"dossiers": [...]}` for elements as
generation 1 has them, right or wrong; the same code again is the dossier amended. No session is needed for that, and no
fault touches it.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from aiohttp import web

from sandbox.portal.ledger import Ledger
from sandbox.portal.procedures import PROCEDURES
from sandbox.world.model import Person
from sandbox.world.world import World
from schemas.codes.agencies import check_agency_code, check_dossier_code

MOST: Final = 200
PROVINCE: Final = "H26"
"""The agency of the demo's province."""
_VIETNAM: Final = timezone(timedelta(hours=7))
_KINDS: Final = {"1": 0, "2": 1}


def page(ledger: Ledger, asked: Mapping[str, Any]) -> tuple[list[Any], str] | None:
    """Return the elements behind a cursor and the cursor behind them; None where the question is wrong."""
    if not set(asked) <= {"sau", "soLuong"}:
        return None
    after, limit = str(asked.get("sau", "0")), str(asked.get("soLuong", MOST))
    if not (after.isascii() and after.isdigit() and limit.isascii() and limit.isdigit() and 1 <= int(limit) <= MOST):
        return None
    found = ledger.filed[int(after) : int(after) + int(limit)]
    return found, str(min(int(after) + len(found), len(ledger.filed)))


def second(element: Any) -> Any:
    """Say an element in the names and forms of generation 2, those of Create; what is no object stays as it is."""
    if not isinstance(element, dict):
        return element
    told = {name: element[name] for name in ("MaHoSo", "MaTTHC", "ChuHoSo", "MaDonViTiepNhan") if name in element}
    told["LoaiDoiTuong"] = _KINDS.get(str(element.get("LoaiDoiTuong")), element.get("LoaiDoiTuong"))
    told["TrangThai"] = int(element.get("TrangThaiHoSo") or "1")
    told["DinhDanhCHS"] = element.get("DinhDanhCHS", [])
    if element.get("NgayNopHoSo"):
        told["NgayNop"] = datetime.strptime(element["NgayNopHoSo"], "%Y%m%d%H%M%S").isoformat(" ")  # noqa: DTZ007
    details = {name: element[name] for name in ("SoDienThoai", "Email") if element.get(name)}
    told["ThongTinNguoiNop"] = {"LoaiDoiTuong": told["LoaiDoiTuong"], "ThongTinChiTiet": details}
    return told


def file(ledger: Ledger, elements: list[Any]) -> list[str]:
    """File elements; return the codes of those that the portal then holds."""
    codes: list[str] = []
    for element in elements:
        ledger.file(element)
        code = element.get("MaHoSo") if isinstance(element, dict) else None
        try:
            codes.append(check_dossier_code(code) if isinstance(code, str) else "")
        except ValueError:
            codes.append("")
        if codes[-1]:
            ledger.register(codes[-1], element, element.get("TrangThaiHoSo") or "1")
    return [code for code in codes if code]


def made(world: World, ledger: Ledger, count: int, agency: str) -> list[dict[str, Any]]:
    """Make dossiers that adults of the population file with an agency now, each of another one as far as they go."""
    now = datetime.now(UTC).astimezone(_VIETNAM)
    series = f"{agency}-{now:%Y%m%d}-"
    elements: list[dict[str, Any]] = []
    for _ in range(count):
        number = ledger.next_number(series)
        while (code := f"{series}{number:07d}") in ledger.dossiers:
            number = ledger.next_number(series)
        procedure = PROCEDURES[len(ledger.filed + elements) % len(PROCEDURES)]
        person = _applicant(world, len(ledger.filed) + len(elements))
        elements.append(
            {
                "MaHoSo": code,
                "MaTTHC": procedure.code,
                "TenTTHC": procedure.name,
                "MaLinhVuc": procedure.field,
                "KenhThucHien": "2",
                "ChuHoSo": _name(person),
                "LoaiDoiTuong": "1",
                "DinhDanhCHS": [{"LoaiDinhDanh": "1", "SoDinhDanh": person.personal_id}],
                "SoDienThoai": f"09{person.index:08d}",
                "TrichYeuHoSo": procedure.name,
                "NgayNopHoSo": f"{now:%Y%m%d%H%M%S}",
                "NgayTiepNhan": "",
                "NgayHenTra": "",
                "NoiNopHoSo": "1",
                "TrangThaiHoSo": "1",
                "MaDonViTiepNhan": agency,
                "TaiKhoanDuocXacThucVoiVNeID": "1",
            }
        )
    return elements


def _name(person: Person) -> str:
    """The name as people type it, whatever spelling the register keeps."""
    return " ".join(unicodedata.normalize("NFC", f"{person.surname} {person.middle} {person.given}").split())


def _applicant(world: World, turn: int) -> Person:
    """Somebody of age who has a personal number."""
    for step in range(world.people):
        person = world.person((turn + step) % world.people)
        if person.personal_id and person.death is None and person.birth.year <= 2007:
            return person
    raise LookupError("nobody in this population is of age")


def add_filing(app: web.Application, world: World, ledger: Ledger) -> None:
    """Add the route by which people file."""

    async def post(request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.text())
            if set(asked) == {"dossiers"} and isinstance(asked["dossiers"], list):
                elements = asked["dossiers"]
            else:
                agency, count = check_agency_code(asked.get("agency", PROVINCE)), asked.get("count", 1)
                if not set(asked) <= {"count", "agency"} or type(count) is not int or not 1 <= count <= MOST:
                    raise ValueError("count")
                elements = made(world, ledger, count, agency)
        except (ValueError, TypeError, AttributeError):
            raise web.HTTPBadRequest(
                text='{"count": 1 to 200, "agency": "H26"} or {"dossiers": [...]} is asked for'
            ) from None
        codes = file(ledger, elements)
        await ledger.settled()
        return web.json_response({"filed": codes})

    app.router.add_post("/_filed", post)
