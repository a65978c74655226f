"""Questions and answers of civil status (hộ tịch): birth, marriage, death, marital status.

Column names at the source are those of the civil status software's exchange (NGSP service `apiHoTichTuPhap`). The
look-ups themselves, the names of the marital status answer and of how a marriage ended are this profile's own, since
the published service only takes registrations in and reads them out by dossier.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import model_validator

from schemas.fields import Plain, Question, Record, said
from schemas.forms import DAY_MONTH_YEAR, INTEGER, ISO_DATE, codes, flag
from schemas.identifiers import PersonalId, Subject
from schemas.values import PartialDate

PersonalNumber = Annotated[str, Subject("personal-id")]
IdentityDocument = Annotated[str, Subject("identity-document")]

Sex = Literal["male", "female", "other"]
Kind = Literal["in-time", "late", "again"]
ResidenceKind = Literal["permanent", "temporary", "current"]
MaritalState = Literal["single", "married", "divorced", "widowed"]
Ending = Literal["divorce", "death"]

SEXES: Final = codes({"1": "male", "2": "female", "3": "other"})
KINDS: Final = codes({"1": "in-time", "2": "late", "3": "again"})
RESIDENCE_KINDS: Final = codes({"1": "permanent", "2": "temporary", "3": "current"})
MARITAL_STATUSES: Final = codes({"1": "single", "2": "married", "3": "divorced", "4": "widowed"})
ENDINGS: Final = codes({"1": "divorce", "2": "death"})


class PersonQuestion(Question):
    """Whose record: by personal number, or by full name and date of birth."""

    personal_id: PersonalId | None = said(
        "Số định danh cá nhân", "Personal number; this, or name and birth", "soDinhDanh", examples=["001085012345"]
    )
    full_name: Plain | None = said("Họ và tên", "Full name as borne now", "hoTen")
    birth_date: PartialDate | None = said("Ngày sinh", "Date of birth, as far as known", "ngaySinh", ISO_DATE)

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        named = self.full_name is not None and self.birth_date is not None
        half_named = (self.full_name is None) != (self.birth_date is None)
        if half_named or named == (self.personal_id is not None):
            raise ValueError("either personal_id, or full_name with birth_date is needed")
        return self


class BirthQuestion(PersonQuestion):
    """Whose birth record (khai sinh)."""


class DeathQuestion(PersonQuestion):
    """Whose death record (khai tử)."""


class MarriageQuestion(Question):
    """Whose latest marriage (kết hôn): by personal number of either spouse."""

    personal_id: PersonalId = said(
        "Số định danh cá nhân", "Personal number of one spouse", "soDinhDanh", required=True, examples=["001085012345"]
    )


class MaritalStatusQuestion(Question):
    """Whose marital status (tình trạng hôn nhân): by personal number."""

    personal_id: PersonalId = said(
        "Số định danh cá nhân", "Personal number", "soDinhDanh", required=True, examples=["001085012345"]
    )


class Address(Record):
    """A place: codes of the time of registration and the rest in words (địa chỉ)."""

    province: str | None = said("Mã tỉnh", "Province code", "maTinh")
    district: str | None = said("Mã huyện", "District code of before July 2025", "maHuyen")
    commune: str | None = said("Mã xã", "Commune code", "maXa")
    detail: str | None = said("Địa chỉ chi tiết", "House, street, hamlet; abroad the whole place", "dcChiTiet")


class Registration(Record):
    """Where an event stands in the civil status books (thông tin đăng ký)."""

    number: str | None = said("Số", "Number of the entry", "so")
    book: str | None = said("Quyển số", "Number of the book", "quyenSo")
    page: str | None = said("Trang số", "Page of the book", "trangSo")
    registered_on: PartialDate | None = said("Ngày đăng ký", "Day of registration", "ngayDangKy", DAY_MONTH_YEAR)
    kind: Kind | None = said("Loại đăng ký", "Kind: in-time, late or again", "loaiDangKy", KINDS)
    office: str | None = said("Nơi đăng ký", "Registering office", "noiDangKy")
    signer: str | None = said("Người ký", "Who signed", "nguoiKy")
    signer_title: str | None = said("Chức vụ người ký", "Title of who signed", "chucVuNguoiKy")
    clerk: str | None = said("Người thực hiện", "Who entered it", "nguoiThucHien")
    note: str | None = said("Ghi chú", "Note", "ghiChu")


class Birth(Registration):
    """A registered birth (khai sinh)."""

    personal_id: PersonalNumber | None = said("Số định danh cá nhân", "Personal number of the child", "nksSoDDCN")
    full_name: str | None = said("Họ, chữ đệm, tên", "Name given at birth", "nksHoTen")
    sex: Sex | None = said("Giới tính", "Sex: male, female or other", "nksGioiTinh", SEXES)
    birth_date: PartialDate | None = said("Ngày sinh", "Date of birth, as far as known", "nksNgaySinh", DAY_MONTH_YEAR)
    birth_date_words: str | None = said("Ngày sinh bằng chữ", "Date of birth in words", "nksNgaySinhBangChu")
    birth_place: Address | None = said("Nơi sinh", "Place of birth", "nksNoiSinh")
    hometown: Address | None = said("Quê quán", "Hometown", "nksQueQuan")
    ethnicity: str | None = said("Dân tộc", "Ethnicity, two-digit national code", "nksDanToc")
    nationality: str | None = said("Quốc tịch", "Nationality, ISO 3166", "nksQuocTich")
    mother_full_name: str | None = said("Họ tên mẹ", "Mother's full name", "meHoTen")
    mother_birth_date: PartialDate | None = said("Ngày sinh mẹ", "Mother's date of birth", "meNgaySinh", DAY_MONTH_YEAR)
    mother_ethnicity: str | None = said("Dân tộc mẹ", "Mother's ethnicity", "meDanToc")
    mother_nationality: str | None = said("Quốc tịch mẹ", "Mother's nationality", "meQuocTich")
    mother_residence_kind: ResidenceKind | None = said(
        "Loại cư trú mẹ", "Kind of residence: permanent, temporary or current", "meLoaiCuTru", RESIDENCE_KINDS
    )
    mother_residence: Address | None = said("Nơi cư trú mẹ", "Mother's residence", "meNoiCuTru")
    mother_document_number: IdentityDocument | None = said(
        "Số giấy tờ mẹ", "Mother's identity paper", "meSoGiayToTuyThan"
    )
    mother_personal_id: PersonalNumber | None = said("Số định danh mẹ", "Mother's personal number", "meSoDDCN")
    father_full_name: str | None = said("Họ tên cha", "Father's full name", "chaHoTen")
    father_birth_date: PartialDate | None = said(
        "Ngày sinh cha", "Father's date of birth", "chaNgaySinh", DAY_MONTH_YEAR
    )
    father_ethnicity: str | None = said("Dân tộc cha", "Father's ethnicity", "chaDanToc")
    father_nationality: str | None = said("Quốc tịch cha", "Father's nationality", "chaQuocTich")
    father_residence_kind: ResidenceKind | None = said(
        "Loại cư trú cha", "Kind of residence: permanent, temporary or current", "chaLoaiCuTru", RESIDENCE_KINDS
    )
    father_residence: Address | None = said("Nơi cư trú cha", "Father's residence", "chaNoiCuTru")
    father_document_number: IdentityDocument | None = said(
        "Số giấy tờ cha", "Father's identity paper", "chaSoGiayToTuyThan"
    )
    father_personal_id: PersonalNumber | None = said("Số định danh cha", "Father's personal number", "chaSoDDCN")
    declarant_name: str | None = said("Người yêu cầu", "Who declared the birth", "nycHoTen")
    declarant_relation: str | None = said("Quan hệ", "Relation of the declarant to the child", "nycQuanHe")


class Marriage(Registration):
    """A registered marriage (kết hôn)."""

    effective_on: PartialDate | None = said(
        "Ngày xác lập quan hệ hôn nhân", "Day it took effect", "ngayXacLapQuanHeHonNhan", DAY_MONTH_YEAR
    )
    husband_full_name: str | None = said("Họ tên chồng", "Husband's full name", "chongHoTen")
    husband_birth_date: PartialDate | None = said("Ngày sinh chồng", "Husband's birth", "chongNgaySinh", DAY_MONTH_YEAR)
    husband_ethnicity: str | None = said("Dân tộc chồng", "Husband's ethnicity", "chongDanToc")
    husband_nationality: str | None = said("Quốc tịch chồng", "Husband's nationality", "chongQuocTich")
    husband_document_number: IdentityDocument | None = said(
        "Số giấy tờ chồng", "Husband's identity paper", "chongSoGiayToTuyThan"
    )
    husband_personal_id: PersonalNumber | None = said("Số định danh chồng", "Husband's personal number", "chongSoDDCN")
    husband_marriages: int | None = said(
        "Số lần kết hôn của chồng", "Which marriage it is for him", "chongSoLanKH", INTEGER
    )
    wife_full_name: str | None = said("Họ tên vợ", "Wife's full name", "voHoTen")
    wife_birth_date: PartialDate | None = said("Ngày sinh vợ", "Wife's birth", "voNgaySinh", DAY_MONTH_YEAR)
    wife_ethnicity: str | None = said("Dân tộc vợ", "Wife's ethnicity", "voDanToc")
    wife_nationality: str | None = said("Quốc tịch vợ", "Wife's nationality", "voQuocTich")
    wife_document_number: IdentityDocument | None = said("Số giấy tờ vợ", "Wife's identity paper", "voSoGiayToTuyThan")
    wife_personal_id: PersonalNumber | None = said("Số định danh vợ", "Wife's personal number", "voSoDDCN")
    wife_marriages: int | None = said("Số lần kết hôn của vợ", "Which marriage it is for her", "voSoLanKH", INTEGER)
    annulled: bool | None = said("Huỷ kết hôn", "Whether a court annulled it", "huyKetHon", flag("1", "0"))
    ended_on: PartialDate | None = said("Ngày chấm dứt", "Day it ended", "ngayChamDut", DAY_MONTH_YEAR)
    ending: Ending | None = said("Lý do chấm dứt", "How it ended: divorce or death", "lyDoChamDut", ENDINGS)
    ending_document: str | None = said("Văn bản chấm dứt", "Judgment or paper that ended it", "vanBanChamDut")


class Death(Registration):
    """A registered death (khai tử)."""

    personal_id: PersonalNumber | None = said("Số định danh cá nhân", "Personal number of the deceased", "nktSoDDCN")
    full_name: str | None = said("Họ, chữ đệm, tên", "Full name of the deceased", "nktHoTen")
    sex: Sex | None = said("Giới tính", "Sex: male, female or other", "nktGioiTinh", SEXES)
    birth_date: PartialDate | None = said("Ngày sinh", "Date of birth, as far as known", "nktNgaySinh", DAY_MONTH_YEAR)
    ethnicity: str | None = said("Dân tộc", "Ethnicity, two-digit national code", "nktDanToc")
    nationality: str | None = said("Quốc tịch", "Nationality, ISO 3166", "nktQuocTich")
    died_on: PartialDate | None = said("Ngày chết", "Day of death", "nktNgayChet", DAY_MONTH_YEAR)
    died_at: str | None = said("Giờ phút chết", "Time of death, HH:mm in Vietnam", "nktGioPhutChet")
    place: str | None = said("Nơi chết", "Place of death", "nktNoiChet")
    cause: str | None = said("Nguyên nhân chết", "Cause of death", "nktNguyenNhanChet")
    notice_number: str | None = said("Số giấy báo tử", "Number of the death notice", "gbtSo")
    notice_on: PartialDate | None = said("Ngày giấy báo tử", "Day of the death notice", "gbtNgay", DAY_MONTH_YEAR)
    notice_issuer: str | None = said("Cơ quan cấp giấy báo tử", "Issuer of the death notice", "gbtCoQuanCap")
    declarant_name: str | None = said("Người yêu cầu", "Who declared the death", "nycHoTen")


class MaritalStatus(Record):
    """What the books say of somebody's marital status (tình trạng hôn nhân)."""

    personal_id: PersonalNumber | None = said("Số định danh cá nhân", "Personal number", "soDDCN")
    full_name: str | None = said("Họ và tên", "Full name", "hoTen")
    status: MaritalState | None = said(
        "Tình trạng hôn nhân",
        "Status: single, married, divorced or widowed",
        "tinhTrangHonNhan",
        MARITAL_STATUSES,
    )
    since: PartialDate | None = said("Từ ngày", "Day since when", "tuNgay", DAY_MONTH_YEAR)
    spouse_full_name: str | None = said("Họ tên vợ/chồng", "Spouse of the latest marriage", "voChongHoTen")
    spouse_personal_id: PersonalNumber | None = said(
        "Số định danh vợ/chồng", "Personal number of that spouse", "voChongSoDDCN"
    )
    marriage_number: str | None = said("Số kết hôn", "Entry of the latest marriage", "khSo")
    marriage_book: str | None = said("Quyển số kết hôn", "Book of the latest marriage", "khQuyenSo")
    marriage_registered_on: PartialDate | None = said(
        "Ngày đăng ký kết hôn", "Day the latest marriage was registered", "khNgayDangKy", DAY_MONTH_YEAR
    )
    marriage_office: str | None = said("Nơi đăng ký kết hôn", "Where the latest marriage was registered", "khNoiDangKy")
