"""What the portal takes in each field, and the check that says what is wrong with what was sent.

Names, code sets and lengths of generation 1 are those of the public clients [C]; which fields must not be empty follows
the marks of one of them, where everything not marked optional has a value [P]. The general limit of 4,000 characters
and that unknown fields are refused are [ours]. An absent value is "" [C].
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from schemas.codes.agencies import check_agency_code, check_dossier_code, check_procedure_code

STATUSES: Final = tuple(str(code) for code in range(1, 11))
"""TrangThaiHoSo, 1 newly registered to 10 result returned [C]."""
_STAMP: Final = re.compile(r"[0-9]{14}")
_DAY_AND_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_INSTANT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}")


def stamp(value: str) -> None:
    """Check a date of generation 1, yyyyMMddHHmmss in Vietnamese time without offset [C]; raises ValueError."""
    if _STAMP.fullmatch(value) is None:
        raise ValueError("yyyyMMddHHmmss")
    datetime.fromisoformat(f"{value[:8]}T{value[8:]}")


def day_and_time(value: str) -> None:
    """Check a date of a generation 2 dossier, yyyy-MM-dd HH:mm:ss [P]; raises ValueError."""
    if _DAY_AND_TIME.fullmatch(value) is None:
        raise ValueError("yyyy-MM-dd HH:mm:ss")
    datetime.fromisoformat(value)


def instant(value: str) -> None:
    """Check a time of generation 2 progress, yyyy-MM-ddTHH:mm:ss.fff [P]; raises ValueError."""
    if _INSTANT.fullmatch(value) is None:
        raise ValueError("yyyy-MM-ddTHH:mm:ss.fff")
    datetime.fromisoformat(value)


@dataclass(frozen=True, slots=True)
class Field:
    """One scalar: whether it must have a value, its greatest length, its codes, its shape, its type in JSON."""

    needed: bool = False
    longest: int = 4000
    codes: tuple[str, ...] | tuple[int, ...] = ()
    shape: Callable[[str], object] | None = None
    kind: type = str


@dataclass(frozen=True, slots=True)
class Shape:
    """One object: its scalars, its lists of objects, its objects."""

    fields: Mapping[str, Field]
    lists: Mapping[str, Shape] = field(default_factory=dict)
    objects: Mapping[str, Shape] = field(default_factory=dict)
    open: bool = False


def wrong_with(value: object, shape: Shape, at: str = "") -> str | None:
    """Return what is wrong with an object, None when nothing is; only the first thing is named."""
    if not isinstance(value, dict):
        return f"{at or 'phần tử'} phải là đối tượng"
    for name in value:
        if not (shape.open or name in shape.fields or name in shape.lists or name in shape.objects):
            return f"{at}{name} không được hỗ trợ"
    for name, rule in shape.fields.items():
        found = value.get(name)
        wrong = _wrong_scalar(found, rule)
        if wrong:
            return f"{at}{name} {wrong}"
    for name, inner in shape.lists.items():
        several = value.get(name)
        if several is not None and not isinstance(several, list):
            return f"{at}{name} phải là danh sách"
        for place, one in enumerate(several or ()):
            wrong = wrong_with(one, inner, f"{at}{name}[{place}].")
            if wrong:
                return wrong
    for name, inner in shape.objects.items():
        if value.get(name) is not None:
            wrong = wrong_with(value[name], inner, f"{at}{name}.")
            if wrong:
                return wrong
    return None


def _wrong_scalar(found: Any, rule: Field) -> str | None:
    if found is None or found == "":
        return "không được để trống" if rule.needed else None
    if type(found) is not rule.kind:
        return "sai kiểu dữ liệu"
    if rule.codes and found not in rule.codes:
        return "không thuộc danh mục"
    if isinstance(found, str):
        if len(found) > rule.longest:
            return f"vượt quá {rule.longest} ký tự"
        if rule.shape is not None:
            try:
                rule.shape(found)
            except ValueError:
                return "sai định dạng"
    return None


def _plain(*names: str) -> dict[str, Field]:
    return dict.fromkeys(names, Field())


_DATE: Final = Field(shape=stamp)
_FLAG: Final = Field(codes=("0", "1"))
_FEE: Final = Shape(_plain("TenPhiLePhi", "MaPhiLePhi", "HinhThucThu", "Gia", "LoaiPhiLePhi"))
_PAPER: Final = Shape(_plain("TenGiayTo", "SoLuong", "LoaiGiayTo"))
_LISTS: Final = {
    "TaiLieuNop": Shape(
        _plain("TepDinhKemId", "TenTepDinhKem", "MaThanhPhanHoSo", "DuongDanTaiTepTin", "MaKetQuaThayThe")
        | {"IsDeleted": Field(codes=("True", "False")), "DuocSoHoa": _FLAG, "DuocLayTuKhoDMQG": _FLAG}
        | {"DuocTaiSuDung": Field(codes=("0", "1", "2"))}
    ),
    "DanhSachLePhi": _FEE,
    "DanhSachTepDinhKemKhac": _PAPER,
    "DanhSachHoSoBoSung": Shape(
        _plain("HoSoBoSungId", "NguoiYeuCauBoSung", "NoiDungBoSung", "NguoiTiepNhanBoSung", "ThongTinTiepNhan")
        | _plain("TrangThaiBoSung")
        | dict.fromkeys(("NgayBoSung", "NgayTiepNhanBoSung", "NgayHenTraTruoc", "NgayHenTraMoi"), _DATE),
        lists={"DanhSachGiayToBoSung": _PAPER, "DanhSachLePhiBoSung": _FEE},
    ),
    "DanhSachGiayToKetQua": Shape(
        _plain("TenGiayTo", "MaThanhPhanHoSo", "GiayToId", "DuongDanTepTinKetQua", "MaGiayToKetQua")
    ),
    "DinhDanhCHS": Shape({"LoaiDinhDanh": Field(needed=True, codes=("1", "2")), "SoDinhDanh": Field(needed=True)}),
    "DSKetNoiCSDL": Shape({"MaCSDL": Field(needed=True)}),
}

DOSSIER: Final = Shape(
    {
        "MaHoSo": Field(needed=True, shape=check_dossier_code),
        "MaTTHC": Field(needed=True, shape=check_procedure_code),
        "KenhThucHien": Field(needed=True, codes=("1", "2", "3")),
        "LoaiDoiTuong": Field(needed=True, codes=("1", "2", "3", "4")),
        "TrangThaiHoSo": Field(needed=True, codes=STATUSES),
        "HinhThuc": _FLAG,
        "TrichYeuHoSo": Field(longest=1000),
        "NoiNopHoSo": Field(codes=("1", "2")),
        "HoSoCoThanhPhanSoHoa": _FLAG,
        "TaiKhoanDuocXacThucVoiVNeID": _FLAG,
        "DuocThanhToanTrucTuyen": Field(codes=("0", "1", "2", "3")),
    }
    | _plain("TenTTHC", "MaLinhVuc", "TenLinhVuc", "SoBienNhan", "ChuHoSo", "MaDoiTuong", "ThongTinKhac", "Email")
    | _plain("Fax", "SoDienThoai", "ThongTinTra", "DonViXuLy", "GhiChu")
    | dict.fromkeys(("NgayTiepNhan", "NgayHenTra", "NgayTuChoi", "NgayTra", "NgayKetThucXuLy", "NgayNopHoSo"), _DATE),
    lists=_LISTS,
)
"""An element of DongBoHoSoMC.data."""

PROGRESS: Final = Shape(
    {
        "MaHoSo": Field(needed=True, shape=check_dossier_code),
        "NguoiXuLy": Field(needed=True, longest=50),
        "ThoiDiemXuLy": Field(needed=True, shape=stamp),
        "NoiDungXuLy": Field(needed=True),
        "TrangThai": Field(needed=True, codes=STATUSES),
        "NgayBatDau": _DATE,
        "NgayKetThucTheoQuyDinh": _DATE,
    }
    | _plain("ChucDanh", "PhongBanXuLy")
)
"""An element of CapNhatTienDoHoSoMC.data."""

CREATED: Final = Shape(
    {
        "MaHoSo": Field(needed=True, shape=check_dossier_code),
        "MaTTHC": Field(needed=True, shape=check_procedure_code),
        "MaDichVuCong": Field(),
        "ChuHoSo": Field(needed=True),
        "LoaiDoiTuong": Field(needed=True, codes=(0, 1, 2), kind=int),
        "MaDonViTiepNhan": Field(needed=True, shape=check_agency_code),
        "NgayNop": Field(shape=day_and_time),
        "NgayTiepNhan": Field(shape=day_and_time),
    },
    lists={
        "ThanhPhanHoSo": Shape(
            _plain("MaThanhPhanHoSo", "TenThanhPhanHoSo")
            | {"SoLuong": Field(kind=int), "LoaiBan": Field(codes=(0, 1, 2), kind=int)},
            lists={"GiayToDinhKem": Shape(_plain("IdGiayTo", "MaKetQua", "TenGiayTo", "HashTepTin"))},
        ),
        "DanhSachLePhi": _FEE,
    },
    objects={
        "ThongTinNguoiNop": Shape(
            {"LoaiDoiTuong": Field(needed=True, codes=(0, 1, 2), kind=int), "IdDoiTuong": Field()},
            # Further members of the details are not listed by any source.
            objects={"ThongTinChiTiet": Shape({"NgayCapDinhDanh": _DATE, "NgaySinh": _DATE}, open=True)},
        ),
        "EformThongTinChiTiet": Shape({}, open=True),
    },
)
"""The dossier of Create, generation 2 [P]."""

STEP: Final = Shape(
    {
        "IDHoSo": Field(),
        "MaHoSo": Field(needed=True, shape=check_dossier_code),
        "NguoiXuLy": Field(needed=True),
        "ThoiDiemXuLy": Field(needed=True, shape=instant),
        "NoiDungXuLy": Field(needed=True),
        "TrangThai": Field(needed=True, codes=tuple(range(1, 11)), kind=int),
        "NgayBatDau": Field(shape=instant),
        "NgayKetThucTheoQuyDinh": Field(shape=instant),
    }
    | _plain("ChucDanh", "PhongBanXuLy")
)
"""An element of CapNhatTienTrinh, generation 2 [P]."""
