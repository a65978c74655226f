"""Questions to and answers of the tax authority's taxpayer register (cơ sở dữ liệu thuế, Cục Thuế).

No public document of the provider's interface exists: SOAP 1.2, the namespace and the element names are our profile.
Only the statuses (danh mục tthai) and the taxpayer kinds (LoaiNNT) are the authority's own codes. Every answer carries
MaKetQua inside a successful envelope: `OK`, or one of `RESULTS`. An answer's paths start at its record: NguoiNopThue,
or NghiaVuThue.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from schemas.codes.statuses import TAX_STATUSES
from schemas.fields import Question, Record, said
from schemas.forms import DECIMAL, INTEGER, ISO_DATE, LOCAL_INSTANT, codes
from schemas.identifiers import PersonalId, TaxCode
from schemas.values import Day, Decimal, Instant, PartialDate

NAMESPACE = "urn:lgsp:sandbox:thue:1.0"

TaxStatus = Literal[
    "active",
    "closed",
    "moved",
    "closing",
    "active-incomplete",
    "suspended",
    "not-at-address",
    "awaiting-bankruptcy",
    "address-check",
]
TaxpayerKind = Literal["enterprise", "branch", "person", "household-business"]

STATUS = codes({code: status.slug for code, status in TAX_STATUSES.items()})
KIND = codes({"DN": "enterprise", "CN": "branch", "CNKD": "person", "HKD": "household-business"})

OK = "00"
RESULTS = {
    "01": "nobody has this tax code",
    "02": "the request breaks the contract",
    "03": "the caller may not ask this",
    "99": "internal error, asking again may help",
}
"""Result codes of the source (ours) beside `OK`; SOAP faults carry 02, 03 or 04 (a request sent before) in MaLoi."""


class TaxpayerQuestion(Question):
    """A taxpayer by tax code, in any of its three shapes (mã số thuế)."""

    tax_code: TaxCode = said(
        "Mã số thuế",
        "Tax code: 10 digits, 13 for a branch (a dash after the tenth is allowed), 12 for a person",
        "MaSoThue",
        required=True,
    )


class TaxAddress(Record):
    """Where a taxpayer does business (địa chỉ kinh doanh)."""

    province: str | None = said("Mã tỉnh, thành phố", "Province code, two digits", "MaTinh")
    district: str | None = said("Mã quận, huyện", "District code of before July 2025, three digits", "MaHuyen")
    commune: str | None = said("Mã phường, xã", "Commune code, five digits", "MaXa")
    detail: str | None = said("Địa chỉ chi tiết", "House number, street, hamlet as text", "ChiTiet")
    country: str | None = said("Quốc gia", "Country code, two letters", "QuocGia")


class TaxRepresentative(Record):
    """Who acts for a taxpayer (người đại diện)."""

    full_name: str | None = said("Họ và tên", "Full name", "HoTen")
    personal_id: PersonalId | None = said("Số định danh cá nhân", "Personal number, 12 digits", "SoDinhDanh")
    position: str | None = said("Chức vụ", "Position", "ChucVu")


class TaxBranch(Record):
    """A dependent unit with a code of its own (đơn vị phụ thuộc)."""

    tax_code: TaxCode | None = said("Mã số thuế", "Tax code of the branch, 13 digits", "MaSoThue")
    name: str | None = said("Tên", "Name of the branch", "Ten")
    status: TaxStatus | None = said("Trạng thái", "Status of the branch", "TrangThai", STATUS)


class Taxpayer(Record):
    """A taxpayer's registration (thông tin đăng ký thuế)."""

    tax_code: TaxCode | None = said("Mã số thuế", "Tax code as registered", "MaSoThue")
    kind: TaxpayerKind | None = said("Nhóm người nộp thuế", "What kind of taxpayer this is", "Nhom", KIND)
    type_code: str | None = said("Loại NNT", "The authority's type code, for example 0100", "LoaiNNT")
    name: str | None = said("Tên người nộp thuế", "Name of the taxpayer", "TenNNT")
    business_name: str | None = said("Tên hộ kinh doanh", "Name of a household business", "TenHKD")
    personal_id: PersonalId | None = said(
        "Số định danh cá nhân", "Personal number of a person or of the owner of a household business", "SoDinhDanh"
    )
    parent_tax_code: TaxCode | None = said(
        "Mã số thuế đơn vị chủ quản", "Tax code of the enterprise a branch belongs to", "MaSoThueChuQuan"
    )
    status: TaxStatus | None = said("Trạng thái", "Status by the authority's catalogue", "TrangThai", STATUS)
    tax_office: str | None = said("Mã cơ quan thuế", "Code of the tax office in charge", "CoQuanThue/Ma")
    tax_office_name: str | None = said("Tên cơ quan thuế", "Name of the tax office in charge", "CoQuanThue/Ten")
    registered_on: PartialDate | None = said("Ngày cấp mã số thuế", "Day the code was issued", "NgayCap", ISO_DATE)
    closed_on: PartialDate | None = said(
        "Ngày chấm dứt hiệu lực", "Day the code ceased to be valid", "NgayChamDut", ISO_DATE
    )
    address: TaxAddress | None = said("Địa chỉ", "Address", "DiaChi")
    representatives: list[TaxRepresentative] = said(
        "Người đại diện", "Who acts for the taxpayer", "DanhSachDaiDien/DaiDien", default=[]
    )
    branches: list[TaxBranch] = said(
        "Đơn vị phụ thuộc", "Branches with a code of their own", "DanhSachDonViPhuThuoc/DonViPhuThuoc", default=[]
    )


