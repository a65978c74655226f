"""Questions to and answers of the national population database (CSDL quốc gia về dân cư, Bộ Công an).

Wire names are those seen in client code of the source (SOAP 1.1, answer namespace http://www.mic.gov.vn/dancu/1.0).
Ours, because nothing public shows them: NgayChetMatTich, TenGoiKhac, MaYeuCau on the answer, the members of
KetQuaXacThuc beyond name and birth, all names of XacMinhThongTinNhanThan, and the numbers behind NhomMau,
TinhTrangHonNhan and QuanHe. An answer's paths start at its record: CongDan, or the answer element where there is none.
A collection without CongDan means that nobody matches, one with several that the question is ambiguous. What it
refuses is a SOAP fault with one of `FAULTS` in detail/LoiDanCu/MaLoi.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from schemas.fields import Plain, Question, Record, said
from schemas.forms import BOOLEAN, CAPITALS, DAY_OR_YEAR, FULL_NAME, LOCAL_INSTANT, codes
from schemas.identifiers import HOUSEHOLD, OldIdCard, PersonalId
from schemas.values import Instant, PartialDate

Sex = Literal["unknown", "male", "female", "other"]
MaritalStatus = Literal["single", "married", "divorced", "widowed"]
BloodGroup = Literal["A", "B", "AB", "O"]
Relation = Literal["father", "mother", "spouse", "child", "representative", "household"]
HouseholdRelation = Literal["head", "spouse", "child", "father", "mother", "relative"]

SEX = codes({"0": "unknown", "1": "male", "2": "female", "3": "other"})
MARITAL_STATUS = codes({"0": "", "1": "single", "2": "married", "3": "divorced", "4": "widowed"})
BLOOD_GROUP = codes({"00": "", "01": "A", "02": "B", "03": "AB", "04": "O"})
RELATION = codes(
    {"01": "father", "02": "mother", "03": "spouse", "04": "child", "05": "representative", "06": "household"}
)
HOUSEHOLD_RELATION = codes(
    {"01": "head", "02": "spouse", "03": "child", "04": "father", "05": "mother", "99": "relative"}
)

FAULTS = {
    "SaiCuPhap": "the request breaks the WSDL",
    "SaiChuKy": "the signature of the request is missing or does not hold",
    "KhongCoQuyen": "unknown user, system or certificate",
    "TrungYeuCau": "the request was sent before",
    "LoiHeThong": "internal error, asking again may help",
}
"""Refusals of the source (ours) and what they mean."""

_NAME = ("HoVaTen/Ho", "HoVaTen/ChuDem", "HoVaTen/Ten")
_BIRTH = ("NgayThangNamSinh/NgayThangNam", "NgayThangNamSinh/Nam")
_DEATH = ("NgayChetMatTich/NgayThangNam", "NgayChetMatTich/Nam")


class Place(Record):
    """An administrative place as the source keeps it; the district is empty in records since July 2025."""

    province: str | None = said("Mã tỉnh, thành phố", "Province code, two digits", "MaTinhThanh")
    district: str | None = said("Mã quận, huyện", "District code, three digits, before July 2025", "MaQuanHuyen")
    commune: str | None = said("Mã phường, xã", "Commune code, five digits", "MaPhuongXa")
    detail: str | None = said("Địa chỉ chi tiết", "House number, street, hamlet as text", "ChiTiet")
    country: str | None = said("Quốc gia", "Country code, two letters", "QuocGia")


class Relative(Record):
    """Another person as named in somebody's record."""

    full_name: str | None = said("Họ và tên", "Full name", _NAME, FULL_NAME)
    nationality: str | None = said("Quốc tịch", "Country code of the nationality", "QuocTich")
    personal_id: PersonalId | None = said("Số định danh cá nhân", "Personal number, 12 digits", "SoDinhDanh")
    old_id_card: OldIdCard | None = said("Số CMND", "Old identity card number, 9 digits", "SoCMND")


