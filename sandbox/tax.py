"""The taxpayer register of the sandbox (cơ sở dữ liệu thuế): SOAP 1.2, signed both ways, result codes inside answers.

The profile is ours (`schemas.tax`). One taxpayer has a status that the published catalogue no longer has, as happens
after a code list changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from copy import deepcopy
from datetime import date
from decimal import Decimal

from aiohttp import web

from sandbox import tax_truth
from sandbox.contracts import Contract
from sandbox.registry import Context, Registry
from sandbox.soap import SoapService, soap_application
from sandbox.wire import Writer
from sandbox.world.holdings import Obligation, Representative, Taxpayer
from sandbox.world.model import REFERENCE_DAY, Address
from sandbox.world.world import World
from security.xml import Element

NAME = "tax"
PATH = "/thue"
NAMESPACE = "urn:lgsp:sandbox:thue:1.0"

_KINDS = {"enterprise": "DN", "branch": "CN", "person": "CNKD", "household-business": "HKD"}
_FOUND, _NOBODY, _WRONG = "00", "01", "02"
_TEXTS = {_FOUND: "Thành công", _NOBODY: "Không tìm thấy mã số thuế", _WRONG: "Yêu cầu không hợp lệ"}


class _Office:
    """Answers the two questions from the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def taxpayer(self, question: Element) -> Element:
        """TraCuuNguoiNopThue: the registration behind a tax code."""
        asked = _members(question)
        found = self._world.taxpayer(asked["MaSoThue"])
        writer, answer = _answer(question, asked, _FOUND if found else _NOBODY)
        if found:
            self._registration(writer, answer, found)
        return answer

    async def obligations(self, question: Element) -> Element:
        """TraCuuNghiaVuThue: what was owed in a time."""
        asked = _members(question)
        try:
            since = date.fromisoformat(asked.get("TuNgay") or "0001-01-01")
            until = date.fromisoformat(asked.get("DenNgay") or "9999-12-31")
        except ValueError:
            return _answer(question, asked, _WRONG)[1]
        found = self._world.taxpayer(asked["MaSoThue"])
        writer, answer = _answer(question, asked, _FOUND if found else _NOBODY)
        if found:
            held = [one for one in found.obligations if since <= one.due_on <= until]
            _owed(writer, answer, found, held)
        return answer

    def about_somebody_else(self, question: Element) -> Element:
        """The same question about another taxpayer, under another MaYeuCau."""
        other = deepcopy(question)
        asked = _members(question)
        codes = (one.code for block in self._world.blocks() for one in block.taxpayers)
        code = next(code for code in codes if code.replace("-", "") != asked["MaSoThue"].replace("-", ""))
        for child in other:
            if str(child.tag).endswith("}MaYeuCau"):
                child.text = str(uuid.uuid4())
            elif str(child.tag).endswith("}MaSoThue"):
                child.text = code
        return other

    def _registration(self, writer: Writer, answer: Element, found: Taxpayer) -> None:
        record = writer.below(answer, "NguoiNopThue")
        person = self._world.person(found.person) if found.person is not None else None
        writer.text(record, "MaSoThue", found.code)
        writer.text(record, "Nhom", _KINDS[found.kind])
        writer.text(record, "LoaiNNT", found.type_code)
        writer.text(record, "TenNNT", found.name)
        writer.text(record, "TenHKD", found.business_name, blank=True)
        writer.text(record, "SoDinhDanh", person.personal_id if person else None)
        writer.text(record, "MaSoThueChuQuan", found.parent)
        writer.text(record, "TrangThai", "08" if tax_truth.is_dated(found) else found.status)
        office = writer.below(record, "CoQuanThue")
        writer.text(office, "Ma", found.authority)
        writer.text(office, "Ten", found.authority_name)
        writer.text(record, "NgayCap", found.registered_on.isoformat())
        writer.text(record, "NgayChamDut", found.closed_on.isoformat() if found.closed_on else None)
        _address(writer, record, found.address)
        enterprise = self._world.enterprise(found.code) if found.kind == "enterprise" else None
        branch = self._world.branch(found.code) if found.kind == "branch" else None
        acting = enterprise.representatives if enterprise else (branch.head,) if branch else ()
        self._representatives(writer, record, acting)
        if not enterprise or not enterprise.branches:
            writer.nothing(record, "DanhSachDonViPhuThuoc")
            return
        units = writer.below(record, "DanhSachDonViPhuThuoc")
        for one in enterprise.branches:
            registered = self._world.taxpayer(one.code)
            unit = writer.below(units, "DonViPhuThuoc")
            writer.text(unit, "MaSoThue", one.code)
            writer.text(unit, "Ten", one.name)
            writer.text(unit, "TrangThai", registered.status if registered else None)

    def _representatives(self, writer: Writer, record: Element, acting: tuple[Representative, ...]) -> None:
        if not acting:
            writer.nothing(record, "DanhSachDaiDien")
            return
        people = writer.below(record, "DanhSachDaiDien")
        for one in acting:
            place = writer.below(people, "DaiDien")
            writer.text(place, "HoTen", one.full_name)
            writer.text(place, "SoDinhDanh", self._world.person(one.person).personal_id)
            writer.text(place, "ChucVu", one.position)


