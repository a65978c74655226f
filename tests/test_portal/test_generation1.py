"""Generation 1: sessions, what is taken and refused, catalogues, look-ups, batches."""

from typing import Any

import pytest

from tests.test_portal.visitor import CODE, DSTCODE, XRD, Visitor, dossier, record

OTHER = "000.00.00.H26-260105-0002"


async def test_a_dossier_is_created_advanced_and_looked_up(visitor: Visitor) -> None:
    assert await visitor.look_up() == []
    created = await visitor.register(dossier())
    assert (created["error_code"], "thành công" in created["message"]) == ("00", True)
    records = [record(1, "2"), record(2, "4", ThoiDiemXuLy="20260105080000")]
    for one in records:
        assert (await visitor.advance(one))["error_code"] == "00"
    (found,) = await visitor.look_up()
    assert found.pop("DanhSachTienDo") == records
    assert found == dossier(TrangThaiHoSo="4")
    amended = dossier(ChuHoSo="Người Khác", TrangThaiHoSo="4")
    assert (await visitor.register(amended, updating=True))["error_code"] == "00"
    (found,) = await visitor.look_up()
    assert (found["ChuHoSo"], len(found["DanhSachTienDo"])) == ("Người Khác", 2)
    (line,) = await visitor.lines("_dossiers")
    assert (line["dossier"], line["status"], line["updates"]) == (CODE, "4", 1)


async def test_an_amendment_of_what_is_not_there_is_refused(visitor: Visitor) -> None:
    assert (await visitor.register(dossier(), updating=True))["error_code"] == "2"
    assert (await visitor.advance(record(1, "2")))["error_code"] == "2"
    assert await visitor.ledger() == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [(None, "3"), ("already-exists-as-3", "3"), ("already-exists-as-0", "0"), ("already-exists-as--3", "-3")],
    ids=["default", "3", "0", "minus-3"],
)
async def test_what_is_already_there_has_the_code_that_was_chosen(
    visitor: Visitor, fault: str | None, code: str
) -> None:
    await visitor.register(dossier())
    await visitor.fault(fault)
    told = await visitor.register(dossier(ChuHoSo="Người Khác"))
    assert told["error_code"] == code
    assert "đã tồn tại" in told["message"]
    assert "thành công" not in told["message"]
    (found,) = await visitor.look_up()
    assert found["ChuHoSo"] == "Nguyễn Thị Mẫu"


WRONG_RECORDS: dict[str, dict[str, Any]] = {
    "no officer": {"NguoiXuLy": ""},
    "officer missing": {"NguoiXuLy": None},
    "officer too long": {"NguoiXuLy": "x" * 51},
    "date with dashes": {"ThoiDiemXuLy": "2026-01-05 09:00:00"},
    "date without time": {"ThoiDiemXuLy": "20260105"},
    "date that is none": {"ThoiDiemXuLy": "20260230090000"},
    "other digits": {"ThoiDiemXuLy": "２０２６０１０５０９００００"},
    "date of the start": {"NgayBatDau": "05/01/2026"},
    "no time": {"ThoiDiemXuLy": ""},
    "no text": {"NoiDungXuLy": ""},
    "text too long": {"NoiDungXuLy": "x" * 4001},
    "unknown status": {"TrangThai": "11"},
    "status as a number": {"TrangThai": 4},
    "no dossier code": {"MaHoSo": ""},
    "wrong dossier code": {"MaHoSo": "000.00.00.H26-261305-0001"},
    "unknown field": {"KhongCo": "1"},
}


@pytest.mark.parametrize("wrong", WRONG_RECORDS.values(), ids=WRONG_RECORDS)
async def test_wrong_progress_is_refused(visitor: Visitor, wrong: dict[str, Any]) -> None:
    await visitor.register(dossier())
    assert (await visitor.advance(record(1, "2") | wrong))["error_code"] == "1"
    told = await visitor.advance({name: value for name, value in (record(1, "2") | wrong).items() if value is not None})
    assert told["error_code"] == "1"
    assert await visitor.ledger() == []