class HeadOfHousehold(Record):
    """The head of somebody's household and how that somebody is related to the head."""

    relation: HouseholdRelation | None = said(
        "Quan hệ với chủ hộ", "What the person is to the head of the household", "QuanHe", HOUSEHOLD_RELATION
    )
    full_name: str | None = said("Họ và tên chủ hộ", "Full name of the head", _NAME, FULL_NAME)
    personal_id: PersonalId | None = said("Số định danh của chủ hộ", "Personal number of the head", "SoDinhDanh")
    old_id_card: OldIdCard | None = said("Số CMND của chủ hộ", "Old identity card number of the head", "SoCMND")


class PersonQuestion(Question):
    """Who is meant: by number, or by name and birth date together; a name or date beside a number must agree."""

    personal_id: PersonalId | None = said("Số định danh cá nhân", "Personal number, 12 digits", "SoDinhDanh")
    old_id_card: OldIdCard | None = said("Số CMND", "Old identity card number, 9 digits", "SoCMND")
    full_name: Plain | None = said(
        "Họ và tên", "Full name, in any case", "HoVaTen", CAPITALS, note="Must agree with the record"
    )
    birth_date: PartialDate | None = said(
        "Ngày, tháng, năm sinh", "Birth date as far as known", _BIRTH, DAY_OR_YEAR, note="Must agree with the record"
    )

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.personal_id and self.old_id_card:
            raise ValueError("give personal_id or old_id_card, not both")
        if not (self.personal_id or self.old_id_card or (self.full_name and self.birth_date)):
            raise ValueError("give personal_id or old_id_card, or full_name together with birth_date")
        return self


class Person(Record):
    """One citizen's record (thông tin công dân)."""

    data_as_of: Instant | None = said(
        "Thời điểm dữ liệu", "The moment whose state the source answered with", "@ThoiDiemDuLieu", LOCAL_INSTANT
    )
    note: str | None = said("Ghi chú", "Remark of the source", "@GhiChu")
    personal_id: PersonalId | None = said("Số định danh cá nhân", "Personal number, 12 digits", "SoDinhDanh")
    old_id_card: OldIdCard | None = said("Số CMND", "Old identity card number, 9 digits", "SoCMND")
    full_name: str | None = said("Họ và tên", "Full name", _NAME, FULL_NAME)
    other_name: str | None = said("Tên gọi khác", "Another or a former name", "TenGoiKhac")
    sex: Sex | None = said("Giới tính", "Sex", "GioiTinh", SEX)
    birth_date: PartialDate | None = said("Ngày, tháng, năm sinh", "Birth date as far as known", _BIRTH, DAY_OR_YEAR)
    death_date: PartialDate | None = said(
        "Ngày, tháng, năm chết hoặc mất tích", "Day of death or of being declared missing", _DEATH, DAY_OR_YEAR
    )
    ethnicity: str | None = said("Dân tộc", "Code of the ethnicity, 01 to 54", "DanToc")
    religion: str | None = said("Tôn giáo", "Code of the religion, 00 for none", "TonGiao")
    nationality: str | None = said("Quốc tịch", "Country code of the nationality", "QuocTich")
    marital_status: MaritalStatus | None = said(
        "Tình trạng hôn nhân", "Marital status", "TinhTrangHonNhan", MARITAL_STATUS
    )
    blood_group: BloodGroup | None = said("Nhóm máu", "Blood group", "NhomMau", BLOOD_GROUP)
    birth_registration_place: Place | None = said(
        "Nơi đăng ký khai sinh", "Where the birth was registered", "NoiDangKyKhaiSinh"
    )
    hometown: Place | None = said("Quê quán", "Place of origin of the family", "QueQuan")
    permanent_residence: Place | None = said("Nơi thường trú", "Registered permanent residence", "ThuongTru")
    current_residence: Place | None = said("Nơi ở hiện tại", "Where the person lives now", "NoiOHienTai")
    father: Relative | None = said("Cha", "Father", "Cha")
    mother: Relative | None = said("Mẹ", "Mother", "Me")
    spouse: Relative | None = said("Vợ hoặc chồng", "Wife or husband", "VoChong")
    representative: Relative | None = said("Người đại diện hợp pháp", "Legal representative", "NguoiDaiDien")
    head_of_household: HeadOfHousehold | None = said("Chủ hộ", "Head of the household", "ChuHo")
    household_number: Annotated[str, HOUSEHOLD] | None = said(
        "Số sổ hộ khẩu", "Number of the household book", "SoSoHoKhau"
    )


