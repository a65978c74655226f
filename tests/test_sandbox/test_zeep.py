"""zeep, driven by nothing but the published WSDL, reads out of the registries what is true of the world.

zeep knows neither our declarations nor our codecs. It gives None for empty text, so that here empty, blank and missing
count as the same; the difference is tested where the gateway's own codecs are.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests
import zeep
from requests.auth import AuthBase
from zeep.helpers import serialize_object

from sandbox.run import Running
from sandbox.world.world import World
from security.signature import SignaturePolicy
from security.signature_key import SigningKey
from security.soap_signature import verify_soap
from security.soap_signing import sign_soap
from security.trust import AnchoredTrust, load_certificates
from security.xml import Element, canonical, parse
from tests.test_sandbox.visitor import Visitor

Record = dict[str, Any]

SEX = {"1": "male", "2": "female"}
MARITAL = {"1": "single", "2": "married", "3": "divorced", "4": "widowed"}
BLOOD = {"01": "A", "02": "B", "03": "AB", "04": "O"}
HOUSEHOLD = {"01": "head", "02": "spouse", "03": "child", "04": "father", "05": "mother", "99": "relative"}
TAX = {"DN": "enterprise", "CN": "branch", "CNKD": "person", "HKD": "household-business"}
TAX_STATUS = {
    "00": "active",
    "01": "closed",
    "02": "moved",
    "03": "closing",
    "04": "active-incomplete",
    "05": "suspended",
    "06": "not-at-address",
    "07": "awaiting-bankruptcy",
    "09": "address-check",
}


class Seal:
    """zeep's hook for message security: signs what goes out, judges what comes back."""

    def __init__(self, running: Running, database: str) -> None:
        pair = running.pki.gateway_signing()
        self._key = SigningKey.load(pair.key, pair.certificate)
        (expected,) = load_certificates(running.pki.registry(database).certificate)
        self._trust = AnchoredTrust(load_certificates(running.pki.registries_ca), subject=expected.subject)
        self._value = ""

    def apply(self, envelope: Element, headers: dict[str, str]) -> tuple[Element, dict[str, str]]:
        signed = sign_soap(canonical(envelope), self._key)
        self._value = signed.signature_value
        return parse(signed.envelope), headers

    def verify(self, envelope: Element) -> Element:
        verify_soap(canonical(envelope), SignaturePolicy(), self._trust, confirms=self._value)
        return envelope


class HashedBasic(AuthBase):
    """The log-in of the population database, written from its description."""

    def __init__(self, user: str, secret: str) -> None:
        self._user, self._secret = user, secret

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        stamp = str(int(time.time() * 1000))
        proof = hashlib.sha256(f"{request.url}{self._user}{stamp}{self._secret}".encode()).hexdigest()
        request.headers["Timestamp"] = stamp
        return requests.auth.HTTPBasicAuth(self._user, proof)(request)


def connect(running: Running, database: str) -> tuple[zeep.Client, requests.Session]:
    """A zeep client of the published WSDL. Blocking: to be called in a thread."""
    session = requests.Session()
    session.trust_env = False
    account = running.accounts[database]
    if database == "population":
        session.auth = HashedBasic(account.username, account.secret)
    transport = zeep.Transport(session=session)
    return zeep.Client(running.contracts[database], transport=transport, wsse=Seal(running, database)), session


async def in_thread(running: Running, database: str, work: Callable[[Any], None]) -> None:
    def run() -> None:
        client, session = connect(running, database)
        with session:
            work(client.service)

    await asyncio.to_thread(run)