WRONG_DOSSIERS: dict[str, dict[str, Any]] = {
    "procedure": {"MaTTHC": "1.5129"},
    "channel": {"KenhThucHien": "4"},
    "kind of applicant": {"LoaiDoiTuong": "0"},
    "status": {"TrangThaiHoSo": "0"},
    "manner": {"HinhThuc": "2"},
    "summary too long": {"TrichYeuHoSo": "x" * 1001},
    "date": {"NgayHenTra": "2026-01-12T17:00:00"},
    "technical id without online filing": {"MaDoiTuong": "T1"},
    "papers not in a list": {"TaiLieuNop": {}},
    "paper with an unknown member": {"TaiLieuNop": [{"Ten": "x"}]},
    "paper reused": {"TaiLieuNop": [{"TepDinhKemId": "1", "DuocTaiSuDung": "3"}]},
    "date in a list": {"DanhSachHoSoBoSung": [{"HoSoBoSungId": "1", "NgayBoSung": "hôm nay"}]},
    "fee in a list in a list": {"DanhSachHoSoBoSung": [{"DanhSachLePhiBoSung": [{"Gia": 5}]}]},
    "citizen number of nine digits": {"DinhDanhCHS": [{"LoaiDinhDanh": "1", "SoDinhDanh": "123456789"}]},
    "number without kind": {"DinhDanhCHS": [{"SoDinhDanh": "123456789"}]},
    "an element that is no object": {"DSKetNoiCSDL": ["1"]},
}


@pytest.mark.parametrize("wrong", WRONG_DOSSIERS.values(), ids=WRONG_DOSSIERS)
async def test_a_wrong_dossier_is_refused(visitor: Visitor, wrong: dict[str, Any]) -> None:
    assert (await visitor.register(dossier(**wrong)))["error_code"] == "1"
    assert await visitor.lines("_dossiers") == []


async def test_all_lists_of_a_dossier_are_taken(visitor: Visitor) -> None:
    paper = {"TepDinhKemId": "1", "TenTepDinhKem": "a.pdf", "IsDeleted": "False", "DuocTaiSuDung": "2"}
    more = {
        "KenhThucHien": "2",
        "MaDoiTuong": "TECH-1",
        "TaiLieuNop": [paper | {"DuocSoHoa": "1", "DuocLayTuKhoDMQG": "0", "MaKetQuaThayThe": ""}],
        "DanhSachLePhi": [{"TenPhiLePhi": "Lệ phí", "Gia": "8000"}],
        "DanhSachHoSoBoSung": [{"HoSoBoSungId": "1", "NgayBoSung": "20260106080000", "DanhSachGiayToBoSung": []}],
        "DanhSachGiayToKetQua": [{"TenGiayTo": "Giấy khai sinh", "MaGiayToKetQua": "KQ.G15.000031"}],
        "DinhDanhCHS": [{"LoaiDinhDanh": "1", "SoDinhDanh": "001200000001"}],
        "DSKetNoiCSDL": [{"MaCSDL": "1"}, {"MaCSDL": "7"}],
    }
    assert (await visitor.register(dossier(**more)))["error_code"] == "00"


async def test_in_a_batch_each_stands_for_itself(visitor: Visitor) -> None:
    told = await visitor.register(dossier(), dossier(OTHER, KenhThucHien="9"), dossier())
    assert [one["error_code"] for one in told["result"]] == ["00", "1", "3"]
    assert [one["MaHoSo"] for one in told["result"]] == [CODE, OTHER, CODE]
    assert told["error_code"] == "1"
    told = await visitor.advance(record(1, "2"), record(1, "2", OTHER), record(2, "99"), record(3, "4"))
    assert [one["error_code"] for one in told["result"]] == ["00", "2", "1", "00"]
    assert await visitor.ledger() == [(CODE, 1, "2", 1), (CODE, 3, "4", 1)]


async def test_a_batch_may_stand_or_fall_as_a_whole(visitor: Visitor) -> None:
    await visitor.register(dossier())
    await visitor.fault("batch-all-or-nothing")
    told = await visitor.advance(record(1, "2"), record(2, "99"))
    assert (told["error_code"], told["result"]) == ("1", [])
    assert (await visitor.register(dossier(OTHER), dossier()))["error_code"] == "3"
    assert await visitor.ledger() == []
    assert [one["dossier"] for one in await visitor.lines("_dossiers")] == [CODE]
    assert (await visitor.advance(record(1, "2"), record(2, "4")))["error_code"] == "00"
    assert len(await visitor.ledger()) == 2


@pytest.mark.parametrize("data", [None, [], {}, "x"], ids=["missing", "empty", "object", "text"])
async def test_a_batch_is_a_list(visitor: Visitor, data: object) -> None:
    for service, more in (("DongBoHoSoMC", {"isUpdating": "False"}), ("CapNhatTienDoHoSoMC", {})):
        assert (await visitor.call(service, data=data, **more))["error_code"] == "1"
    assert (await visitor.advance(1))["error_code"] == "1"  # type: ignore[arg-type]


