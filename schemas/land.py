"""Questions to and answers of the land database (cơ sở dữ liệu đất đai).

No national look-up interface is public: REST with XML bodies, the namespace and the signed root with `requestId` and
`issuedAt` are our profile. Names of parcel and certificate data are those of the province systems and of Circular
75/2015/TT-BTNMT as far as they are known. MaKetQua in the answer is `OK` or one of `RESULTS`; several ThuaDat mean that
the key fits parcels of before and after the mergers of July 2025. An answer's paths start at ThuaDat or GiayChungNhan.
"""

from __future__ import annotations

from typing import Literal

from schemas.fields import Question, Record, said
from schemas.forms import DAY_MONTH_YEAR, DECIMAL, codes
from schemas.identifiers import (
    CommuneCode,
    EnterpriseCode,
    LandCertificateSerial,
    OldIdCard,
    ParcelNumber,
    PersonalId,
    SheetNumber,
)
from schemas.values import Day, Decimal, PartialDate

NAMESPACE = "urn:lgsp:sandbox:datdai:1.0"

CertificateStatus = Literal["valid", "mortgaged", "revoked"]
OwnerKind = Literal["person", "enterprise"]

CERTIFICATE_STATUS = codes({"1": "valid", "2": "mortgaged", "3": "revoked"})
OWNER_KIND = codes({"CN": "person", "TC": "enterprise"})

OK = "00"
RESULTS = {
    "01": "nothing has this key",
    "02": "the request breaks the contract",
    "99": "internal error, asking again may help",
}
"""Result codes of the source (ours) beside `OK`."""


class LandOwner(Record):
    """Who holds a right to the land (người sử dụng đất)."""

    kind: OwnerKind | None = said("Loại chủ", "A person or an enterprise", "LoaiChu", OWNER_KIND)
    name: str | None = said("Tên chủ", "Name of the holder", "TenChu")
    personal_id: PersonalId | None = said("Số định danh cá nhân", "Personal number, 12 digits", "SoDinhDanh")
    old_id_card: OldIdCard | None = said("Số CMND", "Old identity card number, 9 digits", "SoCMND")
    enterprise_code: EnterpriseCode | None = said("Mã số doanh nghiệp", "Code of the enterprise", "MaSoDoanhNghiep")
    share: str | None = said("Tỷ lệ sở hữu", "Share of the right as written in the register", "TyLe")


class LandPurpose(Record):
    """A part of a parcel used for one purpose (mục đích sử dụng)."""

    sign: str | None = said("Ký hiệu mục đích sử dụng", "Sign of the purpose, for example ODT", "KyHieuMucDichSuDung")
    area: Decimal | None = said("Diện tích", "Area of this part in square metres", "DienTich", DECIMAL)
    until: PartialDate | None = said(
        "Thời hạn sử dụng", "Day on which the right ends, null when lasting", "ThoiHan", DAY_MONTH_YEAR
    )


class ParcelCertificate(Record):
    """The certificate issued for a parcel, in short (giấy chứng nhận)."""

    serial: LandCertificateSerial | None = said("Số phát hành", "Serial as printed", "SoPhatHanh")
    entry_number: str | None = said("Số vào sổ", "Number in the register of certificates", "SoVaoSo")
    status: CertificateStatus | None = said("Tình trạng", "Status of the certificate", "TinhTrang", CERTIFICATE_STATUS)


class ParcelQuestion(Question):
    """A parcel by commune, map sheet and parcel number; a day tells whose commune code is meant."""

    commune: CommuneCode = said("Mã xã", "Commune code, five digits", "MaXa", required=True)
    sheet: SheetNumber = said(
        "Số hiệu tờ bản đồ", "Map sheet number; leading zeros do not count", "SoHieuToBanDo", required=True
    )
    parcel: ParcelNumber = said(
        "Số thứ tự thửa", "Parcel number; leading zeros do not count", "SoThuTuThua", required=True
    )
    on: Day | None = said(
        "Ngày hiệu lực của mã",
        "Day for which the codes are given",
        "Ngay",
        DAY_MONTH_YEAR,
        note="Codes changed their meaning on 2025-07-01; without a day both meanings are searched",
    )


class Parcel(Record):
    """One parcel of land (thửa đất)."""

    province: str | None = said("Mã tỉnh", "Province code, two digits", "MaTinh")
    commune: str | None = said("Mã xã", "Commune code since July 2025", "MaXa")
    sheet: str | None = said("Số hiệu tờ bản đồ", "Map sheet number as registered", "SoHieuToBanDo")
    parcel: str | None = said("Số thứ tự thửa", "Parcel number as registered", "SoThuTuThua")
    old_commune: str | None = said("Mã xã cũ", "Commune code until June 2025", "MaXaCu")
    old_sheet: str | None = said("Số hiệu tờ bản đồ cũ", "Former map sheet number", "SoHieuToBanDoCu")
    old_parcel: str | None = said("Số thứ tự thửa cũ", "Former parcel number", "SoThuTuThuaCu")
    area: Decimal | None = said("Diện tích", "Measured area in square metres", "DienTich", DECIMAL)
    legal_area: Decimal | None = said(
        "Diện tích pháp lý", "Area by the papers, square metres", "DienTichPhapLy", DECIMAL
    )
    address: str | None = said("Địa chỉ thửa đất", "Address of the parcel within the commune", "DiaChi")
    purposes: list[LandPurpose] = said(
        "Mục đích sử dụng", "What the parcel is used for", "DanhSachMucDich/MucDich", default=[]
    )
    owners: list[LandOwner] = said("Người sử dụng đất", "Holders of the right", "DanhSachChu/Chu", default=[])
    certificate: ParcelCertificate | None = said("Giấy chứng nhận", "Certificate of the parcel", "GiayChungNhan")
    note: str | None = said("Ghi chú", "Remark of the register", "GhiChu")


class CertificateQuestion(Question):
    """A certificate of land use rights by its printed serial."""

    serial: LandCertificateSerial = said(
        "Số phát hành", "Serial as printed: two letters, 6 or 8 digits", "SoPhatHanh", required=True
    )


class LandCertificate(Record):
    """A certificate of land use rights and what it is about (giấy chứng nhận quyền sử dụng đất)."""

    serial: LandCertificateSerial | None = said("Số phát hành", "Serial as printed", "SoPhatHanh")
    entry_number: str | None = said("Số vào sổ", "Number in the register of certificates", "SoVaoSo")
    barcode: str | None = said("Mã vạch", "Barcode of the certificate", "MaVach")
    issued_on: PartialDate | None = said("Ngày cấp", "Day of issue", "NgayCap", DAY_MONTH_YEAR)
    issuer: str | None = said("Nơi cấp", "Who issued it", "NoiCap")
    status: CertificateStatus | None = said("Tình trạng", "Status of the certificate", "TinhTrang", CERTIFICATE_STATUS)
    commune: str | None = said("Mã xã", "Commune code of the parcel since July 2025", "MaXa")
    sheet: str | None = said("Số hiệu tờ bản đồ", "Map sheet number of the parcel", "SoHieuToBanDo")
    parcel: str | None = said("Số thứ tự thửa", "Number of the parcel", "SoThuTuThua")
    area: Decimal | None = said("Diện tích", "Measured area in square metres", "DienTich", DECIMAL)
    purposes: list[LandPurpose] = said(
        "Mục đích sử dụng", "What the parcel is used for", "DanhSachMucDich/MucDich", default=[]
    )
    owners: list[LandOwner] = said("Người sử dụng đất", "Holders of the right", "DanhSachChu/Chu", default=[])