class ObligationsQuestion(Question):
    """What a taxpayer owed in a time: all periods, or those whose due date lies from `due_from` to `due_to`."""

    tax_code: TaxCode = said("Mã số thuế", "Tax code in any of its three shapes", "MaSoThue", required=True)
    due_from: Day | None = said("Hạn nộp từ ngày", "First due date wanted, inclusive", "TuNgay", ISO_DATE)
    due_to: Day | None = said("Hạn nộp đến ngày", "Last due date wanted, inclusive", "DenNgay", ISO_DATE)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.due_from and self.due_to and self.due_from > self.due_to:
            raise ValueError("due_from is after due_to")
        return self


class Obligation(Record):
    """One amount owed for one period (khoản phải nộp); amounts in VND."""

    period: str | None = said("Kỳ tính thuế", "Tax period: YYYY, YYYY-MM or YYYY-Qn", "KyThue")
    item: str | None = said("Tiểu mục", "Budget item, four digits", "TieuMuc")
    item_name: str | None = said("Tên tiểu mục", "Name of the budget item", "TenTieuMuc")
    due_on: PartialDate | None = said("Hạn nộp", "Day by which it was to be paid", "HanNop", ISO_DATE)
    assessed: Decimal | None = said("Số phải nộp", "Amount assessed", "SoPhaiNop", DECIMAL)
    paid: Decimal | None = said("Số đã nộp", "Amount paid", "SoDaNop", DECIMAL)
    penalty: Decimal | None = said("Tiền chậm nộp", "Interest for late payment", "TienChamNop", DECIMAL)
    outstanding: Decimal | None = said(
        "Số còn phải nộp", "Amount outstanding, negative when too much was paid", "SoConPhaiNop", DECIMAL
    )


class Obligations(Record):
    """What a taxpayer owed (nghĩa vụ thuế) and the totals as the source adds them up."""

    tax_code: TaxCode | None = said("Mã số thuế", "Tax code as registered", "MaSoThue")
    name: str | None = said("Tên người nộp thuế", "Name of the taxpayer", "TenNNT")
    as_of: Instant | None = said("Thời điểm số liệu", "The moment of these figures", "ThoiDiem", LOCAL_INSTANT)
    currency: str | None = said("Loại tiền", "Currency code of all amounts", "LoaiTien")
    count: int | None = said("Số khoản", "How many items follow", "SoKhoan", INTEGER)
    total_assessed: Decimal | None = said("Tổng số phải nộp", "Sum of the amounts assessed", "TongPhaiNop", DECIMAL)
    total_paid: Decimal | None = said("Tổng số đã nộp", "Sum of the amounts paid", "TongDaNop", DECIMAL)
    total_outstanding: Decimal | None = said(
        "Tổng số còn phải nộp", "Sum of the amounts outstanding", "TongConPhaiNop", DECIMAL
    )
    items: list[Obligation] = said("Các khoản", "The single amounts", "DanhSachKhoan/Khoan", default=[])