class MatchQuestion(Question):
    """What somebody claims to be (thông tin cần xác thực): a number and any data that should agree with its record."""

    personal_id: PersonalId | None = said("Số định danh cá nhân", "Personal number, 12 digits", "SoDinhDanh")
    old_id_card: OldIdCard | None = said("Số CMND", "Old identity card number, 9 digits", "SoCMND")
    full_name: Plain | None = said("Họ và tên", "Claimed full name, in any case", "HoVaTen", CAPITALS)
    birth_date: PartialDate | None = said(
        "Ngày, tháng, năm sinh", "Claimed birth date; as precise as the record to agree", _BIRTH, DAY_OR_YEAR
    )
    sex: Literal["male", "female", "other"] | None = said("Giới tính", "Claimed sex", "GioiTinh", SEX)
    nationality: Plain | None = said("Quốc tịch", "Claimed nationality, a country code of two letters", "QuocTich")
    household_number: Annotated[Plain, HOUSEHOLD] | None = said(
        "Số sổ hộ khẩu", "Claimed number of the household book", "SoSoHoKhau"
    )

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if (self.personal_id is None) == (self.old_id_card is None):
            raise ValueError("give exactly one of personal_id and old_id_card")
        return self


class Match(Record):
    """Whether the claims agree with the record; null for what was not claimed or what the record does not have."""

    exists: bool | None = said("Tồn tại", "Whether a record has this number", "TonTai", BOOLEAN)
    full_name: bool | None = said("Họ và tên khớp", "Whether the name agrees", "KetQuaXacThuc/HoVaTen", BOOLEAN)
    birth_date: bool | None = said(
        "Ngày sinh khớp", "Whether the birth date agrees", "KetQuaXacThuc/NgayThangNamSinh", BOOLEAN
    )
    sex: bool | None = said("Giới tính khớp", "Whether the sex agrees", "KetQuaXacThuc/GioiTinh", BOOLEAN)
    nationality: bool | None = said(
        "Quốc tịch khớp", "Whether the nationality agrees", "KetQuaXacThuc/QuocTich", BOOLEAN
    )
    household_number: bool | None = said(
        "Số sổ hộ khẩu khớp", "Whether the household number agrees", "KetQuaXacThuc/SoSoHoKhau", BOOLEAN
    )


class RelationQuestion(Question):
    """Two persons, and optionally what the second is claimed to be to the first (xác minh thông tin nhân thân)."""

    personal_id: PersonalId = said("Số định danh cá nhân", "Personal number of the person", "SoDinhDanh", required=True)
    relative_id: PersonalId = said(
        "Số định danh của người thân", "Personal number of the other person", "SoDinhDanhNguoiThan", required=True
    )
    relation: Relation | None = said(
        "Quan hệ cần xác minh", "What the other is claimed to be to the person", "QuanHe", RELATION
    )


class RelationAnswer(Record):
    """What the second person is to the first; `related` is about the claim where one was made."""

    exists: bool | None = said("Tồn tại", "Whether records have both numbers", "TonTai", BOOLEAN)
    related: bool | None = said("Kết quả xác minh", "Whether the relation exists", "KetQua", BOOLEAN)
    relation: Relation | None = said(
        "Quan hệ", "What the other is to the person, null when nothing", "QuanHe", RELATION
    )
