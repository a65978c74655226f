"""Generation 2: tokens, numbers, creation, steps, look-up, and one ledger with generation 1."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.test_portal.conftest import Opens
from tests.test_portal.visitor import Visitor, dossier

CODE = "G09.20-20260609-0092637"


def created(**more: object) -> dict[str, Any]:
    return {
        "MaHoSo": CODE,
        "MaTTHC": "1.005129",
        "MaDichVuCong": "1.005129",
        "ChuHoSo": "Nguyễn Thị Mẫu",
        "LoaiDoiTuong": 0,
        "MaDonViTiepNhan": "G09.20",
        "NgayNop": "2026-06-09 14:07:53",
        "NgayTiepNhan": "2026-06-09 15:00:00",
        "ThanhPhanHoSo": [
            {
                "MaThanhPhanHoSo": "000.00.00.G09-KQ002269",
                "SoLuong": 1,
                "LoaiBan": 2,
                "GiayToDinhKem": [{"IdGiayTo": ""}],
            }
        ],
        "ThongTinNguoiNop": {
            "LoaiDoiTuong": 0,
            "ThongTinChiTiet": {"TenNguoiNop": "Nguyễn Thị Mẫu", "NgaySinh": "19900102000000", "MaTinh": "01"},
        },
        "EformThongTinChiTiet": {"TenNenTang": "x"},
        **more,
    }


def step(sequence: int, status: int, **more: object) -> dict[str, Any]:
    return {
        "IDHoSo": "",
        "MaHoSo": CODE,
        "NguoiXuLy": "Trần Văn Mẫu",
        "ThoiDiemXuLy": "2026-06-10T07:47:28.329",
        "PhongBanXuLy": "Phòng Lao động",
        "NoiDungXuLy": f"Chuyển bước [#{sequence}]",
        "TrangThai": status,
        **more,
    }


async def test_a_dossier_is_created_advanced_and_looked_up(visitor: Visitor) -> None:
    assert (await visitor.second("TraCuuHoSo", {"MaHoSo": CODE}))[1]["data"] is None
    status, told = await visitor.second("Create", created())
    assert (status, told["code"], told["data"]["maHoSo"]) == (200, 200, CODE)
    steps = [step(1, 4, IDHoSo=told["data"]["idHoSo"]), step(2, 9)]
    for one in steps:
        assert (await visitor.second("CapNhatTienTrinh", [one]))[0] == 200
    assert (await visitor.second("CapNhatTienTrinh", [steps[0]]))[0] == 200
    _, found = await visitor.second("TraCuuHoSo", {"MaHoSo": CODE})
    assert found["data"]["DanhSachTienDo"] == [*steps, steps[0]]
    assert (found["data"]["TrangThai"], found["data"]["idHoSo"]) == (4, told["data"]["idHoSo"])
    assert await visitor.ledger() == [(CODE, 1, "4", 2), (CODE, 2, "9", 1)]


async def test_both_generations_share_dossiers_and_ledger(visitor: Visitor) -> None:
    await visitor.register(dossier(CODE))
    assert (await visitor.second("Create", created()))[0] == 400
    assert (await visitor.second("CapNhatTienTrinh", [step(1, 10)]))[0] == 200
    (found,) = await visitor.look_up(CODE)
    assert (found["TrangThaiHoSo"], len(found["DanhSachTienDo"])) == ("10", 1)
    assert await visitor.ledger() == [(CODE, 1, "10", 1)]


async def test_what_is_already_there(visitor: Visitor) -> None:
    await visitor.second("Create", created())
    status, told = await visitor.second("Create", created())
    assert (status, told["code"], "đã tồn tại" in told["message"]) == (400, 400, True)
    await visitor.fault("already-exists-as-0")
    status, told = await visitor.second("Create", created())
    assert (status, told["code"], "đã tồn tại" in told["message"]) == (200, 0, True)


WRONG: dict[str, tuple[str, object]] = {
    "kind of generation 1": ("Create", created(LoaiDoiTuong=4)),
    "kind as text": ("Create", created(LoaiDoiTuong="0")),
    "kind as a truth value": ("Create", created(LoaiDoiTuong=True)),
    "date of generation 1": ("Create", created(NgayNop="20260609140753")),
    "date of progress": ("Create", created(NgayNop="2026-06-09T14:07:53.000")),
    "no owner": ("Create", created(ChuHoSo="")),
    "agency": ("Create", created(MaDonViTiepNhan="Hà Nội")),
    "birth date": ("Create", created(ThongTinNguoiNop={"LoaiDoiTuong": 0, "ThongTinChiTiet": {"NgaySinh": "1990"}})),
    "paper": ("Create", created(ThanhPhanHoSo=[{"LoaiBan": 3}])),
    "applicant": ("Create", created(ThongTinNguoiNop=[])),
    "unknown": ("Create", created(KhongCo=1)),
    "no object": ("Create", [created()]),
    "no list": ("CapNhatTienTrinh", step(1, 4)),
    "empty list": ("CapNhatTienTrinh", []),
    "status as text": ("CapNhatTienTrinh", [step(1, 4, TrangThai="4")]),
    "status": ("CapNhatTienTrinh", [step(1, 11)]),
    "time of generation 1": ("CapNhatTienTrinh", [step(1, 4, ThoiDiemXuLy="20260610074728")]),
    "time without fraction": ("CapNhatTienTrinh", [step(1, 4, ThoiDiemXuLy="2026-06-10T07:47:28")]),
    "time with offset": ("CapNhatTienTrinh", [step(1, 4, ThoiDiemXuLy="2026-06-10T07:47:28.329Z")]),
    "time that is none": ("CapNhatTienTrinh", [step(1, 4, ThoiDiemXuLy="2026-06-31T07:47:28.329")]),
    "another's id": ("CapNhatTienTrinh", [step(1, 4, IDHoSo="1")]),
    "step that is no object": ("CapNhatTienTrinh", [7]),
    "look-up by number": ("TraCuuHoSo", {"MaHoSo": CODE, "SoDinhDanh": "1"}),
}


@pytest.mark.parametrize(("operation", "body"), WRONG.values(), ids=WRONG)
async def test_what_is_wrong_is_400(visitor: Visitor, operation: str, body: object) -> None:
    if operation == "CapNhatTienTrinh":
        await visitor.second("Create", created())
    status, told = await visitor.second(operation, body)
    assert (status, told["code"]) == (400, 400)
    assert await visitor.ledger() == []
    assert len(await visitor.lines("_dossiers")) == (operation == "CapNhatTienTrinh")


async def test_in_a_batch_each_stands_for_itself_or_not(visitor: Visitor) -> None:
    await visitor.second("Create", created())
    status, told = await visitor.second("CapNhatTienTrinh", [step(1, 4), step(2, 99), step(3, 9)])
    assert (status, [one["code"] for one in told["data"]]) == (400, [200, 400, 200])
    await visitor.fault("batch-all-or-nothing")
    assert (await visitor.second("CapNhatTienTrinh", [step(4, 10), step(5, 99)]))[0] == 400
    assert [line[1] for line in await visitor.ledger()] == [1, 3]


async def test_numbers_are_never_given_twice(opens: Opens) -> None:
    seen: list[str] = []
    for _ in range(2):
        visitor = await opens()
        bearer = await visitor.token()
        for code in ("000.00.04.G18", "G12.18", "1.005129", "G12.18"):
            url = f"{visitor.url}/dvc/2.0/GetNextValue"
            async with visitor.http.get(
                url, params={"code": code}, headers={"Authorization": f"Bearer {bearer}"}
            ) as told:
                assert told.status == 200
                body = await told.json()
            assert list(body) == ["value"]
            seen.append(body["value"])
        await visitor.close()
    assert len(set(seen)) == len(seen)
    days = {f"{datetime.now(UTC) + timedelta(hours=7) - timedelta(days=back):%Y%m%d}" for back in (0, 1)}
    assert [value.rsplit("-", 2)[0] for value in seen[:4]] == ["000.00.04.G18", "G12.18", "G09.20", "G12.18"]
    assert {value.rsplit("-", 2)[1] for value in seen} <= days
    assert [value.rsplit("-", 1)[1] for value in seen[:2]] == ["0000001", "0000001"]


async def test_a_number_that_somebody_took_already_is_passed_over(visitor: Visitor) -> None:
    bearer = await visitor.token()
    day = f"{datetime.now(UTC) + timedelta(hours=7):%Y%m%d}"
    await visitor.second("Create", created(MaHoSo=f"G12.18-{day}-0000001"))
    url = f"{visitor.url}/dvc/2.0/GetNextValue?code=G12.18"
    async with visitor.http.get(url, headers={"Authorization": f"Bearer {bearer}"}) as told:
        value = (await told.json())["value"]
    assert value != f"G12.18-{day}-0000001"
    async with visitor.http.get(f"{url}+x", headers={"Authorization": f"Bearer {bearer}"}) as told:
        assert told.status == 400


async def test_tokens_in_a_form_or_by_basic(visitor: Visitor) -> None:
    url = f"{visitor.url}/dvc/2.0/token"
    form = {"grant_type": "client_credentials", "client_id": "lgsp-portal", "client_secret": visitor.secret}
    basic = {"Authorization": f"Basic {b64encode(f'lgsp-portal:{visitor.secret}'.encode()).decode()}"}
    for data, headers in ((form, {}), ({"grant_type": "client_credentials"}, basic)):
        async with visitor.http.post(url, data=data, headers=headers) as told:
            body = await told.json()
        assert (body["code"], body["data"]["token_type"], body["data"]["expires_in"]) == (200, "Bearer", 1800)
    for data, headers in ((form | {"client_secret": "x"}, {}), ({}, {"Authorization": "Basic x"}), ({}, {})):
        async with visitor.http.post(url, data=data, headers=headers) as told:
            assert told.status == 401
    async with visitor.http.post(url, data=form | {"grant_type": "password"}) as told:
        assert told.status == 400


async def test_without_a_token_nothing_is_said(visitor: Visitor) -> None:
    for header in ("", "Bearer", "Bearer x", f"Basic {await visitor.token()}"):
        assert (await visitor.post("/dvc/2.0/TraCuuHoSo", {"MaHoSo": CODE}, Authorization=header))[0] == 401


async def test_what_is_not_json_is_400(visitor: Visitor) -> None:
    headers = {"Authorization": f"Bearer {await visitor.token()}", "Content-Type": "application/json"}
    async with visitor.http.post(f"{visitor.url}/dvc/2.0/Create", data=b"{", headers=headers) as told:
        assert (told.status, (await told.json())["code"]) == (400, 400)