async def test_updating_is_said_in_words(visitor: Visitor) -> None:
    for said in (True, "true", "", None):
        assert (await visitor.call("DongBoHoSoMC", isUpdating=said, data=[dossier()]))["error_code"] == "1"
    assert (await visitor.call("DongBoHoSoMC", isUpdating="False", more="1", data=[dossier()]))["error_code"] == "1"


async def test_the_catalogues_agree(visitor: Visitor) -> None:
    listed = (await visitor.call("LayDanhSachTTHC"))["result"]
    fields = {one["MALINHVUC"] for one in (await visitor.call("LayDanhMucLinhVuc"))["result"]}
    agencies = {one["MADONVI"] for one in (await visitor.call("LayDanhMucCoQuan"))["result"]}
    assert len({one["MATTHC"] for one in listed}) == len(listed) > 3
    for one in listed:
        told = await visitor.call("LayThuTuc", maTTHC=one["MATTHC"])
        (procedure,) = told["result"]
        assert procedure["TENTTHC"] == one["TENTTHC"]
        assert procedure["LINHVUCTHUCHIEN"][0]["MALINHVUC"] in fields
        assert procedure["COQUANTHUCHIEN"][0]["MADONVI"] in agencies
        assert {channel["KENH"] for channel in procedure["CACHTHUCTHUCHIEN"]} == {1, 2, 3}
        known = {"TRINHTUTHUCHIEN", "PHILEPHI", "THANHPHANHOSO", "KETQUATHUCHIEN", "CANCUPHAPLY"}
        assert known <= procedure.keys()
    unknown = await visitor.call("LayThuTuc", maTTHC="9.999999")
    assert (unknown["error_code"], unknown["result"]) == ("0", [])


async def test_what_cannot_be_answered_has_a_code(visitor: Visitor) -> None:
    assert (await visitor.call("LayThuTuc", maTTHC="x"))["error_code"] == "1"
    assert (await visitor.call("LayDanhSachTTHC", more="1"))["error_code"] == "1"
    assert (await visitor.call("TraCuuHoSo", mahoso=7))["error_code"] == "1"
    assert (await visitor.call("LayDanhSachHoiDapBoCoQuan"))["error_code"] == "4"
    assert (await visitor.call("TraCuuHoSo", madonvi="Hà Nội", mahoso=CODE))["error_code"] == "5"


@pytest.mark.parametrize(
    "body",
    [{"username": "lgsp-portal", "password": "no"}, {"username": "nobody", "password": ""}, {"password": 1}, {}],
    ids=["wrong password", "nobody", "no name", "nothing"],
)
async def test_nobody_else_gets_a_session(visitor: Visitor, body: dict[str, Any]) -> None:
    status, told = await visitor.post(f"{XRD}/login?dstcode={DSTCODE}", body)
    assert (status, told["error_code"]) == (200, -1)
    assert "session" not in told


async def test_without_a_session_nothing_is_said(visitor: Visitor) -> None:
    for session in ("", "0" * 32, None, ["x"]):
        body = {"session": session, "madonvi": "H26", "service": "TraCuuHoSo", "mahoso": CODE}
        status, told = await visitor.post(f"{XRD}/g?dstcode={DSTCODE}", body)
        assert (status, told["error_code"]) == (200, "-1")


async def test_the_provider_is_named_in_the_address_or_in_a_header(visitor: Visitor) -> None:
    body = {"username": "lgsp-portal", "password": visitor.secret}
    assert (await visitor.post(f"{XRD}/login", body, dstcode=DSTCODE))[1]["error_code"] == 0
    assert (await visitor.post(f"{XRD}/login", body))[0] == 400
    assert (await visitor.post(f"{XRD}/g?dstcode=VN:GOV:G15:x", {}))[0] == 400


async def test_the_newer_login_names_its_provider(visitor: Visitor) -> None:
    path = f"/XrdAdapter/RestService/forward/bndp/public/v1/login?dstcode={DSTCODE}"
    body = {"username": "lgsp-portal", "password": visitor.secret}
    assert (await visitor.post(path, body))[0] == 400
    _, told = await visitor.post(f"{path}&providerurl=https://portal.example", body)
    visitor.session = told["session"]
    assert await visitor.look_up() == []