def _members(question: Element) -> dict[str, str]:
    return {str(child.tag).rpartition("}")[2]: child.text or "" for child in question}


def _answer(question: Element, asked: Mapping[str, str], result: str) -> tuple[Writer, Element]:
    writer = Writer(NAMESPACE, asked["MaSoThue"])
    name = str(question.tag).rpartition("}")[2]
    answer = writer.root(f"{name}Response", MaYeuCau=asked["MaYeuCau"])
    writer.text(answer, "MaKetQua", result)
    writer.text(answer, "MoTaKetQua", _TEXTS[result])
    return writer, answer


def _owed(writer: Writer, answer: Element, found: Taxpayer, held: list[Obligation]) -> None:
    record = writer.below(answer, "NghiaVuThue")
    writer.text(record, "MaSoThue", found.code)
    writer.text(record, "TenNNT", found.name)
    writer.text(record, "ThoiDiem", f"{REFERENCE_DAY:%Y%m%d}000000")
    writer.text(record, "LoaiTien", "VND")
    writer.text(record, "SoKhoan", str(len(held)))
    for name, amounts in (
        ("TongPhaiNop", [one.assessed for one in held]),
        ("TongDaNop", [one.paid for one in held]),
        ("TongConPhaiNop", [one.outstanding for one in held]),
    ):
        writer.text(record, name, str(sum(map(Decimal, amounts), Decimal("0.00"))))
    if not held:
        writer.nothing(record, "DanhSachKhoan")
        return
    items = writer.below(record, "DanhSachKhoan")
    for one in held:
        item = writer.below(items, "Khoan")
        writer.text(item, "KyThue", one.period)
        writer.text(item, "TieuMuc", one.item)
        writer.text(item, "TenTieuMuc", one.title)
        writer.text(item, "HanNop", one.due_on.isoformat())
        writer.text(item, "SoPhaiNop", one.assessed)
        writer.text(item, "SoDaNop", one.paid)
        writer.text(item, "TienChamNop", one.penalty)
        writer.text(item, "SoConPhaiNop", one.outstanding)


def _address(writer: Writer, record: Element, address: Address) -> None:
    place, held = writer.below(record, "DiaChi"), address.place
    writer.text(place, "MaTinh", held.province if held else None)
    writer.text(place, "MaHuyen", held.district if held else None, blank=True)
    writer.text(place, "MaXa", held.commune if held else None)
    writer.text(place, "ChiTiet", address.detail, blank=True)
    writer.text(place, "QuocGia", address.country)


def _fault(code: str, text: str) -> Element:
    writer = Writer(NAMESPACE, "")
    detail = writer.root("LoiThue")
    writer.text(detail, "MaLoi", code)
    writer.text(detail, "MoTa", text)
    return detail


def _open(request: web.Request) -> None:
    """Let everybody in: the signature of the request is the only proof asked for."""


def build(context: Context) -> Mapping[str, web.Application]:
    """Return the one application of this registry."""
    office = _Office(context.world)
    service = SoapService(
        name=NAME,
        version="1.2",
        path=PATH,
        contract=Contract("tax.wsdl"),
        answers={
            f"{{{NAMESPACE}}}TraCuuNguoiNopThue": office.taxpayer,
            f"{{{NAMESPACE}}}TraCuuNghiaVuThue": office.obligations,
        },
        others=office.about_somebody_else,
        fault=_fault,
        codes={"syntax": "02", "signature": "03", "stranger": "03", "replay": "04"},
        admit=_open,
    )
    return {NAME: soap_application(context, service)}


REGISTRY = Registry(
    name=NAME,
    signs=True,
    contract=f"{PATH}?wsdl",
    build=build,
    truth=tax_truth.truth,
    cases=tax_truth.cases,
    params={"MaHeThong": "LGSP-SANDBOX"},
)