def plain(value: Any) -> Any:
    """Nothing for what is empty or blank, at every depth."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if isinstance(value, str) and not value.strip() else value


def day(found: Record | None) -> str | None:
    text = found and (found["NgayThangNam"] or found["Nam"])
    return "-".join(part for part in (text[:4], text[4:6], text[6:]) if part) if text else None


def name(found: Record | None) -> str | None:
    return " ".join(part for part in (found["Ho"], found["ChuDem"], found["Ten"]) if part) if found else None


def place(found: Record) -> Record:
    names = ("province", "MaTinhThanh"), ("district", "MaQuanHuyen"), ("commune", "MaPhuongXa")
    return {ours: found[theirs] for ours, theirs in (*names, ("detail", "ChiTiet"), ("country", "QuocGia"))}


def relative(found: Record | None) -> Record | None:
    # A nil record is one without values to zeep.
    if not found or not any(found.values()):
        return None
    return {
        "full_name": name(found["HoVaTen"]),
        "nationality": found["QuocTich"],
        "personal_id": found["SoDinhDanh"],
        "old_id_card": found["SoCMND"],
    }


def citizen(found: Record) -> Record:
    """What a reader of the WSDL takes a CongDan to say."""
    head, moment = found["ChuHo"], found["ThoiDiemDuLieu"]
    head = head if head and any(head.values()) else None
    return {
        "data_as_of": f"{moment[:4]}-{moment[4:6]}-{moment[6:8]}T{moment[8:10]}:{moment[10:12]}:{moment[12:]}+07:00",
        "note": found["GhiChu"],
        "personal_id": found["SoDinhDanh"],
        "old_id_card": found["SoCMND"],
        "full_name": name(found["HoVaTen"]),
        "other_name": found["TenGoiKhac"],
        "sex": SEX[found["GioiTinh"]],
        "birth_date": day(found["NgayThangNamSinh"]),
        "death_date": day(found["NgayChetMatTich"]),
        "ethnicity": found["DanToc"],
        "religion": found["TonGiao"],
        "nationality": found["QuocTich"],
        "marital_status": MARITAL[found["TinhTrangHonNhan"]],
        "blood_group": BLOOD.get(found["NhomMau"]),
        "birth_registration_place": place(found["NoiDangKyKhaiSinh"]),
        "hometown": place(found["QueQuan"]),
        "permanent_residence": place(found["ThuongTru"]),
        "current_residence": place(found["NoiOHienTai"]),
        "father": relative(found["Cha"]),
        "mother": relative(found["Me"]),
        "spouse": relative(found["VoChong"]),
        "representative": relative(found["NguoiDaiDien"]),
        "head_of_household": head
        and {
            "relation": HOUSEHOLD[head["QuanHe"]],
            "full_name": name(head["HoVaTen"]),
            "personal_id": head["SoDinhDanh"],
            "old_id_card": head["SoCMND"],
        },
        "household_number": found["SoSoHoKhau"],
    }


def birth(text: str) -> Record:
    return {"Nam": text} if len(text) == 4 else {"NgayThangNam": text.replace("-", "")}


async def test_population_tells_zeep_the_truth_about_everybody(visitor: Visitor, world: World) -> None:
    from sandbox.population import REGISTRY

    sentences = [truth for truth in REGISTRY.truth(world) if truth.operation == "person"]

    def work(service: Any) -> None:
        for truth in sentences:
            asked: Record = {"MaYeuCau": "1", "MaDVC": "D", "MaTichHop": "037", "MaCanBo": "C"}
            if "personal_id" in truth.request:
                asked["SoDinhDanh"] = truth.request["personal_id"]
            elif "old_id_card" in truth.request:
                asked["SoCMND"] = truth.request["old_id_card"]
            if "full_name" in truth.request:
                asked["HoVaTen"] = truth.request["full_name"].upper()
            if "birth_date" in truth.request:
                asked["NgayThangNamSinh"] = birth(truth.request["birth_date"])
            (found,) = serialize_object(service.TraCuuThongTinCongDan(**asked), dict)["CongDan"]
            assert plain(citizen(plain(found))) == plain(dict(truth.answer)), truth.request

    await in_thread(visitor.running, "population", work)


async def test_population_tells_zeep_nothing_about_nobody(visitor: Visitor, world: World) -> None:
    def work(service: Any) -> None:
        asked = {"MaYeuCau": "1", "MaDVC": "D", "MaTichHop": "037", "MaCanBo": "C", "SoDinhDanh": "079099500000"}
        assert serialize_object(service.TraCuuThongTinCongDan(**asked), dict)["CongDan"] == []
        twin = world.cases["ambiguous"].people[0]
        asked.pop("SoDinhDanh")
        both = service.TraCuuThongTinCongDan(
            **asked, HoVaTen=twin.full_name.upper(), NgayThangNamSinh=birth(twin.birth.text)
        )
        assert len(both["CongDan"]) == 2
        with pytest.raises(zeep.exceptions.Fault, match="MaTichHop") as fault:
            service.XacThucThongTinCongDan(**asked, SoDinhDanh="079099500000")
        assert "KhongCoQuyen" in "".join(fault.value.detail.itertext())

    await in_thread(visitor.running, "population", work)


async def test_population_confirms_claims_and_relations_to_zeep(visitor: Visitor, world: World) -> None:
    from sandbox.population import REGISTRY

    sentences = [truth for truth in REGISTRY.truth(world) if truth.operation != "person"]
    fields = {
        "full_name": "HoVaTen",
        "birth_date": "NgayThangNamSinh",
        "sex": "GioiTinh",
        "nationality": "QuocTich",
        "household_number": "SoSoHoKhau",
    }
    kinship = {"father": "01", "mother": "02", "spouse": "03", "child": "04", "representative": "05", "household": "06"}

    def match(service: Any, request: Mapping[str, str]) -> Record:
        asked: Record = {"MaYeuCau": "1", "MaDVC": "D", "MaTichHop": "003", "MaCanBo": "C"}
        asked |= (
            {"SoDinhDanh": request["personal_id"]} if "personal_id" in request else {"SoCMND": request["old_id_card"]}
        )
        for ours, theirs in fields.items():
            if ours in request:
                asked[theirs] = request[ours]
        if "birth_date" in request:
            asked["NgayThangNamSinh"] = birth(request["birth_date"])
        if "sex" in request:
            asked["GioiTinh"] = {"male": "1", "female": "2"}[request["sex"]]
        asked["HoVaTen"] = request["full_name"].upper()
        found = serialize_object(service.XacThucThongTinCongDan(**asked), dict)
        return {"exists": found["TonTai"], **{ours: found["KetQuaXacThuc"][theirs] for ours, theirs in fields.items()}}

    def relate(service: Any, request: Mapping[str, str]) -> Record:
        asked = {"MaYeuCau": "1", "MaDVC": "D", "MaTichHop": "037", "MaCanBo": "C"}
        asked |= {"SoDinhDanh": request["personal_id"], "SoDinhDanhNguoiThan": request["relative_id"]}
        if "relation" in request:
            asked["QuanHe"] = kinship[request["relation"]]
        found = service.XacMinhThongTinNhanThan(**asked)
        words = {code: word for word, code in kinship.items()}
        return {"exists": found["TonTai"], "related": found["KetQua"], "relation": words.get(found["QuanHe"])}

    def work(service: Any) -> None:
        for truth in sentences:
            asker = match if truth.operation == "match" else relate
            assert asker(service, truth.request) == truth.answer, truth.request

    await in_thread(visitor.running, "population", work)


async def test_tax_tells_zeep_the_truth_about_everybody(visitor: Visitor, world: World) -> None:
    from sandbox.tax import REGISTRY

    sentences = list(REGISTRY.truth(world))

    def registration(found: Record) -> Record:
        acting, units = found["DanhSachDaiDien"] or {}, found["DanhSachDonViPhuThuoc"] or {}
        where = found["DiaChi"]
        return {
            "tax_code": found["MaSoThue"],
            "kind": TAX[found["Nhom"]],
            "type_code": found["LoaiNNT"],
            "name": found["TenNNT"],
            "business_name": found["TenHKD"],
            "personal_id": found["SoDinhDanh"],
            "parent_tax_code": found["MaSoThueChuQuan"],
            "status": TAX_STATUS.get(found["TrangThai"]),
            "tax_office": found["CoQuanThue"]["Ma"],
            "tax_office_name": found["CoQuanThue"]["Ten"],
            "registered_on": found["NgayCap"],
            "closed_on": found["NgayChamDut"],
            "address": {
                "province": where["MaTinh"],
                "district": where["MaHuyen"],
                "commune": where["MaXa"],
                "detail": where["ChiTiet"],
                "country": where["QuocGia"],
            },
            "representatives": [
                {"full_name": one["HoTen"], "personal_id": one["SoDinhDanh"], "position": one["ChucVu"]}
                for one in acting.get("DaiDien") or []
            ],
            "branches": [
                {"tax_code": one["MaSoThue"], "name": one["Ten"], "status": TAX_STATUS.get(one["TrangThai"])}
                for one in units.get("DonViPhuThuoc") or []
            ],
        }

    def owed(found: Record) -> Record:
        return {
            "tax_code": found["MaSoThue"],
            "name": found["TenNNT"],
            "as_of": "2026-01-01T00:00:00+07:00" if found["ThoiDiem"] == "20260101000000" else found["ThoiDiem"],
            "currency": found["LoaiTien"],
            "count": int(found["SoKhoan"]),
            "total_assessed": found["TongPhaiNop"],
            "total_paid": found["TongDaNop"],
            "total_outstanding": found["TongConPhaiNop"],
            "items": [
                {
                    "period": one["KyThue"],
                    "item": one["TieuMuc"],
                    "item_name": one["TenTieuMuc"],
                    "due_on": one["HanNop"],
                    "assessed": one["SoPhaiNop"],
                    "paid": one["SoDaNop"],
                    "penalty": one["TienChamNop"],
                    "outstanding": one["SoConPhaiNop"],
                }
                for one in (found["DanhSachKhoan"] or {}).get("Khoan") or []
            ],
        }

    def work(service: Any) -> None:
        for truth in sentences:
            asked = {"MaYeuCau": "1", "MaHeThong": "H", "MaSoThue": truth.request["tax_code"]}
            if truth.operation == "taxpayer":
                found = serialize_object(service.TraCuuNguoiNopThue(**asked), dict)
                said = registration(plain(found["NguoiNopThue"]))
            else:
                if "due_from" in truth.request:
                    asked |= {"TuNgay": truth.request["due_from"], "DenNgay": truth.request["due_to"]}
                found = serialize_object(service.TraCuuNghiaVuThue(**asked), dict)
                said = owed(plain(found["NghiaVuThue"]))
            assert found["MaKetQua"] == "00"
            assert plain(said) == plain(dict(truth.answer)), truth.request

    await in_thread(visitor.running, "tax", work)
